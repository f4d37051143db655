"""The limits in force, in memory: what every write asks, without a read.

Exact because this process alone writes (the Kv capability `exclusive`): limits change through `Quotas.set` only,
which renews the view when the change is on stable storage. A write that took its ceilings before that overlaps with
the change, and counts as having come before it. A shared Kv would have to be read here.
"""

from __future__ import annotations

from attrs import define, field

from lightningstor.kv.api import KvReads
from lightningstor.model import keys
from lightningstor.model.codec import QUOTA
from lightningstor.model.records import StorageLimits

__all__ = ["NO_LIMITS", "QuotaView"]

NO_LIMITS = StorageLimits()

_PAGE = 1000


@define
class QuotaView:
    """The limits by organisation and project.

    Args:
        max_buckets: of an organisation that has no limit of its own.
        changes: grows with each change, so that what was derived from limits can be told to be old.
    """

    max_buckets: int
    changes: int = 0
    _limits: dict[tuple[str, str | None], StorageLimits] = field(factory=dict)

    async def load(self, kv: KvReads) -> None:
        """Read all limits that are set."""
        limits = {}
        start = keys.QUOTAS
        while rows := await kv.scan(start, keys.end_of(keys.QUOTAS), _PAGE):
            for row in rows:
                record = QUOTA.decode(row.value, row.key)
                limits[record.org_id, record.project_id] = record.limits
            start = rows[-1].key + b"\0"
        self._limits = limits
        self.changes += 1

    def get(self, org_id: str, project_id: str | None) -> StorageLimits:
        """The limits set for exactly that scope."""
        return self._limits.get((org_id, project_id), NO_LIMITS)

    def renew(self, org_id: str, project_id: str | None, limits: StorageLimits | None) -> None:
        """The scope's limits have changed; None: it has none any more."""
        if limits is None:
            self._limits.pop((org_id, project_id), None)
        else:
            self._limits[org_id, project_id] = limits
        self.changes += 1
