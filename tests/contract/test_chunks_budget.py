"""Bodies in memory: all within the budget, and nobody waits for room for ever."""

from __future__ import annotations

import hashlib
import random
import weakref
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import trio
import trio.testing

from lightningstor.chunks.api import Buffer, ChunkRef
from lightningstor.chunks.budget import LEAST_LIMIT, BufferBudget
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.manager import ChunkManager, open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore, MemoryChunkWriter
from lightningstor.ports import World
from lightningstor.testing.sim_disk import SimDisk
from lightningstor.testing.sim_world import run_sim
from tests.contract.chunk_managers import KIB, MIB, Setup, content, cut, over_memory, over_sim


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
