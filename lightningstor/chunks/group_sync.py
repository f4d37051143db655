"""One fsync of a directory for the chunks that were sealed in it meanwhile.

A sync covers only the names that were there when it started. Who has sealed a chunk syncs the directory in the same
hop, unless somebody is at it just then: that sync may have missed the name, so it joins the next, which serves
everybody who has come by then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from lightningstor.chunks.errors import FULL, OUT_OF_DESCRIPTORS
from lightningstor.ports import Blocking

__all__ = ["DirectoryGroup", "GroupSync"]


class DirectoryGroup:
    """Those who want one directory synced now.

    One sync runs at a time, and once the device has failed one nobody tries again: the kernel may have dropped what it
    could not write, and then a second sync succeeds without it.
    """

    __slots__ = ("_failure", "_finished", "_running", "_started", "_turn", "members")

    def __init__(self) -> None:
        self.members = 0
        self._turn = trio.Lock()
        self._running = threading.Lock()
        self._started = 0
        self._finished = 0
        self._failure: OSError | None = None

    def sync_now(self, sync: Callable[[], None]) -> bool:
        """In a thread: call `sync` unless one runs; whether it did. If not, `join`.

        Raises:
            OSError: what `sync` raised, now or earlier.
        """
        if not self._running.acquire(blocking=False):
            return False
        try:
            self._sync(sync)
        finally:
            self._running.release()
        return True

    async def join(self, blocking: Blocking, sync: Callable[[], None]) -> None:
        """Return when a sync that began after this call has ended: another's, or else our own by calling `sync`.

        Cancellation: may be cancelled while it waits for its turn. Raises what `sync_now` raises.
        """
        ticket = self._started + 1
        async with self._turn:
            if self._finished < ticket:
                await blocking.run(self._sync_for, ticket, sync)

    def _sync_for(self, ticket: int, sync: Callable[[], None]) -> None:
        with self._running:
            if self._finished < ticket:
                self._sync(sync)

    def _sync(self, sync: Callable[[], None]) -> None:
        if self._failure is not None:
            raise OSError(self._failure.errno, self._failure.strerror)
        self._started += 1
        try:
            sync()
        except OSError as error:
            if error.errno not in FULL and error.errno not in OUT_OF_DESCRIPTORS:
                self._failure = error
            raise
        self._finished = self._started


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
