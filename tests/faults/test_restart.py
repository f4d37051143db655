"""A daemon with many objects, killed while writes go on: how long until it is ready again (PROOF 3)."""

from __future__ import annotations

import random
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest
import trio
from attrs import define, field

from lightningstor.config import Config, ServerSettings
from lightningstor.daemon.identity import ROOT
from lightningstor.daemon.provision import provision
from lightningstor.daemon.storage import open_storage
from lightningstor.kv.checkpoints import LOG_BYTES
from lightningstor.ports import production_world
from lightningstor.store.api import ObjectDraft, WriteConditions
from lightningstor.store.sources import BytesSource
from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp
from tests.harness.timing import slowness

pytestmark = pytest.mark.proof

_LIMIT_S = 5.0
_FILLERS = 512
_WRITERS = 8
_PAGE = 1000


def key_of(number: int) -> str:
    return f"key{number:07}"


def body_of(number: int, turn: int) -> bytes:
    """Sixteen bytes."""
    return b"%07d:%08d" % (number, turn)


async def fill(data_dir: Path, objects: int) -> float:
    """Make a data directory with so many objects in a bucket, by the store itself; how long it took, in seconds."""
    config = Config(server=ServerSettings(data_dir=data_dir, buckets=("bucket",)))
    started = time.monotonic()
    async with open_storage(config, production_world(8)) as storage, trio.open_nursery() as nursery:
        await provision(storage.store, config)

        async def put_all(numbers: Iterator[int]) -> None:
            for number in numbers:
                body = BytesSource(body_of(number, 0))
                await storage.store.puts.put("bucket", key_of(number), ObjectDraft(ROOT.owner), body, WriteConditions())

        numbers = iter(range(objects))
        for _ in range(_FILLERS):
            nursery.start_soon(put_all, numbers)
    return time.monotonic() - started


@define
class Writer:
    """Replaces objects, of its own, until the daemon dies.

    Args:
        number: its objects are those whose numbers leave it as the remainder.
        acknowledged: the turn of the last acknowledged write of each object; 0: that of the filling.
        unanswered: (object, turn) of the write that the daemon died in.
    """

    number: int
    objects: int
    acknowledged: dict[int, int] = field(factory=dict)
    unanswered: tuple[int, int] | None = None
    turn: int = 0

    def write(self, daemon: RunningDaemon, seed: int) -> None:
        chance = random.Random(f"{seed}:{self.number}")
        with closing(client_of(daemon)) as client, suppress(OSError, HTTPException):
            while True:
                number = chance.randrange(self.objects // _WRITERS) * _WRITERS + self.number
                self.turn += 1
                self.unanswered = number, self.turn
                assert client.request("PUT", f"/bucket/{key_of(number)}", body_of(number, self.turn)).status == 200
                self.acknowledged.pop(number, None)  # so that the last come last
                self.acknowledged[number], self.unanswered = self.turn, None

    def allowed(self, number: int) -> set[bytes]:
        """What the object may hold."""
        allowed = {body_of(number, self.acknowledged.get(number, 0))}
        if self.unanswered is not None and self.unanswered[0] == number:
            allowed.add(body_of(*self.unanswered))
        return allowed


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


def reported_log_bytes(daemon: RunningDaemon) -> float:
    """How long the daemon says its write-ahead log is."""
    with urllib.request.urlopen(f"http://{daemon.addresses['admin']}/metrics", timeout=20) as answer:
        shown: str = answer.read().decode()
    return float(shown.partition("\nlightningstor_metadata_log_bytes ")[2].split("\n", 1)[0])


def bytes_to_recover(log: Path) -> int:
    """How much of a write-ahead log counts: its frames up to the first of an earlier round (SQLite, "WAL format")."""
    with log.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            return 0
        page_bytes, salts = struct.unpack(">I", header[8:12])[0], header[16:24]
        frames = 0
        while file.read(24)[8:16] == salts:
            file.seek(page_bytes, 1)
            frames += 1
    return frames * page_bytes


def write_and_kill(daemon: RunningDaemon, writers: list[Writer], seed: int, log_bytes: float) -> int:
    """Kill it under the writers, when its log is that long; how much of the log is to be recovered."""
    threads = [threading.Thread(target=writer.write, args=(daemon, seed)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        while reported_log_bytes(daemon) < log_bytes:
            assert any(thread.is_alive() for thread in threads), daemon.output()
    finally:
        daemon.kill()
        for thread in threads:
            thread.join()
    return bytes_to_recover(daemon.data_dir / "metadata" / "lightningstor.db-wal")


def check(daemon: RunningDaemon, writers: list[Writer], objects: int, seed: int, looks: int) -> int:
    """HEAD of some, GET of what was written last, a LIST page from the middle; the number of objects looked at."""
    chance = random.Random(seed)
    with closing(client_of(daemon)) as client:
        for number in (chance.randrange(objects) for _ in range(looks)):
            answer = client.request("HEAD", f"/bucket/{key_of(number)}")
            assert (answer.status, answer.headers.get("content-length")) == (200, "16"), (number, answer)
        looked = looks
        for writer in writers:
            last = list(writer.acknowledged)[-looks // _WRITERS :]
            for number in [*last, *(writer.unanswered or ())[:1]]:
                answer = client.request("GET", f"/bucket/{key_of(number)}")
                assert answer.status == 200
                assert answer.body in writer.allowed(number), number
                if writer.unanswered is not None and answer.body == body_of(*writer.unanswered):
                    writer.acknowledged[number], writer.unanswered = writer.unanswered[1], None
                looked += 1
            writer.unanswered = None
        middle = objects // 2
        page = client.request("GET", "/bucket", query=f"list-type=2&max-keys={_PAGE}&start-after={key_of(middle)}")
    listed = [piece.partition("</Key>")[0] for piece in page.body.decode().split("<Key>")[1:]]
    assert listed == [key_of(number) for number in range(middle + 1, middle + 1 + _PAGE)]
    return looked


def test_ready_again_after_a_kill(launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure) -> None:
    """Killed under writers when its log is nearly at its longest, it is ready within 5 s, and nothing is lost."""
    objects, rounds, log_bytes = (1_000_000, 5, 0.9 * LOG_BYTES) if proof_full else (5_000, 1, 0.25 * LOG_BYTES)
    credentials = ("AKIAKILLEDKILLEDKILL", "killed-and-killed-and-killed-and-killed0")
    launch = partial(launch_daemon, folder=tmp_path, credentials=credentials, log_level="info")
    fill_s = trio.run(fill, tmp_path / "data", objects)
    writers = [Writer(number, objects) for number in range(_WRITERS)]
    daemon = launch()
    starts: list[tuple[float, float, int]] = []
    looked = 0
    for seed in range(rounds):
        to_recover = write_and_kill(daemon, writers, seed, log_bytes)
        slower = slowness()
        started = time.monotonic()
        daemon = launch(timeout_s=60)
        starts.append((time.monotonic() - started, slower, to_recover))
        looked += check(daemon, writers, objects, seed, looks=300 if proof_full else 100)
    size_mib = (daemon.data_dir / "metadata" / "lightningstor.db").stat().st_size >> 20
    written = sum(writer.turn for writer in writers)
    told = ", ".join(f"{took_s:.2f} s with {log >> 10} KiB of log ({slower:.1f}x)" for took_s, slower, log in starts)
    figure(
        f"{objects} objects, {size_mib} MiB of metadata, filled in {fill_s:.0f} s: exec to ready after a kill {told} "
        f"(machine slower than idle); {written} writes, {looked} objects looked at, 0 lost"
    )
    assert max(log for _, _, log in starts) >= log_bytes / 2
    assert all(took_s <= _LIMIT_S * slower for took_s, slower, _ in starts)
