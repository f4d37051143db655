"""Counters of every metadata store: sums, ceilings, and exact however many add at once."""

from __future__ import annotations

import trio

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Kv, Outcome, Put, Txn, TxnConflict
from tests.contract.kv_stores import applied, keys_of, put


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
