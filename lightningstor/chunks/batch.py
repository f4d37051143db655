"""What was received of a body and goes to the disk in one hop."""

from __future__ import annotations

from lightningstor.chunks.budget import BufferBudget
from lightningstor.chunks.buffers import BufferPool

__all__ = ["Batch"]


class Batch:
    """Buffers of the pool that are filled one after the other, and the room in the budget that they take.

    Every buffer begins with a page and every one but the last is full: so a batch that belongs at an offset of whole
    pages can be written without a copy in the page cache.

    Attributes:
        free: where the next bytes go; empty when the last buffer is full, or there is none.
        size: bytes filled so far.
        jobs_left: how many jobs still read the pieces; for the owner to count.
    """

    __slots__ = ("_before_last", "_booked", "_budget", "_buffers", "_pool", "free", "jobs_left", "size")

    def __init__(self, pool: BufferPool, budget: BufferBudget) -> None:
        self._pool = pool
        self._budget = budget
        self._buffers: list[memoryview] = []
        self._booked = 0
        self._before_last = 0
        self.free = memoryview(b"")
        self.size = 0
        self.jobs_left = 0

    def add_buffer(self, size: int, usable: int) -> None:
        """Go on in a further buffer of `size` bytes (one that `buffer_size` gives), for which room is booked already.

        Args:
            usable: how much of it may be filled, in bytes; less than `size` only in the last buffer.
        """
        buffer = self._pool.take(size)
        self._buffers.append(buffer)
        self._booked += size
        self._before_last = self.size
        self.free = buffer[:usable]

    def filled(self, count: int) -> None:
        """The first `count` bytes of `free` are filled now."""
        self.free = self.free[count:]
        self.size += count

    def pieces(self) -> list[memoryview]:
        """What was filled, in order."""
        pieces: list[memoryview] = []
        left = self.size
        for buffer in self._buffers:
            pieces.append(buffer[:left])
            left -= len(pieces[-1])
        return pieces

    def drop_unused(self) -> None:
        """Give the last buffer back if nothing is in it."""
        if self._buffers and self.size == self._before_last:
            buffer = self._buffers.pop()
            self.free = memoryview(b"")
            self._booked -= len(buffer)
            self._pool.put(buffer)
            self._budget.give_back(len(buffer))

    def release(self) -> None:
        """Give everything back; the pieces are void."""
        self.free = memoryview(b"")
        for buffer in self._buffers:
            self._pool.put(buffer)
        self._buffers.clear()
        booked, self._booked = self._booked, 0
        self.size = self._before_last = 0
        self._budget.give_back(booked)
