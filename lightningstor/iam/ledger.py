"""Changes of tenants and identities: each is one transaction, and then in the view before anybody hears of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio
from attrs import define, field

from lightningstor.errors import CommitUndetermined, Contention
from lightningstor.iam.records import IamRecord
from lightningstor.iam.rows import SealedRows
from lightningstor.iam.view import DirectoryView
from lightningstor.kv.api import ABSENT, Applied, Check, Kv, Put, Row, Txn, TxnUndetermined
from lightningstor.model import iam_keys, keys
from lightningstor.ports import World

__all__ = ["Change", "Ledger"]

_PAGE: Final = 1000
_ATTEMPTS: Final = 20
_TOUCHED: Final = b'{"v":1}'


@define
class Change:
    """What one transaction does.

    Args:
        puts: records to write; each is checked against what the view knows of it.
        removes: records to delete.
        joins: keys of the organisation, project or group records that something is put into.
        checks: further ones. index: rows of indexes to write. deletes: further rows to delete.
    """

    puts: list[IamRecord] = field(factory=list)
    removes: list[IamRecord] = field(factory=list)
    joins: list[bytes] = field(factory=list)
    checks: list[Check] = field(factory=list)
    index: list[bytes] = field(factory=list)
    deletes: list[bytes] = field(factory=list)


Plan = Callable[[], Awaitable[Change]]


@define(eq=False)
class Ledger:
    """Commits changes, one at a time.

    Cancellation: before the commit nothing has happened; from the moment the store has taken it, the change reaches
    the view without another checkpoint.
    """

    kv: Kv
    rows: SealedRows
    view: DirectoryView
    world: World
    _turn: trio.Lock = field(factory=trio.Lock, init=False)

    async def load(self) -> None:
        """Read everything anew.

        Raises:
            BytesCorrupt: a row was changed, or made under another seal key. FormatTooNew.
        """
        found: list[tuple[IamRecord, int]] = []
        async with self.kv.snapshot() as reads:
            for start, end in ((iam_keys.IAM, keys.end_of(iam_keys.IAM)), *keys.credential_ranges()):
                first = start
                while page := await reads.scan(first, end, _PAGE):
                    found += [(self.rows.decode(row), row.revision) for row in page]
                    first = page[-1].key + b"\0"
        self.view.reset(found)

    async def change(self, plan: Plan) -> Change:
        """Carry out what `plan` wants; it is asked again when somebody else's change came between.

        Args:
            plan: looks at the view and says what to change, or raises.

        Raises:
            CommitUndetermined: the device failed; the view then has what a read gives.
            Contention, StorageReadOnly, StorageFull, and what `plan` raises.
        """
        async with self._turn:
            for _ in range(_ATTEMPTS):
                change = await plan()
                outcome = await self.kv.commit(self._txn(change))
                if isinstance(outcome, Applied):
                    for record in change.removes:
                        self.view.remove(record)
                    for record in change.puts:
                        self.view.put(record, outcome.revision)
                    return change
                with trio.CancelScope(shield=True):
                    await self.load()
                if isinstance(outcome, TxnUndetermined):
                    raise CommitUndetermined(outcome.reason)
        raise Contention("tenants and identities")

    async def row_of(self, key: bytes) -> Row | None:
        """A row that is not the view's."""
        return await self.kv.get(key)

    def _txn(self, change: Change) -> Txn:
        known = self.view.revisions
        touched = {record.row_key for record in (*change.puts, *change.removes)}
        checks = [Check(key, known.get(key, ABSENT)) for key in sorted(touched | set(change.joins))]
        puts = [self.rows.put(record) for record in change.puts]
        puts += [Put(key, _TOUCHED) for key in change.index]
        puts += [Put(iam_keys.members(key), _TOUCHED) for key in sorted(set(change.joins))]
        deletes = [record.row_key for record in change.removes] + change.deletes
        return Txn([*checks, *change.checks], puts, deletes)
