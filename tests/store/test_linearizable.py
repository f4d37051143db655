"""32 tasks on 8 keys of a store, some given up half-way: linearizable per key, whatever the bucket's versioning.

`tests/faults/test_linearizable.py` asks the same of the daemon. Here the clock is a count of events, and a call that
was given up has taken place or not when it ends, and not later.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import count

import pytest
import trio
from attrs import define, field

from lightningstor.errors import CurrentIsDeleteMarker, NoSuchKey, PreconditionFailed
from lightningstor.model.records import DISABLED, ENABLED, SUSPENDED
from lightningstor.store.api import WriteConditions
from lightningstor.store.store import Store
from tests.conftest import Figure
from tests.harness.contender import Contender, Wish
from tests.harness.linearizable import check_history
from tests.harness.operations import Operation, Outcome
from tests.store.content import OWNER, make_bucket, md5, put, read

_TASKS, _KEYS = 32, [f"key{number}" for number in range(8)]


async def answer(store: Store, wish: Wish) -> tuple[Outcome, str | None]:
    """What the store says, and the ETag of what was read."""
    try:
        if wish.method == "PUT":
            written = await put(
                store, wish.key, wish.body, conditions=WriteConditions(wish.if_match, wish.if_none_match)
            )
            assert written.version.etag == wish.etag
            return Outcome.DONE, None
        if wish.method == "DELETE":
            await store.deletes.delete("bucket", wish.key, OWNER, None, wish.if_match)
            return Outcome.DONE, None
        if wish.method == "HEAD":
            return Outcome.DONE, (await store.objects.find("bucket", wish.key)).version.etag
        return Outcome.DONE, md5(await read(store, wish.key))
    except PreconditionFailed:
        return Outcome.REFUSED, None
    except (NoSuchKey, CurrentIsDeleteMarker):
        return Outcome.ABSENT, None


@define
class Tasks:
    """What the tasks did."""

    store: Store
    history: list[Operation] = field(factory=list)
    _clock: count[int] = field(factory=count)

    async def contend(self, contender: Contender, chance: random.Random, turns: int) -> None:
        """One task's part."""
        for _ in range(turns):
            wish = contender.next()
            outcome, etag = Outcome.UNKNOWN, None
            invoked = next(self._clock)
            async with trio.open_nursery() as nursery:
                if chance.random() < 0.2:
                    nursery.start_soon(give_up, nursery.cancel_scope, chance.randrange(chance.choice([3, 30])))
                outcome, etag = await answer(self.store, wish)
                nursery.cancel_scope.cancel()
            done = wish.answered(contender.number, (invoked, next(self._clock)), outcome, etag)
            self.history.append(done)
            contender.learns(done)


async def give_up(scope: trio.CancelScope, steps: int) -> None:
    """Cancel it a few steps of the event loop later."""
    for _ in range(steps):
        await trio.lowlevel.checkpoint()
    scope.cancel()


@pytest.mark.parametrize("versioning", [DISABLED, ENABLED, SUSPENDED])
async def test_answers_fit_one_order(store: Store, versioning: str, proof_full: bool, figure: Figure) -> None:
    """Every key's answers are those of one object; what was cancelled has taken place once, or not at all."""
    await make_bucket(store)
    if versioning != DISABLED:
        await store.buckets.set_versioning("bucket", ENABLED)
        await store.buckets.set_versioning("bucket", versioning)
    tasks, seed = Tasks(store), 14
    turns = (20_000 if proof_full else 2_400) // _TASKS
    async with trio.open_nursery() as nursery:
        for number in range(_TASKS):
            nursery.start_soon(tasks.contend, Contender(number, seed, _KEYS, large=0.05), random.Random(number), turns)
    check_history(tasks.history)
    outcomes = Counter(one.outcome.value for one in tasks.history)
    figure(f"{len(tasks.history)} operations by {_TASKS} tasks on {len(_KEYS)} keys: {dict(sorted(outcomes.items()))}")
    assert set(outcomes) == {outcome.value for outcome in Outcome} - {Outcome.NOTHING.value}
