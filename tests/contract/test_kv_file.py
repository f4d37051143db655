"""The SQLite store's file: opening, closing, formats, crashes."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
import trio

from lightningstor.errors import BytesCorrupt, FormatTooNew, StorageReadOnly, StoreClosed, StoreLocked
from lightningstor.kv import schema
from lightningstor.kv.api import Add, Applied, Outcome, Put, Txn, TxnUndetermined
from lightningstor.kv.bodies import body_key
from lightningstor.kv.sqlite import open_sqlite_kv
from tests.contract.kv_stores import BODY, applied, keys_of, put
from tests.contract.kv_worlds import Committers, GatedBlocking, one_put, world


async def test_queued_transactions_are_committed_on_closing(tmp_path: Path) -> None:
    """Leaving the store commits what is queued; what comes later is refused, reads too."""
    gate = GatedBlocking()
    async with trio.open_nursery() as nursery:
        async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
            committers = Committers(kv, nursery)
            await committers.queue("taken", one_put(b"taken"))
            await gate.wait_taken(1)
            await committers.queue("queued", one_put(b"queued"))
            gate.open()
        assert all(isinstance(outcome, Applied) for outcome in committers.outcomes.values())
        assert len(committers.outcomes) == 2
    with pytest.raises(StoreClosed):
        await kv.commit(one_put(b"late"))
    for read in (kv.get(b"taken"), kv.get_many([b"taken"]), kv.scan(b"", b"z", 1), kv.scan(b"", b"z", 100)):
        with pytest.raises(StoreClosed):
            await read
    with pytest.raises(StoreClosed):
        async with kv.snapshot():
            pass
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert await keys_of(kv) == [b"queued", b"taken"]


async def test_closed_store_reads_no_body(tmp_path: Path) -> None:
    """A body that was read before the store was closed is not read behind it."""
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        await put(kv, (body_key(1), b"body"))
        assert await kv.get_body(1) == b"body"
    with pytest.raises(StoreClosed):
        await kv.get_body(1)


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    """A reopened store has the same rows with the same revisions, and its next revision is higher than any before."""
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        await put(kv, (b"a", b"1"), (BODY % 1, b"2"))
        last = await applied(kv, Txn(deletes=[b"gone"], adds=[Add(b"n", 3)]))
        rows = await kv.scan(b"", b"\xff", 100)
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert await kv.scan(b"", b"\xff", 100) == rows
        highest = await put(kv, (b"b", b"1"))
        assert highest > last
        await applied(kv, Txn(deletes=[b"b"]))
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert await put(kv, (b"c", b"1")) > highest
    assert os.listdir(tmp_path) == ["kv"]


async def test_exception_of_the_body_is_not_grouped(tmp_path: Path) -> None:
    """An exception of the body leaves the store as it is; the store is closed behind it."""

    async def body() -> None:
        async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
            await put(kv, (b"a", b"1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await body()
    assert os.listdir(tmp_path) == ["kv"]


async def test_broken_writer_ends_the_store(tmp_path: Path) -> None:
    """When the writer fails for a reason that is not the device's, the store ends and says what happened."""
    outcome: Outcome | None = None
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match=r"the writer of .*kv failed: ConstraintError")):
        async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
            outcome = await kv.commit(Txn(puts=[Put(b"a", "no bytes")]))  # type: ignore[arg-type]
            with pytest.raises(StorageReadOnly):
                await kv.commit(one_put(b"b"))
            await trio.sleep_forever()
    assert isinstance(outcome, TxnUndetermined)


async def test_newer_format_is_refused_untouched(tmp_path: Path) -> None:
    """A file that a newer version wrote is refused, with both numbers, and not a byte of it changes."""
    path = tmp_path / "kv"
    async with open_sqlite_kv(path, world()) as kv:
        await put(kv, (b"a", b"1"))
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", schema.FORMAT + 1)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(FormatTooNew) as refused:
        async with open_sqlite_kv(path, world()):
            pass
    assert (refused.value.found, refused.value.supported) == (schema.FORMAT + 1, schema.FORMAT)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["text", "other database"])
async def test_foreign_file_is_refused_untouched(tmp_path: Path, content: str) -> None:
    """A file that is no metadata store of ours is refused and stays as it is."""
    path = tmp_path / "kv"
    if content == "text":
        path.write_bytes(b"something else entirely\n" * 100)
    else:
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE mine(x)")
        connection.close()
    before = path.read_bytes()
    with pytest.raises(BytesCorrupt):
        async with open_sqlite_kv(path, world()):
            pass
    assert path.read_bytes() == before


async def test_file_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another connection is writing to is refused as locked, after a while."""
    monkeypatch.setattr(schema, "_BUSY_TIMEOUT_MS", 10)
    path = tmp_path / "kv"
    async with open_sqlite_kv(path, world()) as kv:
        await put(kv, (b"a", b"1"))
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM kv")
    with pytest.raises(StoreLocked):
        async with open_sqlite_kv(path, world()):
            pass
    connection.close()


async def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    """Where no file can be made the system's own error says which and why."""
    with pytest.raises(FileNotFoundError) as refused:
        async with open_sqlite_kv(tmp_path / "missing" / "kv", world()):
            pass
    assert refused.value.filename == str(tmp_path / "missing" / "kv")


async def test_file_is_private(tmp_path: Path) -> None:
    """The file and its log hold users' bytes: only the owner may read them."""
    path = tmp_path / "kv"
    async with open_sqlite_kv(path, world()) as kv:
        await put(kv, (b"a", b"1"))
        for name in os.listdir(tmp_path):
            assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600


async def test_reclaimed_space_leaves_the_file(tmp_path: Path) -> None:
    """After deletes, reclaiming step by step shrinks the file; what is written and read meanwhile is untouched."""
    path = tmp_path / "kv"
    async with open_sqlite_kv(path, world()) as kv:
        for first in range(0, 400, 50):
            await put(kv, *((body_key(number), bytes(20_000)) for number in range(first, first + 50)))
        await applied(kv, Txn(deletes=[body_key(number) for number in range(399)]))
        full = kv.statistics().log_bytes
        given = []
        while step := await kv.reclaim(2_000_000):
            given.append(step)
            await put(kv, (b"a", b"%d" % len(given)))
            row = await kv.get(b"a")
            assert row is not None
            assert row.value == b"%d" % len(given)
        assert max(given) <= 2_000_000
        assert sum(given) > 7_000_000
        assert len(await kv.scan(b"", b"z", 1_000)) == 2
    assert full > 8_000_000
    assert os.stat(path).st_size < 200_000
    with pytest.raises(StoreClosed):
        await kv.reclaim(2_000_000)


async def test_older_format_is_migrated_step_by_step(tmp_path: Path) -> None:
    """A file of an older format goes through every migration up to ours, each with its new number, or not at all."""
    path = str(tmp_path / "kv")
    async with open_sqlite_kv(path, world()) as kv:
        await put(kv, (b"a", b"1"))

    def first(connection: apsw.Connection) -> None:
        connection.execute("ALTER TABLE kv ADD COLUMN extra ANY")

    def second(connection: apsw.Connection) -> None:
        connection.execute("UPDATE kv SET extra = v || '+'")

    def broken(connection: apsw.Connection) -> None:
        connection.execute("UPDATE kv SET extra = 'broken'")
        raise ZeroDivisionError

    version = schema.FORMAT
    connection = apsw.Connection(path)
    with pytest.raises(ZeroDivisionError):
        schema.prepare(connection, path, supported=version + 2, migrations={version: first, version + 1: broken})
    assert connection.pragma("user_version") == version + 1
    assert connection.execute("SELECT v, extra FROM kv").fetchall() == [(b"1", None)]
    schema.prepare(connection, path, supported=version + 2, migrations={version: broken, version + 1: second})
    assert connection.pragma("user_version") == version + 2
    assert connection.execute("SELECT v, extra FROM kv").fetchall() == [(b"1", "1+")]
    connection.close()


async def test_file_is_made_as_meant(tmp_path: Path) -> None:
    """A new file has our page size, incremental vacuum and marks; its writer flushes every commit."""
    path = str(tmp_path / "kv")
    async with open_sqlite_kv(path, world()) as kv:
        await put(kv, (b"a", b"1"))
        connection = apsw.Connection(path)
        assert connection.pragma("page_size") == schema.PAGE_BYTES
        assert connection.pragma("auto_vacuum") == 2
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("user_version") == schema.FORMAT
        assert connection.pragma("application_id") == schema.APPLICATION_ID
        connection.close()


_WRITES_UNTIL_KILLED = """
import sys
import trio
from lightningstor.kv.api import Add, Put, Txn
from lightningstor.kv.bodies import body_key
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.ports import production_world

async def write(kv, name):
    number = 0
    while True:
        number += 1
        key = b"%s/%06d" % (name, number)
        body = b"lightningstor/data/%08x%08x" % (name[0], number)
        await kv.commit(Txn(puts=[Put(key, b"x" * 700), Put(body, key * 200)], adds=[Add(b"n/" + name, 1)]))
        print(name.decode(), number, flush=True)

async def main():
    store = open_sqlite_kv(sys.argv[1], production_world(), log_bytes=1_000_000)
    async with store as kv, trio.open_nursery() as nursery:
        for name in (b"a", b"b", b"c", b"d"):
            nursery.start_soon(write, kv, name)

trio.run(main)
"""


def _write_until_killed(path: Path, lines: int) -> dict[str, int]:
    """Have a process write, and kill it when it has told of so many commits; the last of each writer that it told."""
    acknowledged: dict[str, int] = {}
    command = [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):
                name, number = line.split()
                acknowledged[name] = int(number)
                lines -= 1
                if lines == 0:
                    process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    return acknowledged


@pytest.mark.parametrize("lines", [40, 1_500])
async def test_killed_process_loses_no_acknowledged_commit(tmp_path: Path, lines: int) -> None:
    """After kill -9 amid writes and checkpoints all that was acknowledged is there, and every transaction is whole."""
    path = tmp_path / "kv"
    acknowledged = _write_until_killed(path, lines)
    assert len(acknowledged) == 4
    async with open_sqlite_kv(path, world()) as kv:
        for name, number in acknowledged.items():
            raw = name.encode()
            first_body, end = b"lightningstor/data/%08x" % raw[0], b"lightningstor/data/%08x" % (raw[0] + 1)
            rows = await kv.scan(raw + b"/", raw + b"0", 10_000)
            bodies = await kv.scan(first_body, end, 10_000)
            count = await kv.get(b"n/" + raw)
            assert count is not None
            assert number <= len(rows) == len(bodies) == int(count.value)
            assert [row.revision for row in rows] == [body.revision for body in bodies]
            assert all(body.value == row.key * 200 for row, body in zip(rows, bodies, strict=True))
