"""The queue of transactions and the task that commits them, many at a time.

While one batch is on its way to the disk the next one gathers: the slower the flush, the more share it. A caller
sleeps from the moment it has queued its transaction until the writer has settled it; the queue and the callers are
woken through Trio's own sleep, because an event and a shielded scope for each would cost more than the transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final

import trio
from attrs import frozen
from msgspec import Struct

from lightningstor.errors import StorageFull, StorageReadOnly, StoreClosed
from lightningstor.kv.api import Applied, Outcome, Row, Txn, TxnConflict, TxnUndetermined
from lightningstor.kv.batch import BatchWriter, DeviceFailed, DeviceFull, Settled
from lightningstor.kv.cache import RowCache
from lightningstor.kv.checkpoints import Checkpointer
from lightningstor.kv.readers import PointReader
from lightningstor.kv.schema import PAGE_BYTES
from lightningstor.kv.statistics import BatchReport, OnBatch
from lightningstor.ports import Blocking
from lightningstor.structs import mutable

__all__ = ["CommitLimits", "GroupCommit"]

_GATHERING_ROUNDS: Final = 3
"""How often the event loop may go round before a batch: once to answer the callers of the previous one, and twice to
take what their clients send then. A round with nothing to do takes some 20 µs."""


@frozen
class CommitLimits:
    """How much may wait, and how much one group commit may take.

    Args:
        queue: transactions in the queue; further callers wait, in order, for room.
        batch: transactions to a group commit.
        batch_bytes: keys and values to a group commit; the one that reaches it is the last.
    """

    queue: int = 1_024
    batch: int = 256
    batch_bytes: int = 8 * 1_048_576


@mutable
class _Queued(Struct, eq=False):
    """A transaction on its way, and the task that sleeps for it.

    waiting ──the writer takes it──▶ taken ──the writer settles it──▶ outcome, the task wakes
       └─────the task is cancelled──▶ withdrawn
    """

    txn: Txn
    size: int
    keys: list[bytes]
    task: trio.lowlevel.Task
    queue: GroupCommit
    taken: bool = False
    withdrawn: bool = False
    outcome: Outcome | Exception | None = None

    def abort(self, _raise_cancel: Any) -> trio.lowlevel.Abort:
        """The caller is cancelled: it may go as long as the writer has not taken the transaction."""
        if self.taken:
            return trio.lowlevel.Abort.FAILED
        self.withdrawn = True
        self.queue.withdraw(self.keys)
        return trio.lowlevel.Abort.SUCCEEDED

    def unwrap(self) -> Outcome:
        """What the task wakes with: Trio calls this on what is handed to `reschedule`, as of an `outcome.Outcome`.

        One of those made for each transaction, to be unwrapped once, takes 0.7 µs more.
        """
        outcome = self.outcome
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is not None
        return outcome


class GroupCommit:
    """Queues transactions, has them written in batches, tells the cache, and wakes the callers."""

    def __init__(
        self,
        writer: BatchWriter,
        reader: PointReader,
        cache: RowCache,
        checkpointer: Checkpointer,
        blocking: Blocking,
        limits: CommitLimits,
        path: str,
        on_batch: OnBatch | None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._cache = cache
        self._checkpointer = checkpointer
        self._blocking = blocking
        self._limits = limits
        self._path = path
        self._on_batch = on_batch
        self._queue: deque[_Queued] = deque()
        self._depth = 0  # of those in the queue, the ones not withdrawn
        self._waiting_for_room = 0
        self._admitting = False
        self._room = trio.lowlevel.ParkingLot()
        self._sleeper: trio.lowlevel.Task | None = None
        self._turn = trio.Lock()  # who uses the writer's connection
        self._closing = False
        self._ended = trio.Event()
        self.read_only_reason: str | None = None
        self.batches = 0
        self.transactions = 0
        self.applied = 0
        self.conflicts = 0
        self.undetermined = 0
        self.withdrawn = 0
        self.commit_seconds = 0.0
        self._log_pages = 0

    @property
    def depth(self) -> int:
        """Transactions that the writer has not taken."""
        return self._depth + self._waiting_for_room

    async def commit(self, txn: Txn) -> Outcome:
        """As `Kv.commit`.

        Raises:
            StoreClosed, StorageReadOnly, StorageFull
            ValueError: the transaction adds to a row that is no counter.
        """
        size = 0
        for put in txn.puts:
            size += len(put.value)
        if self._depth >= self._limits.queue or self._waiting_for_room:
            await self._wait_for_room()
        if self._closing or self.read_only_reason is not None:
            raise self._refusal()
        keys, unproven = self._cache.queue(txn)
        txn = Txn(unproven, txn.puts, txn.deletes, txn.adds)
        queued = _Queued(txn, size, keys, trio.lowlevel.current_task(), self)
        self._queue.append(queued)
        self._depth += 1
        if self._waiting_for_room:
            self._admit()
        if self._sleeper is not None:
            self._wake_writer()
        outcome: Outcome = await trio.lowlevel.wait_task_rescheduled(queued.abort)
        return outcome

    async def _wait_for_room(self) -> None:
        """Wait behind those that wait already."""
        self._waiting_for_room += 1
        try:
            await self._room.park()
            self._admitting = False
        finally:
            self._waiting_for_room -= 1

    def _admit(self) -> None:
        """Let the first of those that wait for room into the queue; once in, it lets in the next.

        One at a time, since tasks that are woken together run in any order.
        """
        if not self._admitting and self._waiting_for_room and self._depth < self._limits.queue:
            self._admitting = True
            self._room.unpark()

    def withdraw(self, keys: list[bytes]) -> None:
        """A transaction's caller is gone; the writer will pass over it."""
        self._depth -= 1
        self.withdrawn += 1
        self._cache.release(keys)

    async def run(self) -> None:
        """Write batches until the queue is closed and empty.

        Cancelling does not end it: whoever commits within a shield still needs it.

        Raises:
            RuntimeError: something failed that is not the device's fault; the store must end.
        """
        batch: list[_Queued] = []
        try:
            with trio.CancelScope(shield=True):
                while True:
                    await self._gather(len(batch))
                    batch = self._take()
                    if batch:
                        await self._write(batch)
                    elif self._closing:
                        return
                    else:
                        await self._sleep()
        except BaseException as error:
            reason = f"the writer of {self._path} failed: {type(error).__name__}: {error}"
            self.stop_writing(reason)
            unsettled = [queued for queued in batch if queued.outcome is None]
            self._finish(unsettled, [TxnUndetermined(reason)] * len(unsettled), ())
            raise RuntimeError(reason) from error
        finally:
            self._ended.set()

    async def close(self) -> None:
        """Take no more transactions, and wait until those queued are settled."""
        self._closing = True
        self._room.unpark_all()
        self._wake_writer()
        with trio.CancelScope(shield=True):
            await self._ended.wait()
            async with self._turn:
                pass

    def stop_writing(self, reason: str) -> None:
        """The device failed: refuse all transactions from now on, those that wait included."""
        if self.read_only_reason is None:
            self.read_only_reason = reason
        while waiting := self._take():
            self._finish(waiting, [self._refusal() for _ in waiting], ())
        self._room.unpark_all()

    def _refusal(self) -> Exception:
        if self.read_only_reason is not None:
            return StorageReadOnly(self.read_only_reason)
        return StoreClosed()

    async def _sleep(self) -> None:
        self._sleeper = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)

    def _wake_writer(self) -> None:
        if self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    async def _gather(self, previous: int) -> None:
        """Let the event loop go round until the callers of the previous batch are back, but for an eighth and one.

        They have just been woken, and most come back at once. Without this, the one transaction that missed the
        previous batch goes to the disk alone, whatever the load: every second flush would be for one.
        """
        expected = previous + self._depth
        enough = expected - expected // 8 - 1
        for _ in range(_GATHERING_ROUNDS):
            if self._depth >= enough:
                return
            await trio.lowlevel.checkpoint()

    def _take(self) -> list[_Queued]:
        """The next batch: what waits, up to the limits. From here on its callers cannot leave."""
        batch: list[_Queued] = []
        queue, room, most = self._queue, self._limits.batch_bytes, self._limits.batch
        while queue and room > 0 and len(batch) < most:
            queued = queue.popleft()
            if not queued.withdrawn:
                queued.taken = True
                batch.append(queued)
                room -= queued.size
        self._depth -= len(batch)
        self._admit()
        return batch

    async def _write(self, batch: list[_Queued]) -> None:
        async with self._turn:
            await self._checkpointer.before_batch(self._log_pages)
            if self.read_only_reason is not None:
                self._finish(batch, [self._refusal() for _ in batch], ())
                return
            self._reader.before_batch()
            try:
                settled = await self._blocking.run(self._writer.apply, [queued.txn for queued in batch])
            except DeviceFull:
                self._finish(batch, [StorageFull(self._path) for _ in batch], ())
            except DeviceFailed as failure:
                self.stop_writing(failure.reason)
                if failure.undetermined:
                    self.undetermined += len(batch)
                    self._finish(batch, [TxnUndetermined(failure.reason)] * len(batch), ())
                else:
                    self._finish(batch, [self._refusal() for _ in batch], ())
            else:
                self._finish(batch, settled.outcomes, settled.rows)
                self._count(settled)
            finally:
                self._reader.after_batch()

    async def reclaim(self, max_bytes: int) -> int:
        """As `SqliteKv.reclaim`."""
        async with self._turn:
            if self._closing or self.read_only_reason is not None:
                raise self._refusal()
            self._reader.before_batch()
            try:
                pages = await self._blocking.run(self._writer.reclaim, max_bytes // PAGE_BYTES)
            except DeviceFull:
                raise StorageFull(self._path) from None
            except DeviceFailed as failure:
                self.stop_writing(failure.reason)
                raise self._refusal() from None
            finally:
                self._reader.after_batch()
            return pages * PAGE_BYTES

    def _finish(self, batch: list[_Queued], outcomes: Sequence[Outcome | Exception], rows: Iterable[Row]) -> None:
        """Bring the cache to what is now true, then wake the callers."""
        self._cache.release([key for queued in batch for key in queued.keys])
        self._cache.renew(rows)
        reschedule: Any = trio.lowlevel.reschedule
        for queued, outcome in zip(batch, outcomes, strict=True):
            queued.outcome = outcome
            reschedule(queued.task, queued)
        self.transactions += len(batch)

    def _count(self, settled: Settled) -> None:
        conflicts = applied = 0
        for outcome in settled.outcomes:
            if isinstance(outcome, Applied):
                applied += 1
            elif isinstance(outcome, TxnConflict):
                conflicts += 1
        self.batches += 1
        self.applied += applied
        self.conflicts += conflicts
        self.commit_seconds += settled.commit_seconds
        self._log_pages = settled.log_pages
        self._checkpointer.note(settled.log_pages)
        if self._on_batch is not None:
            self._on_batch(
                BatchReport(
                    transactions=len(settled.outcomes),
                    conflicts=conflicts,
                    commit_seconds=settled.commit_seconds,
                    batch_seconds=settled.batch_seconds,
                    log_bytes=self.log_bytes,
                )
            )

    @property
    def log_bytes(self) -> int:
        """Length of the write-ahead log after the last commit, in bytes."""
        return self._log_pages * PAGE_BYTES
