"""A metadata store whose commits fail as planned, over any real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum

from lightningstor.errors import StorageFull, StorageReadOnly
from lightningstor.kv.api import Kv, KvCapabilities, KvReads, Outcome, Row, Txn, TxnUndetermined

__all__ = ["Fault", "FaultyKv"]


class Fault(Enum):
    """How a commit fails."""

    UNDETERMINED_APPLIED = "the caller cannot know; it took effect"
    UNDETERMINED_LOST = "the caller cannot know; it did not take effect"
    FULL = "no room; nothing happened, and later commits may succeed"
    READ_ONLY = "the device failed earlier; nothing happened"


CommitHook = Callable[[int, Txn], Awaitable[None]]


class FaultyKv:
    """Passes everything on to `kv`, but for the commits that are to fail.

    As with a real device, an undetermined commit and READ_ONLY are the last: all later ones get StorageReadOnly.

    Args:
        kv: the store beneath.
        faults: by the number of a commit, counted from 1: how it fails.
        before: awaited before a commit is passed on, with its number; may delay it, or be a point to cancel at.
        after: the same when the store beneath is done with it, before the caller hears of it. The contract lets
            nobody cancel a commit that was taken, so this must not have a checkpoint outside a shield.
    """

    def __init__(
        self,
        kv: Kv,
        faults: dict[int, Fault] | None = None,
        *,
        before: CommitHook | None = None,
        after: CommitHook | None = None,
    ) -> None:
        self._kv = kv
        self.faults = {} if faults is None else faults
        self.before = before
        self.after = after
        self.commits = 0
        """Commits begun so far. Set it to 0 to count anew."""
        self._read_only_reason: str | None = None

    @property
    def capabilities(self) -> KvCapabilities:
        return self._kv.capabilities

    def is_newest(self, row: Row) -> bool:
        return self._kv.is_newest(row)

    @property
    def read_only_reason(self) -> str | None:
        """The planned failure that stopped all writing, or the store's own reason."""
        return self._read_only_reason or self._kv.read_only_reason

    async def get(self, key: bytes) -> Row | None:
        return await self._kv.get(key)

    async def get_body(self, number: int) -> bytes | None:
        return await self._kv.get_body(number)

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        return await self._kv.get_many(keys)

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        return await self._kv.scan(start, end, limit, reverse=reverse)

    def snapshot(self) -> AbstractAsyncContextManager[KvReads]:
        return self._kv.snapshot()

    async def commit(self, txn: Txn) -> Outcome:
        self.commits += 1
        number = self.commits
        if self.before is not None:
            await self.before(number, txn)
        if self._read_only_reason is not None:
            raise StorageReadOnly(self._read_only_reason)
        fault = self.faults.get(number)
        if fault is Fault.FULL:
            raise StorageFull("planned")
        if fault is Fault.READ_ONLY:
            self._read_only_reason = f"planned at commit {number}"
            raise StorageReadOnly(self._read_only_reason)
        if fault is Fault.UNDETERMINED_LOST:
            outcome: Outcome = TxnUndetermined(f"planned at commit {number}")
        else:
            outcome = await self._kv.commit(txn)
            if fault is Fault.UNDETERMINED_APPLIED:
                outcome = TxnUndetermined(f"planned at commit {number}")
        if isinstance(outcome, TxnUndetermined):
            self._read_only_reason = outcome.reason
        if self.after is not None:
            await self.after(number, txn)
        return outcome
