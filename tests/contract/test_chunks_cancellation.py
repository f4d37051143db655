"""Whatever a PUT, a GET or the whole store is doing when it is cancelled, nothing of it is left."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from attrs import evolve

from lightningstor.chunks.budget import LEAST_LIMIT, BufferBudget
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.ports import World
from lightningstor.testing.sim_disk import SimDisk
from lightningstor.testing.sim_world import run_sim
from lightningstor.testing.steps import CancelAtStep
from tests.contract.chunk_managers import KIB, MIB, Setup, content, cut, over_sim, put


def sweep_cancellation(scenario: Callable[[World, SimDisk, CancelAtStep], Awaitable[bool]], seeds: int) -> int:
    """Run the scenario once for every step at which it can be cancelled; how many runs. The uncancelled one is True."""
    runs = 0
    for seed in range(seeds):
        for step in itertools.count(1):
            disk, sweep = SimDisk(seed), CancelAtStep(step)
            ended = run_sim(lambda world, d=disk, s=sweep: scenario(world, d, s), seed=seed)
            runs += 1
            assert disk.open_descriptors == []
            if not sweep.reached:
                assert ended
                break
        assert step > 3
    return runs


@pytest.mark.parametrize(
    ("size", "pause_s", "others"),
    [(3 * MIB + 12_345, 0, 0), (3 * MIB + 12_345, 0.01, 0), (700_000, 0, 1)],
    ids=["fast client", "slow client", "last hop of many"],
)
def test_a_put_may_be_cancelled_anywhere(
    size: int, pause_s: float, others: int, figure: Callable[[str], None], proof_full: bool
) -> None:
    """Cancel a PUT at every step of its task: no file, descriptor, room in the budget or job is left."""
    data = content(size)

    async def scenario(world: World, disk: SimDisk, sweep: CancelAtStep) -> bool:
        done = False
        async with over_sim(world, disk) as manager:
            manager.batches_under_way = others
            with sweep.watch():
                async with manager.writer(1, digests=DigestPipeline(["md5", "sha256"], world)) as writer:
                    for piece in cut(data, random.Random(2), 600 * KIB):
                        await trio.sleep(pause_s)
                        await writer.append(piece)
                    await writer.finish()
                    await trio.lowlevel.checkpoint()
                    writer.keep()
                    done = True
            assert manager.budget.statistics().write_bytes == 0
            assert manager.workers.queued == 0
            assert disk.open_descriptors == []
            assert manager.batches_under_way == others
            assert len(await manager.store.list_chunks("", 9)) == (-(-size // MIB) if done else 0)
        return done

    figure(f"PUT cancelled {sweep_cancellation(scenario, 30 if proof_full else 2)} times: nothing left")


def test_a_get_may_be_cancelled_anywhere(figure: Callable[[str], None], proof_full: bool) -> None:
    """Cancel a GET at every step of its task: no descriptor and no room in the budget is left."""
    data = content(3 * MIB + 12_345)

    async def scenario(world: World, disk: SimDisk, sweep: CancelAtStep) -> bool:
        done = False
        async with over_sim(world, disk, 2 * MIB) as manager:
            refs = await manager.store_object(1, data)
            with sweep.watch():
                async with manager.stream(refs, 5, len(data) - 5) as stream:
                    async for _ in stream:
                        await trio.sleep(0.001)
                done = True
            assert manager.budget.statistics().read_bytes == 0
            assert disk.open_descriptors == []
            assert await manager.retrieve_object(refs) == data
        return done

    figure(f"GET cancelled {sweep_cancellation(scenario, 30 if proof_full else 3)} times: nothing left")


def test_the_whole_store_may_be_cancelled_anywhere(figure: Callable[[str], None], proof_full: bool) -> None:
    """Cancel store, workers and a PUT together at every step: what the PUT had begun is removed before they end."""
    data = content(2 * MIB + 12_345)

    async def scenario(world: World, disk: SimDisk, sweep: CancelAtStep) -> bool:
        done = False
        with sweep.watch():
            async with over_sim(world, disk) as manager:
                await put(manager, 1, cut(data, random.Random(2), 600 * KIB))
                done = True
        assert done or disk.files() == {}
        return done

    figure(f"store cancelled {sweep_cancellation(scenario, 30 if proof_full else 2)} times: nothing left")


def test_waiting_for_room_may_be_cancelled_anywhere(figure: Callable[[str], None]) -> None:
    """Cancel a PUT that waits for room again and again: its place in the queue and its bytes are given up."""
    data = content(MIB)

    async def scenario(world: World, disk: SimDisk, sweep: CancelAtStep) -> bool:
        budget = BufferBudget(LEAST_LIMIT)
        done = False
        async with (
            over_sim(world, disk) as manager,
            open_chunk_manager(manager.store, world=world, chunk_size=MIB, budget=budget) as short,
        ):
            await budget.take(LEAST_LIMIT // 4)
            await budget.take(LEAST_LIMIT // 4)
            taken = await budget.acquire(LEAST_LIMIT // 4)
            await budget.take(LEAST_LIMIT - LEAST_LIMIT // 2 - taken - 100 * KIB)

            async def free_later() -> None:
                await trio.sleep(0.02)
                budget.release(taken)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(free_later)
                with sweep.watch():
                    async with short.writer(1) as writer:
                        for piece in cut(data, random.Random(2), 90 * KIB):
                            await writer.append(piece)
                        await writer.finish()
                        writer.keep()
                        done = True
            assert budget.statistics() == evolve(budget.statistics(), read_bytes=0, waiting=0)
            assert budget.statistics().write_bytes == LEAST_LIMIT - taken - 100 * KIB
            assert len(await manager.store.list_chunks("", 9)) == (1 if done else 0)
        return done

    figure(f"PUT short of room cancelled {sweep_cancellation(scenario, 2)} times: nothing left")


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "last hop of many"])
async def test_a_finish_that_was_cancelled_is_no_end(setup: Setup, others: int) -> None:
    """Who asks again behind a cancellation never takes an object for whole that lacks its last bytes."""
    setup.manager.batches_under_way = others
    async with setup.manager.writer(1) as writer:
        await writer.append(content(100))
        with trio.CancelScope() as scope:
            scope.cancel()
            await writer.finish()
        assert scope.cancelled_caught
        with pytest.raises((ValueError, trio.Cancelled)):
            await writer.finish()
    setup.manager.batches_under_way -= others
    assert await setup.store.list_chunks("", 9) == []
