"""Giving back what the parts of an aborted upload count, at once and only once.

The entry that queues the upload for the collector says whether it is still to be done. Abort does it as soon as the
upload has ended; where a crash comes between, the collector does, before it removes a part.
"""

from __future__ import annotations

from msgspec.structs import replace

from lightningstor.kv.api import Applied, Check, Put, Txn
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET, GC_ENTRY, MULTIPART_UPLOAD, UPLOAD_PART, encode
from lightningstor.model.records import Bucket
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.publish import Attempts, TxnParts

__all__ = ["refund_upload"]

_PAGE = 1000


async def refund_upload(ctx: StoreContext, entry_key: bytes) -> None:
    """Count an ended upload's parts out. Its parts are frozen, so what they add up to stays right.

    A bucket that is gone has taken all its bytes out of the counts with it.

    Raises:
        Contention, StorageReadOnly, StorageFull, CommitUndetermined: the collector will try again.
    """
    attempts = Attempts(ctx, entry_key.decode())
    while True:
        row = await ctx.kv.get(entry_key)
        entry = None if row is None else GC_ENTRY.decode(row.value, row.key)
        if row is None or entry is None or not entry.refund:
            return
        assert entry.upload_id is not None
        parts = TxnParts(
            checks=[Check(row.key, row.revision)], puts=[Put(row.key, encode(replace(entry, refund=False)))]
        )
        found = await _bucket_of_upload(ctx, entry.upload_id)
        if found is None:
            txn = Txn(parts.checks, parts.puts)
        else:
            bucket, check = found
            parts.checks.append(check)
            parts.bytes = -await _bytes_of_parts(ctx, entry.upload_id)
            txn = parts.txn(ctx.accounts.of(bucket))
        if isinstance(await commit(ctx.kv, txn), Applied):
            return
        await attempts.pause()


async def _bucket_of_upload(ctx: StoreContext, upload_id: str) -> tuple[Bucket, Check] | None:
    """The upload's bucket, and the check that it is still there."""
    upload_row = await ctx.kv.get(keys.upload(upload_id))
    if upload_row is None:
        return None
    upload = MULTIPART_UPLOAD.decode(upload_row.value, upload_row.key)
    row = await ctx.kv.get(keys.bucket(upload.org_id, upload.project_id, upload.bucket))
    if row is None:
        return None
    bucket = BUCKET.decode(row.value, row.key)
    return (bucket, Check(row.key, row.revision)) if bucket.bucket_id == upload.bucket_id else None


async def _bytes_of_parts(ctx: StoreContext, upload_id: str) -> int:
    total = 0
    prefix = keys.parts_of(upload_id)
    start = prefix
    while rows := await ctx.kv.scan(start, keys.end_of(prefix), _PAGE):
        total += sum(UPLOAD_PART.decode(row.value, row.key).size for row in rows)
        start = rows[-1].key + b"\0"
    return total
