"""One object's bytes on their way out of chunks, verified.

Pieces of at most 1 MiB, read one after the other into one buffer; where the page cache doesn't hold the next one, the
kernel fetches it while the caller sends this one (lightningstor.chunks.local_reader). So a slow client costs one
buffer, no task and no thread.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from lightningstor.chunks.api import ChunkReader, ChunkRef, ChunkStore
from lightningstor.chunks.budget import BufferBudget
from lightningstor.chunks.buffers import PIECE_SIZE, BufferPool, buffer_size
from lightningstor.chunks.footer import BLOCK_SIZE
from lightningstor.errors import BytesMissing

__all__ = ["ObjectStream"]


class ObjectStream:
    """Reads a range of an object, piece by piece. Made by `ChunkManager.stream`; use it as a context:

        async with manager.stream(refs, offset, length) as stream:
            first = await stream.read()         # verified: now the status line may go out
            …
            async for piece in stream: …

    A piece is good until the next one is asked for or the context ends: send it, or copy it.
    Call it from one task at a time. A task must not wait for a second stream while it holds a piece of a first: all
    readers share the budget's three quarters. Asynchronous references stay the caller's to close.
    """

    def __init__(
        self,
        store: ChunkStore,
        budget: BufferBudget,
        pool: BufferPool,
        refs: Iterable[ChunkRef] | AsyncIterable[ChunkRef],
        offset: int,
        length: int,
    ) -> None:
        self._store = store
        self._budget = budget
        self._pool = pool
        self._refs = refs.__aiter__() if isinstance(refs, AsyncIterable) else iter(refs)
        self._skip = offset
        self._left = length
        self._ref: ChunkRef | None = None
        self._position = 0
        self._context: AbstractAsyncContextManager[ChunkReader] | None = None
        self._reader: ChunkReader | None = None
        self._buffer: memoryview | None = None
        self._leased = 0
        self._piece: memoryview | None = None

    async def __aenter__(self) -> ObjectStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left = 0
        self._give_back_buffer()
        await self._close_reader()

    def __aiter__(self) -> ObjectStream:
        return self

    async def __anext__(self) -> memoryview:
        piece = await self.read()
        if not piece:
            raise StopAsyncIteration
        return piece

    async def read(self) -> memoryview:
        """The next piece, verified; empty at the end.

        Raises:
            BytesMissing: a chunk is gone, or the references end before the range does.
            BytesCorrupt: see `ChunkStore.get_chunk`.
        """
        self._release_piece()
        if not self._left:
            self._give_back_buffer()
            return memoryview(b"")
        reader, ref = await self._current()
        start = self._position
        wanted = min(self._left, ref.size - start)
        buffer = await self._buffer_for(start, wanted)
        # Every piece but the first begins with a block and every one but the last ends with one: none is read twice.
        end = min(start + wanted, start - start % BLOCK_SIZE + len(buffer))
        piece = await reader.read(start, end - start, buffer)
        self._piece = piece
        self._position = end
        self._left -= len(piece)
        return piece

    async def _current(self) -> tuple[ChunkReader, ChunkRef]:
        """The reader of the chunk that the next byte lies in."""
        if self._reader is not None and self._ref is not None:
            if self._position < self._ref.size:
                return self._reader, self._ref
            await self._close_reader()
        while True:
            ref = await self._next_ref()
            if self._skip < ref.size:
                break
            self._skip -= ref.size
        self._ref, self._position, self._skip = ref, self._skip, 0
        context = self._store.open_reader(ref)
        self._reader = await context.__aenter__()
        self._context = context
        return self._reader, ref

    async def _next_ref(self) -> ChunkRef:
        if isinstance(self._refs, AsyncIterator):
            ref = await anext(self._refs, None)
        else:
            ref = next(self._refs, None)
        if ref is None:
            raise BytesMissing(f"{self._left} bytes behind {self._ref.chunk_id if self._ref else 'the empty manifest'}")
        return ref

    async def _close_reader(self) -> None:
        context, self._context, self._reader = self._context, None, None
        if context is not None:
            await context.__aexit__(None, None, None)

    # The buffer

    async def _buffer_for(self, start: int, wanted: int) -> memoryview:
        """A buffer for whole blocks from `start` on: the one at hand, or another if that is too small or too greedy."""
        size = buffer_size(start % BLOCK_SIZE + wanted)
        buffer = self._buffer
        if buffer is not None:
            if _floor(self._budget.share(size)) <= len(buffer) <= self._budget.share(PIECE_SIZE):
                return buffer
            self._give_back_buffer()
        self._leased = await self._budget.acquire(size)
        self._buffer = buffer = self._pool.take(_floor(self._leased))
        return buffer

    def _release_piece(self) -> None:
        if self._piece is not None:
            # A caller that uses it any longer gets a ValueError, not another piece's bytes.
            self._piece.release()
            self._piece = None

    def _give_back_buffer(self) -> None:
        self._release_piece()
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            self._pool.put(buffer)
            self._budget.release(self._leased)
            self._leased = 0


def _floor(size: int) -> int:
    """The greatest size of a pool's buffer that `size` bytes, LEAST_BUFFER or more, suffice for."""
    return 1 << (size.bit_length() - 1)
