"""s3cmd, a process for each command, path style, with a configuration file as `s3cmd --configure` writes it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driver_protocol import BIG_SIZE, SMALL_SIZES, Driver, check, check_equal, content_md5, curl, run


class S3cmd(Driver):
    name = "s3cmd"
    LACKS = {
        "ranges": "asks for no ranges but to resume a download (`get --continue`), which put_get_64k does",
        "control_keys": "writes object names to be read, by lines: none of them can hold a control character",
        "list_control_keys": "writes object names to be read, by lines: none of them can hold a control character",
        "tags": "this version has no commands for tags",
        "versions": "turns versioning on, but has no means to name a version",
        "presign_put": "`signurl` makes URLs for GET only",
        "conditional_writes": "sends no conditions",
    }
    PARTLY = {
        "multipart_100m": "shows the MD5 that it notes itself, not the ETag",
        "copy": "needs --acl-private, as on S3 itself: it would copy the ACL, and ACLs are disabled",
        "metadata": "needs --acl-private, as on S3 itself: it would copy the ACL, and ACLs are disabled",
        "odd_keys": "downloads no name with U+FFFD",
        "slash_keys": "a target that ends in a slash is a folder to it",
    }

    def __init__(self) -> None:
        super().__init__()
        self.config = self.work / "s3cfg"
        self.config.write_text(
            "[default]\n"
            f"access_key = {self.access_key}\nsecret_key = {self.secret_key}\n"
            f"host_base = {self.host}\nhost_bucket = {self.host}\nbucket_location = {self.region}\n"
            f"use_https = {self.secure}\nca_certs_file = {self.ca_file or ''}\nencoding = UTF-8\n"
            "progress_meter = False\nmax_retries = 1\n"
        )

    def s3cmd(self, *arguments: str, fails: bool = False) -> str:
        return run(["s3cmd", "--config", str(self.config), *arguments], fails=fails)

    def version(self) -> str:
        return run(["s3cmd", "--version"]).split()[-1]

    def info(self, uri: str) -> dict[str, str]:
        """The lines of `s3cmd info`, by what they begin with."""
        lines = [line.strip() for line in self.s3cmd("info", uri).splitlines()[1:]]
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        start = f"s3://{bucket}/"
        lines = self.s3cmd("ls", "--recursive", f"{start}{prefix}").splitlines()
        return [line[line.index(start) + len(start) :] for line in lines]

    def create_bucket(self) -> None:
        self.s3cmd("mb", f"s3://{self.bucket}", f"s3://{self.bucket_2}")
        listed = {line.split()[-1] for line in self.s3cmd("ls").splitlines()}
        check({f"s3://{self.bucket}", f"s3://{self.bucket_2}"} <= listed, f"the new buckets are not listed: {listed}")
        said = self.s3cmd("ls", f"s3://{self.bucket}-absent", fails=True)
        check("NoSuchBucket" in said, f"an absent bucket: {said}")

    def _round_trip(self, step: str) -> None:
        back = self.work / step
        back.mkdir()
        uris = [f"s3://{self.bucket}/sizes/size-{size}" for size in SMALL_SIZES[step]]
        self.s3cmd("put", *(str(self.file(size)) for size in SMALL_SIZES[step]), f"s3://{self.bucket}/sizes/")
        self.s3cmd("get", *uris, f"{back}/")
        for size in SMALL_SIZES[step]:
            path = self.file(size)
            check((back / path.name).read_bytes() == path.read_bytes(), f"{size} bytes came back changed")
        info = self.info(uris[-1])
        check_equal(info["MD5 sum"], content_md5(self.file(SMALL_SIZES[step][-1])), "MD5 sum of the last one")

    def put_get_empty(self) -> None:
        self._round_trip("put_get_empty")

    def put_get_1_byte(self) -> None:
        self._round_trip("put_get_1_byte")

    def put_get_64k(self) -> None:
        self._round_trip("put_get_64k")
        data, half = self.file(65_537).read_bytes(), self.work / "half"
        half.write_bytes(data[:30_000])
        self.s3cmd("get", "--continue", f"s3://{self.bucket}/sizes/size-65537", str(half))
        check(half.read_bytes() == data, "a resumed download differs")

    def put_get_8m(self) -> None:
        self._round_trip("put_get_8m")

    def multipart_100m(self) -> None:
        path, back, uri = self.file(BIG_SIZE), self.work / "big", f"s3://{self.bucket}/big"
        self.s3cmd("put", str(path), uri)
        check_equal(self.info(uri)["MD5 sum"], content_md5(path), "MD5 sum")
        self.s3cmd("get", uri, str(back))
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        check("<Upload>" not in self.s3cmd("multipart", f"s3://{self.bucket}"), "an upload was left open")
        self.s3cmd("del", uri)

    def metadata(self) -> None:
        uri = f"s3://{self.bucket}/metadata"
        headers = ("Cache-Control: max-age=60, private", "x-amz-meta-plain: value")
        options = [f"--add-header={header}" for header in headers]
        self.s3cmd("put", *options, "--mime-type=text/x-odd", str(self.file(1)), uri)
        info = self.info(uri)
        check_equal((info["MIME type"], info["x-amz-meta-plain"]), ("text/x-odd", "value"), "info")
        self.s3cmd("modify", "--acl-private", "--add-header=x-amz-meta-more: added", uri)
        info = self.info(uri)
        check_equal((info["x-amz-meta-plain"], info["x-amz-meta-more"]), ("value", "added"), "info after modify")

    def odd_keys(self) -> None:
        here, back = self.work / "odd", self.work / "odd-back"
        here.mkdir()
        back.mkdir()
        keys = [key for key in self.own_keys("odd") if "\ufffd" not in key]
        for key in keys:
            (here / key.removeprefix("own/odd/")).write_bytes(key.encode())
        self.s3cmd("put", "--recursive", f"{here}/", f"s3://{self.bucket}/own/odd/")
        check_equal(self.list_keys(self.bucket, "own/odd/"), keys, "listed")
        self.s3cmd("get", "--recursive", f"s3://{self.bucket}/own/odd/", f"{back}/")
        for key in keys:
            check_equal((back / key.removeprefix("own/odd/")).read_bytes(), key.encode(), f"body of {key!r}")
        self.s3cmd("del", "--recursive", f"s3://{self.bucket}/own/odd/")
        check_equal(self.list_keys(self.bucket, "own/odd/"), [], "listed after all were deleted")

    def slash_keys(self) -> None:
        keys = [key for key in self.own_keys("slash") if not key.endswith("/")]
        path = self.work / "body"
        for key in keys:
            path.write_bytes(key.encode())
            self.s3cmd("put", str(path), f"s3://{self.bucket}/{key}")
        check_equal(self.list_keys(self.bucket, "own/slash/"), keys, "listed")
        for key in keys:
            self.s3cmd("get", "--force", f"s3://{self.bucket}/{key}", str(path))
            check_equal(path.read_bytes(), key.encode(), f"body of {key!r}")
        self.s3cmd("del", "--recursive", f"s3://{self.bucket}/own/slash/")

    def list_odd_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "odd/"), self.listed_keys("odd"), "keys")

    def list_slash_keys(self) -> None:
        check_equal(self.list_keys(self.seeded_bucket, "slash/"), self.listed_keys("slash"), "keys")

    def list_folders(self) -> None:
        start = f"s3://{self.seeded_bucket}/folders/"
        names = [line[line.index(start) + len(start) :] for line in self.s3cmd("ls", start).splitlines()]
        check_equal(names, ["a b/", "a/", "b+c/", "ü/", "file", "z%"], "folders and keys")

    def copy(self) -> None:
        source, target = f"s3://{self.bucket}/copy/source ü + % a//b", f"s3://{self.bucket_2}/copy/target"
        back = self.work / "copied"
        self.s3cmd("put", "--add-header=x-amz-meta-kept: yes", str(self.file(65_537)), source)
        self.s3cmd("cp", "--acl-private", source, target)
        self.s3cmd("get", target, str(back))
        check(back.read_bytes() == self.file(65_537).read_bytes(), "the copy's bytes differ")
        check_equal(self.info(target)["x-amz-meta-kept"], "yes", "what the copy keeps")
        said = self.s3cmd("cp", "--acl-private", f"s3://{self.bucket}/absent", target, fails=True)
        check("Key not found" in said, f"copy of an absent object: {said}")

    def delete_batch(self) -> None:
        here = self.work / "batch"
        here.mkdir()
        names = [key.removeprefix("own/odd/") for key in self.own_keys("odd")]
        for name in [*names, *(str(number) for number in range(60 - len(names)))]:
            (here / name).write_bytes(b"x")
        self.s3cmd("put", "--recursive", f"{here}/", f"s3://{self.bucket}/batch/")
        check_equal(len(self.list_keys(self.bucket, "batch/")), 60, "objects")
        self.s3cmd("del", "--recursive", f"s3://{self.bucket}/batch/")
        check_equal(self.list_keys(self.bucket, "batch/"), [], "listed afterwards")

    def presign_get(self) -> None:
        uri = f"s3://{self.bucket}/signed/a b+ü%.bin"
        self.s3cmd("put", str(self.file(65_537)), uri)
        url = self.s3cmd("signurl", uri, str(int(time.time()) + 300)).strip()
        if self.secure:
            # s3cmd writes http whatever the endpoint is.
            url = url.replace("http://", "https://", 1)
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == self.file(65_537).read_bytes(), "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")

    def delete_bucket(self) -> None:
        check("BucketNotEmpty" in self.s3cmd("rb", f"s3://{self.bucket}", fails=True), "a full bucket was deleted")
        self.s3cmd("rb", "--recursive", "--force", f"s3://{self.bucket}", f"s3://{self.bucket_2}")
        listed = {line.split()[-1] for line in self.s3cmd("ls").splitlines()}
        check(not {f"s3://{self.bucket}", f"s3://{self.bucket_2}"} & listed, f"still listed: {listed}")


if __name__ == "__main__":
    S3cmd().main()
