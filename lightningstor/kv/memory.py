"""The metadata store in memory: the reference that the others are held against, and the ephemeral store's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from heapq import merge
from itertools import islice

import trio

from lightningstor.kv.api import (
    ABSENT,
    Applied,
    KvCapabilities,
    KvReads,
    Outcome,
    Row,
    Txn,
    TxnConflict,
)
from lightningstor.kv.bodies import body_key
from lightningstor.kv.sorted_keys import SortedKeys

__all__ = ["MemoryKv"]


class MemoryKv:
    """Rows in a dict beside their keys in order. Nothing survives the process.

    A snapshot costs nothing to open: what a commit replaces while one is open is kept for it.

    Args:
        inline_body_max: as in `KvCapabilities`, in bytes.
    """

    def __init__(self, *, inline_body_max: int = 65_536) -> None:
        self.capabilities = KvCapabilities(inline_body_max=inline_body_max, exclusive=True, durable=False)
        self._rows: dict[bytes, Row] = {}
        self._keys = SortedKeys()
        self._revision = 0
        self._snapshots: set[_MemorySnapshot] = set()

    def is_newest(self, row: Row) -> bool:
        """As `Kv.is_newest`; memory always knows."""
        found = self._rows.get(row.key)
        return found is not None and found.revision == row.revision

    @property
    def read_only_reason(self) -> str | None:
        """None: memory refuses no writes."""
        return None

    async def get(self, key: bytes) -> Row | None:
        return self._rows.get(key)

    async def get_body(self, number: int) -> bytes | None:
        row = self._rows.get(body_key(number))
        return None if row is None else row.value

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        return [self._rows.get(key) for key in keys]

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        await trio.lowlevel.checkpoint()
        among = self._keys.between_reversed if reverse else self._keys.between
        return [self._rows[key] for key in islice(among(start, end), max(limit, 0))]

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[KvReads]:
        """The reads as of now, while the context is open."""
        snapshot = _MemorySnapshot(self._rows, self._keys)
        self._snapshots.add(snapshot)
        try:
            yield snapshot
        finally:
            self._snapshots.remove(snapshot)

    async def commit(self, txn: Txn) -> Outcome:
        """Apply the transaction at once; the one checkpoint comes before."""
        await trio.lowlevel.checkpoint()
        for check in txn.checks:
            row = self._rows.get(check.key)
            if check.revision != (ABSENT if row is None else row.revision):
                return TxnConflict(check.key)
        counters: dict[bytes, int] = {}
        for add in txn.adds:
            count = counters.get(add.key)
            if count is None:
                row = self._rows.get(add.key)
                count = 0 if row is None else int(row.value)
            count += add.delta
            if add.delta > 0 and add.ceiling is not None and count > add.ceiling:
                return TxnConflict(add.key, add.ceiling)
            counters[add.key] = count
        self._revision += 1
        for key in txn.deletes:
            self._replace(key, None)
        for put in txn.puts:
            self._replace(put.key, Row(put.key, put.value, self._revision))
        for key, count in counters.items():
            self._replace(key, Row(key, b"%d" % count, self._revision))
        return Applied(self._revision)

    def _replace(self, key: bytes, row: Row | None) -> None:
        old = self._rows.get(key)
        for snapshot in self._snapshots:
            snapshot.keep(key, old)
        if row is not None:
            self._rows[key] = row
            if old is None:
                self._keys.add(key)
        elif old is not None:
            del self._rows[key]
            self._keys.remove(key)


class _MemorySnapshot:
    """Reads as of one moment: the present rows, but for those replaced since, which are kept here."""

    def __init__(self, rows: dict[bytes, Row], keys: SortedKeys) -> None:
        self._rows = rows
        self._keys = keys
        self._replaced: dict[bytes, Row | None] = {}

    def keep(self, key: bytes, old: Row | None) -> None:
        """Note what stood under a key (None: nothing) before it is written for the first time since."""
        self._replaced.setdefault(key, old)

    def _row(self, key: bytes) -> Row | None:
        return self._replaced[key] if key in self._replaced else self._rows.get(key)

    async def get(self, key: bytes) -> Row | None:
        return self._row(key)

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        return [self._row(key) for key in keys]

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        await trio.lowlevel.checkpoint()
        gone = sorted((key for key in self._replaced if start <= key < end and key not in self._rows), reverse=reverse)
        present = (self._keys.between_reversed if reverse else self._keys.between)(start, end)
        rows = (row for key in merge(present, gone, reverse=reverse) if (row := self._row(key)) is not None)
        return list(islice(rows, max(limit, 0)))
