"""The metadata store on SQLite, in one file (and its log) of one process: the default.

commit ──▶ queue ──▶ group commit, a thread hop a batch ──▶ file          (group_commit.py, batch.py)
get ─────▶ cache ──▶ connection of the event loop's thread                (cache.py, readers.py)
scan, snapshot ────▶ pool of connections, thread hops                     (readers.py)
log into file ─────▶ connection of its own, thread hops                   (checkpoints.py)
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, Final

import apsw
import trio

from lightningstor.kv.api import KvCapabilities, KvReads, Outcome, Row, Txn
from lightningstor.kv.batch import BatchWriter
from lightningstor.kv.bodies import BODY_KEY_BYTES, BODY_PREFIX, body_id, body_key
from lightningstor.kv.cache import RowCache
from lightningstor.kv.checkpoints import LOG_BYTES, Checkpointer
from lightningstor.kv.group_commit import CommitLimits, GroupCommit
from lightningstor.kv.readers import INLINE_SCAN_ROWS, PointReader, ScanReaders
from lightningstor.kv.schema import open_beside, open_reader, open_writer
from lightningstor.kv.statistics import KvStatistics, OnBatch
from lightningstor.ports import World

__all__ = ["INLINE_BODY_MAX", "SqliteKv", "open_sqlite_kv"]

INLINE_BODY_MAX: Final = 65_536
"""Bodies up to this many bytes are cheaper as a row than as a file with its two flushes."""

CACHE_BYTES: Final = 96 * 1_048_576
"""The rows of some 100,000 objects."""

_MMAP_BYTES: Final = 1 << 30
_SCAN_CONNECTIONS: Final = 8


class SqliteKv:
    """An open store; see `lightningstor.kv.api.Kv`. Made by `open_sqlite_kv`."""

    def __init__(
        self,
        reader: PointReader,
        scans: ScanReaders,
        cache: RowCache,
        commits: GroupCommit,
        checkpointer: Checkpointer,
    ) -> None:
        self.capabilities = KvCapabilities(inline_body_max=INLINE_BODY_MAX, exclusive=True, durable=True)
        self._reader = reader
        self._scans = scans
        self._cache = cache
        self.is_newest: Callable[[Row], bool] = cache.holds
        """As `Kv.is_newest`: True while the row is cached, False from when a transaction that writes it is queued."""
        self._commits = commits
        self.commit: Callable[[Txn], Coroutine[Any, Any, Outcome]] = commits.commit
        """As `Kv.commit`.

        Raises:
            StorageFull, StorageReadOnly, StoreClosed
            ValueError: the transaction adds to a row that is no counter; nothing happened.
        """
        self._checkpointer = checkpointer

    @property
    def read_only_reason(self) -> str | None:
        """Why all writing has stopped; None while the store is healthy."""
        return self._commits.read_only_reason

    async def get(self, key: bytes) -> Row | None:
        """The key's row, or None. The same object as before while nobody has written the key and it is cached."""
        if len(key) == BODY_KEY_BYTES:
            number = body_id(key)
            if number is not None:
                return self._reader.body(key, number)
        row = self._cache.find(key)
        if row is not None:
            return row
        row = self._reader.row(key)
        if row is not None:
            self._cache.offer(row)
        else:
            self._cache.offer_absent(key)
        return row

    async def get_body(self, number: int) -> bytes | None:
        """The value under `body_key(number)`, or None."""
        data = self._reader.body_bytes(number)
        if data is not None:
            return data
        row = await self.get(body_key(number))
        return None if row is None else row.value

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """The keys' rows, all at one moment: what is cached is the newest, as is what a read that begins now sees."""
        find = self._cache.find
        rows = [find(key) for key in keys]
        if None in rows:
            missing = [index for index, row in enumerate(rows) if row is None]
            for index, row in zip(missing, self._reader.rows([keys[index] for index in missing]), strict=True):
                rows[index] = row
                if row is not None and not row.key.startswith(BODY_PREFIX):
                    self._cache.offer(row)
        return rows

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """At most `limit` rows with `start` <= key < `end`, ascending by bytes, or descending."""
        if limit <= INLINE_SCAN_ROWS:
            return self._reader.scan(start, end, limit, reverse)
        return await self._scans.scan(start, end, limit, reverse)

    def snapshot(self) -> AbstractAsyncContextManager[KvReads]:
        """The reads, all as of one moment. It holds a connection, and keeps the log from being started over."""
        return self._scans.snapshot()

    async def reclaim(self, max_bytes: int) -> int:
        """Give free space within the file back to the file system; at most so much, since commits wait meanwhile.

        Space freed by deletes is otherwise used again for what is written later. The file itself shrinks when the
        log is next carried into it.

        Returns:
            How many bytes; 0 when there is nothing more to give.

        Raises:
            StorageFull, StorageReadOnly, StoreClosed
        """
        return await self._commits.reclaim(max_bytes)

    def statistics(self) -> KvStatistics:
        """Counts since the store was opened, and its state now."""
        commits, cache = self._commits, self._cache
        return KvStatistics(
            queue_depth=commits.depth,
            batches=commits.batches,
            transactions=commits.transactions,
            applied=commits.applied,
            conflicts=commits.conflicts,
            undetermined=commits.undetermined,
            withdrawn=commits.withdrawn,
            commit_seconds=commits.commit_seconds,
            checkpoints=self._checkpointer.checkpoints,
            checkpoint_seconds=self._checkpointer.seconds,
            log_bytes=commits.log_bytes,
            cache_hits=cache.hits,
            cache_misses=cache.misses,
            cache_bytes=cache.size,
            cache_rows=len(cache),
            snapshots=self._scans.snapshots,
            read_only_reason=commits.read_only_reason,
        )


@asynccontextmanager
async def open_sqlite_kv(
    path: str | os.PathLike[str],
    world: World,
    *,
    queue_limit: int = 1_024,
    batch_limit: int = 256,
    batch_bytes: int = 8 * 1_048_576,
    cache_bytes: int = CACHE_BYTES,
    log_bytes: int = LOG_BYTES,
    scan_connections: int = _SCAN_CONNECTIONS,
    mmap_bytes: int = _MMAP_BYTES,
    on_batch: OnBatch | None = None,
    vfs: str | None = None,
) -> AsyncIterator[SqliteKv]:
    """Open the store in the file `path`, making it if need be. Only one process may have it open.

    On leaving, what is queued is still committed. An exception of the body leaves as it is, not in a group.

    Args:
        queue_limit, batch_limit, batch_bytes: as in `CommitLimits`.
        cache_bytes: size of the cache of rows; 0: none.
        log_bytes: how long the write-ahead log grows before it is carried into the file.
        scan_connections: scans and snapshots at once; further ones wait.
        mmap_bytes: how much of the file is read through a memory map.
        on_batch: told of every group commit.
        vfs: the SQLite VFS to reach the file through; None: the system's.

    Raises:
        FormatTooNew, BytesCorrupt, StoreLocked, StorageFull, OSError: as `schema.open_writer` says.
    """
    name = os.fspath(path)
    writer, point, beside = await world.blocking.run(_open_connections, name, mmap_bytes, vfs)
    reader = PointReader(point, name)
    scans = ScanReaders(partial(open_reader, name, mmap_bytes, vfs), scan_connections, name, world.blocking)
    cache = RowCache(cache_bytes)
    checkpointer = Checkpointer(
        beside, world.blocking, world.clock, lambda reason: commits.stop_writing(reason), log_bytes
    )
    commits = GroupCommit(
        BatchWriter(writer, world.clock),
        reader,
        cache,
        checkpointer,
        world.blocking,
        CommitLimits(queue_limit, batch_limit, batch_bytes),
        name,
        on_batch,
    )
    try:
        async with _running(commits, checkpointer):
            yield SqliteKv(reader, scans, cache, commits, checkpointer)
    finally:
        cache.clear()
        connections = [*scans.take_idle(), point, beside, writer]
        with trio.CancelScope(shield=True):
            await world.blocking.run(_close_connections, connections, commits.read_only_reason is None)


@asynccontextmanager
async def _running(commits: GroupCommit, checkpointer: Checkpointer) -> AsyncIterator[None]:
    """While the context is open batches are written and the log is carried over; its end commits what is queued.

    An exception of the body leaves as it is, not in a group.
    """
    body_error: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commits.run)
            nursery.start_soon(checkpointer.run)
            try:
                yield
            except BaseException as error:
                body_error = error
                raise
            finally:
                await commits.close()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) != 1 or group.exceptions[0] is not body_error:
            raise
    if body_error is not None:
        raise body_error


def _open_connections(
    path: str, mmap_bytes: int, vfs: str | None
) -> tuple[apsw.Connection, apsw.Connection, apsw.Connection]:
    """The writer's, the event loop's, the checkpointer's."""
    opened: list[apsw.Connection] = []
    try:
        opened.append(open_writer(path, vfs))
        opened.append(open_reader(path, mmap_bytes, vfs, points=True))
        opened.append(open_beside(path, vfs))
    except BaseException:
        _close_connections(opened, True)
        raise
    return opened[0], opened[1], opened[2]


def _close_connections(connections: list[apsw.Connection], healthy: bool) -> None:
    """Close them; the last one carries the log into the file, unless the device has failed.

    Then the log stays for the next start, which reads what the device kept of it.
    """
    for connection in connections:
        if not healthy:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        with suppress(apsw.Error):  # what could not be carried over is still in the log
            connection.close()
