"""What every part of the store works with: the two stores beneath, the world, the limits, and this boot's ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from lightningstor.chunks.manager import ChunkManager
from lightningstor.errors import CommitUndetermined, StorageReadOnly
from lightningstor.kv.api import ABSENT, Applied, Check, Kv, Put, Txn, TxnConflict, TxnUndetermined
from lightningstor.model import keys
from lightningstor.ports import World
from lightningstor.store.api import StoreLimits
from lightningstor.store.ids import IdClock
from lightningstor.store.latches import Latches
from lightningstor.store.usage import Accounts

__all__ = ["DataIds", "Holds", "StoreContext", "commit", "next_boot"]


class DataIds:
    """Names for bodies: boot number and a counter, so none is ever used twice."""

    def __init__(self, boot: int) -> None:
        self._left = iter(keys.data_ids(boot))

    def draw(self) -> int:
        return next(self._left)


class Holds:
    """How many hold each id."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def hold(self, held: str) -> None:
        self._held[held] += 1

    def release(self, held: str) -> None:
        self._held[held] -= 1
        if not self._held[held]:
            del self._held[held]

    @contextmanager
    def holding(self, held: str) -> Iterator[None]:
        """Hold it for the time of the block."""
        self.hold(held)
        try:
            yield
        finally:
            self.release(held)

    def __contains__(self, held: str) -> bool:
        return held in self._held

    def __len__(self) -> int:
        return len(self._held)


@define
class StoreContext:
    """The state of one open store.

    Attributes:
        pins: the bodies that are being read; the collector leaves those alone.
        marked: the buckets that are being deleted and the uploads that are being completed; see `in_force`.
    """

    kv: Kv
    chunks: ChunkManager
    world: World
    limits: StoreLimits
    boot: int
    ids: IdClock
    data_ids: DataIds
    accounts: Accounts
    latches: Latches = field(factory=Latches)
    pins: Holds = field(factory=Holds)
    marked: Holds = field(factory=Holds)
    inline_max: int = field(init=False)
    """The largest body that goes into the metadata transaction, in bytes."""

    @inline_max.default
    def _(self) -> int:
        return min(self.limits.max_inline_bytes, self.kv.capabilities.inline_body_max)

    def in_force(self, boot: int | None, marked_id: str) -> bool:
        """Whether the mark that a record bears counts: who set it is at work still.

        That one holds the id in `marked` from before the mark is set until after it is taken off. So a mark that a
        crash left is void, and one that could not be taken off again, as on a device that is full.

        Args:
            boot: that the mark names; None: there is no mark.
            marked_id: of the bucket or the upload.
        """
        return boot == self.boot and marked_id in self.marked


async def commit(kv: Kv, txn: Txn) -> Applied | TxnConflict:
    """Commit, with an undetermined end as an exception.

    Raises:
        CommitUndetermined: bytes staged for the transaction must stay.
    """
    outcome = await kv.commit(txn)
    if isinstance(outcome, TxnUndetermined):
        raise CommitUndetermined(outcome.reason)
    return outcome


async def next_boot(kv: Kv) -> int:
    """Count this start of the store; ids and marks made by earlier boots can be told by the number.

    Raises:
        StorageReadOnly: the number could not be made durable, so no id drawn under it would be safe.
    """
    while True:
        row = await kv.get(keys.BOOT)
        boot = 1 if row is None else int(row.value) + 1
        revision = ABSENT if row is None else row.revision
        outcome = await commit(kv, Txn(checks=[Check(keys.BOOT, revision)], puts=[Put(keys.BOOT, b"%d" % boot)]))
        if isinstance(outcome, Applied):
            return boot
        if kv.capabilities.exclusive:
            raise StorageReadOnly(f"another process counted a boot under {keys.BOOT.decode()}")
