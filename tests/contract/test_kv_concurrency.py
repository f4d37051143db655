"""Tasks that write and read one metadata store at once: no lost update, no step back, no half transaction."""

from __future__ import annotations

import trio

from lightningstor.kv.api import ABSENT, Applied, Check, Kv, Put, Row, Txn, TxnConflict
from tests.contract.kv_stores import BODY, put


async def test_one_creator_wins(kv: Kv) -> None:
    """Of many concurrent transactions that check a key's absence and write it exactly one applies; its value stands."""
    won: list[int] = []

    async def create(number: int) -> None:
        outcome = await kv.commit(Txn(checks=[Check(b"a", ABSENT)], puts=[Put(b"a", b"%d" % number)]))
        if isinstance(outcome, Applied):
            won.append(number)
        else:
            assert outcome == TxnConflict(b"a")

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(create, number)
    row = await kv.get(b"a")
    assert row is not None
    assert won == [int(row.value)]


async def test_compare_and_swap_loses_no_update(kv: Kv) -> None:
    """Concurrent read-check-write rounds on one row never lose an update."""
    await put(kv, (b"a", b"0"))

    async def increment() -> None:
        while True:
            row = await kv.get(b"a")
            assert row is not None
            txn = Txn(checks=[Check(b"a", row.revision)], puts=[Put(b"a", b"%d" % (int(row.value) + 1))])
            if isinstance(await kv.commit(txn), Applied):
                return

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(increment)
    row = await kv.get(b"a")
    assert row is not None
    assert row.value == b"20"


async def test_reads_see_finished_commits(kv: Kv) -> None:
    """Whoever has an Applied finds what it wrote in every kind of read, while others commit at the same time."""

    async def write(name: int) -> None:
        for number in range(30):
            key, body = b"k%d" % name, BODY % name
            value = b"%d" % number
            revision = await put(kv, (key, value), (body, value))
            expected = [Row(key, value, revision), Row(body, value, revision)]
            assert await kv.get(key) == expected[0]
            assert await kv.get(body) == expected[1]
            assert await kv.get_body(name) == value
            assert await kv.get_many([key, body]) == expected
            assert await kv.scan(key, key + b"\0", 1) == expected[:1]
            assert await kv.scan(body, body + b"\0", 100) == expected[1:]
            async with kv.snapshot() as snapshot:
                assert await snapshot.get_many([key, body]) == expected

    async with trio.open_nursery() as nursery:
        for name in range(8):
            nursery.start_soon(write, name)


async def test_reads_never_go_back(kv: Kv) -> None:
    """While a row is being rewritten, whoever reads it, one way after the other, never sees an older revision again."""
    done = False
    await put(kv, (b"a", b""), (BODY % 1, b""))

    async def write() -> None:
        nonlocal done
        for _ in range(60):
            await put(kv, (b"a", b""), (BODY % 1, b""))
        done = True

    async def read() -> None:
        newest = 0
        while not done:
            async with kv.snapshot() as snapshot:
                rows = [
                    await kv.get(b"a"),
                    *await kv.scan(b"a", b"a\0", 100),
                    *await kv.get_many([b"a", BODY % 1]),
                    await kv.get(BODY % 1),
                    *await kv.scan(b"a", b"z", 2),
                ]
                frozen = await snapshot.get_many([b"a", BODY % 1])
            seen = [row.revision for row in rows if row is not None]
            assert seen == sorted(seen)
            assert seen[0] >= newest
            assert frozen[0] is not None
            assert frozen[1] is not None
            assert newest <= frozen[0].revision == frozen[1].revision <= seen[0]
            newest = seen[-1]
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        for _ in range(3):
            nursery.start_soon(read)


async def test_rows_of_one_transaction_appear_together(kv: Kv) -> None:
    """A reader sees all rows of a transaction or none: through get_many, a scan and a snapshot."""
    done = False
    pair = [b"a", BODY % 1]
    await put(kv, *((key, b"") for key in pair))

    async def write() -> None:
        nonlocal done
        for _ in range(60):
            await put(kv, *((key, b"") for key in pair))
        done = True

    async def read() -> None:
        while not done:
            assert len({row.revision for row in await kv.get_many(pair) if row}) == 1
            assert len({row.revision for row in await kv.scan(b"", b"\xff", 100)}) == 1
            assert len({row.revision for row in await kv.scan(b"", b"\xff", 2)}) == 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        nursery.start_soon(read)
        nursery.start_soon(read)
