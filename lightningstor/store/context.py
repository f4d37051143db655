"""What every part of the store works with: the two stores beneath, the world, the limits, and this boot's ids."""

from __future__ import annotations

from collections import Counter

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

__all__ = ["DataIds", "Pins", "StoreContext", "commit", "next_boot"]


class DataIds:
    """Names for bodies: boot number and a counter, so none is ever used twice."""

    def __init__(self, boot: int) -> None:
        self._left = iter(keys.data_ids(boot))

    def draw(self) -> int:
        return next(self._left)


class Pins:
    """How many readers hold each body; the collector leaves those alone."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    def hold(self, data_id: str) -> None:
        self._held[data_id] += 1

    def release(self, data_id: str) -> None:
        self._held[data_id] -= 1
        if not self._held[data_id]:
            del self._held[data_id]

    def __contains__(self, data_id: str) -> bool:
        return data_id in self._held

    def __len__(self) -> int:
        return len(self._held)


@define
class StoreContext:
    """The state of one open store."""

    kv: Kv
    chunks: ChunkManager
    world: World
    limits: StoreLimits
    boot: int
    ids: IdClock
    data_ids: DataIds
    accounts: Accounts
    latches: Latches = field(factory=Latches)
    pins: Pins = field(factory=Pins)
    inline_max: int = field(init=False)
    """The largest body that goes into the metadata transaction, in bytes."""

    @inline_max.default
    def _(self) -> int:
        return min(self.limits.max_inline_bytes, self.kv.capabilities.inline_body_max)


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
