"""The contract of the metadata store: ordered keys, snapshots, transactions that check what they replace.

It asks for no more than SQLite, memory and etcd can all do (DESIGN.md §5). `tests/contract` runs one suite
over every implementation. What passes through it per row and per transaction are msgspec structs: made in 0.1 µs
each, where a frozen attrs class takes 0.5 µs; a PUT makes ten of them, a LIST a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias

from attrs import frozen
from msgspec import Struct

__all__ = [
    "ABSENT",
    "Add",
    "Applied",
    "Check",
    "Kv",
    "KvCapabilities",
    "KvReads",
    "Outcome",
    "Put",
    "Row",
    "Txn",
    "TxnConflict",
    "TxnUndetermined",
]

ABSENT = 0
"""The revision of a key that has no row."""


class Row(Struct, frozen=True, gc=False):
    """One key's value, and the revision of the commit that wrote it (greater than 0, growing)."""

    key: bytes
    value: bytes
    revision: int


class Check(Struct, frozen=True, gc=False):
    """The transaction applies only if the key's revision is this one; `ABSENT`: only if there is no row."""

    key: bytes
    revision: int


class Put(Struct, frozen=True, gc=False):
    """Write a key."""

    key: bytes
    value: bytes


class Add(Struct, frozen=True, gc=False):
    """Add `delta` to a counter, a row whose value is a decimal integer in ASCII; an absent one counts as 0.

    With a `ceiling`, a positive delta that would take the counter over it fails the transaction. A negative
    delta never fails: going down must always be possible.
    """

    key: bytes
    delta: int
    ceiling: int | None = None


class Txn(Struct, frozen=True, gc=False):
    """All of it happens, or nothing. Order: checks and ceilings first, then deletes, puts, adds.

    A key occurs at most once among deletes and puts. Adds name other keys than puts and deletes; several adds
    to one key are summed in order.
    """

    checks: Sequence[Check] = ()
    puts: Sequence[Put] = ()
    deletes: Sequence[bytes] = ()
    adds: Sequence[Add] = ()


class Applied(Struct, frozen=True, gc=False):
    """The transaction is on stable storage and visible to every later read; `revision` is that of its rows."""

    revision: int


class TxnConflict(Struct, frozen=True, gc=False):
    """Nothing happened: the named key did not have the revision of its check, or was over its ceiling."""

    key: bytes
    ceiling: int | None = None


class TxnUndetermined(Struct, frozen=True, gc=False):
    """The device failed at a moment that leaves open whether the transaction took effect.

    Whoever staged bytes for it must keep them: the row that refers to them may be there after a restart.
    """

    reason: str


Outcome: TypeAlias = Applied | TxnConflict | TxnUndetermined


@frozen
class KvCapabilities:
    """What an implementation can do beyond the contract.

    Args:
        inline_body_max: bodies up to this many bytes may lie in a row under `lightningstor/data/`; 0: none.
        exclusive: this process alone writes, so caches of it can be exact.
        durable: an applied transaction survives a power cut.
    """

    inline_body_max: int
    exclusive: bool
    durable: bool


class KvReads(Protocol):
    """Reads. None of them is promised to be a checkpoint; all of them may be one."""

    async def get(self, key: bytes) -> Row | None:
        """The key's row, or None."""
        ...

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """The keys' rows in the keys' order, all at one moment."""
        ...

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """At most `limit` rows with `start` <= key < `end`, ascending by bytes, or descending."""
        ...


class Kv(KvReads, Protocol):
    """An ordered, transactional key-value store. Opened and closed by the module that implements it."""

    @property
    def capabilities(self) -> KvCapabilities: ...

    def is_newest(self, row: Row) -> bool:
        """Whether a row that this store gave out is known, without a look, to be its key's newest still.

        Then what was derived from it is still right. False says nothing: ask `get`.
        """
        ...

    async def get_body(self, number: int) -> bytes | None:
        """The value under `bodies.body_key(number)`, or None: `get` for who wants nothing else of a body's row."""
        ...

    @property
    def read_only_reason(self) -> str | None:
        """Why all writing has stopped, since a device failure; None while the store is healthy."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[KvReads]:
        """The reads, all as of one moment, while the context is open. Keep it short: it holds resources."""
        ...

    async def commit(self, txn: Txn) -> Outcome:
        """Apply the transaction, durably.

        Cancellation: until the writer has taken the transaction, the call may be cancelled and nothing happens.
        From then on the call waits, whatever is cancelled, and returns one of the three outcomes; a caller that
        was cancelled meets that at its next checkpoint.

        Raises:
            StorageReadOnly: an earlier device failure has stopped all writing.
            StorageFull: the device had no room; nothing happened.
        """
        ...
