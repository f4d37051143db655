"""Chunks in memory: the ephemeral store, and the reference that the contract suite compares others with.

It keeps a chunk's whole image, footer included, and verifies it like any other, so that a fault in the machine's
memory or in this program is found here too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from types import TracebackType

import trio

from lightningstor.chunks.api import BackendCapabilities, Buffer, ChunkRef, DurabilityLevel
from lightningstor.chunks.footer import BLOCK_SIZE, BlockChecksums, check_footer, verify_blocks
from lightningstor.chunks.names import check_chunk_id
from lightningstor.errors import BytesCorrupt, BytesMissing, StorageFull

__all__ = ["MemoryChunkReader", "MemoryChunkStore", "MemoryChunkWriter"]

_NO_BUFFER = memoryview(b"")
_CAPABILITIES = BackendCapabilities(
    max_chunk_size=64 << 20,
    supports_range_reads=True,
    supports_streaming=True,
    durability=DurabilityLevel.EPHEMERAL,
)


class MemoryChunkStore:
    """A ChunkStore whose chunks last as long as it does.

    Args:
        limit_bytes: the most that all images together may take, those being written included; None: no limit.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.images: dict[str, bytearray] = {}
        """Sealed chunks: data and footer."""
        self._used = 0
        self._limit = limit_bytes
        self._writing: set[str] = set()

    @property
    def used_bytes(self) -> int:
        """What all images together take, those being written included."""
        return self._used

    def capabilities(self) -> BackendCapabilities:
        return _CAPABILITIES

    async def begin(self, chunk_id: str) -> MemoryChunkWriter:
        await trio.lowlevel.checkpoint()
        check_chunk_id(chunk_id)
        if chunk_id in self.images or chunk_id in self._writing:
            raise FileExistsError(f"chunk {chunk_id} is there already")
        self._writing.add(chunk_id)
        return MemoryChunkWriter(self, chunk_id)

    async def put_chunk(self, chunk_id: str, data: Buffer) -> ChunkRef:
        writer = await self.begin(chunk_id)
        try:
            return await writer.seal(0, (data,))
        except BaseException:
            await writer.abort()
            raise

    def open_reader(self, ref: ChunkRef) -> MemoryChunkReader:
        check_chunk_id(ref.chunk_id)
        return MemoryChunkReader(self, ref)

    async def get_chunk(self, ref: ChunkRef) -> bytes:
        return await self.get_chunk_range(ref, 0, ref.size)

    async def get_chunk_range(self, ref: ChunkRef, offset: int, length: int) -> bytes:
        async with self.open_reader(ref) as reader:
            return bytes(await reader.read(offset, length, _NO_BUFFER))

    async def delete_chunk(self, chunk_id: str) -> bool:
        await trio.lowlevel.checkpoint()
        check_chunk_id(chunk_id)
        image = self.images.pop(chunk_id, None)
        if image is None:
            return False
        self._used -= len(image)
        return True

    async def chunk_exists(self, chunk_id: str) -> bool:
        await trio.lowlevel.checkpoint()
        check_chunk_id(chunk_id)
        return chunk_id in self.images

    async def list_chunks(self, after: str, limit: int) -> list[str]:
        await trio.lowlevel.checkpoint()
        names = sorted(self.images)
        start = bisect_right(names, after)
        return names[start : start + limit]

    def take_room(self, size: int) -> None:
        """Count `size` bytes more, or raise StorageFull."""
        if self._limit is not None and self._used + size > self._limit:
            raise StorageFull("memory")
        self._used += size

    def end_writing(self, chunk_id: str, image: bytearray | None, given_back: int = 0) -> None:
        """A writer has ended: with an image, or giving back the room that it took."""
        self._writing.discard(chunk_id)
        self._used -= given_back
        if image is not None:
            self.images[chunk_id] = image


class MemoryChunkWriter:
    """One chunk being written to memory."""

    def __init__(self, store: MemoryChunkStore, chunk_id: str) -> None:
        self._store = store
        self._chunk_id = chunk_id
        self._image = bytearray()
        self._sums = BlockChecksums()
        self._ended = False

    async def append(self, pieces: Sequence[Buffer]) -> None:
        await trio.lowlevel.checkpoint()
        self._append(pieces)

    async def seal(self, offset: int, last: Sequence[Buffer] = (), also: Callable[[], None] | None = None) -> ChunkRef:
        await trio.lowlevel.checkpoint()
        self._append(last)
        if also is not None:
            also()
        footer, checksum = self._sums.footer(self._chunk_id)
        self._extend(footer)
        self._ended = True
        self._store.end_writing(self._chunk_id, self._image)
        return ChunkRef(self._chunk_id, offset, self._sums.size, checksum)

    async def abort(self) -> None:
        if not self._ended:
            self._ended = True
            self._store.end_writing(self._chunk_id, None, len(self._image))

    def _append(self, pieces: Sequence[Buffer]) -> None:
        if self._ended:
            raise ValueError(f"chunk {self._chunk_id} has ended")
        for piece in pieces:
            self._extend(piece)
            self._sums.update(piece)

    def _extend(self, piece: Buffer) -> None:
        self._store.take_room(len(piece))
        self._image += piece


class MemoryChunkReader:
    """One chunk being read from memory, without a copy. The image outlives a delete until the reader is closed."""

    def __init__(self, store: MemoryChunkStore, ref: ChunkRef) -> None:
        self._store = store
        self._ref = ref
        self._data: memoryview | None = None
        self._block_crcs: tuple[int, ...] = ()

    async def __aenter__(self) -> MemoryChunkReader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._data = None

    async def read(self, offset: int, length: int, buffer: memoryview) -> memoryview:
        await trio.lowlevel.checkpoint()
        ref = self._ref
        if offset < 0 or length < 0 or offset + length > ref.size:
            raise ValueError(f"{length} bytes from {offset} are outside a chunk of {ref.size}")
        if self._data is None:
            image = self._store.images.get(ref.chunk_id)
            if image is None:
                raise BytesMissing(ref.chunk_id)
            view = memoryview(image)
            if len(view) < ref.size:
                raise BytesCorrupt(ref.chunk_id, f"{len(view)} bytes where {ref.size} of data should be")
            self._block_crcs = check_footer(view[ref.size :], ref)
            self._data = view[: ref.size]
        first = offset // BLOCK_SIZE
        verify_blocks(
            self._data[first * BLOCK_SIZE : -(-(offset + length) // BLOCK_SIZE) * BLOCK_SIZE],
            self._block_crcs,
            first,
            ref.chunk_id,
        )
        return self._data[offset : offset + length]
