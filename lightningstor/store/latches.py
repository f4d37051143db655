"""One latch per key that is being written, so that writers of a hot key queue up and do not conflict for ever."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import trio

__all__ = ["Latches"]


class Latches:
    """Mutual exclusion by key. Only keys in use take memory; waiters are served in order."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, deque[trio.lowlevel.Task] | None] = {}

    def hold(self, key: bytes) -> Latch:
        """`async with latches.hold(key):` — entering is a checkpoint only if the key is held by somebody else."""
        return Latch(self, key)

    def __len__(self) -> int:
        return len(self._waiting)

    def acquire_nowait(self, key: bytes) -> bool:
        """Take the latch if nobody holds it; whether it was taken. Whoever took it must `release` it."""
        waiting = self._waiting
        if key in waiting:
            return False
        waiting[key] = None
        return True

    async def acquire(self, key: bytes) -> None:
        """Take the latch, behind all who wait for it already."""
        if self.acquire_nowait(key):
            return
        waiting = self._waiting
        queue = waiting[key]
        if queue is None:
            queue = waiting[key] = deque()
        task = trio.lowlevel.current_task()
        queue.append(task)

        def withdraw(_: object) -> trio.lowlevel.Abort:
            queue.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(withdraw)

    def release(self, key: bytes) -> None:
        """Hand the latch on."""
        queue = self._waiting[key]
        if queue:
            trio.lowlevel.reschedule(queue.popleft())
        else:
            del self._waiting[key]


class Latch:
    """One hold of one key."""

    __slots__ = ("_key", "_latches")

    def __init__(self, latches: Latches, key: bytes) -> None:
        self._latches = latches
        self._key = key

    async def __aenter__(self) -> None:
        await self._latches.acquire(self._key)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._latches.release(self._key)
