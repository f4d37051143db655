"""s3fs: S3 as a file system, what pandas, dask and their kin read and write with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import s3fs
from driver_protocol import BIG_SIZE, MIB, SMALL_SIZES, Driver, check, check_equal, content_md5, curl, multipart_etag

PART_SIZE = 8 * MIB


class S3fs(Driver):
    name = "s3fs"
    PARTLY = {
        "ranges": "cuts a range at the end by itself",
        "odd_keys": "reads `?versionId=` in a path as a version",
        "slash_keys": "takes the slash off a path's end",
        "list_slash_keys": "lists a key that ends in a slash as a folder of that name",
        "copy": "gives no way to change what is copied",
        "tags": "knows tags of objects only",
        "conditional_writes": "creates only if absent; has no replacing only if unchanged",
    }

    def __init__(self) -> None:
        super().__init__()
        self.fs = self._file_system()

    def _file_system(self, **more: Any) -> s3fs.S3FileSystem:
        return s3fs.S3FileSystem(
            key=self.access_key,
            secret=self.secret_key,
            endpoint_url=self.endpoint,
            client_kwargs={"region_name": self.region, **({"verify": self.ca_file} if self.ca_file else {})},
            config_kwargs={"retries": {"total_max_attempts": 1}},
            use_listings_cache=False,
            skip_instance_cache=True,
            **more,
        )

    def version(self) -> str:
        return s3fs.__version__

    def refused(self, kinds: type[Exception] | tuple[type[Exception], ...], call: Callable[[], object]) -> None:
        try:
            call()
        except kinds:
            return
        raise AssertionError("succeeded, but should have been refused")

    def found(self, bucket: str, prefix: str) -> list[str]:
        """The keys below a prefix, in S3's order."""
        below = self.fs.find(f"{bucket}/{prefix}")
        return sorted((path.removeprefix(f"{bucket}/") for path in below), key=str.encode)

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.fs.mkdir(bucket)
            check(self.fs.exists(bucket), f"{bucket} is not there")
        check({self.bucket, self.bucket_2} <= set(self.fs.ls("")), "the new buckets are not listed")
        check(not self.fs.exists(f"{self.bucket}-absent"), "an absent bucket is there")

    def _round_trip(self, step: str) -> None:
        for size in SMALL_SIZES[step]:
            path, target = self.file(size), f"{self.bucket}/sizes/{size}"
            self.fs.pipe_file(target, path.read_bytes())
            check(self.fs.cat_file(target) == path.read_bytes(), f"{size} bytes came back changed")
            info = self.fs.info(target)
            check_equal((info["ETag"], info["size"]), (f'"{content_md5(path)}"', size), f"info, {size} bytes")

    def put_get_empty(self) -> None:
        self._round_trip("put_get_empty")

    def put_get_1_byte(self) -> None:
        self._round_trip("put_get_1_byte")

    def put_get_64k(self) -> None:
        self._round_trip("put_get_64k")

    def put_get_8m(self) -> None:
        self._round_trip("put_get_8m")

    def multipart_100m(self) -> None:
        path, back, target = self.file(BIG_SIZE), self.work / "big", f"{self.bucket}/big"
        self.fs.put_file(str(path), target, chunksize=PART_SIZE)
        check_equal(self.fs.info(target)["ETag"], f'"{multipart_etag(path, PART_SIZE)}"', "ETag of the parts")
        self.fs.get_file(target, str(back))
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        check(not self.fs.list_multipart_uploads(self.bucket), "an upload was left open")
        self.fs.rm_file(target)

    def ranges(self) -> None:
        data, source = self.file(65_537).read_bytes(), f"{self.bucket}/sizes/65537"
        for start, end in ((0, 1), (1, 65_536), (65_530, None), (-100, None), (65_000, 99_999)):
            check(self.fs.cat_file(source, start=start, end=end) == data[start:end], f"{start} to {end}: wrong bytes")
        with self.fs.open(source, "rb", block_size=5000) as file:
            file.seek(40_000)
            check(file.read(20_000) == data[40_000:60_000], "read after seek: wrong bytes")

    def metadata(self) -> None:
        target = f"{self.bucket}/metadata"
        given = {"ContentType": "text/x-odd", "CacheControl": "max-age=60, private", "Metadata": {"plain": "value"}}
        self.fs.pipe_file(target, b"x", **given)
        check_equal(self.fs.metadata(target), {"plain": "value"}, "metadata")
        check_equal(self.fs.info(target)["ContentType"], "text/x-odd", "content type")
        self.fs.setxattr(target, more="added")
        check_equal(self.fs.metadata(target), {"plain": "value", "more": "added"}, "metadata after setxattr")

    def _own_keys(self, kind: str, keys: list[str]) -> None:
        for key in keys:
            self.fs.pipe_file(f"{self.bucket}/{key}", key.encode())
        for key in keys:
            check_equal(self.fs.cat_file(f"{self.bucket}/{key}"), key.encode(), f"body of {key!r}")
        check_equal(self.found(self.bucket, f"own/{kind}/"), keys, "listed")
        # A folder, as names in a list are patterns to it.
        self.fs.rm(f"{self.bucket}/own/{kind}", recursive=True)
        check_equal(self.found(self.bucket, f"own/{kind}/"), [], "listed after all were deleted")

    def odd_keys(self) -> None:
        self._own_keys("odd", [key for key in self.own_keys("odd") if "?versionId=" not in key])

    def slash_keys(self) -> None:
        self._own_keys("slash", [key for key in self.own_keys("slash") if not key.endswith("/")])

    def control_keys(self) -> None:
        keys = self.own_keys("control")
        for key in keys:
            self.fs.pipe_file(f"{self.bucket}/{key}", key.encode())
            check_equal(self.fs.cat_file(f"{self.bucket}/{key}"), key.encode(), f"body of {key!r}")
        check_equal(self.found(self.bucket, "own/control/"), keys, "listed")
        for key in keys:
            # One by one: the XML of a batch has no way to write them.
            self.fs.rm_file(f"{self.bucket}/{key}")
        check_equal(self.found(self.bucket, "own/control/"), [], "listed after all were deleted")

    def list_odd_keys(self) -> None:
        check_equal(self.found(self.seeded_bucket, "odd/"), self.listed_keys("odd"), "keys")

    def list_slash_keys(self) -> None:
        expected = [key for key in self.listed_keys("slash") if not key.endswith("/")]
        found = [key for key in self.found(self.seeded_bucket, "slash/") if not key.endswith("/")]
        check_equal(found, expected, "keys")

    def list_control_keys(self) -> None:
        check_equal(self.found(self.seeded_bucket, "control/"), self.listed_keys("control"), "keys")

    def list_folders(self) -> None:
        names = [path.rpartition("/")[2] for path in self.fs.ls(f"{self.seeded_bucket}/folders")]
        check_equal(sorted(names), ["a", "a b", "b+c", "file", "z%", "ü"], "folders and keys")
        check(self.fs.isdir(f"{self.seeded_bucket}/folders/b+c"), "a folder is no directory")

    def copy(self) -> None:
        source, target = f"{self.bucket}/copy/source ü + % a//b", f"{self.bucket_2}/copy/target"
        data = self.file(65_537).read_bytes()
        self.fs.pipe_file(source, data, Metadata={"kept": "yes"})
        self.fs.copy(source, target)
        check(self.fs.cat_file(target) == data, "the copy's bytes differ")
        check_equal(self.fs.metadata(target), {"kept": "yes"}, "what the copy keeps")
        self.fs.mv(target, f"{self.bucket_2}/copy/moved")
        check_equal(self.found(self.bucket_2, "copy/"), ["copy/moved"], "after moving it")

    def delete_batch(self) -> None:
        keys = [f"batch/{key}" for key in self.own_keys("odd")]
        keys += [f"batch/{number}" for number in range(60 - len(keys))]
        self.fs.pipe({f"{self.bucket}/{key}": b"x" for key in keys})
        check_equal(len(self.found(self.bucket, "batch/")), 60, "objects")
        self.fs.rm(f"{self.bucket}/batch", recursive=True)
        check_equal(self.found(self.bucket, "batch/"), [], "listed afterwards")

    def tags(self) -> None:
        target, tags = f"{self.bucket}/tagged", {"team": "storage", "a b+c": "ü/=@"}
        self.fs.pipe_file(target, b"x")
        self.fs.put_tags(target, tags)
        check_equal(self.fs.get_tags(target), tags, "tags")
        self.fs.put_tags(target, {"more": "1"}, mode="m")
        check_equal(self.fs.get_tags(target), {**tags, "more": "1"}, "tags after adding one")
        self.fs.put_tags(target, {})
        check_equal(self.fs.get_tags(target), {}, "tags after they were removed")

    def versions(self) -> None:
        self.fs.mkdir(self.versioned_bucket)
        self.fs.make_bucket_versioned(self.versioned_bucket)
        fs, target = self._file_system(version_aware=True), f"{self.versioned_bucket}/kept ü"
        for body in (b"first", b"second"):
            fs.pipe_file(target, body)
        versions = [item["VersionId"] for item in fs.object_version_info(target)]
        bodies = [fs.cat_file(target, version_id=version) for version in versions]
        check_equal(bodies, [b"second", b"first"], "bodies of the versions, newest first")
        fs.rm_file(target)
        self.refused(FileNotFoundError, lambda: self.fs.cat_file(target))
        (marker,) = self.fs.call_s3("list_object_versions", Bucket=self.versioned_bucket)["DeleteMarkers"]
        self.fs.call_s3("delete_object", Bucket=self.versioned_bucket, Key="kept ü", VersionId=marker["VersionId"])
        check_equal(self.fs.cat_file(target), b"second", "the newest version is back")

    def presign_get(self) -> None:
        target, data = f"{self.bucket}/signed/a b+ü%.bin", self.file(65_537).read_bytes()
        self.fs.pipe_file(target, data)
        url = self.fs.sign(target, expiration=300)
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == data, "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")

    def presign_put(self) -> None:
        target, path = f"{self.bucket}/signed/put ü", self.file(65_537)
        status, body = curl(self.fs.url(target, client_method="put_object"), "--upload-file", str(path))
        check(status == 200, f"{status}: {body!r}")
        check(self.fs.cat_file(target) == path.read_bytes(), "other bytes stand there")

    def conditional_writes(self) -> None:
        target = f"{self.bucket}/lock"
        self.fs.pipe_file(target, b"1", mode="create")
        self.refused(OSError, lambda: self.fs.pipe_file(target, b"2", mode="create"))
        check_equal(self.fs.cat_file(target), b"1", "body after the refused write")

    def delete_bucket(self) -> None:
        self.refused(OSError, lambda: self.fs.rmdir(self.bucket))
        for bucket in (self.bucket, self.bucket_2):
            self.fs.rm(bucket, recursive=True)
            check(not self.fs.exists(bucket), f"{bucket} is still there")


if __name__ == "__main__":
    S3fs().main()
