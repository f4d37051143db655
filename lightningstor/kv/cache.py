"""Rows that were read or written lately, exactly as they stand in the store; and keys that were found to have none.

Exact because one process writes, through one queue, and this cache hears of every transaction twice on the event
loop's thread: when it is queued, from which moment its keys are neither served nor taken in; and when the writer has
settled it, in commit order, which brings the new row in unless another transaction on the key is queued by then. So
whatever is found here is the newest committed row, whichever connection somebody else reads through. And what a
transaction checks can be held against what is here when it is queued: nobody writes the key before it, so a check that
holds then needs no look by the writer. That is every check of a PUT, whose bucket and key were read just before.

Counters are not cached, as every PUT would take them out again: a key that was once added to is left aside.

Recency is kept in two generations: what is found in the old one moves to the young one. When there is no room, the row
goes that has been in the old one for longest; but first, if the young one takes more than half, all of it is put behind
the old one (and when it takes three quarters in any case, so that what is in use has time to be found among the old).
A hit among the young costs a dict's look-up and no bookkeeping, and that is where all rows are while there are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lightningstor.kv.api import ABSENT, Check, Row, Txn

__all__ = ["RowCache"]

_ROW_OVERHEAD_BYTES = 250
"""What an entry takes besides its key and value: three objects' headers, a struct, a place in a dict."""

_ABSENT_KEYS: Final = 4_096
"""How many keys without a row are remembered: mostly from the read of a PUT until its transaction is queued."""


class RowCache:
    """A bounded cache of rows.

    Args:
        max_bytes: what keys, values and overhead of all entries may take together; 0 turns the cache off.
        counters: how many counters are left aside; any further ones are treated like other rows.
    """

    def __init__(self, max_bytes: int, *, counters: int = 65_536) -> None:
        self.max_bytes = max_bytes
        self._max_counters = counters
        self.hits = 0
        self.misses = 0
        self._young: dict[bytes, Row] = {}
        self._young_bytes = 0
        self._old: dict[bytes, Row] = {}
        self._old_bytes = 0
        self._oldest: Iterator[bytes] = iter(())
        self._absent: set[bytes] = set()
        self._queued: dict[bytes, int] = {}
        self._counters: set[bytes] = set()

    @property
    def size(self) -> int:
        """What the entries take, in bytes."""
        return self._young_bytes + self._old_bytes

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def find(self, key: bytes) -> Row | None:
        """The key's newest committed row: always the same object while it is cached. None: not cached."""
        row = self._young.get(key)
        if row is not None:
            self.hits += 1
            return row
        row = self._old.pop(key, None)
        if row is None:
            self.misses += 1
            return None
        self.hits += 1
        self._old_bytes -= _size(row)
        self._insert(row)
        return row

    def holds(self, row: Row) -> bool:
        """Whether the row is cached, so that it is its key's newest. On the way of every request."""
        if self._young.get(row.key) is row:
            return True
        found = self.find(row.key)
        return found is not None and found.revision == row.revision

    def offer(self, row: Row) -> None:
        """Take a row just read from the store, on the thread that queues transactions, with no checkpoint between."""
        if row.key not in self._queued and row.key not in self._counters:
            self._insert(row)

    def offer_absent(self, key: bytes) -> None:
        """The same for a key that was found to have no row."""
        if self.max_bytes and key not in self._queued and key not in self._counters:
            if len(self._absent) >= _ABSENT_KEYS:
                self._absent.clear()
            self._absent.add(key)

    def queue(self, txn: Txn) -> tuple[list[bytes], list[Check]]:
        """A transaction is queued, with no checkpoint between.

        Returns:
            The keys that it writes, which bypass the cache until they are released; and those of its checks that are
            not known to hold, for the writer to look at.
        """
        queued, young, old, absent = self._queued, self._young, self._old, self._absent
        unproven = []
        for check in txn.checks:
            row = young.get(check.key) or old.get(check.key)
            if row is not None:
                if row.revision != check.revision:
                    unproven.append(check)
            elif check.revision != ABSENT or check.key not in absent:
                unproven.append(check)
        keys: list[bytes] = []
        if not self.max_bytes:
            return keys, unproven
        for put in txn.puts:
            keys.append(put.key)
        if txn.deletes:
            keys += txn.deletes
        for key in keys:
            if key in absent:
                absent.remove(key)
            elif key in young or key in old:
                self._remove(key)
            if key in queued:
                queued[key] += 1
            else:
                queued[key] = 1
        counters = self._counters
        for add in txn.adds:
            if add.key not in counters:
                self._set_aside(add.key, keys)
        return keys, unproven

    def _set_aside(self, key: bytes, keys: list[bytes]) -> None:
        """A counter that is new here, of a transaction that writes `keys` besides."""
        self._absent.discard(key)
        self._remove(key)
        if len(self._counters) < self._max_counters:
            self._counters.add(key)
        else:
            keys.append(key)
            self._queued[key] = self._queued.get(key, 0) + 1

    def _remove(self, key: bytes) -> None:
        if key in self._young:
            self._young_bytes -= _size(self._young.pop(key))
        elif key in self._old:
            self._old_bytes -= _size(self._old.pop(key))

    def release(self, keys: list[bytes]) -> None:
        """Transactions with these keys are settled, or were withdrawn."""
        queued = self._queued
        for key in keys:
            held = queued.pop(key)
            if held > 1:
                queued[key] = held - 1

    def renew(self, rows: Iterable[Row]) -> None:
        """These rows were committed just now, in the order of commits; their transactions have been released."""
        if self.max_bytes:
            queued, counters = self._queued, self._counters
            for row in rows:
                key = row.key
                if key not in queued and key not in counters:
                    self._insert(row)

    def clear(self) -> None:
        """Forget all rows, and take no more: the store is closed."""
        self.max_bytes = 0
        self._young.clear()
        self._old.clear()
        self._oldest = iter(())
        self._absent.clear()
        self._young_bytes = self._old_bytes = 0

    def _insert(self, row: Row) -> None:
        """Put a row into the young generation. None of its key is in the old one: it was looked for, or queued."""
        key = row.key
        present = self._young.get(key)
        if present is not None:
            if present.revision >= row.revision:
                return
            self._young_bytes -= _size(present)
            del self._young[key]
        size = len(key) + len(row.value) + _ROW_OVERHEAD_BYTES
        young, most = self._young_bytes + size, self.max_bytes
        if young + self._old_bytes > most or 4 * young > 3 * most:
            if size > most // 2:
                return
            self._make_room(most - size)
            young = self._young_bytes + size
        self._young[key] = row
        self._young_bytes = young

    def _make_room(self, left: int) -> None:
        """Let old rows go until all take at most `left` bytes, which is at least half of the whole."""
        if self._young_bytes > self.max_bytes // 2:
            self._old.update(self._young)
            self._old_bytes += self._young_bytes
            self._young, self._young_bytes = {}, 0
            self._oldest = iter(list(self._old))
        while self._young_bytes + self._old_bytes > left:
            row = self._old.pop(next(self._oldest), None)
            if row is not None:
                self._old_bytes -= _size(row)


def _size(row: Row) -> int:
    return len(row.key) + len(row.value) + _ROW_OVERHEAD_BYTES
