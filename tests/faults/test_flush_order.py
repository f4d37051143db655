"""What the kernel is asked for before a 200 leaves: every byte written is flushed first, direct writes too.

The simulated disk (PROOF 2) takes every write for lost until its sync, and does not care how it was written. This looks
at the real calls: a write past the page cache (O_DIRECT) is as volatile as any other until the device's own cache is
flushed, and the file's length is only in the page cache at all.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, field, frozen

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

_TRACED = "pwrite64,pwritev,pwritev2,fdatasync,fsync,fcntl,sendto,sendmsg,write,writev"
_WRITES = {"pwrite64", "pwritev", "pwritev2"}
_SYNCS = {"fdatasync", "fsync"}
_SENDS = {"sendto", "sendmsg", "write", "writev"}
_LINE = re.compile(
    r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<call>\w+)\(\d+<(?P<path>[^>]*)>)(?P<rest>.*)"
)
_NOT_DATA = ("/LOCK", "-shm", "/metadata.db")
"""Who holds the lock; the index of the WAL; the database, which the checkpointer writes beside requests."""


@frozen
class Call:
    """A system call that has ended, or one that sends, at its beginning."""

    name: str
    path: str
    rest: str


def calls(trace: Path) -> Iterator[Call]:
    """The calls in the order in which they ended; those that send in the order in which they began."""
    pending: dict[str, Call] = {}
    for line in trace.read_text(encoding="latin-1").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        if found["resumed"]:
            call = pending.pop(found["thread"], None)
            if call is not None:
                yield call
            continue
        call = Call(found["call"], found["path"], found["rest"])
        if line.endswith("<unfinished ...>") and call.name not in _SENDS:
            pending[found["thread"]] = call
        else:
            yield call


@define
class Watch:
    """What of the store's files is written and not flushed."""

    unflushed: set[str] = field(factory=set)
    direct: int = 0
    writes: int = 0
    flushes: int = 0
    answers: int = 0

    def see(self, call: Call, data_dir: str) -> None:
        if call.name in _SENDS and "HTTP/1.1 200" in call.rest:
            self.answers += 1
            assert not self.unflushed, f"a 200 left before {self.unflushed} were flushed"
        if not call.path.startswith(data_dir):
            return
        if call.name in _WRITES:
            self.writes += 1
            self.unflushed.add(call.path)
        elif call.name in _SYNCS:
            self.flushes += 1
            self.unflushed.discard(call.path)
        elif call.name == "fcntl" and "O_DIRECT" in call.rest:
            self.direct += 1


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: apt-get install strace")
def test_everything_is_flushed_before_an_answer_leaves(
    launch_daemon: StartDaemon, tmp_path: Path, figure: Figure
) -> None:
    """One PUT after the other, small, large and in parts: when its 200 is sent no written file waits for its flush."""
    trace = tmp_path / "trace"
    tracer = ("strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "32", "-o", str(trace), "-e", f"trace={_TRACED}")
    daemon: RunningDaemon = launch_daemon(
        "--bucket", "bucket", command=(*tracer, sys.executable, "-m", "lightningstor")
    )
    answered = 0
    with closing(SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)) as s3:
        for size in (0, 10, 70_000, 300_000, 5 << 20, 9 << 20, 20 << 20):
            assert s3.request("PUT", f"/bucket/{size}", bytes(size)).status == 200
            answered += 1
        upload_id = s3.request("POST", "/bucket/parts", query="uploads=").element("UploadId")
        part = s3.request("PUT", "/bucket/parts", bytes(6 << 20), query=f"partNumber=1&uploadId={upload_id}")
        listed = f"<Part><PartNumber>1</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        assert s3.request("POST", "/bucket/parts", body, query=f"uploadId={upload_id}").status == 200
        answered += 3
    os.kill(daemon.addresses["pid"], signal.SIGTERM)  # the daemon, and not strace
    daemon.wait()
    watch = Watch()
    for call in calls(trace):
        if not call.path.endswith(_NOT_DATA):
            watch.see(call, str(daemon.data_dir))
    figure(
        f"{watch.answers} answers: {watch.writes} writes ({watch.direct} direct), {watch.flushes} flushes, each in time"
    )
    assert watch.answers >= answered
    assert watch.writes > answered
