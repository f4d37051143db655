"""Objects to chunks and back (SPEC.md §5.3): what the store above uses of this package."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from lightningstor.chunks.api import Buffer, ChunkRef, ChunkStore
from lightningstor.chunks.budget import BufferBudget
from lightningstor.chunks.buffers import BufferPool
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.object_stream import ObjectStream
from lightningstor.chunks.object_writer import ObjectWriter
from lightningstor.chunks.work import Workers, open_workers
from lightningstor.ports import World

__all__ = ["DEFAULT_CHUNK_SIZE", "MAX_CHUNK_SIZE", "MIN_CHUNK_SIZE", "ChunkManager", "open_chunk_manager"]

DEFAULT_CHUNK_SIZE: Final = 8 << 20
MIN_CHUNK_SIZE: Final = 1 << 20
MAX_CHUNK_SIZE: Final = 64 << 20


@asynccontextmanager
async def open_chunk_manager(
    store: ChunkStore,
    *,
    world: World,
    chunk_size: int = DEFAULT_CHUNK_SIZE,
    budget: BufferBudget | None = None,
    workers: int = 32,
) -> AsyncIterator[ChunkManager]:
    """Open the manager and its workers; on leaving, the workers finish what they were given.

    Args:
        store: where the chunks go.
        world: the doors to the outside.
        chunk_size: bytes of every chunk of an object but its last; 1 to 64 MiB and what the store can take.
        budget: the body buffers of the daemon; one of 128 MiB of its own by default.
        workers: how many batches may be written and hashed at once; more than the threads of `world` are no use.

    Raises:
        ValueError: the chunk size is out of its limits.
    """
    most = min(MAX_CHUNK_SIZE, store.capabilities().max_chunk_size)
    if not MIN_CHUNK_SIZE <= chunk_size <= most:
        raise ValueError(f"the chunk size is {MIN_CHUNK_SIZE} to {most} bytes, not {chunk_size}")
    async with open_workers(workers) as running:
        yield ChunkManager(store, chunk_size, BufferBudget() if budget is None else budget, world, running)


class ChunkManager:
    """Cuts objects into chunks and puts them together again. Open it with `open_chunk_manager`."""

    def __init__(
        self, store: ChunkStore, chunk_size: int, budget: BufferBudget, world: World, workers: Workers
    ) -> None:
        self.store: Final = store
        self.chunk_size: Final = chunk_size
        self.budget: Final = budget
        self.world: Final = world
        self.workers: Final = workers
        self.batches_under_way = 0
        """How many batches of all writers are being written or hashed now."""
        self.pool: Final = BufferPool(budget.limit // 4)

    def writer(self, data_id: int, *, size: int | None = None, digests: DigestPipeline | None = None) -> ObjectWriter:
        """A writer for one object's bytes.

        Args:
            data_id: names the body; never used before. Its chunks are `lightningstor.model.keys.chunk_id(data_id, n)`.
            size: the announced length, if there is one: saves a hop. A body of another length is written all the same.
            digests: computed beside the writing; complete when `ObjectWriter.finish` has returned.
        """
        return ObjectWriter(self, data_id, size, digests)

    def stream(self, refs: Iterable[ChunkRef] | AsyncIterable[ChunkRef], offset: int, length: int) -> ObjectStream:
        """Verified pieces of `length` bytes from `offset`, both counted from the first byte of the first reference.

        The references' own offsets are not looked at: a caller that knows the segment in which a range begins passes
        the references from there on. Async ones are asked for as they are needed.
        """
        return ObjectStream(self.store, self.budget, self.pool, refs, offset, length)

    async def store_object(self, data_id: int, content: Buffer) -> list[ChunkRef]:
        """Write an object that is in memory; its chunks, durable. If it fails, nothing is left."""
        async with self.writer(data_id, size=len(content)) as writer:
            await writer.append(content)
            refs = await writer.finish()
            writer.keep()
        return refs

    async def retrieve_object(self, chunks: Sequence[ChunkRef]) -> bytes:
        """The whole object, verified. Raises what `ObjectStream.read` raises."""
        return await self.retrieve_range(chunks, 0, sum(ref.size for ref in chunks))

    async def retrieve_range(self, chunks: Sequence[ChunkRef], offset: int, length: int) -> bytes:
        """`length` bytes from `offset` of the object, verified. Raises what `ObjectStream.read` raises."""
        found = bytearray()
        async with self.stream(chunks, offset, length) as stream:
            async for piece in stream:
                found += piece
        return bytes(found)

    async def delete_object(self, chunks: Iterable[ChunkRef]) -> int:
        """Remove an object's chunks; how many there were. May be repeated after a failure."""
        removed = 0
        for ref in chunks:
            removed += await self.store.delete_chunk(ref.chunk_id)
        return removed
