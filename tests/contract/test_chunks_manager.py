"""Objects into chunks and back: what comes out, what is left after a failure or a cancellation, how much is held."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import random
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve, frozen

from lightningstor.chunks.api import Buffer, ChunkRef, ChunkStore
from lightningstor.chunks.budget import LEAST_LIMIT, BufferBudget
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import ChunkManager, open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore, MemoryChunkWriter
from lightningstor.errors import BytesCorrupt, BytesMissing, StorageFull, StorageReadOnly, StoreClosed
from lightningstor.model.keys import chunk_id
from lightningstor.ports import World, production_world
from lightningstor.testing.sim_disk import PowerCut, SimDisk
from lightningstor.testing.sim_world import CancelAtStep, SimBlocking, run_sim

MIB = 1 << 20
KIB = 1 << 10


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def cut(data: bytes, rng: random.Random, most: int) -> Sequence[memoryview]:
    """The data in pieces of 1 to `most` bytes."""
    pieces, at = [], 0
    while at < len(data):
        step = rng.randint(1, most)
        pieces.append(memoryview(data)[at : at + step])
        at += step
    return pieces


@frozen
class Setup:
    manager: ChunkManager
    store: ChunkStore
    world: World


@asynccontextmanager
async def over_memory(
    chunk_size: int = MIB, budget: BufferBudget | None = None, store: ChunkStore | None = None
) -> AsyncIterator[Setup]:
    """A manager with small chunks over memory, whose hops run in place."""
    store = MemoryChunkStore() if store is None else store
    world = World(blocking=SimBlocking(1, 1e-9))
    async with open_chunk_manager(store, world=world, chunk_size=chunk_size, budget=budget) as manager:
        yield Setup(manager, store, world)
        assert (manager.budget.statistics().read_bytes, manager.budget.statistics().write_bytes) == (0, 0)


@asynccontextmanager
async def over_sim(world: World, disk: SimDisk, chunk_size: int = MIB) -> AsyncIterator[ChunkManager]:
    """A manager over files on a simulated disk."""
    async with (
        open_local_chunks("/c", world, disk=disk) as store,
        open_chunk_manager(store, world=world, chunk_size=chunk_size) as manager,
    ):
        yield manager


@pytest.fixture(params=["local", "memory"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setup]:
    """A manager with chunks of 1 MiB over files with real threads, or over memory."""
    if request.param == "memory":
        async with over_memory() as memory:
            yield memory
    else:
        world = production_world()
        async with (
            open_local_chunks(tmp_path, world) as store,
            open_chunk_manager(store, world=world, chunk_size=MIB) as manager,
        ):
            yield Setup(manager, store, world)


async def put(manager: ChunkManager, data_id: int, pieces: Sequence[bytes | memoryview]) -> list[ChunkRef]:
    async with manager.writer(data_id) as writer:
        for piece in pieces:
            await writer.append(piece)
        refs = await writer.finish()
        writer.keep()
    return refs


@pytest.mark.parametrize("size", [0, 1, 64 * KIB, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 123])
async def test_what_is_stored_is_retrieved(setup: Setup, size: int) -> None:
    """An object of any size comes back whole; its chunks are full but for the last and lie end to end."""
    data = content(size)
    refs = await setup.manager.store_object(7, data)
    assert [ref.chunk_id for ref in refs] == [chunk_id(7, index) for index in range(len(refs))]
    assert [ref.offset for ref in refs] == list(range(0, size, MIB))
    assert sum(ref.size for ref in refs) == size
    assert await setup.manager.retrieve_object(refs) == data
    assert await setup.manager.delete_object(refs) == len(refs)
    assert await setup.store.list_chunks("", 9) == []


async def test_every_range_is_a_slice(setup: Setup) -> None:
    """A range of an object is the slice of its bytes, within a chunk and across several."""
    data = content(3 * MIB + 777)
    refs = await setup.manager.store_object(1, data)
    rng = random.Random(4)
    edges = [0, 1, 64 * KIB, MIB - 1, MIB, MIB + 1, 3 * MIB, len(data) - 1, len(data)]
    ranges = [(a, b) for a in edges for b in edges if a <= b] + [
        sorted((rng.randint(0, len(data)), rng.randint(0, len(data)))) for _ in range(30)
    ]
    for start, end in ranges:
        assert await setup.manager.retrieve_range(refs, start, end - start) == data[start:end], (start, end)


@pytest.mark.parametrize("most", [700, 20 * KIB, 300 * KIB, 3 * MIB])
async def test_pieces_do_not_matter(setup: Setup, most: int) -> None:
    """However an object is cut into pieces, its bytes are the same; with the size announced and without."""
    data = content(2 * MIB + 99_999)
    for data_id, size in enumerate((None, len(data), 5, len(data) + MIB), 1):
        async with setup.manager.writer(data_id, size=size) as writer:
            for piece in cut(data, random.Random(data_id), most):
                await writer.append(piece)
            refs = await writer.finish()
            assert writer.received == len(data)
            assert await setup.manager.retrieve_object(refs) == data


async def test_a_piece_may_change_when_append_has_returned(setup: Setup) -> None:
    """A caller that receives into one buffer again and again may do so."""
    buffer = bytearray(300 * KIB)
    expected = b""
    async with setup.manager.writer(1) as writer:
        for seed in range(9):
            buffer[:] = content(len(buffer), seed)
            expected += buffer
            await writer.append(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
        assert await setup.manager.retrieve_object(await writer.finish()) == expected


async def test_digests_are_of_all_the_bytes(setup: Setup) -> None:
    """Digests computed beside the writing equal those computed at once, for one batch and for many."""
    for data_id, size in enumerate((0, 1, 300 * KIB, MIB, 9 * MIB + 1), 1):
        data = content(size)
        digests = DigestPipeline(["md5", "sha256", "sha1", "crc32"], setup.world)
        async with setup.manager.writer(data_id, size=size, digests=digests) as writer:
            for piece in cut(data, random.Random(size), 700 * KIB):
                await writer.append(piece)
            await writer.finish()
        found = digests.digests()
        assert {each: found[each] for each in ("md5", "sha256", "sha1")} == {
            each: hashlib.new(each, data).digest() for each in ("md5", "sha256", "sha1")
        }


async def test_references_come_while_the_object_is_written(setup: Setup) -> None:
    """Sealed references are given out once, in order, early; `finish` gives the rest."""
    taken: list[ChunkRef] = []
    early = 0
    async with setup.manager.writer(3) as writer:
        for _ in range(12):
            await writer.append(content(MIB))
            taken += writer.take_sealed()
            early = len(taken)
        taken += await writer.finish()
        assert writer.take_sealed() == []
    assert early >= 8
    assert [ref.offset for ref in taken] == [index * MIB for index in range(12)]


async def test_a_context_that_does_not_keep_removes_everything(setup: Setup) -> None:
    """Leaving the writer before its end, or after it without `keep`, leaves no chunk."""
    for finish in (False, True):
        async with setup.manager.writer(1) as writer:
            await writer.append(content(3 * MIB + 5))
            if finish:
                assert len(await writer.finish()) == 4
        assert await setup.store.list_chunks("", 9) == []
        with pytest.raises(ValueError, match="has ended"):
            await writer.append(b"x")


async def test_abort_after_keep_removes_what_was_not_published(setup: Setup) -> None:
    """A commit that certainly failed lets the caller remove the chunks after all; twice is no error."""
    async with setup.manager.writer(1) as writer:
        await writer.append(content(2 * MIB))
        await writer.finish()
        writer.keep()
    assert len(await setup.store.list_chunks("", 9)) == 2
    await writer.abort()
    await writer.abort()
    assert await setup.store.list_chunks("", 9) == []


# Streaming


async def test_references_may_come_one_by_one(setup: Setup) -> None:
    """A stream asks for references as it needs them, and no further than its range goes."""
    data = content(4 * MIB)
    refs = await setup.manager.store_object(1, data)
    asked = []

    async def segments() -> AsyncIterator[ChunkRef]:
        for ref in refs:
            asked.append(ref)
            yield ref

    async with aclosing(segments()) as given, setup.manager.stream(given, MIB + 5, MIB) as stream:
        assert b"".join([bytes(piece) async for piece in stream]) == data[MIB + 5 : 2 * MIB + 5]
    assert len(asked) == 3


async def test_a_range_counts_from_the_first_reference_given(setup: Setup) -> None:
    """A caller that knows the segment may leave out the references before it."""
    data = content(3 * MIB)
    refs = await setup.manager.store_object(1, data)
    assert await setup.manager.retrieve_range(refs[1:], 10, MIB) == data[MIB + 10 : 2 * MIB + 10]


async def test_references_that_end_too_early(setup: Setup) -> None:
    """Fewer references than the range needs are BytesMissing, behind the bytes that are there."""
    data = content(2 * MIB)
    refs = await setup.manager.store_object(1, data)
    async with setup.manager.stream(refs[:1], 0, len(data)) as stream:
        assert await stream.read() == data[:MIB]
        with pytest.raises(BytesMissing):
            await stream.read()
    async with setup.manager.stream([], 0, 1) as stream:
        with pytest.raises(BytesMissing):
            await stream.read()


async def test_a_missing_chunk_is_found_when_it_is_reached(setup: Setup) -> None:
    """Of an object whose second chunk is gone the first can be read, and the second is BytesMissing."""
    data = content(2 * MIB)
    refs = await setup.manager.store_object(1, data)
    await setup.store.delete_chunk(refs[1].chunk_id)
    async with setup.manager.stream(refs, 0, len(data)) as stream:
        assert await stream.read() == data[:MIB]
        with pytest.raises(BytesMissing):
            await stream.read()


async def test_no_wrong_byte_is_given_out(setup: Setup) -> None:
    """Chunks exchanged in the list of references give an error, not each other's bytes."""
    refs = await setup.manager.store_object(1, content(2 * MIB))
    forged = [evolve(refs[0], chunk_id=refs[1].chunk_id), evolve(refs[1], chunk_id=refs[0].chunk_id)]
    async with setup.manager.stream(forged, 0, 2 * MIB) as stream:
        with pytest.raises(BytesCorrupt):
            await stream.read()


async def test_a_flipped_bit_is_never_streamed(tmp_path: Path, figure: Callable[[str], None], proof_full: bool) -> None:
    """One bit flipped at every 4 KiB of an object's files: the stream ends in an error before that byte, every time."""
    size = (64 if proof_full else 3) * MIB
    data = content(size)
    world = production_world()
    found = 0
    async with open_local_chunks(tmp_path, world) as store, open_chunk_manager(store, world=world) as manager:
        refs = await manager.store_object(1, data)
        for place in range(0, size, 4 * KIB):
            ref = refs[place // manager.chunk_size]
            path = f"{store.directory_of(ref.chunk_id)}/{ref.chunk_id}"
            flip(path, place - ref.offset, 1 << place // (4 * KIB) % 8)
            # A client that began in the block before: it gets that block and no more.
            start = max(0, place // (64 * KIB) - 1) * 64 * KIB
            async with manager.stream(refs, start, min(size - start, 128 * KIB)) as stream:
                got = b""
                try:
                    got += await stream.read()
                    got += await stream.read()
                except BytesCorrupt:
                    found += 1
                assert start + len(got) <= place
                assert got == data[start : start + len(got)]
            flip(path, place - ref.offset, 1 << place // (4 * KIB) % 8)
        assert await manager.retrieve_object(refs) == data
    assert found == size // (4 * KIB)
    figure(f"{found} of {size // (4 * KIB)} flipped bits found")


def flip(path: str, place: int, bit: int) -> None:
    """Flip a bit of a file."""
    descriptor = os.open(path, os.O_RDWR)
    os.pwrite(descriptor, bytes([os.pread(descriptor, 1, place)[0] ^ bit]), place)
    os.close(descriptor)


async def test_a_piece_is_not_good_for_ever(setup: Setup) -> None:
    """A piece used after the next was asked for raises an error; it never shows other bytes."""
    refs = await setup.manager.store_object(1, content(3 * MIB))
    async with setup.manager.stream(refs, 0, 3 * MIB) as stream:
        first = await stream.read()
        second = await stream.read()
        with pytest.raises(ValueError, match="released"):
            bytes(first)
    with pytest.raises(ValueError, match="released"):
        bytes(second)
    assert not await stream.read()


async def test_pieces_are_large_and_aligned(setup: Setup) -> None:
    """Behind an odd start every piece but the last ends with a block and holds up to 1 MiB; then the room is free."""
    async with open_chunk_manager(setup.store, world=setup.world, chunk_size=4 * MIB) as manager:
        refs = await manager.store_object(5, content(4 * MIB))
        async with manager.stream(refs, 100, 3 * MIB) as stream:
            sizes = [len(piece) async for piece in stream]
            assert manager.budget.statistics().read_bytes == 0
    assert sizes == [MIB - 100, MIB, MIB, 100]


# Failures


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


# Cancellation


def sweep_cancellation(scenario: Callable[[World, SimDisk, CancelAtStep], Awaitable[bool]], seeds: int) -> int:
    """Run the scenario once for every step at which it can be cancelled; how many runs. The uncancelled one is True."""
    runs = 0
    for seed in range(seeds):
        for step in itertools.count(1):
            disk, sweep = SimDisk(seed), CancelAtStep(step)
            ended = run_sim(lambda world, d=disk, s=sweep: scenario(world, d, s), seed=seed, instruments=[sweep])
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


# Memory


async def test_bodies_stay_within_the_budget() -> None:
    """Forty writers and forty readers at once never hold more than the budget, and all of them finish."""
    budget = BufferBudget(LEAST_LIMIT)
    most = 0
    async with over_memory(budget=budget) as setup:
        manager = setup.manager
        refs = await manager.store_object(1, content(3 * MIB))

        async def write(data_id: int) -> None:
            nonlocal most
            data = content(2 * MIB + data_id, data_id)
            async with manager.writer(data_id) as writer:
                for piece in cut(data, random.Random(data_id), 500 * KIB):
                    await writer.append(piece)
                    found = budget.statistics()
                    most = max(most, found.read_bytes + found.write_bytes)
                assert await manager.retrieve_object(await writer.finish()) == data

        async def read() -> None:
            nonlocal most
            async with manager.stream(refs, 0, 3 * MIB) as stream:
                async for _ in stream:
                    found = budget.statistics()
                    most = max(most, found.read_bytes + found.write_bytes)
                    await trio.lowlevel.checkpoint()

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(40):
                    nursery.start_soon(write, 100 + number)
                    nursery.start_soon(read)
    assert LEAST_LIMIT // 2 < most <= LEAST_LIMIT


async def test_copies_do_not_wait_for_each_other() -> None:
    """More copies at once than the budget has room for, each reading and writing, all finish."""
    async with over_memory(budget=BufferBudget(LEAST_LIMIT)) as setup:
        manager = setup.manager
        data = content(2 * MIB)
        refs = await manager.store_object(1, data)

        async def copy(data_id: int) -> None:
            async with manager.stream(refs, 0, len(data)) as stream, manager.writer(data_id) as writer:
                async for piece in stream:
                    await trio.lowlevel.checkpoint()
                    await writer.append(piece)
                assert await manager.retrieve_object(await writer.finish()) == data

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for number in range(60):
                    nursery.start_soon(copy, 100 + number)


async def test_what_is_written_is_let_go_of(setup: Setup) -> None:
    """No piece is kept alive by whoever has worked on it: memory is bounded by what the budget counts."""
    pieces = []
    digests = DigestPipeline(["md5", "sha256"], setup.world)
    async with setup.manager.writer(1, digests=digests) as writer:
        for seed in range(6):
            piece = memoryview(content(700 * KIB, seed))
            pieces.append(weakref.ref(piece))
            await writer.append(piece)
            del piece
        await writer.finish()
        assert [number for number, piece in enumerate(pieces) if piece() is not None] == []


def test_any_interleaving_under_pressure(figure: Callable[[str], None], proof_full: bool) -> None:
    """Short of room, on a slow disk, with clients of every speed: each object and digest is right, in every order."""

    async def client(world: World, manager: ChunkManager, number: int, rng: random.Random) -> None:
        data = content(rng.randint(1, 5 * MIB), number)
        digests = DigestPipeline(["md5", "sha256"], world)
        size = rng.choice((None, len(data)))
        async with manager.writer(number, size=size, digests=digests) as writer:
            for piece in cut(data, rng, rng.choice((60 * KIB, 400 * KIB, 2 * MIB))):
                await trio.sleep(rng.choice((0, 0, 0.001, 0.01)))
                await writer.append(piece)
            refs = await writer.finish()
            assert digests.digests() == {each: hashlib.new(each, data).digest() for each in ("md5", "sha256")}
            assert await manager.retrieve_object(refs) == data

    async def scenario(world: World, seed: int) -> None:
        async with (
            over_sim(world, SimDisk(seed)) as outer,
            open_chunk_manager(
                outer.store, world=world, chunk_size=MIB, budget=BufferBudget(LEAST_LIMIT), workers=seed % 7 + 1
            ) as manager,
        ):
            await manager.budget.take(LEAST_LIMIT // 4)
            await manager.budget.take(LEAST_LIMIT // 4)
            rng = random.Random(seed)
            async with trio.open_nursery() as nursery:
                for number in range(1, 13):
                    nursery.start_soon(client, world, manager, number, rng)
            assert manager.budget.statistics().write_bytes == LEAST_LIMIT // 2

    seeds = 100 if proof_full else 2
    for seed in range(seeds):
        run_sim(lambda world, seed=seed: scenario(world, seed), seed=seed)
    figure(f"{seeds} interleavings of 12 writers short of room: all objects and digests right")


async def test_slow_clients_keep_no_room_from_others() -> None:
    """Writers whose clients have gone quiet half-way write what they hold when another needs the room."""
    budget = BufferBudget(LEAST_LIMIT)
    async with over_memory(budget=budget) as setup:
        manager = setup.manager
        async with trio.open_nursery() as nursery:
            quiet = trio.Event()
            all_quiet = trio.Event()
            count = 0

            async def slow(data_id: int) -> None:
                nonlocal count
                async with manager.writer(data_id) as writer:
                    await writer.append(content(700 * KIB))
                    count += 1
                    if count == 60:
                        all_quiet.set()
                    await quiet.wait()
                    await writer.append(content(KIB))
                    refs = await writer.finish()
                    assert await manager.retrieve_object(refs) == content(700 * KIB) + content(KIB)

            for number in range(60):
                nursery.start_soon(slow, 100 + number)
            with trio.fail_after(30):
                await all_quiet.wait()
                await manager.store_object(1, content(3 * MIB))
            quiet.set()


class GatedWriter(MemoryChunkWriter):
    """A writer on a disk that stands still until the test lets it go on."""

    def __init__(self, store: GatedStore, chunk_id: str) -> None:
        super().__init__(store, chunk_id)
        self._gates = store

    async def append(self, pieces: Sequence[Buffer]) -> None:
        await self._gates.appends.wait()
        await super().append(pieces)

    async def seal(self, offset: int, last: Sequence[Buffer] = (), also: Callable[[], None] | None = None) -> ChunkRef:
        await self._gates.seals.wait()
        return await super().seal(offset, last, also)


class GatedStore(MemoryChunkStore):
    """Chunks in memory behind two gates: one for appending, one for sealing."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = trio.Event()
        self.seals = trio.Event()

    async def begin(self, chunk_id: str) -> GatedWriter:
        await super().begin(chunk_id)
        return GatedWriter(self, chunk_id)


async def test_a_batch_sent_under_pressure_is_waited_for() -> None:
    """A batch that goes out because another needs room, while `finish` waits for a seal, is written before the end."""
    store, budget = GatedStore(), BufferBudget(LEAST_LIMIT)
    data = content(2 * MIB + 300 * KIB)
    async with over_memory(store=store, budget=budget) as setup, trio.open_nursery() as nursery:
        async with setup.manager.writer(1) as writer:
            await writer.append(data)

            async def finish() -> None:
                refs = await writer.finish()
                assert await setup.manager.retrieve_object(refs) == data

            async def need_room() -> None:
                for _ in range(4):
                    await budget.take(LEAST_LIMIT // 4)
                    budget.give_back(LEAST_LIMIT // 4)

            async with trio.open_nursery() as inner:
                inner.start_soon(finish)
                await trio.testing.wait_all_tasks_blocked()
                await budget.take(LEAST_LIMIT // 4)
                await budget.take(LEAST_LIMIT // 4)
                await budget.take(LEAST_LIMIT // 4)
                nursery.start_soon(need_room)
                await trio.testing.wait_all_tasks_blocked()
                store.seals.set()
                await trio.testing.wait_all_tasks_blocked()
                budget.give_back(LEAST_LIMIT // 4)
                store.appends.set()
        budget.give_back(LEAST_LIMIT // 2)


async def test_pieces_shrink_under_pressure() -> None:
    """When most of the budget is taken a writer gets little room at once and a reader small pieces."""
    budget = BufferBudget(LEAST_LIMIT)
    async with over_memory(budget=budget) as setup:
        refs = await setup.manager.store_object(1, content(MIB))
        async with setup.manager.writer(2) as writer:
            assert len(await writer.room()) == MIB
        for _ in range(13):
            await budget.take(MIB)
        async with setup.manager.writer(3) as writer:
            assert len(await writer.room()) < 256 * KIB
        async with setup.manager.stream(refs, 0, MIB) as stream:
            sizes = [len(piece) async for piece in stream]
        assert max(sizes) <= 256 * KIB
        budget.give_back(13 * MIB)
        async with setup.manager.stream(refs, 0, MIB) as stream:
            assert [len(piece) async for piece in stream] == [MIB]


async def test_chunk_size_has_limits() -> None:
    """A chunk size outside 1 to 64 MiB is refused at the start."""
    for size in (0, MIB - 1, 64 * MIB + 1):
        with pytest.raises(ValueError, match="chunk size"):
            async with over_memory(chunk_size=size):
                pass


@pytest.mark.parametrize("size", [1, 64 * KIB, MIB, 2 * MIB, 3 * MIB + 123])
async def test_a_body_received_into_the_room_is_stored(setup: Setup, size: int) -> None:
    """However much of the room is filled at once, and left empty meanwhile, bytes and digests are right."""
    data = content(size)
    for data_id, announced in enumerate((None, size), 1):
        rng = random.Random(data_id)
        digests = DigestPipeline(["md5", "sha256"], setup.world)
        async with setup.manager.writer(data_id, size=announced, digests=digests) as writer:
            while writer.received < size:
                room = await writer.room()
                count = min(len(room), size - writer.received, rng.randint(0, 200 * KIB))
                if count:
                    room[:count] = data[writer.received : writer.received + count]
                    writer.filled(count)
                else:
                    writer.leave_room()
            refs = await writer.finish()
            writer.keep()
        assert digests.digests() == {name: hashlib.new(name, data).digest() for name in ("md5", "sha256")}
        assert await setup.manager.retrieve_object(refs) == data


async def test_who_waits_for_a_client_keeps_no_room() -> None:
    """Room that stays empty goes back at once, and room with something in it as soon as somebody else wants it."""
    budget = BufferBudget(LEAST_LIMIT)
    async with over_memory(budget=budget) as setup, AsyncExitStack() as stack:
        stack.enter_context(trio.fail_after(5))
        for number in range(1, 400):
            writer = await stack.enter_async_context(setup.manager.writer(number))
            room = await writer.room()
            if number % 2:
                room[:1] = b"x"
                writer.filled(1)
            writer.leave_room()
        await budget.take(LEAST_LIMIT // 4)
        assert budget.statistics().write_bytes <= LEAST_LIMIT
        budget.give_back(LEAST_LIMIT // 4)
