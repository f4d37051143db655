"""The SQLite store on a device that fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
import trio

from lightningstor.errors import BytesCorrupt, StorageFull, StorageReadOnly
from lightningstor.kv.api import ABSENT, Add, Check, Put, Row, Txn, TxnUndetermined
from lightningstor.kv.sqlite import open_sqlite_kv
from tests.contract.kv_stores import BODY, applied, keys_of, put
from tests.contract.kv_worlds import Committers, FaultyVfs, GatedBlocking, io_error, one_put, world


@pytest.fixture
def vfs() -> FaultyVfs:
    return FaultyVfs("lightningstor-test-faults")


def _fail(operation: str, kind: str, error: Callable[[], Exception]) -> Callable[[str, str], None]:
    def fault(now: str, what: str) -> None:
        if (now, what) == (operation, kind):
            raise error()

    return fault


async def test_commit_is_flushed_before_it_is_applied(tmp_path: Path, vfs: FaultyVfs) -> None:
    """An Applied is told only after the log was written and then flushed."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name) as kv:
        for number in range(5):
            vfs.calls.clear()
            await put(kv, (b"%d" % number, b""))
            in_log = [operation for operation, kind in vfs.calls if kind == "wal" and operation != "read"]
            assert "write" in in_log
            assert in_log[-1] == "sync"


@pytest.mark.parametrize("operation", ["sync", "write"])
async def test_failed_commit_is_undetermined_and_the_last(tmp_path: Path, vfs: FaultyVfs, operation: str) -> None:
    """EIO while committing leaves the whole batch undetermined; from then on the store only reads, and says why."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate), vfs=vfs.name) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("before", Txn(puts=[Put(b"before", b"1"), Put(b"a", b"1")]))
            gate.let_through()
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("hold", Txn(checks=[Check(b"a", ABSENT)]))
            await gate.wait_taken(2)
            await committers.queue("one", one_put(b"a", b"2"))
            await committers.queue("two", one_put(b"b", b"2"))
            vfs.fault = _fail(operation, "wal", lambda: io_error(operation))
            gate.let_through()
            await gate.wait_taken(3)
            await committers.queue("queued", one_put(b"c", b"2"))
            gate.let_through()
        vfs.fault = lambda operation, kind: None
        outcomes = committers.outcomes
        assert isinstance(outcomes["one"], TxnUndetermined)
        assert "IOError" in outcomes["one"].reason
        assert isinstance(outcomes["two"], TxnUndetermined)
        assert isinstance(outcomes["queued"], StorageReadOnly)
        assert kv.read_only_reason == outcomes["one"].reason
        with pytest.raises(StorageReadOnly, match="IOError"):
            await kv.commit(one_put(b"d"))
        assert kv.statistics().undetermined == 2
        seen = [row and row.value for row in await kv.get_many([b"before", b"a", b"b", b"c"])]
        assert seen == [b"1", b"1", None, None]
        assert await kv.get(b"a") == (await kv.scan(b"a", b"b", 100))[0]
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        seen = [row and row.value for row in await kv.get_many([b"before", b"a", b"b", b"c"])]
        assert seen in ([b"1", b"1", None, None], [b"1", b"2", b"2", None])
        await put(kv, (b"works", b"again"))


async def test_full_device_is_survived(tmp_path: Path, vfs: FaultyVfs) -> None:
    """With no room for the log StorageFull is raised and nothing has happened; later commits work again."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name) as kv:
        first = await put(kv, (b"a", b"1"))
        for sound_writes in range(4):
            left = sound_writes

            def fault(operation: str, kind: str) -> None:
                nonlocal left
                if (operation, kind) == ("write", "wal"):
                    left -= 1
                    if left < 0:
                        raise apsw.FullError("database or disk is full")

            vfs.fault = fault
            with pytest.raises(StorageFull):
                await kv.commit(Txn(puts=[Put(b"a", b"2"), Put(BODY % 1, bytes(60_000))], adds=[Add(b"n", 1)]))
            assert await kv.get(b"a") == Row(b"a", b"1", first)
            assert await keys_of(kv) == [b"a"]
            vfs.fault = lambda operation, kind: None
            assert await applied(kv, Txn(checks=[Check(b"a", first)], deletes=[b"nothing"])) > first
        assert kv.read_only_reason is None
        await put(kv, (b"b", b"1"))
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert await keys_of(kv) == [b"a", b"b"]


async def test_full_device_is_survived_by_a_large_batch(tmp_path: Path, vfs: FaultyVfs) -> None:
    """The same when the batch is larger than the writer's memory and meets the full device before its commit."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name) as kv:
        await put(kv, (b"a", b"1"))
        vfs.fault = _fail("write", "wal", lambda: apsw.FullError("database or disk is full"))
        large = [Put(BODY % number, bytes(500_000)) for number in range(80)]
        with pytest.raises(StorageFull):
            await kv.commit(Txn(puts=large))
        vfs.fault = lambda operation, kind: None
        assert await keys_of(kv) == [b"a"]
        await put(kv, (b"b", b"1"))
        assert await keys_of(kv) == [b"a", b"b"]


async def test_failed_read_in_a_batch_means_nothing_happened(tmp_path: Path, vfs: FaultyVfs) -> None:
    """EIO while a batch evaluates its checks stops all writing; the batch has certainly not happened."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name) as kv:
        await put(kv, *((b"k%04d" % number, bytes(500)) for number in range(500)))
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name, mmap_bytes=0) as kv:
        vfs.fault = _fail("read", "main", lambda: io_error("read"))
        with pytest.raises(StorageReadOnly, match="IOError"):
            await kv.commit(Txn(checks=[Check(b"k0300", 1)], puts=[Put(b"a", b"1")]))
        vfs.fault = lambda operation, kind: None
        assert await kv.get(b"a") is None
        assert await kv.get(b"k0300") is not None


async def test_failed_read_is_an_error_not_an_absence(tmp_path: Path, vfs: FaultyVfs) -> None:
    """A row that cannot be read raises BytesCorrupt in every kind of read; when the device is back, so is the row."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name) as kv:
        await put(kv, *((b"k%04d" % number, bytes(500)) for number in range(500)))
        await put(kv, *((BODY % number, bytes(500)) for number in range(200)))
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name, mmap_bytes=0, cache_bytes=0) as kv:
        assert await kv.get_body(1) == bytes(500)
        async with kv.snapshot() as snapshot:
            vfs.fault = _fail("read", "main", lambda: io_error("read"))
            for read in (
                kv.get(b"k0300"),
                kv.get(BODY % 99),
                kv.get_many([b"k0400"]),
                kv.scan(b"k0100", b"z", 5),
                kv.scan(b"k0100", b"z", 400),
                snapshot.get(b"k0200"),
                snapshot.scan(b"k0100", b"z", 5),
                snapshot.scan(b"k0100", b"z", 400),
            ):
                with pytest.raises(BytesCorrupt, match="IOError"):
                    await read
            vfs.fault = lambda operation, kind: None
        assert await kv.get(b"k0300") is not None
        assert len(await kv.scan(b"k0100", b"z", 400)) == 400
        await put(kv, (b"a", b"1"), (BODY % 1, b"1"))
        row = await kv.get(b"a")
        assert row is not None
        assert row.value == await kv.get_body(1) == b"1"
        vfs.fault = _fail("read", "main", lambda: io_error("read"))
        with pytest.raises(BytesCorrupt, match="IOError"):
            await kv.get_body(199)


@pytest.mark.parametrize(("operation", "kind"), [("sync", "wal"), ("write", "main"), ("sync", "main")])
async def test_failed_checkpoint_stops_all_writing(tmp_path: Path, vfs: FaultyVfs, operation: str, kind: str) -> None:
    """EIO while the log is carried into the file is not retried: the store only reads, and has lost nothing."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name, log_bytes=1) as kv:
        written = 0

        def fault(now: str, what: str) -> None:
            if (now, what) == (operation, kind) and trio.lowlevel.in_trio_run() is False:
                raise io_error(operation)

        await put(kv, (b"0", bytes(500)))
        vfs.fault = fault
        try:
            while written < 100:
                outcome = await kv.commit(one_put(b"%d" % (written + 1), bytes(500)))
                if isinstance(outcome, TxnUndetermined):
                    break
                written += 1
                await trio.testing.wait_all_tasks_blocked(0.001)
        except StorageReadOnly:
            pass
        assert kv.read_only_reason is not None
        vfs.fault = lambda operation, kind: None
        assert len(await kv.scan(b"", b"z", 200)) == written + 1
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert len(await kv.scan(b"", b"z", 200)) in (written + 1, written + 2)


async def test_full_device_does_not_stop_checkpoints_for_ever(tmp_path: Path, vfs: FaultyVfs) -> None:
    """With no room for the file to grow commits go on into the log; once there is room, the log is started over."""
    async with open_sqlite_kv(tmp_path / "kv", world(), vfs=vfs.name, log_bytes=200_000) as kv:

        def full() -> Exception:
            return apsw.FullError("database or disk is full")

        vfs.fault = _fail("write", "main", full)
        for number in range(60):
            await put(kv, (b"%d" % number, bytes(15_000)))
        grown = kv.statistics().log_bytes
        assert grown > 600_000
        assert kv.read_only_reason is None
        vfs.fault = lambda operation, kind: None
        for number in range(60):
            await put(kv, (b"%d" % number, bytes(15_000)))
        assert kv.statistics().log_bytes < grown
        assert len(await keys_of(kv)) == 60


async def test_full_device_can_be_opened(tmp_path: Path, vfs: FaultyVfs) -> None:
    """With no room to carry the log into the file the store opens all the same, for reads and deletes."""
    left = tmp_path / "left"
    left.mkdir()
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        await put(kv, *((b"%d" % number, bytes(5_000)) for number in range(50)))
        for name in ("kv", "kv-wal"):
            shutil.copy(tmp_path / name, left / name)
    vfs.fault = _fail("write", "main", lambda: apsw.FullError("database or disk is full"))
    async with open_sqlite_kv(left / "kv", world(), vfs=vfs.name) as kv:
        assert len(await kv.scan(b"", b"z", 100)) == 50
        await applied(kv, Txn(deletes=[b"7"]))
        assert await kv.get(b"7") is None
    vfs.fault = lambda operation, kind: None
    async with open_sqlite_kv(left / "kv", world()) as kv:
        assert len(await kv.scan(b"", b"z", 100)) == 49
