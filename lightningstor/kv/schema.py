"""The SQLite file: its tables, its format number, and how its connections are set up.

    kv      k → v, r        every row but bodies, clustered by key (WITHOUT ROWID), so that a scan reads leaves in order
    bodies  id → v, r       small bodies (`lightningstor.kv.bodies`), appended under growing ids
    meta    name → value    `revision_reserved`: no commit has a revision above it

Pages of 16 KiB: three 4 KiB bodies or 25 records share one. Against pages of 4 KiB random reads cost half, and a PUT
of keys in order a tenth less; a PUT of keys in no order a fifth more, because every record then rewrites a page.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import apsw

from lightningstor.errors import BytesCorrupt, FormatTooNew, StorageFull, StoreLocked

__all__ = [
    "FORMAT",
    "MIGRATIONS",
    "PAGE_BYTES",
    "Migration",
    "open_beside",
    "open_reader",
    "open_writer",
    "prepare",
]

FORMAT: Final = 1
"""The format that this version reads and writes, kept as `user_version`."""

PAGE_BYTES: Final = 16_384
APPLICATION_ID: Final = 0x4C53_746F  # "LSto": `file` and we ourselves know the file by it
_BUSY_TIMEOUT_MS: Final = 5_000
_WRITER_CACHE_KIB: Final = 32_768
_READER_CACHE_KIB: Final = 2_048
_POINT_READER_CACHE_KIB: Final = 16_384
"""What lies in the file is read through the map, and takes no room here; what is still in the log is copied."""

Migration = Callable[[apsw.Connection], None]
"""Takes the tables from one format to the next, within a transaction that its caller opens and commits."""

MIGRATIONS: Final[Mapping[int, Migration]] = {}
"""By the format that a migration starts from. Format 1 is the first, so there is none yet."""

_TABLES: Final = (
    "CREATE TABLE kv(k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL, r INTEGER NOT NULL) WITHOUT ROWID, STRICT",
    "CREATE TABLE bodies(id INTEGER PRIMARY KEY, v BLOB NOT NULL, r INTEGER NOT NULL) STRICT",
    "CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT",
    "INSERT INTO meta VALUES('revision_reserved', 0)",
)


def open_writer(path: str, vfs: str | None = None) -> apsw.Connection:
    """Open the file for writing, making it if there is none, and bring it to this version's format.

    What a crash left in the write-ahead log is carried into the file and flushed, so that nothing new is ever
    appended behind frames whose flush may have failed.

    Raises:
        FormatTooNew: a newer version wrote the file; it was not changed.
        BytesCorrupt: the file is not a metadata store of ours, or is damaged.
        StoreLocked: another process is at work in the file.
        StorageFull: there is no room to make it.
        OSError: the file cannot be opened or made.
    """
    _make_private(path)
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE, vfs)
    try:
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        prepare(connection, path)
        connection.wal_autocheckpoint(0)
        connection.pragma("cache_size", -_WRITER_CACHE_KIB)
        with suppress(apsw.FullError):  # on a full device deletes must be possible: the log can wait
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError as error:
        connection.close()
        raise StoreLocked(path) from error
    except apsw.FullError as error:
        connection.close()
        raise StorageFull(path) from error
    except (apsw.NotADBError, apsw.CorruptError, apsw.IOError) as error:
        connection.close()
        raise BytesCorrupt(path, f"{type(error).__name__}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _make_private(path: str) -> None:
    """Make the file if there is none; only its owner may read it, as it holds bodies. Its log takes the same rights."""
    if not os.path.exists(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    elif not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def prepare(
    connection: apsw.Connection, path: str, *, supported: int = FORMAT, migrations: Mapping[int, Migration] = MIGRATIONS
) -> None:
    """Make the tables in a new file; migrate those of an old one, a format at a time; refuse a newer one.

    Raises:
        FormatTooNew, BytesCorrupt: as in `open_writer`.
    """
    found = _found_format(connection)
    if found is None:
        # Both must be set before the first page is written; later they would take a rewrite of the file.
        connection.pragma("page_size", PAGE_BYTES)
        connection.pragma("auto_vacuum", 2)  # incremental
    elif found > supported:
        raise FormatTooNew(path, found, supported)
    elif connection.pragma("application_id") != APPLICATION_ID:
        raise BytesCorrupt(path, "not a metadata store of LightningStor")
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("fullfsync", True)  # macOS: F_FULLFSYNC; elsewhere without effect
    connection.pragma("checkpoint_fullfsync", True)
    if found is None:
        with connection:
            for statement in _TABLES:
                connection.execute(statement)
            _stamp(connection, supported)
        return
    for previous in range(found, supported):
        with connection:
            migrations[previous](connection)
            _stamp(connection, previous + 1)


def _found_format(connection: apsw.Connection) -> int | None:
    """The file's format; None if it holds nothing yet."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").get == 0:
        return None
    found = connection.pragma("user_version")
    assert isinstance(found, int)
    return found


def _stamp(connection: apsw.Connection, number: int) -> None:
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", number)


def open_reader(path: str, mmap_bytes: int, vfs: str | None = None, *, points: bool = False) -> apsw.Connection:
    """Open the file for reading; its first `mmap_bytes` are read through a memory map.

    Args:
        points: for the one connection that answers point reads: it keeps as many pages as the log may have.
    """
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE, vfs)
    try:
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        connection.wal_autocheckpoint(0)
        connection.pragma("query_only", True)
        connection.pragma("mmap_size", mmap_bytes)
        connection.pragma("cache_size", -(_POINT_READER_CACHE_KIB if points else _READER_CACHE_KIB))
    except BaseException:
        connection.close()
        raise
    return connection


def open_beside(path: str, vfs: str | None = None) -> apsw.Connection:
    """Open the file for checkpoints beside the writer."""
    connection = apsw.Connection(path, apsw.SQLITE_OPEN_READWRITE, vfs)
    connection.wal_autocheckpoint(0)
    connection.pragma("synchronous", "full")
    connection.pragma("fullfsync", True)
    connection.pragma("checkpoint_fullfsync", True)
    return connection
