"""What every metadata store does: one suite over memory and SQLite, with its cache and without, threads or none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Kv, Outcome, Put, Row, Txn, TxnConflict
from lightningstor.kv.bodies import body_key
from lightningstor.kv.memory import MemoryKv
from lightningstor.kv.sqlite import open_sqlite_kv
from tests.contract.kv_worlds import InlineBlocking, world

Opener = Callable[[Path], AbstractAsyncContextManager[Kv]]


@asynccontextmanager
async def _memory(_folder: Path) -> AsyncIterator[Kv]:
    yield MemoryKv()


def _sqlite(folder: Path) -> AbstractAsyncContextManager[Kv]:
    return open_sqlite_kv(folder / "kv.sqlite", world(), cache_bytes=0)


def _sqlite_cached(folder: Path) -> AbstractAsyncContextManager[Kv]:
    return open_sqlite_kv(folder / "kv.sqlite", world())


def _sqlite_tiny_cache(folder: Path) -> AbstractAsyncContextManager[Kv]:
    """So small that every few rows turn its generations over; and no threads."""
    return open_sqlite_kv(folder / "kv.sqlite", world(InlineBlocking()), cache_bytes=1_500, log_bytes=1)


OPENERS: dict[str, Opener] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sqlite+cache": _sqlite_cached,
    "sqlite+tiny cache, inline": _sqlite_tiny_cache,
}


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.fixture
async def kv(opener: Opener, tmp_path: Path) -> AsyncIterator[Kv]:
    async with opener(tmp_path) as kv:
        yield kv


async def applied(kv: Kv, txn: Txn) -> int:
    """Commit what must apply; its revision."""
    outcome = await kv.commit(txn)
    assert isinstance(outcome, Applied), outcome
    return outcome.revision


async def put(kv: Kv, *pairs: tuple[bytes, bytes]) -> int:
    return await applied(kv, Txn(puts=[Put(key, value) for key, value in pairs]))


async def keys_of(kv: Kv, start: bytes = b"", end: bytes = b"\xff", limit: int = 1_000) -> list[bytes]:
    return [row.key for row in await kv.scan(start, end, limit)]


BODY = b"lightningstor/data/00000000000000%02x"


# Reads


async def test_absent_key_is_none(kv: Kv) -> None:
    """A key that was never written has no row."""
    assert await kv.get(b"nothing") is None
    assert await kv.get(BODY % 1) is None
    assert await kv.get_many([b"nothing", BODY % 1]) == [None, None]


@pytest.mark.parametrize("key", [b"key", b"", b"\0", b"a\0b", b"\xff\xff", b"k" * 2_000, BODY % 1])
async def test_row_reads_as_written(kv: Kv, key: bytes) -> None:
    """A row has the key and value of its put and the revision of its commit; keys and values are any bytes."""
    for value in (b"", b"\0", bytes(range(256)) * 300):
        revision = await put(kv, (key, value))
        row = Row(key, value, revision)
        assert await kv.get(key) == row
        assert await kv.get_many([key]) == [row]
        assert await kv.scan(key, key + b"\0", 5) == [row]


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1, 1 << 63])
async def test_body_reads_as_written(kv: Kv, number: int) -> None:
    """A body by its id is the value under its key: whatever was there before, whichever was read before it."""
    key, other = body_key(number), body_key(7)
    assert await kv.get_body(number) is None
    await put(kv, (other, b"other"))
    for value in (b"", b"\0", bytes(range(256)) * 300, None):
        await applied(kv, Txn(deletes=[key]) if value is None else Txn(puts=[Put(key, value)]))
        assert await kv.get_body(number) == value
        assert await kv.get_body(number ^ 2) is None
        assert await kv.get_body(7) == b"other"
        assert await kv.get_body(number) == value


async def test_get_many_keeps_the_keys_order(kv: Kv) -> None:
    """get_many answers in the order asked, with None for what is absent, for repeated keys and both kinds of row."""
    await put(kv, (b"a", b"1"), (b"b", b"2"), (BODY % 7, b"3"))
    keys = [BODY % 7, b"b", b"nothing", b"a", b"b"]
    rows = await kv.get_many(keys)
    assert [row and (row.key, row.value) for row in rows] == [
        (BODY % 7, b"3"),
        (b"b", b"2"),
        None,
        (b"a", b"1"),
        (b"b", b"2"),
    ]
    assert await kv.get_many(keys) == rows
    assert await kv.get_many([]) == []


# Order and scans

ODD_KEYS = [
    b"",
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"a\0\xff",
    b"a/",
    b"aa",
    b"a\xff",
    b"b",
    b"lightningstor/data/",
    b"lightningstor/data/0",
    b"lightningstor/data/0000000000000001",
    b"lightningstor/data/0000000000000001\0",
    b"lightningstor/data/000000000000000A",
    b"lightningstor/data/000000000000000a",
    b"lightningstor/data/000000000000000a/x",
    b"lightningstor/data/00000000000000_1",
    b"lightningstor/data/7fffffffffffffff",
    b"lightningstor/data/8000000000000000",
    b"lightningstor/data/ffffffffffffffff",
    b"lightningstor/data/zz",
    b"lightningstor/data0",
    b"lightningstor/datb",
    b"\xff",
    b"\xff\xff",
]


async def test_scan_is_in_byte_order(kv: Kv) -> None:
    """Rows come in the order of their keys' bytes: NUL, prefixes of others, bodies among their neighbours."""
    await put(kv, *((key, b"v" + key) for key in reversed(ODD_KEYS)))
    rows = await kv.scan(b"", b"\xff\xff\xff", 1_000)
    assert [row.key for row in rows] == sorted(ODD_KEYS)
    assert [row.value for row in rows] == [b"v" + key for key in sorted(ODD_KEYS)]
    assert await kv.scan(b"", b"\xff\xff\xff", 1_000, reverse=True) == rows[::-1]


async def test_scan_bounds(kv: Kv) -> None:
    """`start` is in, `end` is out, at every pair of bounds, in both directions and with every limit."""
    await put(kv, *((key, b"") for key in ODD_KEYS))
    ordered = sorted(ODD_KEYS)
    bounds = [b"", b"A", b"lightningstor/data/00000000000000", b"lightningstor/e", *ordered[::3]]
    for start in bounds:
        for end in bounds:
            inside = [key for key in ordered if start <= key < end]
            for limit in (1, 3, 100):
                assert [row.key for row in await kv.scan(start, end, limit)] == inside[:limit]
                backward = await kv.scan(start, end, limit, reverse=True)
                assert [row.key for row in backward] == inside[::-1][:limit]


async def test_scan_of_nothing(kv: Kv) -> None:
    """A scan with limit 0, of an empty range or of a range that ends before it starts gives no rows."""
    await put(kv, (b"a", b""), (b"b", b""))
    assert await kv.scan(b"a", b"z", 0) == []
    assert await kv.scan(b"a", b"a", 10) == []
    assert await kv.scan(b"b", b"a", 10) == []
    assert await kv.scan(b"b", b"a", 10, reverse=True) == []


async def test_paging_visits_every_row_once(kv: Kv) -> None:
    """Pages that start behind the last key of the one before make up the whole."""
    keys = [b"k%03d" % number for number in range(100)]
    await put(kv, *((key, b"") for key in keys))
    seen: list[bytes] = []
    while page := await kv.scan(seen[-1] + b"\0" if seen else b"", b"\xff", 7):
        seen += [row.key for row in page]
    assert seen == keys


# Transactions


async def test_revisions_grow(kv: Kv) -> None:
    """Every commit has a higher revision than the one before, and all its rows have that one."""
    first = await put(kv, (b"a", b"1"), (b"b", b"1"), (BODY % 1, b"1"))
    second = await applied(kv, Txn(puts=[Put(b"a", b"2")], deletes=[b"b"], adds=[Add(b"n", 1)]))
    assert 0 < first < second
    rows = await kv.get_many([b"a", b"n", BODY % 1])
    assert [row and row.revision for row in rows] == [second, second, first]


async def test_check_of_the_present_revision_holds(kv: Kv) -> None:
    """A transaction applies when all its checks name the present revisions, ABSENT for what has no row."""
    revision = await put(kv, (b"a", b"1"), (BODY % 1, b"1"))
    checks = [Check(b"a", revision), Check(BODY % 1, revision), Check(b"b", ABSENT), Check(BODY % 2, ABSENT)]
    await applied(kv, Txn(checks=checks, puts=[Put(b"b", b"2")]))
    assert await kv.get(b"b") is not None


@pytest.mark.parametrize("key", [b"a", BODY % 1])
@pytest.mark.parametrize("wrong", ["older", "absent", "future"])
async def test_failed_check_changes_nothing(kv: Kv, key: bytes, wrong: str) -> None:
    """A transaction whose check fails names that key and applies none of its puts, deletes or counters."""
    older = await put(kv, (key, b"1"), (b"gone?", b"1"), (b"held", b"1"))
    newer = await put(kv, (key, b"2"))
    revision = {"older": older, "absent": ABSENT, "future": newer + 1}[wrong]
    outcome = await kv.commit(
        Txn(
            checks=[Check(b"held", older), Check(key, revision)],
            puts=[Put(key, b"3"), Put(b"new", b"3")],
            deletes=[b"gone?"],
            adds=[Add(b"n", 1)],
        )
    )
    assert outcome == TxnConflict(key)
    assert await kv.get(key) == Row(key, b"2", newer)
    assert await keys_of(kv) == sorted([key, b"gone?", b"held"])


async def test_check_of_a_missing_key_fails(kv: Kv) -> None:
    """A check of any revision on a key without row fails, also when the row was deleted."""
    revision = await put(kv, (b"a", b"1"))
    await applied(kv, Txn(deletes=[b"a"]))
    assert await kv.commit(Txn(checks=[Check(b"a", revision)])) == TxnConflict(b"a")
    assert isinstance(await kv.commit(Txn(checks=[Check(b"a", ABSENT)])), Applied)


async def test_delete_removes_the_row(kv: Kv) -> None:
    """A deleted row is gone from every read; deleting what is absent applies and does nothing."""
    await put(kv, (b"a", b"1"), (b"b", b"1"), (BODY % 1, b"1"))
    assert await kv.get(b"a") is not None
    await applied(kv, Txn(deletes=[b"a", BODY % 1, b"nothing", BODY % 9]))
    assert await kv.get_many([b"a", BODY % 1, b"nothing"]) == [None, None, None]
    assert await kv.get(b"a") is None
    assert await keys_of(kv) == [b"b"]


async def test_written_again_after_delete(kv: Kv) -> None:
    """A key that is deleted and written again has a new revision: an old check of it fails."""
    first = await put(kv, (b"a", b"1"))
    await applied(kv, Txn(deletes=[b"a"]))
    second = await put(kv, (b"a", b"1"))
    assert second > first
    assert await kv.commit(Txn(checks=[Check(b"a", first)])) == TxnConflict(b"a")


async def test_checks_alone_apply(kv: Kv) -> None:
    """A transaction may do nothing but check."""
    assert isinstance(await kv.commit(Txn()), Applied)
    assert await keys_of(kv) == []


async def test_a_row_that_was_replaced_is_not_the_newest(kv: Kv) -> None:
    """Whatever a store knows without a look: of a row that was replaced or deleted it never says it is the newest."""
    await put(kv, (b"a", b"1"))
    row = await kv.get(b"a")
    assert row is not None
    await put(kv, (b"a", b"1"))
    assert not kv.is_newest(row)
    newer = await kv.get(b"a")
    assert newer is not None
    assert not kv.is_newest(row)
    await kv.commit(Txn(deletes=[b"a"]))
    assert not kv.is_newest(newer)
    await kv.get(b"a")
    assert not kv.is_newest(newer)


# Counters


async def test_counter_counts(kv: Kv) -> None:
    """Adds sum up from 0, several to one key within a transaction too, into a decimal row, below 0 as well."""
    await applied(kv, Txn(adds=[Add(b"n", 5), Add(b"m", 1), Add(b"n", -7)]))
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"-2"
    await applied(kv, Txn(adds=[Add(b"n", 12)]))
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"10"


async def test_counter_follows_puts_and_deletes(kv: Kv) -> None:
    """A counter may be set by a put, starts from 0 again after a delete, and its adds change its revision."""
    revision = await put(kv, (b"n", b"40"))
    assert await applied(kv, Txn(adds=[Add(b"n", 2)])) > revision
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"42"
    assert await kv.commit(Txn(checks=[Check(b"n", revision)])) == TxnConflict(b"n")
    await applied(kv, Txn(deletes=[b"n"]))
    await applied(kv, Txn(adds=[Add(b"n", 3)]))
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"3"


async def test_ceiling_fails_the_transaction(kv: Kv) -> None:
    """A positive delta that takes a counter over its ceiling conflicts, names both, and nothing of it happens."""
    await applied(kv, Txn(adds=[Add(b"n", 9, ceiling=10)]))
    outcome = await kv.commit(Txn(puts=[Put(b"a", b"1")], adds=[Add(b"m", 1), Add(b"n", 2, ceiling=10)]))
    assert outcome == TxnConflict(b"n", 10)
    assert await keys_of(kv) == [b"n"]
    await applied(kv, Txn(adds=[Add(b"n", 1, ceiling=10)]))


async def test_ceiling_never_holds_a_counter_up(kv: Kv) -> None:
    """A negative delta applies even where the counter stays over its ceiling."""
    await applied(kv, Txn(adds=[Add(b"n", 100)]))
    await applied(kv, Txn(adds=[Add(b"n", -1, ceiling=10)]))
    await applied(kv, Txn(adds=[Add(b"n", 0, ceiling=10)]))
    assert await kv.commit(Txn(adds=[Add(b"n", 1, ceiling=10)])) == TxnConflict(b"n", 10)
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"99"


async def test_ceilings_hold_in_order(kv: Kv) -> None:
    """Several adds to one counter are summed in their order, each held against its own ceiling at that point."""
    await applied(kv, Txn(adds=[Add(b"n", 8)]))
    assert await kv.commit(Txn(adds=[Add(b"n", 5, ceiling=10), Add(b"n", -5)])) == TxnConflict(b"n", 10)
    await applied(kv, Txn(adds=[Add(b"n", -5), Add(b"n", 5, ceiling=10)]))


async def test_check_is_named_before_ceiling(kv: Kv) -> None:
    """Where a check and a ceiling both fail, the check is told."""
    await put(kv, (b"a", b"1"))
    outcome = await kv.commit(Txn(checks=[Check(b"a", ABSENT)], adds=[Add(b"n", 2, ceiling=1)]))
    assert outcome == TxnConflict(b"a")


async def test_concurrent_counters_are_exact(kv: Kv) -> None:
    """Of 300 concurrent adds under a ceiling of 200 exactly 200 apply, and the counters say so."""
    outcomes: list[Outcome] = []

    async def add(number: int) -> None:
        key = b"by/%d" % (number % 7)
        outcomes.append(await kv.commit(Txn(adds=[Add(b"n", 1, ceiling=200), Add(key, 1)])))

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(add, number)
    assert sum(isinstance(outcome, Applied) for outcome in outcomes) == 200
    assert outcomes.count(TxnConflict(b"n", 200)) == 100
    row = await kv.get(b"n")
    assert row is not None
    assert row.value == b"200"
    assert sum(int(row.value) for row in await kv.scan(b"by/", b"by0", 100)) == 200


# Concurrency


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


# Snapshots


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


# Cancellation


async def test_cancelled_before_it_began(kv: Kv) -> None:
    """A commit in a cancelled scope does nothing."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await kv.commit(Txn(puts=[Put(b"a", b"1")]))
    assert scope.cancelled_caught
    await put(kv, (b"b", b"1"))
    assert await keys_of(kv) == [b"b"]


class _CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when a task is about to run for the nth time."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.task: trio.lowlevel.Task | None = None
        self.scope = trio.CancelScope()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self.task:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


async def test_cancelled_at_every_step(kv: Kv) -> None:
    """Cancelled at any step, a commit has happened whole or not at all; if it returned Applied, it has happened."""
    revision = await put(kv, (b"a", b"0"))
    for step in range(1, 50):
        instrument = _CancelAtStep(step)
        outcome: Outcome | None = None
        async with trio.open_nursery() as nursery:

            async def commit(step: int = step, instrument: _CancelAtStep = instrument) -> None:
                nonlocal outcome
                instrument.task = trio.lowlevel.current_task()
                with instrument.scope:
                    await trio.lowlevel.checkpoint()
                    value = b"%d" % step
                    outcome = await kv.commit(Txn(puts=[Put(b"a", value), Put(b"b", value)], adds=[Add(b"n", 1)]))

            trio.lowlevel.add_instrument(instrument)
            nursery.start_soon(commit)
        trio.lowlevel.remove_instrument(instrument)
        rows = [row for row in await kv.get_many([b"a", b"b", b"n"]) if row is not None]
        happened = rows[0].revision != revision
        assert {row.revision for row in rows} == {rows[0].revision}
        if outcome is not None:
            assert outcome == Applied(rows[0].revision)
            assert happened
        revision = rows[0].revision
        if instrument.left > 0:
            assert happened
            break
    else:
        pytest.fail("the commit never ran to its end")


# Against a model


class Model:
    """What a store must do, in the plainest words."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[bytes, int]] = {}

    def revision(self, key: bytes) -> int:
        return self.rows.get(key, (b"", ABSENT))[1]

    def conflict(self, txn: Txn) -> TxnConflict | None:
        for check in txn.checks:
            if self.revision(check.key) != check.revision:
                return TxnConflict(check.key)
        sums: dict[bytes, int] = {}
        for add in txn.adds:
            sums[add.key] = sums.get(add.key, int(self.rows.get(add.key, (b"0", 0))[0])) + add.delta
            if add.delta > 0 and add.ceiling is not None and sums[add.key] > add.ceiling:
                return TxnConflict(add.key, add.ceiling)
        return None

    def apply(self, txn: Txn, revision: int) -> None:
        for key in txn.deletes:
            self.rows.pop(key, None)
        for put in txn.puts:
            self.rows[put.key] = (put.value, revision)
        for add in txn.adds:
            count = int(self.rows.get(add.key, (b"0", 0))[0]) + add.delta
            self.rows[add.key] = (b"%d" % count, revision)

    def scan(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        keys = sorted((key for key in self.rows if start <= key < end), reverse=reverse)[:limit]
        return [Row(key, *self.rows[key]) for key in keys]


MODEL_KEYS = [b"a", b"a\0", b"a\0\xff", b"ab", BODY % 1, BODY % 2, BODY % 1 + b"/x", b"lightningstor/data/-", b"z"]
COUNTERS = [b"n/1", b"n/2"]
some_key = st.sampled_from(MODEL_KEYS)
bounds = st.sampled_from([b"", *MODEL_KEYS, *COUNTERS, b"b", b"lightningstor/data/0", b"\xff"])
checked = st.tuples(st.sampled_from(MODEL_KEYS + COUNTERS), st.sampled_from(["present", "absent", "stale"]))
written = st.dictionaries(some_key, st.one_of(st.none(), st.binary(max_size=40)), max_size=4)
added = st.builds(Add, st.sampled_from(COUNTERS), st.integers(-5, 9), st.one_of(st.none(), st.integers(0, 12)))
transactions = st.tuples(st.lists(checked, max_size=2), written, st.lists(added, max_size=3))
steps = st.one_of(
    st.tuples(st.just("commit"), transactions),
    st.tuples(st.just("concurrently"), st.lists(transactions, min_size=2, max_size=6)),
    st.tuples(st.just("scan"), st.tuples(bounds, bounds, st.integers(0, 30), st.booleans())),
    st.tuples(st.just("snapshot"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)


def _build(model: Model, parts: tuple[list[tuple[bytes, str]], dict[bytes, bytes | None], list[Add]]) -> Txn:
    checks, writes, adds = parts
    revisions = {"absent": lambda key: ABSENT, "present": model.revision, "stale": lambda key: model.revision(key) - 1}
    return Txn(
        checks=[Check(key, revisions[kind](key)) for key, kind in checks],
        puts=[Put(key, value) for key, value in writes.items() if value is not None],
        deletes=[key for key, value in writes.items() if value is None],
        adds=adds,
    )


async def _agrees(reads: object, model: Model) -> None:
    kv: Kv = reads  # type: ignore[assignment]
    keys = MODEL_KEYS + COUNTERS
    expected = [Row(key, *model.rows[key]) if key in model.rows else None for key in keys]
    assert await kv.get_many(keys) == expected
    assert [await kv.get(key) for key in keys] == expected
    assert await kv.scan(b"", b"\xff", 100) == model.scan(b"", b"\xff", 100, False)


async def _run_concurrently(kv: Kv, model: Model, txns: list[Txn]) -> None:
    """Commit at once; then applying them one by one in the order of revisions must lead to the same."""
    done: list[tuple[int, Txn]] = []

    async def commit(txn: Txn) -> None:
        outcome = await kv.commit(txn)
        if isinstance(outcome, Applied):
            done.append((outcome.revision, txn))
        else:
            assert isinstance(outcome, TxnConflict)

    async with trio.open_nursery() as nursery:
        for txn in txns:
            nursery.start_soon(commit, txn)
    for revision, txn in sorted(done, key=lambda pair: pair[0]):
        assert model.conflict(txn) is None
        model.apply(txn, revision)


async def _follow(opener: Opener, folder: Path, plan: list[tuple[str, object]]) -> None:
    model = Model()
    position = 0
    while True:
        async with opener(folder) as kv:
            await _agrees(kv, model)
            while position < len(plan):
                name, argument = plan[position]
                position += 1
                if name == "reopen" and kv.capabilities.durable:
                    break
                if name == "commit":
                    txn = _build(model, argument)  # type: ignore[arg-type]
                    outcome = await kv.commit(txn)
                    conflict = model.conflict(txn)
                    if conflict is None:
                        assert isinstance(outcome, Applied)
                        assert all(outcome.revision > revision for _, revision in model.rows.values())
                        model.apply(txn, outcome.revision)
                    else:
                        assert outcome == conflict
                    await _agrees(kv, model)
                elif name == "concurrently":
                    await _run_concurrently(kv, model, [_build(model, parts) for parts in argument])  # type: ignore[attr-defined]
                    await _agrees(kv, model)
                elif name == "scan":
                    start, end, limit, reverse = argument  # type: ignore[misc]
                    assert await kv.scan(start, end, limit, reverse=reverse) == model.scan(start, end, limit, reverse)
                elif name == "snapshot":
                    frozen = Model()
                    frozen.rows = dict(model.rows)
                    async with kv.snapshot() as snapshot:
                        revision = await applied(
                            kv, Txn(puts=[Put(b"a", b"later")], deletes=[b"ab", BODY % 1], adds=[Add(b"n/1", 1)])
                        )
                        model.apply(
                            Txn(puts=[Put(b"a", b"later")], deletes=[b"ab", BODY % 1], adds=[Add(b"n/1", 1)]), revision
                        )
                        await _agrees(snapshot, frozen)
                    await _agrees(kv, model)
            else:
                return


@pytest.mark.parametrize("name", OPENERS)
@given(plan=st.lists(steps, max_size=12))
@settings(max_examples=25, deadline=None)
def test_agrees_with_the_model(
    name: str, tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, object]]
) -> None:
    """Any sequence of commits, scans, snapshots and restarts gives what a dict with revisions gives."""
    trio.run(_follow, OPENERS[name], tmp_path_factory.mktemp("kv"), plan)
