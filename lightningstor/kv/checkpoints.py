"""Carrying the write-ahead log into the file, beside the writer.

SQLite starts the log over only when all of it has been carried over at a moment at which nothing is being appended;
under steady load that moment never comes by itself, and the log would grow without end. So it is done in two
steps: the bulk beside the writer, then, before the next batch, the little that was appended meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import apsw
import trio

from lightningstor.kv.schema import PAGE_BYTES
from lightningstor.ports import Blocking, Clock

__all__ = ["LOG_BYTES", "Checkpointer"]

LOG_BYTES: Final = 16 * 1_048_576
"""The log is carried over when it is this long. It grows meanwhile, to `_WAIT_AT` times this at most, unless a
snapshot that stays open keeps the log from being started over."""

_WAIT_AT: Final = 4


class Checkpointer:
    """Checkpoints on a connection of its own.

    Args:
        on_failure: called with the reason when the device failed; nothing may be written after that.
        log_bytes: as `LOG_BYTES`.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        blocking: Blocking,
        clock: Clock,
        on_failure: Callable[[str], None],
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self._connection = connection
        self._blocking = blocking
        self._clock = clock
        self._on_failure = on_failure
        self._pages = max(log_bytes // PAGE_BYTES, 1)
        self._due_at: float = self._pages
        self._due = trio.Event()
        self._lock = trio.Lock()
        self._rest_is_due = False
        self.checkpoints = 0
        self.seconds = 0.0

    def note(self, log_pages: int) -> None:
        """The log is this long after a batch."""
        if log_pages >= self._due_at:
            self._due_at = math.inf
            self._due.set()

    async def run(self) -> None:
        """Carry the bulk over whenever it is due."""
        while True:
            await self._due.wait()
            self._due = trio.Event()
            await self._carry()
            self._rest_is_due = True

    async def before_batch(self, log_pages: int) -> None:
        """Called by the writer when it is about to write: the moment at which nothing is being appended."""
        if not self._rest_is_due:
            if not self._lock.locked() or log_pages < _WAIT_AT * self._pages:
                return
            async with self._lock:
                pass
        self._rest_is_due = False
        if await self._carry():
            self._due_at = self._pages
        else:
            self._due_at = log_pages + self._pages

    async def _carry(self) -> bool:
        """One checkpoint; whether all of the log has been carried over."""
        async with self._lock:
            started = self._clock.monotonic()
            try:
                in_log, carried = await self._blocking.run(self._checkpoint)
            except apsw.BusyError:  # somebody else's sqlite3 shell is at it
                return False
            except apsw.FullError:  # the log keeps what could not be carried over; commits will say when it is full
                return False
            except apsw.Error as error:
                self._on_failure(f"checkpoint: {type(error).__name__}: {error}")
                return False
            self.checkpoints += 1
            self.seconds += self._clock.monotonic() - started
            return in_log == carried

    def _checkpoint(self) -> tuple[int, int]:
        return self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
