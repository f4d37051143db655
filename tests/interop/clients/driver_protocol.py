"""How a driver talks with the tests: settings by environment, one JSON line a step on stdout.

Drivers run in a client's own environment, so this file needs nothing but the standard library. Drivers in other
languages do the same by themselves:

- `INTEROP_ENDPOINT` (without a slash at the end), `INTEROP_REGION`, `INTEROP_ACCESS_KEY`, `INTEROP_SECRET_KEY`
- `INTEROP_CA_FILE`: PEM of the authority to trust; empty over http
- `INTEROP_BUCKET`: a name to create; `INTEROP_BUCKET-2` and `INTEROP_BUCKET-versions` are the client's too
- `INTEROP_SEEDED_BUCKET`: holds the keys of the files `listed-{odd,slash,control,folders}` below
- `INTEROP_FILES`: a folder with files `size-N` of N bytes, and lists of keys, one a line, percent-encoded, in S3's
  order: `own-{odd,slash,control}` to put, `listed-…` to list
- `INTEROP_WORK`: an empty folder

Output: `{"client": "boto3", "version": "1.2.3"}`, then for each step `{"step": …, "result": "passed"}`,
`{"step": …, "result": "n/a", "why": …}` or `{"step": …, "result": "failed", "why": …}`. "n/a" says what the client has
no means for; "why" beside "passed" says which part of the step that is.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

__all__ = ["MIB", "SMALL_SIZES", "Driver", "check", "check_equal", "content_md5", "curl", "multipart_etag", "run"]

MIB = 1024 * 1024
SMALL_SIZES = {
    "put_get_empty": (0,),
    "put_get_1_byte": (1,),
    "put_get_64k": (65_535, 65_536, 65_537),
    "put_get_8m": (8 * MIB - 1, 8 * MIB, 8 * MIB + 1),
}
BIG_SIZE = 100 * MIB
STEPS = (
    "create_bucket", "put_get_empty", "put_get_1_byte", "put_get_64k", "put_get_8m", "multipart_100m", "ranges",
    "metadata", "odd_keys", "slash_keys", "control_keys", "list_odd_keys", "list_slash_keys", "list_control_keys",
    "list_folders", "copy", "delete_batch", "tags", "versions", "presign_get", "presign_put", "conditional_writes",
    "delete_bucket",
)  # fmt: skip


def check(holds: object, message: str) -> None:
    """Raise AssertionError(message) unless `holds`."""
    if not holds:
        raise AssertionError(message)


def check_equal(found: object, expected: object, what: str) -> None:
    """Raise AssertionError unless both are equal; long values are shown cut, of lists only what differs."""
    if found == expected:
        return
    if isinstance(found, list) and isinstance(expected, list):
        missing = [item for item in expected if item not in found]
        extra = [item for item in found if item not in expected]
        if missing or extra:
            raise AssertionError(f"{what}: missing {_shown(missing)}, not expected {_shown(extra)}")
        first = next((pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]), None)
        raise AssertionError(f"{what}: {len(found)} instead of {len(expected)}, first difference in order: {first}")
    raise AssertionError(f"{what}: found {_shown(found)}, expected {_shown(expected)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]} … {text[-80:]} ({len(text)} characters)"


def content_md5(data: bytes | Path) -> str:
    """The MD5 of bytes or a file, in hex: the ETag of an object put in one piece."""
    return hashlib.md5(data.read_bytes() if isinstance(data, Path) else data, usedforsecurity=False).hexdigest()


def multipart_etag(path: Path, part_size: int) -> str:
    """The ETag of a multipart object: MD5 of the parts' MD5s, a dash, their number."""
    digests = []
    with path.open("rb") as file:
        while piece := file.read(part_size):
            digests.append(hashlib.md5(piece, usedforsecurity=False).digest())
    return f"{hashlib.md5(b''.join(digests), usedforsecurity=False).hexdigest()}-{len(digests)}"


def run(command: Sequence[str], *, stdin: bytes = b"", fails: bool = False, **more: object) -> str:
    """Run a command and give its stdout; it must end with 0 (with `fails`: must not; stdout and stderr then)."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False, **more)  # type: ignore[call-overload]
    out, err = done.stdout.decode(), done.stderr.decode(errors="replace")
    shown = " ".join(command[:6])
    if fails:
        check(done.returncode != 0, f"{shown} … succeeded, but should have been refused")
        return out + err
    check(done.returncode == 0, f"{shown} … ended with {done.returncode}: {(err or out)[-1500:]}")
    return out


def curl(url: str, *options: str) -> tuple[int, bytes]:
    """Ask curl for `url` exactly as it stands; the status and the body."""
    trust = ("--cacert", os.environ["INTEROP_CA_FILE"]) if os.environ["INTEROP_CA_FILE"] else ()
    command = ["curl", "--silent", "--show-error", "--globoff", "--path-as-is", "--max-time", "60", *trust, *options]
    done = subprocess.run(
        [*command, "--write-out", "\n%{http_code}", url], capture_output=True, timeout=90, check=False
    )
    check(done.returncode == 0, f"curl ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    body, _, status = done.stdout.rpartition(b"\n")
    return int(status), body


class Driver:
    """One client under test. A subclass has a method for each step, or says in LACKS why it can't.

    PARTLY names the steps of which the client can do a part, and what it can't.

    The steps run in their order; what a step puts, later ones may read.
    """

    name: ClassVar[str]
    LACKS: ClassVar[dict[str, str]] = {}
    PARTLY: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        env = os.environ
        self.endpoint = env["INTEROP_ENDPOINT"]
        self.host = self.endpoint.partition("://")[2]
        self.secure = self.endpoint.startswith("https")
        self.region = env["INTEROP_REGION"]
        self.access_key = env["INTEROP_ACCESS_KEY"]
        self.secret_key = env["INTEROP_SECRET_KEY"]
        self.ca_file = env["INTEROP_CA_FILE"] or None
        self.bucket = env["INTEROP_BUCKET"]
        self.bucket_2 = f"{self.bucket}-2"
        self.versioned_bucket = f"{self.bucket}-versions"
        self.seeded_bucket = env["INTEROP_SEEDED_BUCKET"]
        self.files = Path(env["INTEROP_FILES"])
        self.work = Path(env["INTEROP_WORK"])

    def version(self) -> str:
        """The client's version."""
        raise NotImplementedError

    def file(self, size: int) -> Path:
        """The file of `size` bytes."""
        return self.files / f"size-{size}"

    def keys(self, kind: str) -> list[str]:
        """The keys of a list (`own-odd`, `listed-slash`, …), in S3's order."""
        return [unquote(line) for line in (self.files / kind).read_text(encoding="ascii").splitlines()]

    def own_keys(self, kind: str) -> list[str]:
        """The keys of `own-{kind}`: for what the client puts itself."""
        return self.keys(f"own-{kind}")

    def listed_keys(self, kind: str) -> list[str]:
        """The keys that stand below `{kind}/` in the seeded bucket."""
        return self.keys(f"listed-{kind}")

    def steps(self) -> Iterable[tuple[str, Callable[[], None] | None]]:
        """Each step and what does it."""
        return ((step, getattr(self, step, None)) for step in STEPS)

    def main(self) -> None:
        """Run all steps and print how each went."""
        _say(client=self.name, version=self.version())
        for step, function in self.steps():
            if step in self.LACKS:
                _say(step=step, result="n/a", why=self.LACKS[step])
                continue
            started = time.perf_counter()
            try:
                if function is None:
                    raise AssertionError("the driver has no such step")
                function()
            except Exception as error:  # whatever a client raises is that step's failure; the next step still counts
                where = "".join(traceback.format_exception(error))[-3000:]
                _say(step=step, result="failed", why=f"{type(error).__name__}: {error}\n{where}")
            else:
                seconds = round(time.perf_counter() - started, 3)
                _say(step=step, result="passed", seconds=seconds, why=self.PARTLY.get(step, ""))


def _say(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
