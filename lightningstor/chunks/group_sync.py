"""One fsync of a directory for the chunks that were sealed in it meanwhile.

A sync covers only the names that were there when it started. So a seal that comes while one runs waits for its end and
for the next, which serves everybody who has come by then. They wait in the thread that wrote the chunk: to leave it and
to take another for the sync costs more than the sync.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightningstor.chunks.errors import FULL, OUT_OF_DESCRIPTORS

__all__ = ["DirectoryGroup", "GroupSync"]


class DirectoryGroup:
    """Those who want one directory synced now.

    One sync runs at a time, and once the device has failed one nobody tries again: the kernel may have dropped what it
    could not write, and then a second sync succeeds without it.
    """

    __slots__ = ("_failure", "_finished", "_running", "_started", "members")

    def __init__(self) -> None:
        self.members = 0
        self._running = threading.Lock()
        self._started = 0
        self._finished = 0
        self._failure: OSError | None = None

    def sync(self, sync: Callable[[], None]) -> None:
        """In a thread: return when a sync that began after this call has ended, another's or our own by `sync`.

        Raises:
            OSError: what `sync` raised, now or, if the device failed, earlier.
        """
        ticket = self._started + 1
        with self._running:
            if self._finished >= ticket:
                return
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
