"""A reference to stored bytes."""

from __future__ import annotations

from attrs import frozen

__all__ = ["ChunkRef"]


@frozen
class ChunkRef:
    """Where a piece of an object lies, and how to know that it is the right one.

    Args:
        chunk_id: the chunk's name; see `lightningstor.model.keys.chunk_id`.
        offset: of its first byte in the object, in bytes.
        size: of the data, in bytes.
        checksum: CRC32C of the chunk's footer, 8 hex digits. The footer holds a CRC32C for each block of
            64 KiB and the chunk id, so it vouches for the data and for its place.
    """

    chunk_id: str
    offset: int
    size: int
    checksum: str
