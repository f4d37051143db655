"""MinIO's client, a process for each command; its path is the first argument."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driver_protocol import BIG_SIZE, MIB, check, check_equal, content_md5, multipart_etag, run
from folder_steps import FolderDriver

PART_SIZE = 16 * MIB
"""mc's own."""
_PATHS = "cleans paths: `//`, `.` and `..` are no names, a slash at the end is a folder"


class Mc(FolderDriver):
    name = "mc"
    LACKS = {
        "slash_keys": _PATHS,
        "list_slash_keys": _PATHS,
        "presign_put": "`mc share upload` makes forms for POST, which is another operation",
        "conditional_writes": "sends no conditions",
    }

    def __init__(self) -> None:
        super().__init__()
        self.program = sys.argv[1]
        os.environ["MC_CONFIG_DIR"] = str(self.work / "mc")
        os.environ["MC_NO_COLOR"] = os.environ["MC_DISABLE_PAGER"] = os.environ["MC_QUIET"] = "true"
        authorities = self.work / "mc" / "certs" / "CAs"
        authorities.mkdir(parents=True)
        if self.ca_file:
            shutil.copy(self.ca_file, authorities / "ca.pem")
        # Looks for a bucket that isn't there, and takes NoSuchBucket as the sign that the credentials are good.
        self.mc("alias", "set", "s", self.endpoint, self.access_key, self.secret_key, "--api", "S3v4")

    def mc(self, *arguments: str, fails: bool = False) -> str:
        return run([self.program, *arguments], fails=fails)

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        """The lines that a command prints with --json."""
        return [json.loads(line) for line in self.mc("--json", *arguments).split("\n") if line]

    def uri(self, key: str, bucket: str | None = None) -> str:
        return f"s/{bucket or self.bucket}/{key}"

    def version(self) -> str:
        """The version that was installed: a build by `go install` does not know its own."""
        return sys.argv[2].lstrip("v")

    def put_file(self, path: Path, key: str) -> None:
        self.mc("cp", str(path), self.uri(key))

    def get_file(self, key: str, path: Path) -> None:
        self.mc("cp", self.uri(key), str(path))

    def put_folder(self, folder: Path, prefix: str) -> None:
        self.mc("cp", "--recursive", f"{folder}/", self.uri(prefix))

    def get_folder(self, prefix: str, folder: Path) -> None:
        self.mc("cp", "--recursive", self.uri(prefix), f"{folder}/")

    def remove_folder(self, prefix: str) -> None:
        self.mc("rm", "--recursive", "--force", self.uri(prefix))

    def list_keys(self, bucket: str, prefix: str) -> list[str]:
        rows = self.rows("ls", "--recursive", self.uri(prefix, bucket))
        return sorted((prefix + row["key"] for row in rows), key=str.encode)

    def stat(self, key: str, bucket: str | None = None) -> dict[str, Any]:
        (row,) = self.rows("stat", self.uri(key, bucket))
        return row

    def check_digest(self, key: str, path: Path) -> None:
        whole = path.stat().st_size < PART_SIZE
        expected = content_md5(path) if whole else multipart_etag(path, PART_SIZE)
        check_equal(self.stat(key)["etag"], expected, f"ETag of {key}")

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.mc("mb", f"s/{bucket}")
        names = {row["key"].rstrip("/") for row in self.rows("ls", "s")}
        check({self.bucket, self.bucket_2} <= names, f"the new buckets are not listed: {names}")
        said = self.mc("ls", f"s/{self.bucket}-absent", fails=True)
        check("does not exist" in said, f"an absent bucket: {said}")

    def multipart_100m(self) -> None:
        path, back = self.file(BIG_SIZE), self.work / "big"
        self.put_file(path, "big")
        self.check_digest("big", path)
        self.get_file("big", back)
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        check(not self.mc("ls", "--incomplete", "--recursive", f"s/{self.bucket}"), "an upload was left open")
        self.mc("rm", self.uri("big"))

    def ranges(self) -> None:
        # `cat` prints text as it stands; the files' bytes are any, so an object of text is read.
        data = "".join(chr(97 + number % 26) for number in range(10_000))
        (self.work / "text").write_text(data)
        self.put_file(self.work / "text", "text")
        check_equal(self.mc("cat", "--offset", "9990", self.uri("text")), data[9990:], "from an offset")
        check_equal(self.mc("cat", "--tail", "100", self.uri("text")), data[-100:], "the tail")
        self.mc("cat", "--offset", "10001", self.uri("text"), fails=True)

    def metadata(self) -> None:
        attributes = "Content-Type=text/x-odd;Cache-Control=max-age=60, private;plain=value"
        self.mc("cp", "--attr", attributes, str(self.file(1)), self.uri("metadata"))
        found = {name.lower(): value for name, value in self.stat("metadata")["metadata"].items()}
        check_equal((found["content-type"], found["x-amz-meta-plain"]), ("text/x-odd", "value"), "stat")

    def list_folders(self) -> None:
        names = sorted(row["key"] for row in self.rows("ls", self.uri("folders/", self.seeded_bucket)))
        check_equal(names, ["a b/", "a/", "b+c/", "file", "z%", "ü/"], "folders and keys")

    def copy(self) -> None:
        source, back = "copy/source ü + %", self.work / "copied"
        self.mc("cp", "--attr", "kept=yes", str(self.file(65_537)), self.uri(source))
        self.mc("cp", self.uri(source), self.uri("copy/target", self.bucket_2))
        self.mc("cp", self.uri("copy/target", self.bucket_2), str(back))
        check(back.read_bytes() == self.file(65_537).read_bytes(), "the copy's bytes differ")
        kept = {name.lower(): value for name, value in self.stat("copy/target", self.bucket_2)["metadata"].items()}
        check_equal(kept["x-amz-meta-kept"], "yes", "what the copy keeps")
        self.mc("mv", self.uri("copy/target", self.bucket_2), self.uri("copy/moved", self.bucket_2))
        check_equal(self.list_keys(self.bucket_2, "copy/"), ["copy/moved"], "after moving it")
        self.mc("cp", self.uri("absent"), self.uri("x"), fails=True)

    def tags(self) -> None:
        self.put_file(self.file(1), "tagged")
        for target in (self.uri("tagged"), f"s/{self.bucket}"):
            self.mc("tag", "set", target, "team=storage&a b=x/y")
            (row,) = self.rows("tag", "list", target)
            check_equal(row["tagset"], {"team": "storage", "a b": "x/y"}, f"tags of {target}")
            self.mc("tag", "remove", target)
        check("storage" not in self.mc("--json", "tag", "list", self.uri("tagged")), "tags of the object are left")
        check("No tags found" in self.mc("tag", "list", f"s/{self.bucket}", fails=True), "tags of the bucket are left")

    def versions(self) -> None:
        bucket, key, path = self.versioned_bucket, "kept ü", self.work / "body"
        self.mc("mb", f"s/{bucket}")
        self.mc("version", "enable", f"s/{bucket}")
        check("enabled" in self.mc("version", "info", f"s/{bucket}"), "versioning")
        for body in ("first", "second"):
            path.write_text(body)
            self.mc("cp", str(path), self.uri(key, bucket))
        rows = self.rows("ls", "--versions", self.uri(key, bucket))
        bodies = [self.mc("cat", "--version-id", row["versionId"], self.uri(key, bucket)) for row in rows]
        check_equal(bodies, ["second", "first"], "bodies of the versions, newest first")
        self.mc("rm", self.uri(key, bucket))
        self.mc("cat", self.uri(key, bucket), fails=True)
        rows = self.rows("ls", "--versions", self.uri(key, bucket))
        (marker,) = [row["versionId"] for row in rows if row.get("isDeleteMarker")]
        self.mc("rm", "--version-id", marker, self.uri(key, bucket))
        check_equal(self.mc("cat", self.uri(key, bucket)), "second", "the newest version is back")

    def presign_get(self) -> None:
        self.put_file(self.file(65_537), "signed/a b+ü%.bin")
        (row,) = self.rows("share", "download", "--expire", "5m", self.uri("signed/a b+ü%.bin"))
        self.check_signed_get(row["share"], self.file(65_537))

    def delete_bucket(self) -> None:
        said = self.mc("rb", f"s/{self.bucket}", fails=True)
        check("not empty" in said, f"a full bucket: {said}")
        for bucket in (self.bucket, self.bucket_2, self.versioned_bucket):
            self.mc("rb", "--force", f"s/{bucket}")
        names = {row["key"].rstrip("/") for row in self.rows("ls", "s")}
        check(not {self.bucket, self.bucket_2, self.versioned_bucket} & names, f"still listed: {names}")


if __name__ == "__main__":
    Mc().main()
