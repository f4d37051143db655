"""Commits of every metadata store, cancelled: whole or not at all."""

from __future__ import annotations

import pytest
import trio

from lightningstor.kv.api import Add, Applied, Kv, Outcome, Put, Txn
from lightningstor.testing.steps import CancelAtStep
from tests.contract.kv_stores import keys_of, put


async def test_cancelled_before_it_began(kv: Kv) -> None:
    """A commit in a cancelled scope does nothing."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await kv.commit(Txn(puts=[Put(b"a", b"1")]))
    assert scope.cancelled_caught
    await put(kv, (b"b", b"1"))
    assert await keys_of(kv) == [b"b"]


async def test_cancelled_at_every_step(kv: Kv) -> None:
    """Cancelled at any step, a commit has happened whole or not at all; if it returned Applied, it has happened."""
    revision = await put(kv, (b"a", b"0"))
    for step in range(1, 50):
        sweep = CancelAtStep(step)
        outcome: Outcome | None = None
        with sweep.watch():
            await trio.lowlevel.checkpoint()
            value = b"%d" % step
            outcome = await kv.commit(Txn(puts=[Put(b"a", value), Put(b"b", value)], adds=[Add(b"n", 1)]))
        rows = [row for row in await kv.get_many([b"a", b"b", b"n"]) if row is not None]
        happened = rows[0].revision != revision
        assert {row.revision for row in rows} == {rows[0].revision}
        if outcome is not None:
            assert outcome == Applied(rows[0].revision)
            assert happened
        revision = rows[0].revision
        if not sweep.reached:
            assert happened
            break
    else:
        pytest.fail("the commit never ran to its end")
