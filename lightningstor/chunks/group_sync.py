"""One fsync of a directory for the chunks that were sealed in it meanwhile.

A sync covers only the names that were there when it started. So a seal that comes while one runs waits for its end and
for the next, which serves everybody who has come by then. They wait in the thread that wrote the chunk: to leave it and
to take another for the sync costs more than the sync.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from lightningstor.chunks.errors import FULL, OUT_OF_DESCRIPTORS

__all__ = ["DirectoryGroup", "GroupSync"]


class DirectoryGroup:
    """Those who want one directory synced now. As a context it counts who uses it as one of them.

    One sync runs at a time, and once the device has failed one nobody tries again: the kernel may have dropped what it
    could not write, and then a second sync succeeds without it.

    Args:
        ended: called when the last of them has gone.
    """

    __slots__ = ("_ended", "_failure", "_finished", "_members", "_running", "_started")

    def __init__(self, ended: Callable[[], object]) -> None:
        self._ended = ended
        self._members = 0
        self._running = threading.Lock()
        self._started = 0
        self._finished = 0
        self._failure: OSError | None = None

    def __enter__(self) -> DirectoryGroup:
        self._members += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._members -= 1
        if not self._members:
            self._ended()

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

    def member(self, directory: str) -> DirectoryGroup:
        """The directory's group; enter it at once, as a context."""
        group = self._groups.get(directory)
        if group is None:
            group = self._groups[directory] = DirectoryGroup(partial(self._groups.pop, directory))
        return group
