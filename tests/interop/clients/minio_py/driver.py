"""minio-py. Over http it signs what it sends; over https the payload goes unsigned."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import minio
import urllib3
from driver_protocol import BIG_SIZE, MIB, SMALL_SIZES, Driver, check, check_equal, content_md5, curl, multipart_etag
from minio.commonconfig import ENABLED, REPLACE, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import OFF, SUSPENDED, VersioningConfig

PART_SIZE = 8 * MIB
_SOON = timedelta(minutes=5)
_DOTS = "refuses names with the segments `.` and `..`"


class MinioPy(Driver):
    name = "minio-py"
    LACKS = {"conditional_writes": "its put_object takes no conditions"}
    PARTLY = {"slash_keys": _DOTS}

    def __init__(self) -> None:
        super().__init__()
        trust = {"cert_reqs": "CERT_REQUIRED", "ca_certs": self.ca_file} if self.ca_file else {}
        self.client = minio.Minio(
            self.host,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=self.secure,
            region=self.region,
            http_client=urllib3.PoolManager(retries=False, maxsize=10, **trust),
        )

    def version(self) -> str:
        return minio.__version__

    def refused(self, codes: set[str], call: Callable[[], object]) -> None:
        try:
            call()
        except S3Error as error:
            check(error.code in codes, f"refused with {error}, expected {codes}")
        else:
            raise AssertionError(f"succeeded, but should have been refused with one of {codes}")

    def put(self, key: str, data: bytes, bucket: str | None = None, **more: object) -> minio.helpers.ObjectWriteResult:
        return self.client.put_object(bucket or self.bucket, key, io.BytesIO(data), len(data), **more)

    def get(self, key: str, bucket: str | None = None, **more: object) -> bytes:
        answer = self.client.get_object(bucket or self.bucket, key, **more)
        try:
            return answer.read()
        finally:
            answer.close()
            answer.release_conn()

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        return [item.object_name for item in self.client.list_objects(bucket, prefix=prefix, recursive=True)]

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.client.make_bucket(bucket)
            check(self.client.bucket_exists(bucket), f"{bucket} is not there")
        names = {bucket.name for bucket in self.client.list_buckets()}
        check({self.bucket, self.bucket_2} <= names, f"the new buckets are not listed: {names}")
        check(not self.client.bucket_exists(f"{self.bucket}-absent"), "an absent bucket is there")

    def _round_trip(self, step: str) -> None:
        for size in SMALL_SIZES[step]:
            path, key = self.file(size), f"sizes/{size}"
            # Parts larger than the object: one piece, as minio-py would need two from 5 MiB on.
            put = self.put(key, path.read_bytes(), part_size=64 * MIB)
            check_equal(put.etag, content_md5(path), f"ETag, {size} bytes")
            check(self.get(key) == path.read_bytes(), f"{size} bytes came back changed")
            stat = self.client.stat_object(self.bucket, key)
            check_equal((stat.etag, stat.size), (put.etag, size), f"stat_object, {size} bytes")

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
        put = self.client.fput_object(self.bucket, "big", str(path), part_size=PART_SIZE)
        check_equal(put.etag, multipart_etag(path, PART_SIZE), "ETag of the parts")
        self.client.fget_object(self.bucket, "big", str(back))
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        self.client.remove_object(self.bucket, "big")

    def ranges(self) -> None:
        data, key = self.file(65_537).read_bytes(), "sizes/65537"
        for offset, length in ((0, 1), (1, 65_535), (65_530, 0), (65_000, 50_000)):
            expected = data[offset : offset + length] if length else data[offset:]
            check(self.get(key, offset=offset, length=length) == expected, f"{offset}, {length}: wrong bytes")
        check(self.get(key, request_headers={"Range": "bytes=-100"}) == data[-100:], "suffix: wrong bytes")
        self.refused({"InvalidRange"}, lambda: self.get(key, offset=65_537, length=10))

    def metadata(self) -> None:
        given = {"Cache-Control": "max-age=60, private", "X-Amz-Meta-Plain": "value", "Content-Language": "de"}
        self.put("metadata", b"x", content_type="text/x-odd", metadata=given)
        stat = self.client.stat_object(self.bucket, "metadata")
        check_equal({name: stat.metadata.get(name) for name in given}, given, "stat_object")
        check_equal(stat.content_type, "text/x-odd", "content type")

    def _own_keys(self, kind: str, keys: list[str]) -> None:
        for key in keys:
            self.put(key, key.encode())
        for key in keys:
            check_equal(self.get(key), key.encode(), f"body of {key!r}")
        check_equal(self.list_keys(self.bucket, f"own/{kind}/"), keys, "listed")
        for key in keys:
            self.client.remove_object(self.bucket, key)
        check_equal(self.list_keys(self.bucket, f"own/{kind}/"), [], "listed after all were deleted")

    def odd_keys(self) -> None:
        self._own_keys("odd", self.own_keys("odd"))

    def slash_keys(self) -> None:
        dots = {".", ".."}
        self._own_keys("slash", [key for key in self.own_keys("slash") if not dots & set(key.split("/"))])

    def control_keys(self) -> None:
        self._own_keys("control", self.own_keys("control"))

    def list_odd_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "odd/"), self.listed_keys("odd"), "keys")
        listed = self.client.list_objects(self.seeded_bucket, prefix="odd/", recursive=True, use_api_v1=True)
        check_equal([item.object_name for item in listed], self.listed_keys("odd"), "keys, V1")

    def list_slash_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "slash/"), self.listed_keys("slash"), "keys")

    def list_control_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "control/"), self.listed_keys("control"), "keys")

    def list_folders(self) -> None:
        listed = [(item.object_name, item.is_dir) for item in self.client.list_objects(self.seeded_bucket, "folders/")]
        folders = {"folders/a b/", "folders/a/", "folders/b+c/", "folders/ü/"}
        check_equal({name for name, is_folder in listed if is_folder}, folders, "folders")
        check_equal([name for name, is_folder in listed if not is_folder], ["folders/file", "folders/z%"], "keys")

    def copy(self) -> None:
        source, data = "copy/source ü + % a//b", self.file(65_537).read_bytes()
        self.put(source, data, metadata={"X-Amz-Meta-Kept": "yes"})
        self.client.copy_object(self.bucket_2, "copy/target", CopySource(self.bucket, source))
        check(self.get("copy/target", self.bucket_2) == data, "the copy's bytes differ")
        kept = self.client.stat_object(self.bucket_2, "copy/target").metadata["x-amz-meta-kept"]
        check_equal(kept, "yes", "what the copy keeps")
        replaced = {"metadata": {"X-Amz-Meta-New": "1"}, "metadata_directive": REPLACE}
        self.client.copy_object(self.bucket, source, CopySource(self.bucket, source), **replaced)
        stat = self.client.stat_object(self.bucket, source).metadata
        check_equal((stat.get("x-amz-meta-new"), stat.get("x-amz-meta-kept")), ("1", None), "a copy onto itself")
        absent = CopySource(self.bucket, "absent")
        self.refused({"NoSuchKey"}, lambda: self.client.copy_object(self.bucket, "x", absent))

    def delete_batch(self) -> None:
        keys = [f"batch/{key}" for key in self.own_keys("odd")]
        keys += [f"batch/{number}" for number in range(60 - len(keys))]
        for key in keys:
            self.put(key, b"x")
        errors = list(self.client.remove_objects(self.bucket, [DeleteObject(key) for key in [*keys, "batch/absent"]]))
        check_equal(errors, [], "errors")
        check_equal(self.list_keys(self.bucket, "batch/"), [], "listed afterwards")

    def tags(self) -> None:
        for new, given in ((Tags.new_object_tags, "object"), (Tags.new_bucket_tags, "bucket")):
            tags = new()
            tags.update({"team": "storage", "a b+c": "ü/=@"})
            if given == "object":
                self.put("tagged", b"x", tags=tags)
                check_equal(self.client.get_object_tags(self.bucket, "tagged"), tags, "tags given with the object")
                tags["more"] = "1"
                self.client.set_object_tags(self.bucket, "tagged", tags)
                check_equal(self.client.get_object_tags(self.bucket, "tagged"), tags, "tags of the object")
                self.client.delete_object_tags(self.bucket, "tagged")
                check(not self.client.get_object_tags(self.bucket, "tagged"), "tags are left")
            else:
                self.client.set_bucket_tags(self.bucket, tags)
                check_equal(self.client.get_bucket_tags(self.bucket), tags, "tags of the bucket")
                self.client.delete_bucket_tags(self.bucket)
                check(not self.client.get_bucket_tags(self.bucket), "tags are left")

    def versions(self) -> None:
        bucket, key = self.versioned_bucket, "kept ü"
        self.client.make_bucket(bucket)
        check(self.client.get_bucket_versioning(bucket).status in {None, OFF}, "a new bucket keeps no versions")
        self.client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
        check_equal(self.client.get_bucket_versioning(bucket).status, ENABLED, "versioning")
        ids = [self.put(key, body, bucket).version_id for body in (b"first", b"second")]
        bodies = [self.get(key, bucket, version_id=version) for version in ids]
        check_equal(bodies, [b"first", b"second"], "bodies of the versions")
        self.client.remove_object(bucket, key)
        self.refused({"NoSuchKey"}, lambda: self.get(key, bucket))
        listed = list(self.client.list_objects(bucket, include_version=True))
        found = {(item.version_id, item.is_delete_marker) for item in listed if not item.is_delete_marker}
        check_equal(found, {(version, False) for version in ids}, "versions")
        (marker,) = [item for item in listed if item.is_delete_marker]
        self.client.remove_object(bucket, key, version_id=marker.version_id)
        check_equal(self.get(key, bucket), b"second", "the newest version is back")
        self.client.set_bucket_versioning(bucket, VersioningConfig(SUSPENDED))
        check_equal(self.client.get_bucket_versioning(bucket).status, SUSPENDED, "versioning")

    def presign_get(self) -> None:
        key, data = "signed/a b+ü%.bin", self.file(65_537).read_bytes()
        self.put(key, data)
        url = self.client.presigned_get_object(self.bucket, key, expires=_SOON)
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == data, "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")

    def presign_put(self) -> None:
        key, path = "signed/put ü", self.file(65_537)
        url = self.client.presigned_put_object(self.bucket, key, expires=_SOON)
        status, body = curl(url, "--upload-file", str(path))
        check(status == 200, f"{status}: {body!r}")
        check(self.get(key) == path.read_bytes(), "other bytes stand there")

    def delete_bucket(self) -> None:
        self.refused({"BucketNotEmpty"}, lambda: self.client.remove_bucket(self.bucket))
        for bucket in (self.bucket, self.bucket_2, self.versioned_bucket):
            listed = self.client.list_objects(bucket, recursive=True, include_version=True)
            objects = [DeleteObject(item.object_name, item.version_id) for item in listed]
            check_equal(list(self.client.remove_objects(bucket, objects)), [], "errors")
            self.client.remove_bucket(bucket)
            check(not self.client.bucket_exists(bucket), f"{bucket} is still there")


if __name__ == "__main__":
    MinioPy().main()
