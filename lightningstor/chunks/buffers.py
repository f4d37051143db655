"""Memory that bodies are read into.

Pages of their own rather than bytearrays: malloc puts those 16 bytes behind a page's start, and there the kernel's
copy runs at a fifth of its speed (measured: 370 µs a MiB against 70).

The largest buffers lie in huge pages, two in each, where the kernel has them: a device takes 1 MiB from 256 pages here
and there for 70 µs of CPU, from one page for 35; and a checksum that need not look up pages takes 40 µs, not 50.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import Final

__all__ = ["LEAST_BUFFER", "PIECE_SIZE", "BufferPool", "buffer_size", "new_buffer"]

PIECE_SIZE: Final = 1 << 20
"""The usual size of a buffer, and the most that is read at once, in bytes."""

LEAST_BUFFER: Final = 64 << 10
"""The smallest buffer of a pool: one block of a chunk."""

_HUGE_PAGE: Final = 2 << 20
_ADVISE_HUGE: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)


def new_buffer(size: int) -> memoryview:
    """A page-aligned, writable buffer of `size` bytes; freed when nothing refers to it."""
    # Shared, which is the default, it would be a file in memory: slower to come by, and never in huge pages.
    pages = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)
    if size >= _HUGE_PAGE and _ADVISE_HUGE is not None:
        with suppress(OSError):  # a kernel without them
            pages.madvise(_ADVISE_HUGE)
    return memoryview(pages)[:size]


def buffer_size(wanted: int) -> int:
    """The size of the buffer that a pool keeps for so many bytes: a power of two, LEAST_BUFFER to PIECE_SIZE."""
    return min(max(LEAST_BUFFER, 1 << (wanted - 1).bit_length()), PIECE_SIZE)


class BufferPool:
    """Buffers that wait to be used again: fresh memory costs the kernel 30 µs for 64 KiB.

    Args:
        keep_bytes: how much waits at most.
    """

    def __init__(self, keep_bytes: int = 8 * PIECE_SIZE) -> None:
        self._room = keep_bytes
        self._free: dict[int, list[memoryview]] = {}

    def take(self, size: int) -> memoryview:
        """A buffer with any content; `size` is one that `buffer_size` gives."""
        free = self._free.get(size)
        if not free:
            if size < PIECE_SIZE or self._room < PIECE_SIZE:  # the other half would be memory that nobody uses
                return new_buffer(size)
            page = new_buffer(_HUGE_PAGE)
            self.put(page[PIECE_SIZE:])
            return page[:PIECE_SIZE]
        self._room += size
        return free.pop()

    def put(self, buffer: memoryview) -> None:
        """Give back a buffer that `take` gave out."""
        size = len(buffer)
        if size <= self._room:
            self._room -= size
            self._free.setdefault(size, []).append(buffer)
