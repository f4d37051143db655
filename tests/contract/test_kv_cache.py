"""The SQLite store's cache is exact; its snapshots and its log are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from lightningstor.kv.api import Add, Put, Row, Txn
from lightningstor.kv.sqlite import open_sqlite_kv
from tests.contract.kv_stores import BODY, applied, put
from tests.contract.kv_worlds import Committers, GatedBlocking, one_put, world


async def test_cached_row_is_the_same_object(tmp_path: Path) -> None:
    """Until a key is written again its row is one object, so that what was decoded from it can be kept beside it."""
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        await put(kv, (b"a", b"1"), (b"b", b"1"))
        row = await kv.get(b"a")
        assert await kv.get(b"a") is row
        assert (await kv.get_many([b"b", b"a"]))[1] is row
        await put(kv, (b"b", b"2"))
        assert await kv.get(b"a") is row
        await put(kv, (b"a", b"1"))
        assert await kv.get(b"a") is not row
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        row = await kv.get(b"a")
        assert row is not None
        assert await kv.get(b"a") is row


async def test_queued_keys_bypass_the_cache(tmp_path: Path) -> None:
    """From the queue to the end of the commit a key is neither served from the cache nor taken into it."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("write", Txn(puts=[Put(b"a", b"1"), Put(b"b", b"1"), Put(b"n", b"1")]))
            gate.let_through()
        rows = await kv.get_many([b"a", b"b", b"n"])
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("write", Txn(puts=[Put(b"a", b"2")], deletes=[b"b"], adds=[Add(b"n", 1)]))
            await gate.wait_taken(2)
            scope = await committers.queue("withdrawn", one_put(b"a", b"3"))
            missed = kv.statistics().cache_misses
            for _ in range(3):
                assert await kv.get_many([b"a", b"b", b"n"]) == rows
                assert await kv.get(b"a") is not rows[0]
            assert kv.statistics().cache_misses == missed + 12
            scope.cancel()
            gate.let_through()
        hits = kv.statistics().cache_hits
        for _ in range(2):
            seen = await kv.get_many([b"a", b"n"])
            assert [row and row.value for row in seen] == [b"2", b"2"]
        assert kv.statistics().cache_hits == hits + 2  # of b"a" both times; counters are not cached
        assert await kv.get(b"b") is None


async def test_key_queued_again_still_bypasses_the_cache(tmp_path: Path) -> None:
    """When a commit ends while another transaction on the key waits, its row does not enter the cache."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("first", one_put(b"a", b"1"))
            await gate.wait_taken(1)
            await committers.queue("second", one_put(b"a", b"2"))
            gate.let_through()
            await gate.wait_taken(2)
            first = await kv.get(b"a")
            assert first is not None
            assert first.value == b"1"
            assert await kv.get(b"a") is not first
            gate.open()
        second = await kv.get(b"a")
        assert second is not None
        assert second.value == b"2"
        assert await kv.get(b"a") is second


async def test_withdrawn_key_is_cached_again(tmp_path: Path) -> None:
    """When a queued transaction is withdrawn its keys may be cached as before."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("write", one_put(b"a", b"1"))
            gate.let_through()
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("other", one_put(b"other"))
            await gate.wait_taken(2)
            scope = await committers.queue("withdrawn", one_put(b"a", b"2"))
            assert await kv.get(b"a") is not await kv.get(b"a")
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            row = await kv.get(b"a")
            assert row is not None
            assert row.value == b"1"
            assert await kv.get(b"a") is row
            gate.open()


async def test_bodies_are_not_cached(tmp_path: Path) -> None:
    """Bodies never take the cache's room from records."""
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        await put(kv, (BODY % 1, bytes(4_096)), (BODY % 2, b""))
        await kv.get(BODY % 1)
        await kv.get_many([BODY % 1, BODY % 2])
        assert kv.statistics().cache_rows == 0


async def test_cache_is_bounded(tmp_path: Path) -> None:
    """The cache never takes more than its size, forgets what was not used lately, and never what is wrong or new."""
    async with open_sqlite_kv(tmp_path / "kv", world(), cache_bytes=100_000) as kv:
        await put(kv, (b"hot", b""), (b"too large", bytes(100_000)))
        hot = await kv.get(b"hot")
        for number in range(2_000):
            key = b"%d" % number
            await applied(kv, Txn(puts=[Put(key, bytes(500))], adds=[Add(b"n", 1)])) if number < 50 else None
            await kv.get(b"%d" % (number % 50))
            if number % 5 == 0:
                assert await kv.get(b"hot") is hot
            assert kv.statistics().cache_bytes <= 100_000
        row = await kv.get(b"too large")
        assert row is not None
        assert await kv.get(b"too large") is not row
        assert (await kv.get(b"n")) == Row(b"n", b"50", (await kv.scan(b"n", b"n\0", 1))[0].revision)


async def test_snapshots_are_bounded(tmp_path: Path) -> None:
    """Past the limit of connections a snapshot or a large scan waits until one is given back, and can be cancelled."""
    async with open_sqlite_kv(tmp_path / "kv", world(), scan_connections=2) as kv:
        await put(kv, (b"a", b""))
        async with kv.snapshot(), kv.snapshot():
            with trio.move_on_after(0) as scope:
                await kv.scan(b"", b"z", 100)
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                done = trio.Event()

                async def scan() -> None:
                    assert len(await kv.scan(b"", b"z", 100)) == 1
                    done.set()

                nursery.start_soon(scan)
                await trio.testing.wait_all_tasks_blocked()
                assert not done.is_set()
                nursery.cancel_scope.cancel()
        assert len(await kv.scan(b"", b"z", 100)) == 1


async def test_snapshot_cannot_be_used_after_its_end(tmp_path: Path) -> None:
    """A snapshot kept beyond its context refuses to read: its connection may show another moment by then."""
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        async with kv.snapshot() as snapshot:
            pass
        for read in (snapshot.get(b"a"), snapshot.get_many([b"a"]), snapshot.scan(b"", b"z", 5)):
            with pytest.raises(RuntimeError, match="has ended"):
                await read


async def test_log_is_bounded(tmp_path: Path) -> None:
    """Under steady writes the log is started over again and again; a snapshot that stays open only delays that."""
    log = tmp_path / "kv-wal"
    bound = 1_048_576
    async with open_sqlite_kv(tmp_path / "kv", world(), log_bytes=bound) as kv:
        longest = 0

        async def write() -> None:
            nonlocal longest
            for number in range(60):
                await put(kv, (b"%d" % number, bytes(20_000)))
                longest = max(longest, kv.statistics().log_bytes)

        async def write_all() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(8):
                    nursery.start_soon(write)

        await write_all()
        assert bound <= longest <= 3 * bound
        assert log.stat().st_size <= 4 * bound
        async with kv.snapshot():
            await write_all()
        pinned = longest
        assert pinned > 4 * bound
        await write_all()
        assert kv.statistics().log_bytes <= 3 * bound
        assert kv.statistics().checkpoints < 60
