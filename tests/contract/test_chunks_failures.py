"""Objects on a device that fails, is full or loses its power, and under a manager that has closed."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable

import pytest

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import StorageFull, StorageReadOnly, StoreClosed
from lightningstor.model.keys import chunk_id
from lightningstor.ports import World
from lightningstor.testing.sim_disk import PowerCut, SimDisk
from lightningstor.testing.sim_world import run_sim
from tests.contract.chunk_managers import KIB, MIB, Setup, content, cut, over_memory, over_sim, put


@pytest.mark.parametrize(("size", "others"), [(2 * MIB + 50_000, 0), (700_000, 1)], ids=["alone", "last hop of many"])
def test_a_device_that_fails_anywhere_leaves_nothing(size: int, others: int, figure: Callable[[str], None]) -> None:
    """EIO or ENOSPC at every operation of a PUT: the error is the store's own, no descriptor and no room is held.

    With others' batches under way, the last one of a body is written, hashed and sealed by its own task.
    """
    data = content(size)
    runs = 0
    for error, expected in ((errno.EIO, StorageReadOnly), (errno.ENOSPC, StorageFull)):
        for number in itertools.count(1):
            disk = SimDisk(1)
            failed = run_sim(lambda world, d=disk, n=number, e=error: failing_put(world, d, n, e, data, others), seed=1)
            if failed is None:
                break
            runs += 1
            assert isinstance(failed, expected), (number, failed)
            # Whatever refused the write also refuses the removal, but only once.
            left = [path for path in disk.files() if chunk_id(1, 0)[:17] in path]
            removal_failed = "unlink" in disk.trace[number - 1]
            assert not left or removal_failed, (number, left)
            assert disk.open_descriptors == []
    figure(f"{runs} failures of one operation: no chunk, descriptor or room left")


async def failing_put(
    world: World, disk: SimDisk, number: int, error: int, data: bytes, others: int
) -> Exception | None:
    """A PUT whose operation `number`, counted from its start, fails; what it raised."""
    async with over_sim(world, disk) as manager:
        manager.batches_under_way = others
        disk.fail_at[disk.operations + number] = error
        start = len(disk.trace)
        failed: Exception | None = None
        try:
            async with manager.writer(1, digests=DigestPipeline(["md5"], world)) as writer:
                for piece in cut(data, random.Random(2), 400 * KIB):
                    await writer.append(piece)
                try:
                    await writer.finish()
                except Exception as caught:
                    with pytest.raises(type(caught)):
                        await writer.finish()
                    raise
                writer.keep()
        except Exception as caught:
            failed = caught
        assert manager.batches_under_way == others
        del disk.trace[:start]
        assert manager.budget.statistics().write_bytes == 0
        return failed


async def test_a_store_that_is_full_gives_its_room_back() -> None:
    """StorageFull in the middle of an object reaches the caller, and what was written of it is free again."""
    store = MemoryChunkStore(limit_bytes=3 * MIB)
    async with over_memory(store=store) as setup:
        with pytest.raises(StorageFull):
            await setup.manager.store_object(1, content(4 * MIB))
        assert store.used_bytes == 0
        await setup.manager.store_object(2, content(2 * MIB))
        writer = await store.begin(chunk_id(3, 0))
        await writer.append([content(100)])
        with pytest.raises(StorageFull):
            await writer.append([content(MIB)])
        await writer.abort()
        await setup.manager.store_object(4, content(MIB - 1000))


async def test_a_closed_manager_takes_nothing(setup: Setup) -> None:
    """A writer that outlives its manager gets StoreClosed and can still clean up."""
    async with open_chunk_manager(setup.store, world=setup.world, chunk_size=MIB) as manager:
        writer = manager.writer(1)
        await writer.append(content(MIB + 1))
    with pytest.raises(StoreClosed):
        await writer.append(content(3 * MIB))
    await writer.abort()
    assert await setup.store.list_chunks("", 9) == []
    assert manager.budget.statistics().write_bytes == 0


def test_a_power_cut_anywhere_in_an_object(figure: Callable[[str], None], proof_full: bool) -> None:
    """Power cut at every operation of a PUT of three chunks: an object that was finished is there, whole."""
    data = content(2 * MIB + 70_000)
    runs = finished_runs = 0
    for seed in range(20 if proof_full else 2):
        for cut_at in itertools.count(1):
            disk = SimDisk(seed, cut_at=cut_at)
            finished: list[ChunkRef] = []
            was_cut = True
            try:
                run_sim(lambda world, d=disk, f=finished: put_all(world, d, f, data), seed=seed)
                was_cut = False
            except* PowerCut:
                pass
            runs += 1
            if finished:
                finished_runs += 1
                after = disk.after_power_cut(seed)
                assert run_sim(lambda world, d=after, f=finished: get_all(world, d, f), seed=seed) == data
            if not was_cut:
                break
        assert finished
    figure(f"power cut at {runs} points: 0 of {finished_runs} finished objects lost or torn")


async def put_all(world: World, disk: SimDisk, finished: list[ChunkRef], data: bytes) -> None:
    async with over_sim(world, disk) as manager:
        finished += await put(manager, 1, cut(data, random.Random(2), 400 * KIB))
        await manager.store.put_chunk(chunk_id(2, 0), b"x")  # so that something can be cut after the end


async def get_all(world: World, disk: SimDisk, refs: list[ChunkRef]) -> bytes:
    async with over_sim(world, disk) as manager:
        return await manager.retrieve_object(refs)
