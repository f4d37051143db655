"""Quotas: the limits of organisations, projects and buckets, and what they use (SPEC.md §3.1, §7.4).

Lowering a limit below what is in use is allowed: then writes are refused, and deletes go on.
"""

from __future__ import annotations

import trio
from attrs import define, field, frozen
from msgspec.structs import asdict, replace

from lightningstor.errors import InvalidQuota, NoSuchBucket
from lightningstor.kv.api import Applied, Check, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET, QUOTA, RECORD_FORMAT, encode
from lightningstor.model.records import Bucket, BucketQuota, QuotaRecord, StorageLimits
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.publish import Attempts, is_deleting
from lightningstor.store.quota_view import NO_LIMITS
from lightningstor.store.usage import scope_name, usage_of

__all__ = ["QuotaScope", "Quotas", "StorageUsage"]

_OF_BUCKETS = ("max_total_size_bytes", "max_objects_per_bucket")
"""The limits that a bucket can have: BucketQuota's `max_size_bytes` and `max_objects`."""


@frozen
class QuotaScope:
    """Whose limits: an organisation's, a project's, or a bucket's in one of them."""

    org_id: str
    project_id: str | None = None
    bucket: str | None = None

    def __str__(self) -> str:
        return scope_name(self.org_id, self.project_id) if self.bucket is None else f"bucket {self.bucket}"


@frozen
class StorageUsage:
    """What a scope uses. An organisation's includes its projects'.

    Args:
        total_size_bytes: of all versions, and of the parts of open uploads.
        object_count: versions that are no delete markers.
    """

    bucket_count: int
    total_size_bytes: int
    object_count: int


@define
class Quotas:
    """The quotas of one store."""

    ctx: StoreContext
    _turn: trio.Lock = field(factory=trio.Lock)

    async def get(self, scope: QuotaScope) -> StorageLimits:
        """The limits that were set for exactly this scope; those above it hold besides.

        Raises:
            NoSuchBucket
        """
        if scope.bucket is None:
            return self.ctx.accounts.view.get(scope.org_id, scope.project_id)
        bucket, _ = await self._bucket(scope)
        quota = bucket.quota or BucketQuota()
        return StorageLimits(max_total_size_bytes=quota.max_size_bytes, max_objects_per_bucket=quota.max_objects)

    async def set(self, scope: QuotaScope, limits: StorageLimits | None) -> None:
        """Replace the scope's limits; None: it is to have none. When this returns they hold for every write.

        A bucket has `max_total_size_bytes` and `max_objects_per_bucket` only.

        Raises:
            InvalidQuota, NoSuchBucket, Contention
        """
        limits = limits or NO_LIMITS
        _check_limits(scope, limits)
        if scope.bucket is not None:
            await self._set_of_bucket(scope, limits)
            return
        row_key = keys.quota(scope.org_id, scope.project_id)
        # One change at a time, so that the view sees them in the order of their commits.
        async with self._turn:
            if limits == NO_LIMITS:
                await commit(self.ctx.kv, Txn(deletes=[row_key]))
                self.ctx.accounts.view.renew(scope.org_id, scope.project_id, None)
            else:
                record = QuotaRecord(RECORD_FORMAT, scope.org_id, scope.project_id, limits)
                await commit(self.ctx.kv, Txn(puts=[Put(row_key, encode(record))]))
                self.ctx.accounts.view.renew(scope.org_id, scope.project_id, limits)

    def gone(self, scope: QuotaScope) -> None:
        """The organisation or project was deleted, and with it, in the same transaction, the row of its limits.

        Nobody may `set` limits of an owner who is being deleted.
        """
        self.ctx.accounts.view.renew(scope.org_id, scope.project_id, None)

    async def _set_of_bucket(self, scope: QuotaScope, limits: StorageLimits) -> None:
        quota = BucketQuota(limits.max_total_size_bytes, limits.max_objects_per_bucket)
        ctx = self.ctx
        attempts = Attempts(ctx, str(scope))
        while True:
            bucket, row = await self._bucket(scope)
            if not is_deleting(ctx, bucket):
                new = replace(
                    bucket,
                    quota=None if quota == BucketQuota() else quota,
                    updated_at=ctx.world.clock.now_ms(),
                )
                if isinstance(
                    await commit(ctx.kv, Txn([Check(row.key, row.revision)], [Put(row.key, encode(new))])), Applied
                ):
                    return
            await attempts.pause()

    async def all(self) -> list[tuple[QuotaScope, StorageLimits]]:
        """The limits of all organisations and projects that have some, in order of their ids."""
        prefix = keys.QUOTAS
        found: list[tuple[QuotaScope, StorageLimits]] = []
        start = prefix
        while rows := await self.ctx.kv.scan(start, keys.end_of(prefix), 1000):
            for row in rows:
                record = QUOTA.decode(row.value, row.key)
                found.append((QuotaScope(record.org_id, record.project_id), record.limits))
            start = rows[-1].key + b"\0"
        return found

    async def usage(self, scope: QuotaScope) -> StorageUsage:
        """What the scope uses, at one moment.

        Raises:
            NoSuchBucket
        """
        if scope.bucket is not None:
            bucket, _ = await self._bucket(scope)
            objects, size = await usage_of(self.ctx.kv, bucket)
            return StorageUsage(1, size, objects)
        of = (scope.org_id, scope.project_id)
        rows = await self.ctx.kv.get_many([keys.total_buckets(*of), keys.total_bytes(*of), keys.total_objects(*of)])
        return StorageUsage(*(0 if row is None else int(row.value) for row in rows))

    async def _bucket(self, scope: QuotaScope) -> tuple[Bucket, Row]:
        assert scope.bucket is not None
        row = await self.ctx.kv.get(keys.bucket(scope.org_id, scope.project_id, scope.bucket))
        if row is None:
            raise NoSuchBucket(scope.bucket)
        return BUCKET.decode(row.value, row.key), row


def _check_limits(scope: QuotaScope, limits: StorageLimits) -> None:
    for name, limit in asdict(limits).items():
        if limit is None:
            continue
        if scope.bucket is not None and name not in _OF_BUCKETS:
            raise InvalidQuota(f"{name} is no limit of a bucket; those are {' and '.join(_OF_BUCKETS)}")
        if limit < 0:
            raise InvalidQuota(f"{name} of {scope} is {limit}; it must be 0 or more")
