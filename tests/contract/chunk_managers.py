"""Chunk managers over files, memory and a simulated disk, and the bodies that the tests put into them."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import frozen

from lightningstor.chunks.api import ChunkRef, ChunkStore
from lightningstor.chunks.budget import BufferBudget
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import ChunkManager, open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.ports import World
from lightningstor.testing.sim_disk import SimDisk
from lightningstor.testing.sim_world import SimBlocking

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


async def put(manager: ChunkManager, data_id: int, pieces: Sequence[bytes | memoryview]) -> list[ChunkRef]:
    async with manager.writer(data_id) as writer:
        for piece in pieces:
            await writer.append(piece)
        refs = await writer.finish()
        writer.keep()
    return refs
