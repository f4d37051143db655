"""Reading the SQLite file: point reads at once on the event loop, scans in threads, snapshots.

A connection is used by one thread at a time. Every read that is not a snapshot's sees all that was committed before
it began: SQLite publishes a commit to its other connections after it has flushed it, before the writer hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import starmap
from typing import Final, TypeVar, TypeVarTuple

import apsw
import trio

from lightningstor.errors import BytesCorrupt, StoreClosed
from lightningstor.kv.api import Row
from lightningstor.kv.bodies import bodies_between, body_id, body_key
from lightningstor.ports import Blocking

__all__ = ["INLINE_SCAN_ROWS", "PointReader", "ScanReaders", "Snapshot", "SnapshotContext"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Execute = Callable[..., apsw.Cursor]

INLINE_SCAN_ROWS: Final = 16
"""A scan of at most this many rows takes less than the hop to a thread (100 µs), so it is done at once."""

_ROW: Final = "SELECT k, v, r FROM kv WHERE k = ?"
_BODY: Final = "SELECT v, r FROM bodies WHERE id = ?"
_SCAN: Final = {
    False: "SELECT k, v, r FROM kv WHERE k >= ? AND k < ? ORDER BY k LIMIT ?",
    True: "SELECT k, v, r FROM kv WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?",
}
_SCAN_BODIES: Final = {
    False: "SELECT id, v, r FROM bodies WHERE id >= ? AND id <= ? ORDER BY id LIMIT ?",
    True: "SELECT id, v, r FROM bodies WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT ?",
}


class PointReader:
    """Reads on the event loop's thread.

    Opening a read transaction costs twice what a read in it does. So while no batch is being written, one is kept
    open over many reads; it is given up before the writer takes the next batch, after which each read sees for
    itself what is newest. Nobody else writes, so nothing can be missed.

    Raises (all reads):
        BytesCorrupt: the file cannot be read. StoreClosed: the store was closed.
    """

    def __init__(self, connection: apsw.Connection, path: str) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._path = path
        self._writing = False
        self._pinned = False
        self._handle: apsw.Blob | None = None

    def before_batch(self) -> None:
        """A batch is about to be written."""
        self._writing = True
        self._close_handle()
        if self._pinned:
            self._pinned = False
            self._execute("COMMIT")

    def after_batch(self) -> None:
        """The batch is settled."""
        self._writing = False

    def row(self, key: bytes) -> Row | None:
        """An ordinary key's row, or None."""
        try:
            if not (self._pinned or self._writing):
                self._execute("BEGIN")
                self._pinned = True
            found = self._execute(_ROW, (key,)).get
        except apsw.Error as error:
            raise self._failure(error) from error
        return None if found is None else Row(*found)

    def body(self, key: bytes, number: int) -> Row | None:
        """A body's row by its id, which is that of the key."""
        try:
            if not (self._pinned or self._writing):
                self._execute("BEGIN")
                self._pinned = True
            found = self._execute(_BODY, (number,)).get
        except apsw.Error as error:
            raise self._failure(error) from error
        return None if found is None else Row(key, *found)

    def body_bytes(self, number: int) -> bytes | None:
        """A body without the rest of its row. None: `body` must tell whether there is one.

        A handle that goes from row to row takes a third of a statement's time. It keeps a read transaction open, so
        it is good only while no batch is being written.
        """
        if self._writing:
            return None
        try:
            if self._handle is None:
                self._handle = self._connection.blob_open("main", "bodies", "v", number, False)
            else:
                self._handle.reopen(number)
            return self._handle.read()
        except (apsw.Error, ValueError, OverflowError):  # no such row, a failed read; closed with the store; no id
            self._close_handle()
            return None

    def _close_handle(self) -> None:
        if self._handle is not None:
            self._handle.close(True)
            self._handle = None

    def rows(self, keys: Sequence[bytes]) -> list[Row | None]:
        """The keys' rows, all at one moment."""
        return self._at_one_moment(read_rows, keys)

    def scan(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        """As `KvReads.scan`."""
        return self._at_one_moment(scan_rows, start, end, limit, reverse)

    def _at_one_moment(self, read: Callable[[Execute, *Ts], T], *args: *Ts) -> T:
        try:
            if not self._pinned:
                self._execute("BEGIN")
                self._pinned = True
            found = read(self._execute, *args)
            if self._writing:
                self._execute("COMMIT")
                self._pinned = False
        except apsw.Error as error:
            raise self._failure(error) from error
        except BaseException:
            self._unpin()
            raise
        return found

    def _failure(self, error: apsw.Error) -> Exception:
        self._unpin()
        return read_failure(error, self._path)

    def _unpin(self) -> None:
        """After a failure: a read transaction left open would hide all later commits."""
        self._pinned = False
        roll_back(self._connection)


def roll_back(connection: apsw.Connection) -> None:
    """End a read transaction, if one is open."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def read_failure(error: apsw.Error, path: str) -> Exception:
    """What a caller of the store gets for SQLite's error."""
    if isinstance(error, apsw.ConnectionClosedError | apsw.CursorClosedError):
        return StoreClosed()
    return BytesCorrupt(path, f"{type(error).__name__}: {error}")


def read_rows(execute: Execute, keys: Sequence[bytes]) -> list[Row | None]:
    """The keys' rows. The caller holds a read transaction."""
    return [read_row(execute, key) for key in keys]


def read_row(execute: Execute, key: bytes) -> Row | None:
    """A key's row, whichever table it lies in."""
    number = body_id(key)
    if number is None:
        found = execute(_ROW, (key,)).get
        return None if found is None else Row(*found)
    found = execute(_BODY, (number,)).get
    return None if found is None else Row(key, *found)


def scan_rows(execute: Execute, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
    """As `KvReads.scan`. The caller holds a read transaction, if the range may reach into the bodies."""
    if limit <= 0 or start >= end:
        return []
    rows = list(starmap(Row, execute(_SCAN[reverse], (start, end, limit))))
    ids = bodies_between(start, end)
    if ids:
        bodies = execute(_SCAN_BODIES[reverse], (ids[0], ids[-1], limit))
        rows += [Row(body_key(number), value, revision) for number, value, revision in bodies]
        rows.sort(key=lambda row: row.key, reverse=reverse)
        del rows[limit:]
    return rows


class ScanReaders:
    """Connections for scans and snapshots: opened when first needed, kept, at most `limit` at once.

    Args:
        open_connection: opens one; blocks.

    Raises (all reads):
        BytesCorrupt: the file cannot be read. StoreClosed: the store was closed.
    """

    def __init__(
        self, open_connection: Callable[[], apsw.Connection], limit: int, path: str, blocking: Blocking
    ) -> None:
        self._open = open_connection
        self._slots = trio.Semaphore(limit)
        self._idle: list[apsw.Connection] = []
        self.path = path
        self._blocking = blocking
        self._closed = False
        self.snapshots = 0

    async def scan(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        """As `KvReads.scan`, in a thread."""
        connection = await self.take()
        try:
            return await self._blocking.run(scan_at_one_moment, connection, start, end, limit, reverse)
        except apsw.Error as error:
            raise read_failure(error, self.path) from error
        finally:
            self.give_back(connection)

    def snapshot(self) -> SnapshotContext:
        """A read transaction as of the moment at which the context is entered."""
        return SnapshotContext(self)

    async def take(self) -> apsw.Connection:
        """A connection of the caller's own, until it gives it back; waits while all are taken."""
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            await self._slots.acquire()
        try:
            if self._closed:
                raise StoreClosed
            return self._idle.pop() if self._idle else await self._blocking.run(self._open)
        except apsw.Error as error:
            self._slots.release()
            raise read_failure(error, self.path) from error
        except BaseException:
            self._slots.release()
            raise

    def give_back(self, connection: apsw.Connection) -> None:
        """End whatever read transaction is open on it, and let the next caller have it."""
        roll_back(connection)
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)
        self._slots.release()

    async def run(self, read: Callable[[*Ts], T], *args: *Ts) -> T:
        """Read in a thread."""
        return await self._blocking.run(read, *args)

    def take_idle(self) -> list[apsw.Connection]:
        """Give no more connections out. Those idle are the caller's to close; the rest close when they come back."""
        self._closed = True
        idle, self._idle = self._idle, []
        return idle


def scan_at_one_moment(connection: apsw.Connection, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
    """A scan outside a read transaction, in one of its own where it needs both tables."""
    if not bodies_between(start, end):
        return scan_rows(connection.execute, start, end, limit, reverse)
    connection.execute("BEGIN")
    try:
        return scan_rows(connection.execute, start, end, limit, reverse)
    finally:
        connection.execute("COMMIT")


class SnapshotContext:
    """Opens and ends a snapshot. A class of its own, because a generator would cost a LIST another 10 µs."""

    def __init__(self, readers: ScanReaders) -> None:
        self._readers = readers

    async def __aenter__(self) -> Snapshot:
        self._connection = connection = await self._readers.take()
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM meta LIMIT 1").fetchall()  # only a read fixes the moment
        except apsw.Error as error:
            self._readers.give_back(connection)
            raise read_failure(error, self._readers.path) from error
        self._readers.snapshots += 1
        self._snapshot = Snapshot(connection, self._readers)
        return self._snapshot

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._snapshot.end()
        finally:
            self._readers.snapshots -= 1
            self._readers.give_back(self._connection)


class Snapshot:
    """Reads within one read transaction. Several tasks may share it; while one scans, the others wait.

    Raises (all reads):
        BytesCorrupt: the file cannot be read. RuntimeError: the snapshot's context has ended.
    """

    def __init__(self, connection: apsw.Connection, readers: ScanReaders) -> None:
        self._connection = connection
        self._readers = readers
        self._turn = trio.Lock()
        self._ended = False

    async def get(self, key: bytes) -> Row | None:
        """As `KvReads.get`."""
        if self._turn.locked():
            async with self._turn:
                return self._read(read_row, key)
        return self._read(read_row, key)

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """As `KvReads.get_many`."""
        if self._turn.locked():
            async with self._turn:
                return self._read(read_rows, keys)
        return self._read(read_rows, keys)

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """As `KvReads.scan`; a large one in a thread."""
        try:
            self._turn.acquire_nowait()
        except trio.WouldBlock:
            await self._turn.acquire()
        try:
            if limit <= INLINE_SCAN_ROWS:
                return self._read(scan_rows, start, end, limit, reverse)
            return await self._readers.run(self._read, scan_rows, start, end, limit, reverse)
        finally:
            self._turn.release()

    def _read(self, read: Callable[[Execute, *Ts], T], *args: *Ts) -> T:
        if self._ended:
            raise RuntimeError("the snapshot's context has ended")
        try:
            return read(self._connection.execute, *args)
        except apsw.Error as error:
            raise read_failure(error, self._readers.path) from error

    async def end(self) -> None:
        """Refuse what comes after, and wait for a scan that another task began."""
        self._ended = True
        if self._turn.locked():
            with trio.CancelScope(shield=True):
                async with self._turn:
                    pass
