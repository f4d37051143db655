"""Commits of every metadata store, cancelled: whole or not at all."""

from __future__ import annotations

import pytest
import trio

from lightningstor.kv.api import Add, Applied, Kv, Outcome, Put, Txn
from tests.contract.kv_stores import keys_of, put


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
