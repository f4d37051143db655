"""The room for body buffers: never more than there is, in the order of asking, and nobody waits for ever."""

from __future__ import annotations

import random

import pytest
import trio
import trio.testing

from lightningstor.chunks.budget import LEAST_LIMIT, BufferBudget

MIB = 1 << 20
QUARTER = LEAST_LIMIT // 4


@pytest.fixture
def budget() -> BufferBudget:
    """The smallest there is."""
    return BufferBudget(LEAST_LIMIT)


def used(budget: BufferBudget) -> tuple[int, int]:
    found = budget.statistics()
    return found.read_bytes, found.write_bytes


async def test_a_lease_gets_what_it_asks_for_while_there_is_plenty(budget: BufferBudget) -> None:
    """While half of the room is free a lease is as large as asked; leaving it gives the room back."""
    async with budget.lease(MIB) as lease:
        assert lease.size == MIB
        assert used(budget) == (MIB, 0)
    assert used(budget) == (0, 0)


async def test_leases_shrink_under_pressure(budget: BufferBudget) -> None:
    """The less is free the smaller a lease, but never under the minimum; one that asks for less gets that."""
    sizes = []
    while budget.statistics().read_bytes < LEAST_LIMIT // 4 * 3 - MIB:
        sizes.append(await budget.acquire(MIB))
    assert sizes[0] == MIB
    assert sizes == sorted(sizes, reverse=True)
    assert MIB > sizes[-1] >= budget.minimum
    assert await budget.acquire(10) == 10
    await budget.take(QUARTER)
    assert await budget.acquire(MIB) == budget.minimum


async def test_readers_leave_a_quarter_for_writers(budget: BufferBudget) -> None:
    """However many readers there are, a writer of a whole batch finds room."""
    with trio.move_on_after(0.01):
        while True:
            await budget.acquire(MIB)
    assert used(budget)[0] <= LEAST_LIMIT - QUARTER
    with trio.fail_after(1):
        await budget.take(QUARTER)


async def test_writers_pass_readers_that_wait_for_readers(budget: BufferBudget, autojump_clock: object) -> None:
    """A reader at the head of the queue that only readers hold up does not hold up a writer."""
    for _ in range(12):
        budget._read += MIB  # all that readers may have
    async with trio.open_nursery() as nursery:
        nursery.start_soon(budget.acquire, MIB)
        await trio.testing.wait_all_tasks_blocked()
        assert budget.contended
        with trio.fail_after(1):
            await budget.take(MIB)
        assert budget.take_nowait(MIB)
        nursery.cancel_scope.cancel()


async def test_first_come_first_served(budget: BufferBudget) -> None:
    """Those who wait are served in the order in which they came, and a latecomer does not slip in before them."""
    for _ in range(4):
        await budget.take(QUARTER)
    served: list[int] = []

    async def wait(number: int, size: int) -> None:
        await budget.take(size)
        served.append(number)

    async with trio.open_nursery() as nursery:
        for number, size in enumerate((3 * MIB, 1, 2 * MIB, 1)):
            nursery.start_soon(wait, number, size)
            await trio.testing.wait_all_tasks_blocked()
        assert not budget.take_nowait(1)
        budget.give_back(MIB)
        await trio.testing.wait_all_tasks_blocked()
        assert served == []
        assert not budget.take_nowait(1)
        budget.give_back(2 * MIB + 1)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(served) == [0, 1]
        budget.give_back(5 * MIB)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(served) == [0, 1, 2, 3]


async def test_a_cancelled_wait_gives_its_place_up(budget: BufferBudget) -> None:
    """Whoever is cancelled while waiting takes nothing, and those behind go on at once if there is room."""
    for _ in range(3):
        await budget.take(QUARTER)
    await budget.take(QUARTER - MIB)
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_when_blocked, scope)
            await budget.take(2 * MIB)
        assert scope.cancelled_caught
        assert used(budget) == (0, LEAST_LIMIT - MIB)
        assert not budget.contended
        with trio.fail_after(1):
            await budget.take(MIB)


async def test_a_cancelled_wait_holds_up_nobody(budget: BufferBudget) -> None:
    """When the head of the queue gives up, the one behind it that fits goes on without anybody giving room back."""
    for _ in range(3):
        await budget.take(QUARTER)
    await budget.take(QUARTER - MIB)
    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as head:
            head.start_soon(budget.take, 2 * MIB)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(budget.take, MIB)
            await trio.testing.wait_all_tasks_blocked()
            assert budget.statistics().waiting == 2
            head.cancel_scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert budget.statistics().waiting == 0
        assert used(budget) == (0, LEAST_LIMIT)


async def cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_collectors_are_asked_before_anybody_waits(budget: BufferBudget) -> None:
    """Somebody who needs room has the collectors write first; what they free at once is not waited for."""
    asked = []

    def write_now() -> None:
        asked.append(1)
        budget.remove_collector(write_now)
        budget.give_back(QUARTER)

    for _ in range(4):
        await budget.take(QUARTER)
    budget.add_collector(write_now)
    with trio.fail_after(1):
        await budget.take(MIB)
        assert await budget.acquire(MIB) > 0
    assert asked == [1]


async def test_collectors_are_asked_again_when_room_comes_free(budget: BufferBudget) -> None:
    """A collector that could not write when it was asked is asked again with every batch that ends."""
    asked = 0

    def write_now() -> None:
        nonlocal asked
        asked += 1

    for _ in range(4):
        await budget.take(QUARTER)
    budget.add_collector(write_now)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(budget.take, 2 * MIB)
        await trio.testing.wait_all_tasks_blocked()
        before = asked
        budget.give_back(MIB)
        assert asked == before + 1
        budget.give_back(MIB)


async def test_any_order_of_calls_keeps_the_sum(budget: BufferBudget, autojump_clock: object) -> None:
    """Readers and writers at random, some cancelled: never more than the limit, in the end nothing, nobody left."""
    rng = random.Random(7)

    async def reader() -> None:
        with trio.move_on_after(rng.choice((0.01, 60))):
            async with budget.lease(rng.randint(1, 2 * MIB)):
                assert sum(used(budget)) <= LEAST_LIMIT
                await trio.sleep(rng.random() / 100)

    async def writer() -> None:
        size = rng.randint(1, QUARTER)
        with trio.move_on_after(rng.choice((0.01, 60))):
            await budget.take(size)
            try:
                assert sum(used(budget)) <= LEAST_LIMIT
                await trio.sleep(rng.random() / 100)
            finally:
                budget.give_back(size)

    with trio.fail_after(50):
        async with trio.open_nursery() as nursery:
            for _ in range(300):
                nursery.start_soon(rng.choice((reader, writer)))
    assert used(budget) == (0, 0)
    assert not budget.contended


async def test_limits_are_checked(budget: BufferBudget) -> None:
    """A budget too small to work is refused, and so is a batch that might never fit."""
    with pytest.raises(ValueError, match="at least"):
        BufferBudget(LEAST_LIMIT - 1)
    with pytest.raises(ValueError, match="more than a quarter"):
        await budget.take(QUARTER + 1)
