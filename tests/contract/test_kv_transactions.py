"""Transactions of every metadata store: revisions, checks and deletes."""

from __future__ import annotations

import pytest

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Kv, Put, Row, Txn, TxnConflict
from tests.contract.kv_stores import BODY, applied, keys_of, put


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
