"""The steps in terms of S3's own operations, for clients that offer those (boto3, aiobotocore, `aws s3api`)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from driver_protocol import (
    BIG_SIZE,
    MIB,
    SMALL_SIZES,
    Driver,
    check,
    check_equal,
    content_md5,
    curl,
    multipart_etag,
)

__all__ = ["Refused", "S3ApiDriver"]


class Refused(Exception):
    """The server answered with an error.

    Args:
        code: S3's code, or the status in digits where the answer has no body.
        message: what the client says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class S3ApiDriver(Driver):
    """A subclass makes the calls; what they must answer is said here."""

    @abstractmethod
    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation (`PutObject`). `Body` is bytes, in the parameters and in the answer.

        Raises:
            Refused: the server answered with an error.
        """

    @abstractmethod
    def upload(self, path: Path, key: str) -> int:
        """Upload a large file as the client does it by itself; the size of its parts."""

    @abstractmethod
    def download(self, key: str, path: Path) -> None:
        """Download a large object to a file as the client does it by itself."""

    @abstractmethod
    def presign(self, operation: str, **parameters: Any) -> str:
        """A URL that allows the operation for some minutes."""

    @abstractmethod
    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        """The keys below a prefix, over all pages, in the order of the answers."""

    def call_many(self, operation: str, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make calls that don't depend on each other; a client that can makes them at once."""
        return [self.call(operation, **parameters) for parameters in calls]

    def refused(self, codes: Iterable[str], operation: str, **parameters: Any) -> None:
        """Call an operation that must be answered with one of the error codes."""
        try:
            self.call(operation, **parameters)
        except Refused as error:
            check(error.code in codes, f"{operation}: refused with {error}, expected {codes}")
        else:
            raise AssertionError(f"{operation} succeeded, but should have been refused with one of {codes}")

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.call("CreateBucket", Bucket=bucket)
            self.call("HeadBucket", Bucket=bucket)
        names = [bucket["Name"] for bucket in self.call("ListBuckets")["Buckets"]]
        check({self.bucket, self.bucket_2} <= set(names), f"the new buckets are not listed: {names}")
        self.refused({"404", "NoSuchBucket"}, "HeadBucket", Bucket=f"{self.bucket}-absent")

    def _round_trip(self, step: str) -> None:
        for size in SMALL_SIZES[step]:
            path, key = self.file(size), f"sizes/{size}"
            put = self.call("PutObject", Bucket=self.bucket, Key=key, Body=path.read_bytes())
            check_equal(put["ETag"], f'"{content_md5(path)}"', f"ETag of PutObject, {size} bytes")
            got = self.call("GetObject", Bucket=self.bucket, Key=key)
            check_equal(got["ContentLength"], size, "Content-Length")
            check(got["Body"] == path.read_bytes(), f"{size} bytes came back changed")
            head = self.call("HeadObject", Bucket=self.bucket, Key=key)
            check_equal((head["ETag"], head["ContentLength"]), (put["ETag"], size), f"HeadObject, {size} bytes")

    def put_get_empty(self) -> None:
        self._round_trip("put_get_empty")

    def put_get_1_byte(self) -> None:
        self._round_trip("put_get_1_byte")

    def put_get_64k(self) -> None:
        self._round_trip("put_get_64k")

    def put_get_8m(self) -> None:
        self._round_trip("put_get_8m")

    def multipart_100m(self) -> None:
        path, back = self.file(BIG_SIZE), self.work / "big"
        part_size = self.upload(path, "big")
        head = self.call("HeadObject", Bucket=self.bucket, Key="big")
        check_equal(head["ETag"], f'"{multipart_etag(path, part_size)}"', "ETag of the parts")
        self.download("big", back)
        check_equal(back.stat().st_size, BIG_SIZE, "size")
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        self.call("DeleteObject", Bucket=self.bucket, Key="big")
        check(not self.call("ListMultipartUploads", Bucket=self.bucket).get("Uploads"), "an upload was left open")

    def ranges(self) -> None:
        data, key = self.file(65_537).read_bytes(), "sizes/65537"
        for given, first, last in (
            ("bytes=0-0", 0, 0),
            ("bytes=1-65535", 1, 65_535),
            ("bytes=65530-", 65_530, 65_536),
            ("bytes=-100", 65_437, 65_536),
            ("bytes=65000-99999", 65_000, 65_536),
        ):
            got = self.call("GetObject", Bucket=self.bucket, Key=key, Range=given)
            check(got["Body"] == data[first : last + 1], f"{given}: wrong bytes")
            check_equal(got["ContentRange"], f"bytes {first}-{last}/65537", given)
        self.refused({"InvalidRange"}, "GetObject", Bucket=self.bucket, Key=key, Range="bytes=65537-70000")

    def metadata(self) -> None:
        given = {
            "ContentType": "text/x-odd; charset=utf-8",
            "CacheControl": "max-age=60, private",
            "ContentDisposition": 'attachment; filename="a b.txt"',
            "ContentEncoding": "gzip",
            "ContentLanguage": "de",
            "Metadata": {"plain": "value", "dashed-name": "with  two spaces", "empty": ""},
        }
        self.call("PutObject", Bucket=self.bucket, Key="metadata", Body=b"x", **given)
        for operation in ("HeadObject", "GetObject"):
            got = self.call(operation, Bucket=self.bucket, Key="metadata")
            check_equal({name: got.get(name) for name in given}, given, operation)

    def _own_keys(self, kind: str) -> None:
        keys = self.own_keys(kind)
        self.call_many("PutObject", [{"Bucket": self.bucket, "Key": key, "Body": key.encode()} for key in keys])
        for key, got in zip(
            keys, self.call_many("GetObject", [{"Bucket": self.bucket, "Key": key} for key in keys]), strict=True
        ):
            check_equal(got["Body"], key.encode(), f"body of {key!r}")
        check_equal(self.list_keys(self.bucket, f"own/{kind}/"), keys, "listed")
        self.call_many("DeleteObject", [{"Bucket": self.bucket, "Key": key} for key in keys])
        check_equal(self.list_keys(self.bucket, f"own/{kind}/"), [], "listed after all were deleted")

    def odd_keys(self) -> None:
        self._own_keys("odd")

    def slash_keys(self) -> None:
        self._own_keys("slash")
        for key in ("/", "/leading", "//twice"):
            self.call("PutObject", Bucket=self.bucket, Key=key, Body=key.encode())
            check_equal(self.call("GetObject", Bucket=self.bucket, Key=key)["Body"], key.encode(), repr(key))
        check_equal(self.list_keys(self.bucket, "/"), ["/", "//twice", "/leading"], "keys that begin with a slash")

    def control_keys(self) -> None:
        self._own_keys("control")

    def list_odd_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "odd/"), self.listed_keys("odd"), "keys")
        page = self.call("ListObjectsV2", Bucket=self.seeded_bucket, Prefix="odd/", MaxKeys=7)
        check_equal((page["KeyCount"], page["IsTruncated"]), (7, True), "KeyCount and IsTruncated of a page of 7")
        start = self.listed_keys("odd")[1200]
        page = self.call("ListObjectsV2", Bucket=self.seeded_bucket, Prefix="odd/", StartAfter=start, MaxKeys=50)
        check_equal([item["Key"] for item in page["Contents"]], self.listed_keys("odd")[1201:1251], "after StartAfter")
        page = self.call("ListObjects", Bucket=self.seeded_bucket, Prefix="odd/", Marker=start, MaxKeys=50)
        check_equal([item["Key"] for item in page["Contents"]], self.listed_keys("odd")[1201:1251], "V1, after Marker")

    def list_slash_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "slash/"), self.listed_keys("slash"), "keys")

    def list_control_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "control/"), self.listed_keys("control"), "keys")

    def list_folders(self) -> None:
        for operation in ("ListObjectsV2", "ListObjects"):
            got = self.call(operation, Bucket=self.seeded_bucket, Prefix="folders/", Delimiter="/")
            folders = [folder["Prefix"] for folder in got["CommonPrefixes"]]
            check_equal(folders, ["folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"], f"folders, {operation}")
            keys = [item["Key"] for item in got["Contents"]]
            check_equal(keys, ["folders/file", "folders/z%"], f"keys, {operation}")

    def copy(self) -> None:
        source, data = "copy/source ü + % a//b", self.file(65_537).read_bytes()
        self.call("PutObject", Bucket=self.bucket, Key=source, Body=data, Metadata={"kept": "yes"}, ContentType="a/b")
        origin = {"Bucket": self.bucket, "Key": source}
        copied = self.call("CopyObject", Bucket=self.bucket_2, Key="copy/target", CopySource=origin)
        check_equal(copied["CopyObjectResult"]["ETag"], f'"{content_md5(data)}"', "ETag of the copy")
        got = self.call("GetObject", Bucket=self.bucket_2, Key="copy/target")
        check(got["Body"] == data, "the copy's bytes differ")
        check_equal((got["Metadata"], got["ContentType"]), ({"kept": "yes"}, "a/b"), "what the copy keeps")
        self.call("CopyObject", **origin, CopySource=origin, MetadataDirective="REPLACE", Metadata={"new": "1"})
        got = self.call("GetObject", **origin)
        check_equal((got["Body"] == data, got["Metadata"]), (True, {"new": "1"}), "a copy onto itself")
        self.refused({"NoSuchKey"}, "CopyObject", Bucket=self.bucket, Key="x", CopySource={**origin, "Key": "absent"})

    def delete_batch(self) -> None:
        keys = [f"batch/{key.removeprefix('own/odd/')}" for key in self.own_keys("odd")]
        keys += [f"batch/{number}" for number in range(60 - len(keys))]
        self.call_many("PutObject", [{"Bucket": self.bucket, "Key": key, "Body": b"x"} for key in keys])
        listed = [{"Key": key} for key in [*keys, "batch/absent"]]
        answer = self.call("DeleteObjects", Bucket=self.bucket, Delete={"Objects": listed})
        check_equal(answer.get("Errors", []), [], "errors")
        deleted = {item["Key"] for item in answer["Deleted"]}
        check_equal(deleted, {item["Key"] for item in listed}, "what the answer says is deleted")
        check_equal(self.list_keys(self.bucket, "batch/"), [], "listed afterwards")

    def tags(self) -> None:
        tags = [{"Key": "team", "Value": "storage"}, {"Key": "a b+c", "Value": "ü/=@"}, {"Key": "empty", "Value": ""}]
        by_key = sorted(tags, key=lambda tag: tag["Key"])
        where = {"Bucket": self.bucket, "Key": "tagged"}
        self.call("PutObject", **where, Body=b"x", Tagging="first=1&second=a%20b")
        got = self.call("GetObjectTagging", **where)["TagSet"]
        check_equal(got, [{"Key": "first", "Value": "1"}, {"Key": "second", "Value": "a b"}], "tags of the header")
        self.call("PutObjectTagging", **where, Tagging={"TagSet": tags})
        got = self.call("GetObjectTagging", **where)["TagSet"]
        check_equal(sorted(got, key=lambda tag: tag["Key"]), by_key, "tags of the object")
        check_equal(self.call("GetObject", **where)["TagCount"], 3, "tag count")
        self.call("DeleteObjectTagging", **where)
        check_equal(self.call("GetObjectTagging", **where)["TagSet"], [], "tags after they were removed")
        self.refused({"NoSuchTagSet"}, "GetBucketTagging", Bucket=self.bucket)
        self.call("PutBucketTagging", Bucket=self.bucket, Tagging={"TagSet": tags})
        got = self.call("GetBucketTagging", Bucket=self.bucket)["TagSet"]
        check_equal(sorted(got, key=lambda tag: tag["Key"]), by_key, "tags of the bucket")
        self.call("DeleteBucketTagging", Bucket=self.bucket)
        self.refused({"NoSuchTagSet"}, "GetBucketTagging", Bucket=self.bucket)

    def versions(self) -> None:
        bucket, where = self.versioned_bucket, {"Bucket": self.versioned_bucket, "Key": "kept ü"}
        self.call("CreateBucket", Bucket=bucket)
        check(not self.call("GetBucketVersioning", Bucket=bucket).get("Status"), "a new bucket keeps no versions")
        self.call("PutObject", **where, Body=b"before")
        self.call("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        check_equal(self.call("GetBucketVersioning", Bucket=bucket)["Status"], "Enabled", "versioning")
        ids = ["null"]
        ids += [self.call("PutObject", **where, Body=body)["VersionId"] for body in (b"first", b"second")]
        bodies = [self.call("GetObject", **where, VersionId=version)["Body"] for version in ids]
        check_equal(bodies, [b"before", b"first", b"second"], "bodies of the versions")
        marker = self.call("DeleteObject", **where)
        check(marker["DeleteMarker"], "a delete without a version makes a marker")
        self.refused({"NoSuchKey"}, "GetObject", **where)
        listed = self.call("ListObjectVersions", Bucket=bucket)
        check_equal([version["VersionId"] for version in listed["Versions"]], ids[::-1], "versions, newest first")
        markers = [(item["VersionId"], item["IsLatest"]) for item in listed["DeleteMarkers"]]
        check_equal(markers, [(marker["VersionId"], True)], "delete markers")
        self.call("DeleteObject", **where, VersionId=marker["VersionId"])
        check_equal(self.call("GetObject", **where)["Body"], b"second", "the newest version is back")
        self.call("PutBucketVersioning", Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        check_equal(self.call("PutObject", **where, Body=b"third").get("VersionId"), "null", "version while suspended")
        listed = self.call("ListObjectVersions", Bucket=bucket)
        check_equal([version["VersionId"] for version in listed["Versions"]], ["null", *ids[:0:-1]], "null replaced")

    def presign_get(self) -> None:
        key, data = "signed/a b+ü%.bin", self.file(65_537).read_bytes()
        self.call("PutObject", Bucket=self.bucket, Key=key, Body=data)
        url = self.presign("GetObject", Bucket=self.bucket, Key=key)
        check_equal(curl(url)[0], 200, "status")
        check(curl(url)[1] == data, "curl got other bytes")
        check_equal(curl(url.replace("signed/", "signee/"))[0], 403, "status for another key")

    def presign_put(self) -> None:
        key, path = "signed/put ü", self.file(65_537)
        url = self.presign("PutObject", Bucket=self.bucket, Key=key)
        status, body = curl(url, "--upload-file", str(path))
        check(status == 200, f"{status}: {body!r}")
        got = self.call("GetObject", Bucket=self.bucket, Key=key)
        check(got["Body"] == path.read_bytes(), "other bytes stand there")

    def conditional_writes(self) -> None:
        where = {"Bucket": self.bucket, "Key": "lock"}
        etag = self.call("PutObject", **where, Body=b"1", IfNoneMatch="*")["ETag"]
        self.refused({"PreconditionFailed"}, "PutObject", **where, Body=b"2", IfNoneMatch="*")
        self.refused({"PreconditionFailed"}, "PutObject", **where, Body=b"2", IfMatch=f'"{"0" * 32}"')
        check_equal(self.call("GetObject", **where)["Body"], b"1", "body after refused writes")
        self.call("PutObject", **where, Body=b"3", IfMatch=etag)
        check_equal(self.call("GetObject", **where)["Body"], b"3", "body after the allowed write")
        absent = {"Bucket": self.bucket, "Key": "lock/absent"}
        self.refused({"NoSuchKey"}, "PutObject", **absent, Body=b"2", IfMatch=etag)
        self.refused({"304"}, "GetObject", **where, IfNoneMatch=f'"{content_md5(b"3")}"')
        self.refused({"PreconditionFailed"}, "GetObject", **where, IfMatch=etag)

    def delete_bucket(self) -> None:
        self.refused({"BucketNotEmpty"}, "DeleteBucket", Bucket=self.bucket)
        for bucket in (self.bucket, self.bucket_2, self.versioned_bucket):
            listed = self.call("ListObjectVersions", Bucket=bucket)
            objects = [
                {"Key": item["Key"], "VersionId": item["VersionId"]}
                for item in [*listed.get("Versions", []), *listed.get("DeleteMarkers", [])]
            ]
            if objects:
                gone = self.call("DeleteObjects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
                check_equal((gone.get("Deleted", []), gone.get("Errors", [])), ([], []), "a quiet answer")
            self.call("DeleteBucket", Bucket=bucket)
            self.refused({"404", "NoSuchBucket"}, "HeadBucket", Bucket=bucket)


PART_SIZE = 8 * MIB
"""boto3's and the AWS CLI's own part size."""
