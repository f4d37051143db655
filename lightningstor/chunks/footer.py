"""What stands behind the data of every chunk, so that no wrong byte is ever taken for a right one.

A chunk's image, in a file or in memory, is its data followed by this footer, all integers little-endian:

    8 s  magic "LStorChk"          u16  format number        u16  length of the chunk id
    u32  block size, in bytes      u32  encoding (0: plain; the place for encryption at rest)
    u64  size of the data, bytes   u32  number of blocks     …    the chunk id, ASCII
    u32  CRC32C of each block of the data, the last of which may be short
    ── trailer, 16 bytes ──
    u32  length of the whole footer   u32  CRC32C of all of the footer before the trailer   8 s  magic "LStorEnd"

The trailer's length leads from the end of the image to the start of the footer. The CRC32C of the footer is the
`checksum` of a ChunkRef: it vouches for the blocks' checksums and for the chunk id, and so for data and place.

awscrt computes the checksums, 24 GB/s. It takes 0.05 s to import, so the functions here import it when they run.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from lightningstor.chunks.api import Buffer, ChunkRef
from lightningstor.errors import BytesCorrupt, FormatTooNew

__all__ = [
    "BLOCK_SIZE",
    "FOOTER_FORMAT",
    "TRAILER_LENGTH",
    "BlockChecksums",
    "Footer",
    "check_footer",
    "decode_footer",
    "footer_length",
    "footer_length_at_end",
    "verify_blocks",
]

BLOCK_SIZE: Final = 65_536
"""Bytes that one checksum covers."""

FOOTER_FORMAT: Final = 1
"""The format number that this version writes; a greater one is refused."""

_MAGIC: Final = b"LStorChk"
_END_MAGIC: Final = b"LStorEnd"
_PLAIN: Final = 0
_HEADER: Final = struct.Struct("<8sHHIIQI")
_TRAILER: Final = struct.Struct("<II8s")

TRAILER_LENGTH: Final = _TRAILER.size
"""Bytes at the end of an image that say where its footer begins."""


@frozen
class Footer:
    """A footer that agrees with itself.

    Args:
        chunk_id: the chunk that the data belongs to.
        data_size: bytes of data before the footer.
        block_crcs: CRC32C of each block.
        checksum: as in ChunkRef.
    """

    chunk_id: str
    data_size: int
    block_crcs: tuple[int, ...]
    checksum: str


class BlockChecksums:
    """The checksums of a chunk's blocks, computed as its pieces come."""

    __slots__ = ("_block_crcs", "_crc", "_filled", "size")

    def __init__(self) -> None:
        self.size = 0
        """Bytes taken so far."""
        self._block_crcs: list[int] = []
        self._crc = 0
        self._filled = 0

    def update(self, piece: Buffer) -> None:
        """Take the next piece of the data, of any length."""
        from awscrt.checksums import crc32c

        view = memoryview(piece)
        end = len(view)
        self.size += end
        done = 0
        if self._filled:
            done = min(BLOCK_SIZE - self._filled, end)
            self._crc = crc32c(view[:done], self._crc)
            self._filled += done
            if self._filled < BLOCK_SIZE:
                return
            self._block_crcs.append(self._crc)
        whole = done + (end - done) // BLOCK_SIZE * BLOCK_SIZE
        self._block_crcs += [crc32c(view[start : start + BLOCK_SIZE]) for start in range(done, whole, BLOCK_SIZE)]
        self._filled = end - whole
        self._crc = crc32c(view[whole:]) if self._filled else 0

    def footer(self, chunk_id: str) -> tuple[bytes, str]:
        """The footer of the data taken so far, and its checksum as ChunkRef carries it."""
        from awscrt.checksums import crc32c

        crcs = [*self._block_crcs, self._crc] if self._filled else self._block_crcs
        name = chunk_id.encode("ascii")
        head = b"".join(
            (
                _HEADER.pack(_MAGIC, FOOTER_FORMAT, len(name), BLOCK_SIZE, _PLAIN, self.size, len(crcs)),
                name,
                struct.pack(f"<{len(crcs)}I", *crcs),
            )
        )
        checksum: int = crc32c(head)
        return head + _TRAILER.pack(len(head) + TRAILER_LENGTH, checksum, _END_MAGIC), f"{checksum:08x}"


def footer_length(data_size: int, chunk_id: str) -> int:
    """Bytes of the footer of a chunk of that size and name."""
    return _HEADER.size + len(chunk_id) + 4 * -(-data_size // BLOCK_SIZE) + TRAILER_LENGTH


def footer_length_at_end(trailer: Buffer, where: str) -> int:
    """Bytes of the footer that ends with `trailer`, the image's last TRAILER_LENGTH bytes.

    Raises:
        BytesCorrupt: the image does not end as a sealed chunk does.
    """
    if len(trailer) != TRAILER_LENGTH:
        raise BytesCorrupt(where, "too short for a chunk")
    length: int
    length, _, magic = _TRAILER.unpack(trailer)
    if magic != _END_MAGIC:
        raise BytesCorrupt(where, "the end of the footer is missing")
    return length


def decode_footer(footer: Buffer, where: str) -> Footer:
    """Read a footer and see that it agrees with itself.

    Args:
        footer: the whole footer, trailer included.
        where: what to name in an error.

    Raises:
        BytesCorrupt: it is not what was written.
        FormatTooNew: it is, but by a newer version than this.
    """
    from awscrt.checksums import crc32c

    view = memoryview(footer)
    head, trailer = view[:-TRAILER_LENGTH], view[-TRAILER_LENGTH:]
    if footer_length_at_end(trailer, where) != len(view) or len(head) < _HEADER.size:
        raise BytesCorrupt(where, "the footer's length is another one")
    checksum: int = crc32c(head)
    if _TRAILER.unpack(trailer)[1] != checksum:
        raise BytesCorrupt(where, "the footer's checksum differs")
    magic, number, name_length, block_size, encoding, data_size, blocks = _HEADER.unpack_from(head)
    if magic == _MAGIC and number > FOOTER_FORMAT:
        raise FormatTooNew(where, number, FOOTER_FORMAT)
    known = magic == _MAGIC and number == FOOTER_FORMAT and block_size == BLOCK_SIZE and encoding == _PLAIN
    crcs_at = _HEADER.size + name_length
    if not known or blocks != -(-data_size // BLOCK_SIZE) or len(head) != crcs_at + 4 * blocks:
        raise BytesCorrupt(where, "the footer is not one of this store's")
    return Footer(
        chunk_id=bytes(head[_HEADER.size : crcs_at]).decode("ascii", "replace"),
        data_size=data_size,
        block_crcs=struct.unpack_from(f"<{blocks}I", head, crcs_at),
        checksum=f"{checksum:08x}",
    )


def check_footer(footer: Buffer, ref: ChunkRef) -> tuple[int, ...]:
    """The block checksums of the chunk that `ref` means, if this is its footer.

    Raises:
        BytesCorrupt: the footer is damaged, or belongs to another chunk or to another state of this one.
        FormatTooNew: as `decode_footer`.
    """
    found = decode_footer(footer, ref.chunk_id)
    if found.chunk_id != ref.chunk_id:
        raise BytesCorrupt(ref.chunk_id, f"these are the bytes of chunk {found.chunk_id}")
    if found.checksum != ref.checksum or found.data_size != ref.size:
        raise BytesCorrupt(ref.chunk_id, "the footer is not the one that the reference means")
    return found.block_crcs


def verify_blocks(blocks: memoryview, block_crcs: Sequence[int], first: int, where: str) -> None:
    """See that `blocks`, which begin with block number `first` of a chunk, are what was written.

    Only the chunk's last block may be short. Costs 59 µs a MiB.

    Raises:
        BytesCorrupt: naming the first damaged block.
    """
    from awscrt.checksums import crc32c

    number = first
    for start in range(0, len(blocks), BLOCK_SIZE):
        if crc32c(blocks[start : start + BLOCK_SIZE]) != block_crcs[number]:
            raise BytesCorrupt(where, f"block {number} of {len(block_crcs)} differs from its checksum")
        number += 1
