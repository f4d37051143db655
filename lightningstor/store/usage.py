"""Usage counters: which rows a change of a bucket's contents adds to, and with what ceilings.

A bucket's objects and bytes count in the bucket, in its project if it has one, and in its organisation: six rows at
most, in the transaction that makes the change. So what is counted is exact at every moment, and so are the ceilings.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field, frozen

from lightningstor.errors import EntityTooLarge, QuotaExceeded
from lightningstor.kv.api import Add, KvReads, TxnConflict
from lightningstor.model import keys
from lightningstor.model.records import Bucket
from lightningstor.store.quota_view import QuotaView

__all__ = ["Account", "Accounts", "Ceiling", "scope_name", "usage_keys", "usage_of"]

_KEPT = 4096


@frozen
class Ceiling:
    """The least of the limits on one counter, and whose it is."""

    quota: str
    limit: int
    scope: str

    def exceeded(self) -> QuotaExceeded:
        """The error of a write that met it."""
        return QuotaExceeded(self.scope, self.quota, self.limit)


@frozen(eq=False)
class Account:
    """The counters that a bucket's contents count in.

    Args:
        objects, sizes: counters of objects and of bytes, and their ceilings.
        ceilings: what is known of the ceiling of a counter that has one.
        max_object_size: the least that the organisation and the project allow, in bytes.
        one_more: what one object more adds to the counters of objects; most transactions want that.
    """

    objects: tuple[tuple[bytes, int | None], ...]
    sizes: tuple[tuple[bytes, int | None], ...]
    ceilings: dict[bytes, Ceiling]
    max_object_size: int | None
    one_more: tuple[Add, ...]

    def adds(self, objects: int, size: int) -> list[Add]:
        """The counters' part of a transaction: `objects` more versions that are not markers, `size` more bytes."""
        adds = [Add(key, size, ceiling) for key, ceiling in self.sizes] if size else []
        if objects == 1:
            adds += self.one_more
        elif objects:
            adds += [Add(key, objects, ceiling) for key, ceiling in self.objects]
        return adds

    def exceeded(self, conflict: TxnConflict) -> QuotaExceeded:
        """The error of a transaction that met a ceiling."""
        return self.ceilings[conflict.key].exceeded()

    def object_size_limit(self, limit: int) -> int:
        """The largest object that may be stored where the store itself allows `limit`, in bytes."""
        return limit if self.max_object_size is None else min(limit, self.max_object_size)

    def check_object_size(self, size: int) -> None:
        """
        Raises:
            EntityTooLarge: `max_object_size_bytes` of the organisation or the project forbids it.
        """
        if self.max_object_size is not None and size > self.max_object_size:
            raise EntityTooLarge(size, self.max_object_size)


@define
class Accounts:
    """Finds buckets' accounts. On the way of every write, so they are kept while neither bucket nor limits change."""

    view: QuotaView
    _known: dict[str, tuple[Bucket, int, Account]] = field(factory=dict)

    def of(self, bucket: Bucket) -> Account:
        """The bucket's account, with the ceilings of this moment."""
        known = self._known.get(bucket.bucket_id)
        if known is not None and known[0] is bucket and known[1] == self.view.changes:
            return known[2]
        account = _account(bucket, self.view)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[bucket.bucket_id] = (bucket, self.view.changes, account)
        return account

    def removal_adds(self, bucket: Bucket, objects: int, size: int) -> list[Add]:
        """The counters' part of removing a bucket, its own counters with it, that say `objects` and `size`."""
        account = self.of(bucket)
        adds, _ = self.bucket_adds(bucket.org_id, bucket.project_id, -1)
        own = usage_keys(bucket)
        return adds + [add for add in account.adds(-objects, -size) if add.key not in own]

    def bucket_adds(self, org_id: str, project_id: str | None, count: int) -> tuple[list[Add], dict[bytes, Ceiling]]:
        """The counters' part of making (1) or removing (-1) a bucket, and what is known of their ceilings."""
        adds, ceilings = [], {}
        for scope in _scopes(org_id, project_id):
            limit = self.view.get(*scope).max_buckets
            if limit is None and scope[1] is None:
                limit = self.view.max_buckets
            key = keys.total_buckets(*scope)
            adds.append(Add(key, count, limit))
            if limit is not None:
                ceilings[key] = Ceiling("max_buckets", limit, scope_name(*scope))
        return adds, ceilings


def _account(bucket: Bucket, view: QuotaView) -> Account:
    own, quota = f"bucket {bucket.name}", bucket.quota
    usage_objects, usage_bytes = usage_keys(bucket)
    in_bucket: list[Ceiling] = []
    ceilings: dict[bytes, Ceiling] = {}
    object_sizes: list[int] = []
    objects, sizes = [usage_objects], [usage_bytes]
    if quota is not None and quota.max_objects is not None:
        in_bucket.append(Ceiling("max_objects", quota.max_objects, own))
    if quota is not None and quota.max_size_bytes is not None:
        ceilings[usage_bytes] = Ceiling("max_size_bytes", quota.max_size_bytes, own)
    for scope in _scopes(bucket.org_id, bucket.project_id):
        limits, name = view.get(*scope), scope_name(*scope)
        objects.append(keys.total_objects(*scope))
        sizes.append(keys.total_bytes(*scope))
        if limits.max_total_size_bytes is not None:
            ceilings[sizes[-1]] = Ceiling("max_total_size_bytes", limits.max_total_size_bytes, name)
        if limits.max_objects_per_bucket is not None:
            in_bucket.append(Ceiling("max_objects_per_bucket", limits.max_objects_per_bucket, name))
        if limits.max_object_size_bytes is not None:
            object_sizes.append(limits.max_object_size_bytes)
    if in_bucket:
        ceilings[usage_objects] = min(in_bucket, key=lambda ceiling: ceiling.limit)
    values = {key: ceiling.limit for key, ceiling in ceilings.items()}
    return Account(
        objects=tuple((key, values.get(key)) for key in objects),
        one_more=tuple(Add(key, 1, values.get(key)) for key in objects),
        sizes=tuple((key, values.get(key)) for key in sizes),
        ceilings=ceilings,
        max_object_size=min(object_sizes, default=None),
    )


def _scopes(org_id: str, project_id: str | None) -> Iterator[tuple[str, str | None]]:
    """The project first: its limit is the one that a caller can do something about."""
    if project_id is not None:
        yield org_id, project_id
    yield org_id, None


def scope_name(org_id: str, project_id: str | None) -> str:
    """An organisation or a project, in words."""
    return f"organisation {org_id}" if project_id is None else f"project {project_id} of organisation {org_id}"


def usage_keys(bucket: Bucket) -> tuple[bytes, bytes]:
    """The bucket's counters: objects, bytes."""
    scope = (bucket.org_id, bucket.project_id, bucket.bucket_id)
    return keys.usage_objects(*scope), keys.usage_bytes(*scope)


async def usage_of(kv: KvReads, bucket: Bucket) -> tuple[int, int]:
    """The bucket's objects and bytes."""
    objects, size = await kv.get_many(usage_keys(bucket))
    return (int(objects.value) if objects else 0, int(size.value) if size else 0)
