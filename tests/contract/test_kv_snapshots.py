"""Snapshots of every metadata store: one moment each, for several tasks, given back by whoever is cancelled."""

from __future__ import annotations

import trio

from lightningstor.kv.api import Add, Kv, Put, Txn
from tests.contract.kv_stores import ODD_KEYS, applied, put


async def test_snapshot_stays_as_it_was(kv: Kv) -> None:
    """A snapshot shows the rows of its moment whatever is put, deleted, added to and scanned meanwhile."""
    await put(kv, *((key, b"old") for key in ODD_KEYS))
    before = await kv.scan(b"", b"\xff\xff\xff", 1_000)
    async with kv.snapshot() as snapshot:
        await applied(
            kv,
            Txn(
                puts=[Put(key, b"new") for key in ODD_KEYS[::3]] + [Put(key + b"~", b"new") for key in ODD_KEYS],
                deletes=ODD_KEYS[1::3],
                adds=[Add(b"n", 1)],
            ),
        )
        await applied(kv, Txn(deletes=[b"n", b"b~"], puts=[Put(ODD_KEYS[1], b"again")]))
        assert await snapshot.scan(b"", b"\xff\xff\xff", 1_000) == before
        assert await snapshot.scan(b"", b"\xff\xff\xff", 1_000, reverse=True) == before[::-1]
        assert await snapshot.scan(b"", b"\xff\xff\xff", 10) == before[:10]
        assert await snapshot.scan(b"", b"\xff\xff\xff", 10, reverse=True) == before[:-11:-1]
        assert await snapshot.get_many([row.key for row in before]) == before
        assert [await snapshot.get(row.key) for row in before] == before
        assert await snapshot.get(b"n") is None
        assert await snapshot.get(b"a~") is None
        now = await kv.scan(b"", b"\xff\xff\xff", 1_000)
    assert now != before
    async with kv.snapshot() as snapshot:
        assert await snapshot.scan(b"", b"\xff\xff\xff", 1_000) == now


async def test_snapshots_are_independent(kv: Kv) -> None:
    """Each of several open snapshots shows its own moment."""
    async with kv.snapshot() as empty:
        await put(kv, (b"a", b"1"))
        async with kv.snapshot() as first:
            await put(kv, (b"a", b"2"))
            async with kv.snapshot() as second:
                await applied(kv, Txn(deletes=[b"a"]))
                rows = [await snapshot.get(b"a") for snapshot in (empty, first, second)]
                assert [row and row.value for row in rows] == [None, b"1", b"2"]
            assert [row.value for row in await first.scan(b"", b"z", 100)] == [b"1"]
        assert await empty.scan(b"", b"z", 100) == []


async def test_snapshot_serves_several_tasks(kv: Kv) -> None:
    """Tasks may read through one snapshot at the same time."""
    await put(kv, *((b"k%03d" % number, b"") for number in range(200)))
    async with kv.snapshot() as snapshot:

        async def read() -> None:
            for _ in range(5):
                assert len(await snapshot.scan(b"", b"z", 1_000)) == 200
                assert await snapshot.get(b"k007") is not None
                assert (await snapshot.get_many([b"k001", b"x"]))[1] is None

        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(read)


async def test_snapshots_abandoned_by_cancellation_leave_nothing(kv: Kv) -> None:
    """Cancelling a task within a snapshot, also while it scans, gives the snapshot back: many in a row still work."""
    await put(kv, *((b"k%03d" % number, b"") for number in range(200)))
    for _ in range(40):
        with trio.CancelScope() as scope:
            async with kv.snapshot() as snapshot:
                scope.cancel()
                await snapshot.scan(b"", b"z", 1_000)
                await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
    async with kv.snapshot() as snapshot:
        assert len(await snapshot.scan(b"", b"z", 1_000)) == 200
