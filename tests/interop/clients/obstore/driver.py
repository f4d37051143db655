"""obstore: Rust's object_store crate, from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import obstore
from driver_protocol import BIG_SIZE, MIB, SMALL_SIZES, Driver, check, check_equal, content_md5, curl, multipart_etag
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

PART_SIZE = 8 * MIB
_SOON = timedelta(minutes=5)
_PATHS = "its paths have no empty segments, no `.` and no `..`"


class Obstore(Driver):
    name = "obstore"
    LACKS = {
        "create_bucket": "has no operations on buckets",
        "delete_bucket": "has no operations on buckets",
        "slash_keys": _PATHS,
        "list_slash_keys": _PATHS,
        "control_keys": "refuses paths with control characters",
        "list_control_keys": "refuses paths with control characters",
        "versions": "has no means to turn versioning on or to list versions",
    }
    PARTLY = {
        "copy": "copies within a bucket only",
        "tags": "sets an object's tags when it is put; has no means to read them",
    }

    def __init__(self) -> None:
        super().__init__()
        if self.ca_file:
            os.environ["SSL_CERT_FILE"] = self.ca_file
        self.store = self._store(self.bucket)
        self.seeded = self._store(self.seeded_bucket)

    def _store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.endpoint,
            region=self.region,
            access_key_id=self.access_key,
            secret_access_key=self.secret_key,
            virtual_hosted_style_request=False,
            client_options={"allow_http": not self.secure},
            retry_config={"max_retries": 0},
        )

    def version(self) -> str:
        return obstore.__version__

    def refused(self, kind: type[Exception], call: Callable[[], object]) -> None:
        try:
            call()
        except kind:
            return
        raise AssertionError(f"succeeded, but should have been refused with {kind.__name__}")

    def get(self, key: str) -> bytes:
        return bytes(obstore.get(self.store, key).bytes())

    def found(self, store: S3Store, prefix: str) -> list[str]:
        """The keys below a prefix, in the order of the pages."""
        return [item["path"] for page in obstore.list(store, prefix) for item in page]

    def _round_trip(self, step: str) -> None:
        for size in SMALL_SIZES[step]:
            path, key = self.file(size), f"sizes/{size}"
            put = obstore.put(self.store, key, path.read_bytes(), use_multipart=False)
            check_equal(put["e_tag"], f'"{content_md5(path)}"', f"ETag, {size} bytes")
            check(self.get(key) == path.read_bytes(), f"{size} bytes came back changed")
            head = obstore.head(self.store, key)
            check_equal((head["e_tag"], head["size"]), (put["e_tag"], size), f"head, {size} bytes")

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
        put = obstore.put(self.store, "big", path, chunk_size=PART_SIZE)
        check_equal(put["e_tag"], f'"{multipart_etag(path, PART_SIZE)}"', "ETag of the parts")
        with back.open("wb") as file:
            for piece in obstore.get(self.store, "big"):
                file.write(piece)
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        obstore.delete(self.store, "big")

    def ranges(self) -> None:
        data, key = self.file(65_537).read_bytes(), "sizes/65537"
        for start, end in ((0, 1), (1, 65_536), (65_530, 65_537), (65_000, 99_999)):
            got = bytes(obstore.get_range(self.store, key, start=start, end=end))
            check(got == data[start:end], f"{start} to {end}: wrong bytes")
        suffix = obstore.get(self.store, key, options={"range": {"suffix": 100}})
        check(bytes(suffix.bytes()) == data[-100:], "suffix: wrong bytes")
        several = obstore.get_ranges(self.store, key, starts=[0, 50_000], ends=[100, 50_100])
        check_equal([bytes(piece) for piece in several], [data[:100], data[50_000:50_100]], "several ranges")
        self.refused(BaseError, lambda: obstore.get_range(self.store, key, start=65_537, end=65_600))

    def metadata(self) -> None:
        given = {"Content-Type": "text/x-odd", "Cache-Control": "max-age=60, private", "plain": "value"}
        obstore.put(self.store, "metadata", b"x", attributes=given)
        check_equal(obstore.get(self.store, "metadata").attributes, given, "attributes")

    def _own_keys(self, kind: str) -> None:
        keys = self.own_keys(kind)
        for key in keys:
            obstore.put(self.store, key, key.encode())
        for key in keys:
            check_equal(self.get(key), key.encode(), f"body of {key!r}")
        check_equal(self.found(self.store, f"own/{kind}"), keys, "listed")
        obstore.delete(self.store, keys)
        check_equal(self.found(self.store, f"own/{kind}"), [], "listed after all were deleted")

    def odd_keys(self) -> None:
        self._own_keys("odd")

    def list_odd_keys(self) -> None:
        check_equal(self.found(self.seeded, "odd"), self.listed_keys("odd"), "keys")

    def list_folders(self) -> None:
        listed = obstore.list_with_delimiter(self.seeded, "folders")
        folders = ["folders/a b", "folders/a", "folders/b+c", "folders/ü"]
        check_equal(sorted(listed["common_prefixes"]), sorted(folders), "folders")
        check_equal([item["path"] for item in listed["objects"]], ["folders/file", "folders/z%"], "keys")

    def copy(self) -> None:
        source, data = "copy/source ü + %", self.file(65_537).read_bytes()
        obstore.put(self.store, source, data, attributes={"kept": "yes"})
        obstore.copy(self.store, source, "copy/target")
        got = obstore.get(self.store, "copy/target")
        check_equal((got.attributes.get("kept"), bytes(got.bytes()) == data), ("yes", True), "the copy")
        self.refused(FileNotFoundError, lambda: obstore.copy(self.store, "absent", "copy/x"))
        obstore.rename(self.store, "copy/target", "copy/moved")
        check_equal(self.found(self.store, "copy"), ["copy/moved", source], "after moving it")

    def delete_batch(self) -> None:
        keys = [f"batch/{key}" for key in self.own_keys("odd")]
        keys += [f"batch/{number}" for number in range(60 - len(keys))]
        for key in keys:
            obstore.put(self.store, key, b"x")
        obstore.delete(self.store, [*keys, "batch/absent"])
        check_equal(self.found(self.store, "batch"), [], "listed afterwards")

    def tags(self) -> None:
        obstore.put(self.store, "tagged", b"x", tags={"team": "storage", "other": "a b"})
        check_equal(self.get("tagged"), b"x", "body")

    def presign_get(self) -> None:
        key, data = "signed/a b+ü%.bin", self.file(65_537).read_bytes()
        obstore.put(self.store, key, data)
        url = obstore.sign(self.store, "GET", key, _SOON)
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == data, "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")

    def presign_put(self) -> None:
        key, path = "signed/put ü", self.file(65_537)
        status, body = curl(obstore.sign(self.store, "PUT", key, _SOON), "--upload-file", str(path))
        check(status == 200, f"{status}: {body!r}")
        check(self.get(key) == path.read_bytes(), "other bytes stand there")

    def conditional_writes(self) -> None:
        put = obstore.put(self.store, "lock", b"1", mode="create")
        self.refused(AlreadyExistsError, lambda: obstore.put(self.store, "lock", b"2", mode="create"))
        stale = {"e_tag": f'"{"0" * 32}"'}
        self.refused(PreconditionError, lambda: obstore.put(self.store, "lock", b"2", mode=stale))
        check_equal(self.get("lock"), b"1", "body after refused writes")
        obstore.put(self.store, "lock", b"3", mode={"e_tag": put["e_tag"]})
        check_equal(self.get("lock"), b"3", "body after the allowed write")


if __name__ == "__main__":
    Obstore().main()
