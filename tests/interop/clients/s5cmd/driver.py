"""s5cmd (built on the AWS SDK for Go, version 1), a process for each command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driver_protocol import BIG_SIZE, MIB, check, check_equal, content_md5, multipart_etag, run
from folder_steps import FolderDriver

PART_SIZE = 50 * MIB
"""s5cmd's own."""


class S5cmd(FolderDriver):
    name = "s5cmd"
    LACKS = {
        "ranges": "asks for ranges only when it downloads a large object in pieces",
        "control_keys": "asks for listings without encoding, and XML has no way to write control characters",
        "list_control_keys": "asks for listings without encoding, and XML has no way to write control characters",
        "tags": "has no commands for tags",
        "presign_put": "`s5cmd presign` makes URLs for GET only",
        "conditional_writes": "sends no conditions",
    }
    PARTLY = {"slash_keys": "a target that ends in a slash is a folder to it"}

    def __init__(self) -> None:
        super().__init__()
        self.program = str(Path(sys.executable).with_name("s5cmd"))
        os.environ["AWS_ACCESS_KEY_ID"] = self.access_key
        os.environ["AWS_SECRET_ACCESS_KEY"] = self.secret_key
        os.environ["AWS_REGION"] = self.region
        os.environ["S3_ENDPOINT_URL"] = self.endpoint
        if self.ca_file:
            os.environ["AWS_CA_BUNDLE"] = self.ca_file

    def s5cmd(self, *arguments: str, fails: bool = False) -> str:
        return run([self.program, "--retry-count", "0", *arguments], fails=fails)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """The lines that a command prints with --json."""
        return [json.loads(line) for line in self.s5cmd("--json", *arguments).split("\n") if line]

    def uri(self, key: str, bucket: str | None = None) -> str:
        return f"s3://{bucket or self.bucket}/{key}"

    def version(self) -> str:
        return self.s5cmd("version").split("-")[0].lstrip("v").strip()

    def put_file(self, path: Path, key: str) -> None:
        self.s5cmd("cp", "--raw", str(path), self.uri(key))

    def get_file(self, key: str, path: Path) -> None:
        self.s5cmd("cp", "--raw", self.uri(key), str(path))

    def put_folder(self, folder: Path, prefix: str) -> None:
        self.s5cmd("cp", f"{folder}/", self.uri(prefix))

    def get_folder(self, prefix: str, folder: Path) -> None:
        self.s5cmd("cp", self.uri(f"{prefix}*"), f"{folder}/")

    def remove_folder(self, prefix: str) -> None:
        self.s5cmd("rm", self.uri(f"{prefix}*"))

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        command = [self.program, "--json", "ls", f"s3://{bucket}/{prefix}*"]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)
        # A listing that finds nothing is a failure to it.
        check(done.returncode == 0 or "no object found" in done.stderr, done.stderr)
        rows = (json.loads(line) for line in done.stdout.split("\n") if line)
        return sorted((row["key"].removeprefix(f"s3://{bucket}/") for row in rows), key=str.encode)

    def version_ids(self, key: str, bucket: str) -> list[str]:
        """The last column of `ls --all-versions`; JSON has no version ids."""
        return [line.split()[-1] for line in self.s5cmd("ls", "--all-versions", self.uri(key, bucket)).splitlines()]

    def head(self, key: str, bucket: str | None = None) -> dict[str, Any]:
        (row,) = self.rows("head", "--raw", self.uri(key, bucket))
        return row

    def check_digest(self, key: str, path: Path) -> None:
        check_equal(self.head(key)["etag"].strip('"'), content_md5(path), f"ETag of {key}")

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.s5cmd("mb", f"s3://{bucket}")
        names = {row["name"] for row in self.rows("ls")}
        check({self.bucket, self.bucket_2} <= names, f"the new buckets are not listed: {names}")
        said = self.s5cmd("ls", f"s3://{self.bucket}-absent", fails=True)
        check("NoSuchBucket" in said, f"an absent bucket: {said}")

    def multipart_100m(self) -> None:
        path, back = self.file(BIG_SIZE), self.work / "big"
        self.put_file(path, "big")
        check_equal(self.head("big")["etag"].strip('"'), multipart_etag(path, PART_SIZE), "ETag of the parts")
        self.get_file("big", back)
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        self.s5cmd("rm", self.uri("big"))

    def metadata(self) -> None:
        options = ("--metadata=plain=value", "--content-type=text/x-odd", "--cache-control=max-age=60, private")
        self.s5cmd("cp", *options, str(self.file(1)), self.uri("metadata"))
        head = self.head("metadata")
        lowered = {name.lower(): value for name, value in head["metadata"].items()}
        check_equal((head["content_type"], lowered), ("text/x-odd", {"plain": "value"}), "head")

    def list_folders(self) -> None:
        rows = self.rows("ls", f"s3://{self.seeded_bucket}/folders/")
        start = f"s3://{self.seeded_bucket}/folders/"
        names = sorted(row["key"].removeprefix(start) for row in rows)
        check_equal(names, ["a b/", "a/", "b+c/", "file", "z%", "ü/"], "folders and keys")

    def copy(self) -> None:
        source, back = "copy/source ü + % a//b", self.work / "copied"
        self.s5cmd("cp", "--raw", "--metadata=kept=yes", str(self.file(65_537)), self.uri(source))
        self.s5cmd("cp", "--raw", self.uri(source), self.uri("copy/target", self.bucket_2))
        self.s5cmd("cp", self.uri("copy/target", self.bucket_2), str(back))
        check(back.read_bytes() == self.file(65_537).read_bytes(), "the copy's bytes differ")
        self.s5cmd("mv", self.uri("copy/target", self.bucket_2), self.uri("copy/moved", self.bucket_2))
        check_equal(self.list_keys(self.bucket_2, "copy/"), ["copy/moved"], "after moving it")
        self.s5cmd("cp", self.uri("absent"), self.uri("x"), fails=True)

    def slash_keys(self) -> None:
        keys = [key for key in self.own_keys("slash") if not key.endswith("/")]
        path = self.work / "body"
        for key in keys:
            path.write_bytes(key.encode())
            self.put_file(path, key)
        check_equal(self.list_keys(self.bucket, "own/slash/"), keys, "listed")
        for key in keys:
            self.get_file(key, path)
            check_equal(path.read_bytes(), key.encode(), f"body of {key!r}")
        self.remove_folder("own/slash/")

    def versions(self) -> None:
        bucket, key, path = self.versioned_bucket, "kept ü", self.work / "body"
        self.s5cmd("mb", f"s3://{bucket}")
        self.s5cmd("bucket-version", "--set", "Enabled", f"s3://{bucket}")
        check("Enabled" in self.s5cmd("bucket-version", f"s3://{bucket}"), "versioning")
        for body in ("first", "second"):
            path.write_text(body)
            self.s5cmd("cp", str(path), self.uri(key, bucket))
        ids = self.version_ids(key, bucket)
        bodies = [self.s5cmd("cat", "--version-id", version, self.uri(key, bucket)) for version in ids]
        check_equal(sorted(bodies), ["first", "second"], "bodies of the versions")
        self.s5cmd("rm", self.uri(key, bucket))
        self.s5cmd("cat", self.uri(key, bucket), fails=True)
        (marker,) = [version for version in self.version_ids(key, bucket) if version not in ids]
        self.s5cmd("rm", "--version-id", marker, self.uri(key, bucket))
        check_equal(self.s5cmd("cat", self.uri(key, bucket)), "second", "the newest version is back")

    def presign_get(self) -> None:
        self.put_file(self.file(65_537), "signed/a b+ü%.bin")
        url = self.s5cmd("presign", "--expire", "5m", self.uri("signed/a b+ü%.bin")).strip()
        self.check_signed_get(url, self.file(65_537))

    def delete_bucket(self) -> None:
        said = self.s5cmd("rb", f"s3://{self.bucket}", fails=True)
        check("BucketNotEmpty" in said, f"a full bucket: {said}")
        for bucket in (self.bucket, self.bucket_2, self.versioned_bucket):
            self.s5cmd("rm", "--all-versions", f"s3://{bucket}/*")
            self.s5cmd("rb", f"s3://{bucket}")
        names = {row["name"] for row in self.rows("ls")}
        check(not {self.bucket, self.bucket_2, self.versioned_bucket} & names, f"still listed: {names}")


if __name__ == "__main__":
    S5cmd().main()
