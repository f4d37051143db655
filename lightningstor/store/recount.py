"""Counting what records say is there, and what the usage counters say: they must agree at every moment.

Everything here walks; nothing on the way of a request does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping

from attrs import frozen

from lightningstor.kv.api import ABSENT, Applied, Check, Kv, KvReads, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET, GC_ENTRY, MULTIPART_UPLOAD, UPLOAD_PART, VERSION_SUMMARY
from lightningstor.model.records import Bucket
from lightningstor.store.context import commit
from lightningstor.store.usage import usage_keys, usage_of

__all__ = ["Difference", "bucket_records", "count_totals", "counters", "differences", "recount", "rows_under"]

_PAGE = 1000


@frozen
class Difference:
    """A counter that does not say what is there."""

    counter: bytes
    counted: int
    there: int


async def rows_under(reads: KvReads, prefix: bytes) -> AsyncGenerator[Row, None]:
    """All rows under the prefix, in pages."""
    start, end = prefix, keys.end_of(prefix)
    while page := await reads.scan(start, end, _PAGE):
        for row in page:
            yield row
        start = page[-1].key + b"\0"


async def bucket_records(reads: KvReads) -> list[Bucket]:
    """All buckets of the store."""
    return [
        BUCKET.decode(row.value, row.key)
        async for row in rows_under(reads, keys.BUCKETS)
        if not row.key.startswith(keys.BUCKETS_BY_NAME)
    ]


async def counters(reads: KvReads) -> dict[bytes, int]:
    """What the usage counters say, of buckets, projects and organisations."""
    found = {}
    for prefix in (keys.USAGE, keys.TOTALS):
        async for row in rows_under(reads, prefix):
            found[row.key] = int(row.value)
    return found


async def recount(reads: KvReads) -> dict[bytes, int]:
    """What the usage counters would have to say: all versions and the parts of open uploads, walked through.

    Counters that would be 0 are left out. Give it a snapshot, or a store that nobody writes to.
    """
    totals: Counter[bytes] = Counter()
    by_id: dict[str, Bucket] = {}
    for bucket in await bucket_records(reads):
        by_id[bucket.bucket_id] = bucket
        objects = size = 0
        for prefix in (
            keys.objects_of(bucket.org_id, bucket.bucket_id),
            keys.versions_of(bucket.org_id, bucket.bucket_id),
        ):
            async for row in rows_under(reads, prefix):
                version = VERSION_SUMMARY.decode(row.value, row.key)
                objects += not version.delete_marker
                size += version.size
        _count(totals, bucket, objects, size)
        for scope in _scopes(bucket):
            totals[keys.total_buckets(*scope)] += 1
    async for bucket_id, size in _parts(reads):
        if bucket_id in by_id:
            _count(totals, by_id[bucket_id], 0, size)
    return {counter: count for counter, count in totals.items() if count}


async def _parts(reads: KvReads) -> AsyncGenerator[tuple[str, int], None]:
    """(bucket id, size) of each part that counts: of the open uploads, and of ended ones not yet given back."""
    owing = set()
    async for row in rows_under(reads, keys.GC):
        entry = GC_ENTRY.decode(row.value, row.key)
        if entry.refund and entry.upload_id is not None:
            owing.add(entry.upload_id)
    bucket_id: str | None = None
    async for row in rows_under(reads, keys.UPLOADS):
        if row.key.startswith(keys.UPLOADS_BY_BUCKET):
            continue
        if b"/parts/" in row.key:
            if bucket_id is not None:
                yield bucket_id, UPLOAD_PART.decode(row.value, row.key).size
        else:
            upload = MULTIPART_UPLOAD.decode(row.value, row.key)
            counts = upload.status in ("InProgress", "Completing") or upload.upload_id in owing
            bucket_id = upload.bucket_id if counts else None


def _count(totals: Counter[bytes], bucket: Bucket, objects: int, size: int) -> None:
    usage_objects, usage_bytes = usage_keys(bucket)
    totals[usage_objects] += objects
    totals[usage_bytes] += size
    for scope in _scopes(bucket):
        totals[keys.total_objects(*scope)] += objects
        totals[keys.total_bytes(*scope)] += size


def _scopes(bucket: Bucket) -> list[tuple[str, str | None]]:
    org: tuple[str, str | None] = (bucket.org_id, None)
    return [org] if bucket.project_id is None else [org, (bucket.org_id, bucket.project_id)]


def differences(counted: Mapping[bytes, int], there: Mapping[bytes, int]) -> list[Difference]:
    """The counters that differ, by name; one that is absent says 0."""
    return [
        Difference(counter, counted.get(counter, 0), there.get(counter, 0))
        for counter in sorted({*counted, *there})
        if counted.get(counter, 0) != there.get(counter, 0)
    ]


async def count_totals(kv: Kv) -> None:
    """Make the counters of organisations and projects out of their buckets', once in the life of a store.

    Stores that were made before there were such counters have none.
    """
    if await kv.get(keys.TOTALS_COUNTED) is not None:
        return
    totals: Counter[bytes] = Counter()
    for bucket in await bucket_records(kv):
        objects, size = await usage_of(kv, bucket)
        for scope in _scopes(bucket):
            totals[keys.total_buckets(*scope)] += 1
            totals[keys.total_objects(*scope)] += objects
            totals[keys.total_bytes(*scope)] += size
    puts = [Put(counter, b"%d" % count) for counter, count in totals.items()]
    txn = Txn([Check(keys.TOTALS_COUNTED, ABSENT)], [*puts, Put(keys.TOTALS_COUNTED, b'{"v":1}')])
    outcome = await commit(kv, txn)
    assert isinstance(outcome, Applied) or not kv.capabilities.exclusive
