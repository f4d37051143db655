"""Usage counters: which rows a change of a bucket's contents adds to, and with what ceiling."""

from __future__ import annotations

from lightningstor.errors import QuotaExceeded
from lightningstor.kv.api import Add, KvReads, TxnConflict
from lightningstor.model import keys
from lightningstor.model.records import Bucket

__all__ = ["quota_exceeded", "usage_adds", "usage_keys", "usage_of"]


def usage_adds(bucket: Bucket, objects: int, size: int) -> list[Add]:
    """The counters' part of a transaction: `objects` more versions that are not markers, `size` more bytes."""
    adds = []
    quota = bucket.quota
    if objects:
        ceiling = None if quota is None else quota.max_objects
        adds.append(Add(keys.usage_objects(bucket.org_id, bucket.project_id, bucket.bucket_id), objects, ceiling))
    if size:
        ceiling = None if quota is None else quota.max_size_bytes
        adds.append(Add(keys.usage_bytes(bucket.org_id, bucket.project_id, bucket.bucket_id), size, ceiling))
    return adds


def quota_exceeded(bucket: Bucket, conflict: TxnConflict) -> QuotaExceeded:
    """The error of a transaction that met a ceiling."""
    assert conflict.ceiling is not None
    unit = "objects" if conflict.key.endswith(b"/objects") else "bytes"
    return QuotaExceeded(f"{unit} in bucket {bucket.name}", conflict.ceiling)


def usage_keys(bucket: Bucket) -> tuple[bytes, bytes]:
    """The bucket's counters: objects, bytes."""
    scope = (bucket.org_id, bucket.project_id, bucket.bucket_id)
    return keys.usage_objects(*scope), keys.usage_bytes(*scope)


async def usage_of(kv: KvReads, bucket: Bucket) -> tuple[int, int]:
    """The bucket's objects and bytes."""
    objects, size = await kv.get_many(usage_keys(bucket))
    return (int(objects.value) if objects else 0, int(size.value) if size else 0)
