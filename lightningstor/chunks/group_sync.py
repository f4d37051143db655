"""One fsync of a directory for all the chunks that were sealed in it meanwhile.

A sync covers only the names that were there when it started. So a seal that comes while one runs joins the next,
which starts when this one ends and serves everybody who has come by then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import trio

__all__ = ["DirectoryGroup", "GroupSync"]


class DirectoryGroup:
    """Those who want one directory synced now."""

    __slots__ = ("_finished", "_lock", "_started", "members")

    def __init__(self) -> None:
        self.members = 0
        self._lock = trio.Lock()
        self._started = 0
        self._finished = 0

    def try_lead(self) -> bool:
        """Become the one who syncs, if nobody is at it. End with `led`."""
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            return False
        self._started += 1
        return True

    def led(self, *, synced: bool) -> None:
        """The sync that `try_lead` began has ended."""
        if synced:
            self._finished = self._started
        self._lock.release()

    async def join(self, sync: Callable[[], Awaitable[None]]) -> None:
        """Return when a sync that began after this call has ended: another's, or else our own by calling `sync`.

        Cancellation: may be cancelled while it waits for its turn. What `sync` raises reaches only the one who
        called it; the others try in their turn, so `sync` must refuse by itself what may not be tried again.
        """
        ticket = self._started + 1
        async with self._lock:
            if self._finished >= ticket:
                return
            self._started += 1
            started = self._started
            await sync()
            self._finished = started


class GroupSync:
    """The groups of a store, by directory; a directory nobody seals in costs nothing."""

    def __init__(self) -> None:
        self._groups: dict[str, DirectoryGroup] = {}

    @contextmanager
    def member(self, directory: str) -> Iterator[DirectoryGroup]:
        """Take part in the directory's group while the context is open."""
        group = self._groups.get(directory)
        if group is None:
            group = self._groups[directory] = DirectoryGroup()
        group.members += 1
        try:
            yield group
        finally:
            group.members -= 1
            if not group.members:
                del self._groups[directory]
