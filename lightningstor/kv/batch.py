"""One group commit: many transactions evaluated in order and written as one SQLite transaction.

Everything here blocks and runs in a thread, one call at a time. Each transaction of a batch sees what those before
it did; one that fails a check or a ceiling changes nothing, and the rest go on without it. So it is enough to follow
the rows in memory and to write the final state of each, once: counters that a hundred PUTs add to, above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, TypeAlias

import apsw
from attrs import frozen

from lightningstor.kv.api import ABSENT, Applied, Outcome, Row, Txn, TxnConflict
from lightningstor.kv.bodies import BODY_KEY_BYTES, body_id
from lightningstor.ports import Clock

__all__ = ["BatchWriter", "DeviceFailed", "DeviceFull", "Settled"]

_REVISION_BLOCK: Final = 1 << 20
"""Revisions are reserved on disk by the million, so that no batch has to write the counter; a start skips the rest."""

_NOT_READ: Final = (b"", -1)

_Written: TypeAlias = "tuple[bytes | int, int]"
"""Value (an int is a counter not yet spelt out) and revision."""


@frozen
class Settled:
    """A batch on stable storage.

    Args:
        outcomes: one for each transaction; a ValueError for one that the contract does not allow.
        rows: the ordinary rows it wrote and that still stand at its end. Bodies are not among them.
        commit_seconds, batch_seconds: as in `BatchReport`.
        log_pages: pages in the write-ahead log since.
    """

    outcomes: list[Outcome | ValueError]
    rows: list[Row]
    commit_seconds: float
    batch_seconds: float
    log_pages: int


class DeviceFull(Exception):
    """The device had no room. The batch was rolled back; nothing of it happened."""


class DeviceFailed(Exception):
    """The device or the file failed, so nothing more may be written.

    Args:
        reason: what failed.
        undetermined: it failed while committing, so the batch may have happened. Otherwise nothing of it did.
    """

    def __init__(self, reason: str, *, undetermined: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.undetermined = undetermined


class BatchWriter:
    """Evaluates and writes batches on a connection of its own."""

    def __init__(self, connection: apsw.Connection, clock: Clock) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._clock = clock
        self._reserved = self._read_reserved()
        self._revision = self._reserved
        self._log_pages = 0
        connection.set_wal_hook(self._note_log)

    def _read_reserved(self) -> int:
        reserved = self._connection.execute("SELECT value FROM meta WHERE name = 'revision_reserved'").get
        assert isinstance(reserved, int)
        return reserved

    def _note_log(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def apply(self, txns: Sequence[Txn]) -> Settled:
        """Evaluate the transactions in order and commit those that hold.

        Raises:
            DeviceFull, DeviceFailed
        """
        started = self._clock.monotonic()
        overlay: dict[bytes, _Written | None] = {}
        with self._failures():
            self._cursor.execute("BEGIN IMMEDIATE")
            outcomes = [self._evaluate(txn, overlay) for txn in txns]
            rows = self._write(overlay)
            reserved = self._reserve()
        committing = self._clock.monotonic()
        self._commit()
        self._reserved = reserved
        ended = self._clock.monotonic()
        return Settled(outcomes, rows, ended - committing, ended - started, self._log_pages)

    def reclaim(self, pages: int) -> int:
        """Give at most so many free pages at the file's end back to the file system; how many it were.

        Raises:
            DeviceFull, DeviceFailed
        """
        with self._failures():
            self._cursor.execute("BEGIN IMMEDIATE")
            before = self._free_pages()
            self._cursor.execute(f"PRAGMA incremental_vacuum({pages:d})").fetchall()
            freed = before - self._free_pages()
        self._commit()
        return freed

    def _free_pages(self) -> int:
        count = self._cursor.execute("PRAGMA freelist_count").get
        assert isinstance(count, int)
        return count

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Until the commit begins: roll back whatever fails, so that nothing of it has happened."""
        try:
            yield
        except apsw.FullError as error:
            self._roll_back()
            raise DeviceFull(str(error)) from error
        except (apsw.IOError, apsw.CorruptError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
            self._roll_back()
            raise DeviceFailed(_words(error), undetermined=False) from error
        except BaseException:
            self._roll_back()
            raise

    def _evaluate(self, txn: Txn, overlay: dict[bytes, _Written | None]) -> Outcome | ValueError:
        """Draft one transaction into the overlay, or leave the overlay as it is and say why."""
        for check in txn.checks:
            key = check.key
            held = overlay.get(key, _NOT_READ)
            if held is None:
                revision = ABSENT
            elif held is _NOT_READ:
                revision = self._stored_revision(key)
            else:
                revision = held[1]
            if revision != check.revision:
                return TxnConflict(key)
        counters: dict[bytes, int] = {}
        for add in txn.adds:
            key = add.key
            count = counters.get(key)
            if count is None:
                held = overlay.get(key)
                if held is not None and type(held[0]) is int:
                    count = held[0]
                else:
                    try:
                        count = self._counter(key, overlay)
                    except ValueError as error:
                        return error
            count += add.delta
            ceiling = add.ceiling
            if ceiling is not None and count > ceiling and add.delta > 0:
                return TxnConflict(key, ceiling)
            counters[key] = count
        self._revision = revision = self._revision + 1
        for key in txn.deletes:
            overlay[key] = None
        for put in txn.puts:
            overlay[put.key] = (put.value, revision)
        for key, count in counters.items():
            overlay[key] = (count, revision)
        return Applied(revision)

    def _stored_revision(self, key: bytes) -> int:
        number = body_id(key)
        if number is None:
            revision = self._cursor.execute("SELECT r FROM kv WHERE k = ?", (key,)).get
        else:
            revision = self._cursor.execute("SELECT r FROM bodies WHERE id = ?", (number,)).get
        return ABSENT if revision is None else revision

    def _counter(self, key: bytes, overlay: dict[bytes, _Written | None]) -> int:
        """A counter's count. ValueError: the row is no counter."""
        held = overlay.get(key, _NOT_READ)
        if held is None:
            return 0
        value = held[0]
        if held is _NOT_READ:
            number = body_id(key)
            if number is None:
                value = self._cursor.execute("SELECT v FROM kv WHERE k = ?", (key,)).get
            else:
                value = self._cursor.execute("SELECT v FROM bodies WHERE id = ?", (number,)).get
            if value is None:
                return 0
        return int(value)

    def _write(self, overlay: dict[bytes, _Written | None]) -> list[Row]:
        """Write the overlay's final state, in key order; give back the ordinary rows."""
        rows: list[tuple[bytes, bytes, int]] = []
        bodies: list[tuple[int, bytes, int]] = []
        deletes: list[tuple[bytes]] = []
        body_deletes: list[tuple[int]] = []
        for key, written in overlay.items():
            number = body_id(key) if len(key) == BODY_KEY_BYTES else None
            if written is None:
                if number is None:
                    deletes.append((key,))
                else:
                    body_deletes.append((number,))
                continue
            value, revision = written
            if isinstance(value, int):
                value = b"%d" % value
            if number is None:
                rows.append((key, value, revision))
            else:
                bodies.append((number, value, revision))
        executemany = self._cursor.executemany
        if deletes:
            executemany("DELETE FROM kv WHERE k = ?", deletes)
        if body_deletes:
            executemany("DELETE FROM bodies WHERE id = ?", body_deletes)
        if rows:
            rows.sort()
            executemany("INSERT OR REPLACE INTO kv VALUES(?, ?, ?)", rows)
        if bodies:
            bodies.sort()
            executemany("INSERT OR REPLACE INTO bodies VALUES(?, ?, ?)", bodies)
        return [Row(key, value, revision) for key, value, revision in rows]

    def _reserve(self) -> int:
        """Move the mark on disk when the revisions drawn have passed it; give back where it stands then."""
        if self._revision <= self._reserved:
            return self._reserved
        reserved = self._revision + _REVISION_BLOCK
        self._cursor.execute("UPDATE meta SET value = ? WHERE name = 'revision_reserved'", (reserved,))
        return reserved

    def _commit(self) -> None:
        try:
            self._cursor.execute("COMMIT")
        except apsw.FullError as error:
            # In a WAL this says that a frame could not be written, before the flush: the commit is not in the log.
            self._roll_back()
            raise DeviceFull(str(error)) from error
        except apsw.Error as error:
            self._roll_back()
            raise DeviceFailed(_words(error), undetermined=True) from error

    def _roll_back(self) -> None:
        # SQLite has rolled back by itself after most errors; what fails now was rolled back or never will be.
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")


def _words(error: apsw.Error) -> str:
    return f"{type(error).__name__}: {error}"
