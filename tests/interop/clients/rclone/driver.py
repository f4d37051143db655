"""rclone, a process for each command, its remote set by environment variables. A first argument is its path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from driver_protocol import BIG_SIZE, SMALL_SIZES, Driver, check, check_equal, content_md5, curl, run

_PATHS = "its paths are cleaned as those of files: `//`, `.` and `..` are no names, a slash at the end is a folder"

_PICTURES = {**{code: 0x2400 + code for code in range(32)}, 127: 0x2421}


class Rclone(Driver):
    name = "rclone"
    program = sys.argv[1] if len(sys.argv) > 1 else "rclone"
    LACKS = {
        "slash_keys": _PATHS,
        "list_slash_keys": _PATHS,
        "tags": "has no commands for tags",
        "versions": "lists old versions (`--s3-versions`), but cannot turn versioning on",
        "presign_put": "`rclone link` makes URLs for GET only",
        "conditional_writes": "sends no conditions",
    }
    PARTLY = {
        "ranges": "a range past the end is never asked for: it knows the size",
        "control_keys": "shows control characters as their pictures (␁)",
        "list_control_keys": "shows control characters as their pictures (␁)",
        "multipart_100m": "shows the MD5 that it notes itself, not the ETag",
    }

    def __init__(self) -> None:
        super().__init__()
        settings = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": self.endpoint,
            "REGION": self.region,
            "ACCESS_KEY_ID": self.access_key,
            "SECRET_ACCESS_KEY": self.secret_key,
        }
        os.environ.update({f"RCLONE_CONFIG_S_{name}": value for name, value in settings.items()})
        os.environ["RCLONE_CONFIG"] = str(self.work / "rclone.conf")
        os.environ["RCLONE_RETRIES"] = "1"
        os.environ["RCLONE_LOW_LEVEL_RETRIES"] = "1"
        # Two names that differ by composition only are two files.
        os.environ["RCLONE_NO_UNICODE_NORMALIZATION"] = "true"
        if self.ca_file:
            os.environ["RCLONE_CA_CERT"] = self.ca_file

    def rclone(self, *arguments: str, fails: bool = False) -> str:
        return run([self.program, *arguments], fails=fails)

    def version(self) -> str:
        return run([self.program, "version"]).split()[1].lstrip("v")

    def files_below(self, path: str, *options: str) -> list[str]:
        """The files below a path of the remote, in S3's order."""
        # One JSON line a file: names may hold line feeds.
        listed = json.loads(self.rclone("lsjson", "--recursive", "--files-only", *options, f"s:{path}"))
        return sorted((item["Path"] for item in listed), key=str.encode)

    def stat(self, path: str, *options: str) -> dict[str, Any]:
        (found,) = json.loads(self.rclone("lsjson", *options, f"s:{path}"))
        return found

    def create_bucket(self) -> None:
        for bucket in (self.bucket, self.bucket_2):
            self.rclone("mkdir", f"s:{bucket}")
        listed = {line.split()[-1] for line in self.rclone("lsd", "s:").splitlines()}
        check({self.bucket, self.bucket_2} <= listed, f"the new buckets are not listed: {listed}")
        said = self.rclone("lsf", f"s:{self.bucket}-absent", fails=True)
        check("directory not found" in said, f"an absent bucket: {said}")

    def _round_trip(self, step: str) -> None:
        here, back = self.work / step, self.work / f"{step}-back"
        here.mkdir()
        for size in SMALL_SIZES[step]:
            (here / str(size)).symlink_to(self.file(size))
        target = f"s:{self.bucket}/{step}"
        self.rclone("copy", "--copy-links", str(here), target)
        self.rclone("copy", target, str(back))
        digests = dict(line.split()[::-1] for line in self.rclone("md5sum", target).splitlines())
        for size in SMALL_SIZES[step]:
            check((back / str(size)).read_bytes() == self.file(size).read_bytes(), f"{size} bytes came back changed")
            check_equal(digests[str(size)], content_md5(self.file(size)), f"MD5, {size} bytes")

    def put_get_empty(self) -> None:
        self._round_trip("put_get_empty")

    def put_get_1_byte(self) -> None:
        self._round_trip("put_get_1_byte")

    def put_get_64k(self) -> None:
        self._round_trip("put_get_64k")

    def put_get_8m(self) -> None:
        self._round_trip("put_get_8m")

    def multipart_100m(self) -> None:
        path, back, target = self.file(BIG_SIZE), self.work / "big", f"s:{self.bucket}/big"
        self.rclone("copyto", "--s3-upload-cutoff=16Mi", "--s3-chunk-size=8Mi", str(path), target)
        check_equal(self.rclone("md5sum", target).split()[0], content_md5(path), "MD5")
        self.rclone("copyto", target, str(back))
        check_equal(content_md5(back), content_md5(path), "MD5 of what came back")
        back.unlink()
        left = json.loads(self.rclone("backend", "list-multipart-uploads", f"s:{self.bucket}"))
        check(not any(left.values()), f"an upload was left open: {left}")
        self.rclone("deletefile", target)

    def ranges(self) -> None:
        data, source = self.file(65_537).read_bytes(), f"s:{self.bucket}/put_get_64k/65537"
        for options, expected in {
            ("--count=1",): data[:1],
            ("--offset=1", "--count=65535"): data[1:65536],
            ("--offset=65530",): data[65530:],
            ("--tail=100",): data[-100:],
        }.items():
            target = self.work / "range"
            with target.open("wb") as file:
                run_to(file, [self.program, "cat", *options, source])
            check(target.read_bytes() == expected, f"{options}: wrong bytes")

    def metadata(self) -> None:
        headers = ("Cache-Control: max-age=60, private", "Content-Type: text/x-odd", "x-amz-meta-plain: value")
        options = [f"--header-upload={header}" for header in headers]
        self.rclone("copyto", *options, str(self.file(1)), f"s:{self.bucket}/metadata")
        found = self.stat(f"{self.bucket}/metadata", "--metadata")
        shown = {name: found["Metadata"].get(name) for name in ("cache-control", "content-type", "plain")}
        expected = {"cache-control": "max-age=60, private", "content-type": "text/x-odd", "plain": "value"}
        check_equal(shown, expected, "metadata")

    def _own_keys(self, kind: str) -> None:
        here, back = self.work / kind, self.work / f"{kind}-back"
        here.mkdir()
        names = [key.removeprefix(f"own/{kind}/") for key in self.own_keys(kind)]
        for name in names:
            (here / name).write_bytes(name.encode())
        self.rclone("copy", str(here), f"s:{self.bucket}/own/{kind}")
        shown = [name.translate(_PICTURES) for name in names]
        check_equal(self.files_below(f"{self.bucket}/own/{kind}"), shown, "listed")
        self.rclone("copy", f"s:{self.bucket}/own/{kind}", str(back))
        for name in names:
            check_equal((back / name).read_bytes(), name.encode(), f"body of {name!r}")
        self.rclone("delete", f"s:{self.bucket}/own/{kind}")
        check(not self.rclone("lsf", "--recursive", f"s:{self.bucket}/own"), "listed after all were deleted")

    def odd_keys(self) -> None:
        self._own_keys("odd")

    def control_keys(self) -> None:
        self._own_keys("control")

    def list_odd_keys(self) -> None:
        expected = [key.removeprefix("odd/") for key in self.listed_keys("odd")]
        check_equal(self.files_below(f"{self.seeded_bucket}/odd"), expected, "keys")

    def list_control_keys(self) -> None:
        expected = [key.removeprefix("control/").translate(_PICTURES) for key in self.listed_keys("control")]
        check_equal(self.files_below(f"{self.seeded_bucket}/control"), sorted(expected, key=str.encode), "keys")

    def list_folders(self) -> None:
        listed = self.rclone("lsf", f"s:{self.seeded_bucket}/folders").splitlines()
        check_equal(sorted(listed), ["a b/", "a/", "b+c/", "file", "z%", "ü/"], "folders and keys")

    def copy(self) -> None:
        source, target = f"s:{self.bucket}/copy/source ü + %", f"s:{self.bucket_2}/copy/target"
        back = self.work / "copied"
        self.rclone("copyto", "--header-upload=x-amz-meta-kept: yes", str(self.file(65_537)), source)
        self.rclone("copyto", source, target)
        self.rclone("copyto", target, str(back))
        check(back.read_bytes() == self.file(65_537).read_bytes(), "the copy's bytes differ")
        check_equal(self.stat(f"{self.bucket_2}/copy/target", "--metadata")["Metadata"]["kept"], "yes", "metadata")
        self.rclone("moveto", target, f"s:{self.bucket_2}/copy/moved")
        check_equal(self.files_below(f"{self.bucket_2}/copy"), ["moved"], "after moving it")

    def delete_batch(self) -> None:
        here = self.work / "batch"
        here.mkdir()
        names = [key.removeprefix("own/odd/") for key in self.own_keys("odd")]
        for name in [*names, *(str(number) for number in range(60 - len(names)))]:
            (here / name).write_bytes(b"x")
        self.rclone("copy", str(here), f"s:{self.bucket}/batch")
        check_equal(len(self.files_below(f"{self.bucket}/batch")), 60, "objects")
        self.rclone("delete", f"s:{self.bucket}/batch")
        check(not self.rclone("lsf", f"s:{self.bucket}/batch"), "listed afterwards")

    def presign_get(self) -> None:
        target = f"s:{self.bucket}/signed/a b+ü%.bin"
        self.rclone("copyto", str(self.file(65_537)), target)
        url = self.rclone("link", "--expire=5m", target).strip()
        status, body = curl(url)
        check(status == 200, f"{status}: {body[:500]!r}")
        check(body == self.file(65_537).read_bytes(), "curl got other bytes")
        check_equal(curl(url.replace("/signed/", "/signee/"))[0], 403, "status for another key")

    def delete_bucket(self) -> None:
        self.rclone("rmdir", f"s:{self.bucket}", fails=True)
        for bucket in (self.bucket, self.bucket_2):
            self.rclone("purge", f"s:{bucket}")
        listed = {line.split()[-1] for line in self.rclone("lsd", "s:").splitlines()}
        check(not {self.bucket, self.bucket_2} & listed, f"still listed: {listed}")


def run_to(file: Any, command: list[str]) -> None:
    """Run a command whose stdout is bytes, into a file."""
    done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, timeout=60, check=False)
    check(done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode()}")


if __name__ == "__main__":
    Rclone().main()
