"""The room for body buffers that all requests share, so that load makes them wait instead of exhausting memory.

Readers lease a buffer before they fill it and hold it while a client takes its bytes, however slow. Writers take room
for bytes that have come and hold it until the disk has them. The two must not wait for each other, since a copy does
both: so readers never get more than three quarters, and what writers hold always comes free by the disk alone.

A writer that waits for room holds none, and one that merely collects a batch is asked to write what it has when
somebody has to wait. So nobody waits for ever, and a client that sends a byte a second keeps no room from others.
Each kind is served in the order of asking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio
from attrs import define, field, frozen

from lightningstor.chunks.footer import BLOCK_SIZE

__all__ = ["DEFAULT_LIMIT", "LEAST_LIMIT", "BudgetStatistics", "BufferBudget", "Lease"]

DEFAULT_LIMIT: Final = 128 << 20
LEAST_LIMIT: Final = 16 << 20
"""A quarter of it must hold a whole batch of a writer."""


@define(eq=False)
class _Waiter:
    task: trio.lowlevel.Task
    wanted: int
    number: int


@define
class Lease:
    """Room that a reader has: `size` bytes, as many as it asked for or fewer."""

    size: int


@frozen
class BudgetStatistics:
    """Bytes of the whole, in use by readers and writers; and how many wait."""

    limit: int
    read_bytes: int
    write_bytes: int
    waiting: int


@define(eq=False)
class BufferBudget:
    """The daemon's body buffers.

    Args:
        limit: bytes in all; at least LEAST_LIMIT.
        minimum: the least that a lease gets, unless it asks for less.
    """

    limit: int = field(default=DEFAULT_LIMIT)
    minimum: int = BLOCK_SIZE
    _read: int = field(default=0, init=False)
    _written: int = field(default=0, init=False)
    _readers: deque[_Waiter] = field(factory=deque, init=False)
    _writers: deque[_Waiter] = field(factory=deque, init=False)
    _collectors: dict[Callable[[], None], None] = field(factory=dict, init=False)
    _number: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if self.limit < LEAST_LIMIT:
            raise ValueError(f"a buffer budget is at least {LEAST_LIMIT} bytes, not {self.limit}")

    def statistics(self) -> BudgetStatistics:
        """What is in use now."""
        return BudgetStatistics(self.limit, self._read, self._written, len(self._readers) + len(self._writers))

    @property
    def contended(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._readers or self._writers)

    def share(self, wanted: int) -> int:
        """How much of `wanted` bytes a considerate caller takes now: all while half the room is free, then less."""
        free = self.limit - self._read - self._written
        if free * 2 >= self.limit:
            return wanted
        return min(wanted, max(self.minimum, wanted * 4 * free * free // (self.limit * self.limit)))

    # Readers

    @asynccontextmanager
    async def lease(self, wanted: int) -> AsyncIterator[Lease]:
        """Room for a reader while the context is open. Don't ask for a second one inside."""
        size = await self.acquire(wanted)
        try:
            yield Lease(size)
        finally:
            self.release(size)

    async def acquire(self, wanted: int) -> int:
        """Room for a reader: as many bytes as `share` says; give them to `release`. A checkpoint only if it waits."""
        wanted = min(wanted, self.limit // 4)
        least = min(wanted, self.minimum)
        if not self.contended:
            for size in (self.share(wanted), least):
                if self._fits_reader(size):
                    self._read += size
                    return size
        self._press()
        if not self.contended and self._fits_reader(least):
            self._read += least
        else:
            await self._wait(self._readers, least)
        return least

    def release(self, size: int) -> None:
        """A reader gives room back."""
        self._read -= size
        self._serve()

    # Writers

    def take_nowait(self, size: int) -> bool:
        """Room for exactly `size` bytes that a writer has, if there is any and nobody waits for it."""
        if self._writers or (self._readers and not self._readers_capped()) or not self._fits(size):
            return False
        self._written += size
        return True

    async def take(self, size: int) -> None:
        """Room for exactly `size` bytes, at most a quarter of the limit. The caller must not hold any."""
        if size > self.limit // 4:
            raise ValueError(f"{size} bytes are more than a quarter of the budget of {self.limit}")
        if not self.take_nowait(size):
            self._press()
            if not self.take_nowait(size):
                await self._wait(self._writers, size)

    def give_back(self, size: int) -> None:
        """A writer's bytes are on the disk, or gone."""
        self._written -= size
        self._serve()
        if self.contended:
            # One that could not write before may be able to now.
            self._press()

    def add_collector(self, write_now: Callable[[], None]) -> None:
        """Have `write_now` called when somebody has to wait, maybe more than once; it must not block or raise."""
        self._collectors[write_now] = None

    def remove_collector(self, write_now: Callable[[], None]) -> None:
        """Undo `add_collector`."""
        self._collectors.pop(write_now, None)

    # The queue

    def _fits(self, size: int) -> bool:
        return self._read + self._written + size <= self.limit

    def _fits_reader(self, size: int) -> bool:
        return self._fits(size) and self._read + size <= self.limit - self.limit // 4

    def _press(self) -> None:
        """Have those who collect batches write them as they are."""
        for write_now in list(self._collectors):
            write_now()

    async def _wait(self, queue: deque[_Waiter], size: int) -> None:
        """Wait in `queue` until `_serve` has booked `size` bytes for us."""
        self._number += 1
        waiter = _Waiter(trio.lowlevel.current_task(), size, self._number)
        queue.append(waiter)

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            queue.remove(waiter)
            self._serve()
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _readers_capped(self) -> bool:
        """Whether the reader whose turn it is waits for other readers alone; then writers go by."""
        return self._read + self._readers[0].wanted > self.limit - self.limit // 4

    def _serve(self) -> None:
        """Book room for those who have waited longest."""
        while self._readers or self._writers:
            reader_first = not self._writers or (
                bool(self._readers) and self._readers[0].number < self._writers[0].number
            )
            if reader_first and self._readers_capped():
                if not self._writers:
                    return
                reader_first = False
            queue = self._readers if reader_first else self._writers
            if not self._fits(queue[0].wanted):
                return
            waiter = queue.popleft()
            if reader_first:
                self._read += waiter.wanted
            else:
                self._written += waiter.wanted
            trio.lowlevel.reschedule(waiter.task)
