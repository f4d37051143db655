"""kill -9 before each flush, write and rename of a script of writes: nothing acknowledged is lost (PROOF 1).

strace kills the daemon when it is about to make its n-th call of a kind. Then a new daemon opens what is there. The
page cache survives a kill, so this proves the order of steps and the recovery; the power cuts of tests/sim and of the
chunk stores' contract prove the flushes.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest
from attrs import define, field

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.dying import Dying, points
from tests.harness.signed_http import SignedHttp

pytestmark = pytest.mark.proof

_CALLS = "fdatasync,fsync,pwrite64,pwritev2,rename,unlink"
_SMALL, _LARGE = b"small", b"l" * 300_000
_OPERATIONS = 60


@define
class History:
    """What each key may hold: the last acknowledged content, and what was tried since."""

    acknowledged: dict[str, bytes | None] = field(factory=dict)
    tried: dict[str, list[bytes]] = field(factory=dict)

    def allowed(self, key: str) -> list[bytes | None]:
        return [self.acknowledged.get(key), *self.tried.get(key, [])]


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


def run_script(client: SignedHttp, history: History) -> int:
    """Write until the daemon is gone; gives the number of acknowledged operations."""
    done = 0
    try:
        assert client.request("PUT", "/bucket").status == 200
        for turn in range(_OPERATIONS):
            key = f"key{turn % 7}"
            content = b"%d:" % turn + (_LARGE if turn % 5 == 0 else _SMALL)
            history.tried.setdefault(key, []).append(content)
            if turn % 6 == 3:
                _multipart(client, key, content)
            else:
                assert client.request("PUT", f"/bucket/{key}", content).status == 200
            history.acknowledged[key], history.tried[key] = content, []
            done += 1
    except (OSError, HTTPException):
        pass
    return done


def _multipart(client: SignedHttp, key: str, content: bytes) -> None:
    begun = client.request("POST", f"/bucket/{key}", query="uploads")
    assert begun.status == 200
    upload_id = begun.element("UploadId")
    taken = client.request("PUT", f"/bucket/{key}", content, query=f"partNumber=1&uploadId={upload_id}")
    assert taken.status == 200
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{taken.headers['etag']}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    assert client.request("POST", f"/bucket/{key}", body, query=f"uploadId={upload_id}").status == 200


def check(client: SignedHttp, history: History) -> None:
    """Every key holds its acknowledged content or one that was tried since, whole."""
    for key in {*history.acknowledged, *history.tried}:
        answer = client.request("GET", f"/bucket/{key}")
        assert answer.status in (200, 404), (key, answer)
        found = answer.body if answer.status == 200 else None
        allowed = history.allowed(key)
        assert found in allowed, f"{key} holds {found and found[:20]!r}, allowed were {[a and a[:20] for a in allowed]}"
    listed = client.request("GET", "/bucket", query="list-type=2")
    assert listed.status in (200, 404)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is missing: apt-get install strace")
@pytest.mark.parametrize("call", _CALLS.split(","))
def test_killed_before_every_call(
    call: str, launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """Whichever call it dies at: what was acknowledged is there, what was not is the old or the new, whole."""
    dying = Dying(launch_daemon, tmp_path, ("AKIAKILLEDKILLEDKILL", "killed-and-killed-and-killed-and-killed0"))
    dying.prepare()
    tried = kills = operations = 0
    for number in points(every=proof_full):
        history = History()

        def work(daemon: RunningDaemon, history: History = history) -> int:
            with closing(client_of(daemon)) as client:
                return run_script(client, history)

        def look(daemon: RunningDaemon, history: History = history) -> None:
            with closing(client_of(daemon)) as client:
                check(client, history)

        done, died = dying.run(call, number, work, look)
        tried += 1
        kills += died
        operations += done
        if not died:
            break
    figure(f"{call}: killed at {kills} of {tried} points, {operations} operations acknowledged, 0 lost, 0 torn")
    assert kills > 0
