"""Publishing: the one commit in which a key gets a new current version.

It checks the bucket's row and the key's current row, evaluates conditions against what it will replace, moves or
frees the old version, and counts usage, all in one transaction. On a conflict it reads again, evaluates again and
tries again until the deadline; only a condition that fails is the caller's error (DESIGN.md §5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio
from msgspec import Struct

from lightningstor.errors import CommitUndetermined, Contention, NoSuchBucket, NoSuchKey, PreconditionFailed
from lightningstor.kv.api import ABSENT, Applied, Check, Outcome, Put, Row, Txn, TxnConflict, TxnUndetermined
from lightningstor.model import keys
from lightningstor.model.codec import OBJECT_VERSION, encode
from lightningstor.model.records import DISABLED, ENABLED, SUSPENDED, BodyRef, Bucket, GcEntry, ObjectVersion
from lightningstor.store.api import WriteConditions, Written
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext
from lightningstor.store.staging import Staged, commit_staged
from lightningstor.store.usage import Account

__all__ = [
    "Attempts",
    "Publication",
    "TxnParts",
    "check_conditions",
    "count_out",
    "decode_current",
    "free_body",
    "is_deleting",
    "publish",
]

_BACKOFF_FIRST_S = 0.002
_BACKOFF_MAX_S = 0.05


class TxnParts(Struct):
    """A transaction being put together."""

    checks: list[Check] = []
    puts: list[Put] = []
    deletes: list[bytes] = []
    objects: int = 0
    bytes: int = 0

    def txn(self, account: Account) -> Txn:
        return Txn(self.checks, self.puts, self.deletes, account.adds(self.objects, self.bytes))


class Publication(Struct, frozen=True):
    """What is to become a key's current version.

    Args:
        build: makes the record: (version id, whether it is the null version, the row it replaces, decoded).
        puts, deletes: further rows of the transaction: body, manifest, upload.
        checks: further checks; when one of them fails, `again` is asked.
        bytes: change of the bucket's bytes besides those of the new and the replaced version.
        again: called after a conflict on one of `checks`; raises if there is no sense in another try.
        staged: the bytes that the transaction refers to; told of each commit and of how it ended.
        sized: whether the limit on the size of objects is asked; not where bytes stay that are stored already.
    """

    build: Callable[[str, bool, ObjectVersion | None], ObjectVersion]
    puts: Sequence[Put] = ()
    deletes: Sequence[bytes] = ()
    checks: Sequence[Check] = ()
    bytes: int = 0
    again: Callable[[TxnConflict], None] | None = None
    staged: Staged | None = None
    sized: bool = True


class Attempts:
    """Paces tries of a transaction that conflicts, until the deadline."""

    def __init__(self, ctx: StoreContext, what: str) -> None:
        self._ctx = ctx
        self._what = what
        self._deadline = 0.0
        self._pause = _BACKOFF_FIRST_S

    async def pause(self) -> None:
        """After a conflict.

        Raises:
            Contention: the deadline has passed.
        """
        now = self._ctx.world.clock.monotonic()
        if not self._deadline:
            self._deadline = now + self._ctx.limits.commit_deadline_ms / 1000
        elif now > self._deadline:
            raise Contention(self._what)
        await trio.sleep(self._pause)
        self._pause = min(self._pause * 2, _BACKOFF_MAX_S)


def decode_current(row: Row | None) -> ObjectVersion | None:
    """The version that a row of the current space holds."""
    return None if row is None else OBJECT_VERSION.decode(row.value, row.key)


def check_conditions(conditions: WriteConditions, current: ObjectVersion | None, bucket: str, key: str) -> None:
    """Whether a write may replace `current`.

    Raises:
        PreconditionFailed, NoSuchKey: as S3's PutObject (If-Match on a key without object is 404).
    """
    there = current is not None and not current.delete_marker
    if conditions.if_none_match and there:
        assert current is not None
        raise PreconditionFailed("If-None-Match", current.etag)
    if conditions.if_match is not None:
        if not there:
            raise NoSuchKey(bucket, key)
        assert current is not None
        if conditions.if_match not in ("*", current.etag):
            raise PreconditionFailed("If-Match", current.etag)


def is_deleting(ctx: StoreContext, bucket: Bucket) -> bool:
    """Whether a DeleteBucket is looking at the bucket."""
    return bucket.deleting_boot is not None and ctx.in_force(bucket.deleting_boot, bucket.bucket_id)


def free_body(ctx: StoreContext, body: BodyRef | None) -> list[Put]:
    """The row by which the same commit that drops a body hands it to the collector, due after the grace."""
    if body is None:
        return []
    due = ctx.world.clock.now_ms() + ctx.limits.gc_grace_ms
    return [Put(keys.gc(due, f"data-{body.data_id}"), encode(GcEntry(1, "data", body=body)))]


async def publish(
    ctx: StoreContext,
    catalog: BucketCatalog,
    bucket: str | Located,
    key: str,
    publication: Publication,
    conditions: WriteConditions,
) -> Written:
    """Make a new current version, or change nothing.

    Args:
        bucket: its name; or as it was located before. Where it has changed since, the first try is in vain.

    Raises:
        NoSuchBucket, NoSuchKey, PreconditionFailed, Contention, StorageReadOnly, StorageFull
        QuotaExceeded, EntityTooLarge: a quota forbids it.
        CommitUndetermined: it may or may not have happened; what was staged must stay.
    """
    located = bucket if isinstance(bucket, Located) else await catalog.locate(bucket)
    row_key = located.object_key(key)
    latches = ctx.latches
    if not latches.acquire_nowait(row_key):
        await latches.acquire(row_key)
    try:
        attempts: Attempts | None = None
        while True:
            if not is_deleting(ctx, located.bucket):
                written = await _attempt(ctx, located, key, row_key, publication, conditions)
                if written is not None:
                    return written
            if attempts is None:
                attempts = Attempts(ctx, f"{located.bucket.name}/{key}")
            await attempts.pause()
            again = await catalog.locate(catalog.naming.reference(located.bucket))
            if again.bucket.bucket_id != located.bucket.bucket_id:
                raise NoSuchBucket(located.bucket.name)
            located = again
    finally:
        latches.release(row_key)


async def _attempt(
    ctx: StoreContext,
    located: Located,
    key: str,
    row_key: bytes,
    publication: Publication,
    conditions: WriteConditions,
) -> Written | None:
    """One try; None: a conflict."""
    bucket = located.bucket
    row = await ctx.kv.get(row_key)
    current = None if row is None else decode_current(row)
    if conditions.if_none_match or conditions.if_match is not None:
        check_conditions(conditions, current, bucket.name, key)
    is_null = bucket.versioning != ENABLED
    version_id = ctx.ids.version_id(None if current is None else current.version_id)
    new = publication.build(version_id, is_null, current)
    parts = TxnParts(
        checks=[
            Check(located.row.key, located.row.revision),
            Check(row_key, ABSENT if row is None else row.revision),
            *publication.checks,
        ],
        puts=[Put(row_key, encode(new)), *publication.puts],
        deletes=[*publication.deletes],
        objects=0 if new.delete_marker else 1,
        bytes=new.size + publication.bytes,
    )
    if current is not None:
        assert row is not None
        _retire(ctx, parts, bucket, key, row, current, new)
    if bucket.versioning == SUSPENDED and not (current is not None and current.is_null):
        await _replace_older_null(ctx, parts, bucket, key)
    account = ctx.accounts.of(bucket)
    if publication.sized and account.max_object_size is not None:
        account.check_object_size(new.size)
    txn, staged = parts.txn(account), publication.staged
    outcome: Outcome
    if staged is None or staged.writer is None:
        outcome = await ctx.kv.commit(txn)
    else:
        outcome = await commit_staged(ctx.kv, txn, staged)
    if isinstance(outcome, Applied):
        return Written(bucket, new)
    if isinstance(outcome, TxnUndetermined):
        raise CommitUndetermined(outcome.reason)
    if outcome.ceiling is not None:
        raise account.exceeded(outcome)
    if publication.again is not None and any(check.key == outcome.key for check in publication.checks):
        publication.again(outcome)
    return None


def _retire(
    ctx: StoreContext,
    parts: TxnParts,
    bucket: Bucket,
    key: str,
    row: Row,
    current: ObjectVersion,
    new: ObjectVersion,
) -> None:
    """Move the version that was current to the non-current ones, or free it where the new one takes its place."""
    if bucket.versioning != DISABLED and not (new.is_null and current.is_null):
        parts.puts.append(Put(keys.version(bucket.org_id, bucket.bucket_id, key, current.version_id), row.value))
        if current.is_null:
            pointer = keys.null_pointer(bucket.org_id, bucket.bucket_id, key)
            parts.puts.append(Put(pointer, current.version_id.encode()))
        return
    count_out(ctx, parts, current, kept=new.body)


def count_out(ctx: StoreContext, parts: TxnParts, old: ObjectVersion, kept: BodyRef | None = None) -> None:
    """Count a version out and queue its bytes, unless the new version goes on using them."""
    parts.bytes -= old.size
    parts.objects -= 0 if old.delete_marker else 1
    if old.body is not None and (kept is None or kept.data_id != old.body.data_id):
        parts.puts.extend(free_body(ctx, old.body))


async def _replace_older_null(ctx: StoreContext, parts: TxnParts, bucket: Bucket, key: str) -> None:
    """Suspended versioning: the new null version replaces the one that lies among the non-current versions."""
    pointer_key = keys.null_pointer(bucket.org_id, bucket.bucket_id, key)
    pointer = await ctx.kv.get(pointer_key)
    if pointer is None:
        parts.checks.append(Check(pointer_key, ABSENT))
        return
    old_key = keys.version(bucket.org_id, bucket.bucket_id, key, pointer.value.decode())
    old = await ctx.kv.get(old_key)
    parts.checks.append(Check(pointer_key, pointer.revision))
    parts.checks.append(Check(old_key, ABSENT if old is None else old.revision))
    parts.deletes.append(pointer_key)
    if old is not None:
        parts.deletes.append(old_key)
        count_out(ctx, parts, OBJECT_VERSION.decode(old.value, old.key))
