"""The contract of the byte store: immutable chunks under names that are never used twice.

The specification's StorageBackend (SPEC.md §5.1), plus a writer so that nothing need be held in memory whole.
A chunk that is sealed is durable. Nobody refers to it before its object is published, so no chunk is ever
seen half written. `tests/contract` runs one suite over every implementation.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from attrs import frozen

from lightningstor.model.chunk_ref import ChunkRef

__all__ = [
    "BackendCapabilities",
    "Buffer",
    "ChunkReader",
    "ChunkRef",
    "ChunkStore",
    "ChunkWriter",
    "DurabilityLevel",
]

Buffer: TypeAlias = bytes | bytearray | memoryview


class DurabilityLevel(enum.Enum):
    """What a sealed chunk survives."""

    EPHEMERAL = "ephemeral"
    LOCAL = "local"
    REPLICATED = "replicated"
    ERASURE_CODED = "erasure-coded"


@frozen
class BackendCapabilities:
    """As SPEC.md §5.1; sizes in bytes. `copies` counts replicas where durability is REPLICATED."""

    max_chunk_size: int
    supports_range_reads: bool
    supports_streaming: bool
    durability: DurabilityLevel
    copies: int = 1


class ChunkWriter(Protocol):
    """One chunk being written. Exactly one of `seal` and `abort` ends it."""

    async def append(self, pieces: Sequence[Buffer]) -> None:
        """Write the pieces behind what is there. The buffers must not change until this returns.

        One call is one hop to a thread: hand over a batch of about 1 MiB, not a network read.

        Raises:
            StorageFull, StorageReadOnly: the device refused.
        """
        ...

    async def seal(self, offset: int, last: Sequence[Buffer] = (), also: Callable[[], None] | None = None) -> ChunkRef:
        """Write the footer and make file and directory entry durable; then nothing can lose the chunk.

        Args:
            offset: of the chunk's first byte in its object, kept in the reference.
            last: pieces to append first, in the same hop: a chunk that fits one batch costs no hop more.
            also: something else to do in that hop: digests of the last pieces. It must not fail.

        Raises:
            StorageFull, StorageReadOnly: the device refused; the chunk is to be aborted.
        """
        ...

    async def abort(self) -> None:
        """Remove what was written. Shielded: it runs to its end in a cancelled scope. Never raises OSError."""
        ...


class ChunkReader(Protocol):
    """One chunk being read, piece by piece; made by `ChunkStore.open_reader`."""

    async def read(self, offset: int, length: int, buffer: memoryview) -> memoryview:
        """`length` bytes from `offset` of the chunk, every block that they touch verified.

        Args:
            buffer: writable room that the reader may use; at least as long as the whole blocks of 64 KiB that the range
                touches (the last block of a chunk counts as whole).

        Returns:
            The bytes, in `buffer` or elsewhere; good until `buffer` is used again or the reader is closed.

        Raises:
            BytesMissing: there is no such chunk.
            BytesCorrupt: a block, the footer or the size is not what was written, or the device cannot read it.
        """
        ...


class ChunkStore(Protocol):
    """Chunks by name. SPEC.md's StorageBackend."""

    def capabilities(self) -> BackendCapabilities: ...

    async def begin(self, chunk_id: str) -> ChunkWriter:
        """Start a chunk. A cancelled `begin` leaves nothing."""
        ...

    async def put_chunk(self, chunk_id: str, data: Buffer) -> ChunkRef:
        """`begin`, `append`, `seal` in one; offset 0."""
        ...

    def open_reader(self, ref: ChunkRef) -> AbstractAsyncContextManager[ChunkReader]:
        """Read a chunk in pieces. The chunk is opened at the first read; a missing one is found then."""
        ...

    async def get_chunk(self, ref: ChunkRef) -> bytes:
        """The whole chunk, verified.

        Raises:
            BytesMissing: there is no such chunk.
            BytesCorrupt: a block, the footer or the size is not what was written.
        """
        ...

    async def get_chunk_range(self, ref: ChunkRef, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` of the chunk, every block that they touch verified. Errors as `get_chunk`."""
        ...

    async def delete_chunk(self, chunk_id: str) -> bool:
        """Remove the chunk; whether there was one. Removing an absent one is no error."""
        ...

    async def chunk_exists(self, chunk_id: str) -> bool: ...

    async def list_chunks(self, after: str, limit: int) -> list[str]:
        """At most `limit` chunk ids greater than `after` in the store's own fixed order; for the scrubber."""
        ...
