"""Deleting: an object, a version, or nothing but a marker put in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio
from attrs import define

from lightningstor.errors import NoSuchBucket
from lightningstor.kv.api import ABSENT, Applied, Check, Put, Row
from lightningstor.model import keys
from lightningstor.model.codec import OBJECT_VERSION, RECORD_FORMAT
from lightningstor.model.names import object_key
from lightningstor.model.records import DISABLED, Bucket, ObjectVersion, Owner
from lightningstor.store.api import Deleted, Deletion, WriteConditions
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.conditions import write_if_match
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.find import resolve_version
from lightningstor.store.publish import (
    Attempts,
    Publication,
    TxnParts,
    check_conditions,
    count_out,
    decode_current,
    is_deleting,
    publish,
)

__all__ = ["MAX_DELETES", "Deletes"]

MAX_DELETES: Final = 1000
"""Objects that one DeleteObjects takes."""
_WORKERS: Final = 16
"""How many of a batch are under way at once: enough to share the commits' fsyncs, few enough to leave others room."""


@define
class Deletes:
    """The delete operations of one store."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def delete(
        self, bucket: str, key: str, owner: Owner, version_id: str | None = None, if_match: str | None = None
    ) -> Deleted:
        """S3's DeleteObject.

        Without a version id: in a bucket that never had versioning the object goes; otherwise a delete marker
        becomes the current version. With one: that version goes for good, and the newest of those left becomes
        current. What is not there is deleted already: no error.

        Raises:
            NoSuchBucket, InvalidVersionId, PreconditionFailed, NoSuchKey (If-Match only), Contention
        """
        located = await self.catalog.locate(bucket)
        if version_id is None and located.bucket.versioning != DISABLED:
            return await self._mark(bucket, key, owner, if_match)
        attempts = Attempts(self.ctx, f"{bucket}/{key}")
        scope = (located.bucket.org_id, located.bucket.bucket_id, key)
        async with self.ctx.latches.hold(keys.object_current(*scope)):
            while True:
                if not is_deleting(self.ctx, located.bucket):
                    if version_id is None and located.bucket.versioning != DISABLED:
                        break
                    deleted = await self._attempt(located, key, version_id, if_match)
                    if deleted is not None:
                        return deleted
                await attempts.pause()
                again = await self.catalog.locate(bucket)
                if again.bucket.bucket_id != located.bucket.bucket_id:
                    raise NoSuchBucket(bucket)
                located = again
        return await self._mark(bucket, key, owner, if_match)  # versioning was enabled while we tried

    async def delete_many(self, bucket: str, owner: Owner, items: Sequence[Deletion]) -> list[Deleted | Exception]:
        """S3's DeleteObjects: each object by itself; what went wrong with one stands in its place among the results.

        Raises:
            NoSuchBucket: which ends them all.
        """
        results: list[Deleted | Exception] = [Deleted()] * len(items)
        waiting = iter(enumerate(items))
        gone: list[NoSuchBucket] = []

        async def work() -> None:
            for index, item in waiting:
                try:
                    object_key(item.key, limit=self.ctx.limits.max_key_bytes)
                    condition = write_if_match(item.if_match)
                    results[index] = await self.delete(bucket, item.key, owner, item.version_id, condition)
                except NoSuchBucket as error:
                    gone.append(error)
                except Exception as error:  # the others must not suffer; the caller tells of it
                    results[index] = error

        async with trio.open_nursery() as nursery:
            for _ in range(min(_WORKERS, len(items))):
                nursery.start_soon(work)
        if gone:
            raise gone[0]
        return results

    async def _mark(self, bucket: str, key: str, owner: Owner, if_match: str | None) -> Deleted:
        def build(version_id: str, is_null: bool, _: ObjectVersion | None) -> ObjectVersion:
            return ObjectVersion(
                v=RECORD_FORMAT,
                version_id=version_id,
                is_null=is_null,
                size=0,
                etag="",
                created_at=self.ctx.world.clock.now_ms(),
                owner=owner,
                delete_marker=True,
            )

        written = await publish(self.ctx, self.catalog, bucket, key, Publication(build), WriteConditions(if_match))
        return Deleted(written.version.shown_id, delete_marker=True)

    async def _attempt(
        self, located: Located, key: str, version_id: str | None, if_match: str | None
    ) -> Deleted | None:
        """One try to remove a version; None: a conflict."""
        bucket = located.bucket
        row_key = keys.object_current(bucket.org_id, bucket.bucket_id, key)
        row = await self.ctx.kv.get(row_key)
        current = decode_current(row)
        target, target_row = current, row
        if version_id is not None:
            target, target_row = await resolve_version(self.ctx.kv, bucket, key, version_id, row)
        if if_match is not None:
            check_conditions(WriteConditions(if_match), target, bucket.name, key)
        if target is None or target_row is None:
            return Deleted(version_id)
        parts = TxnParts(
            checks=[
                Check(located.row.key, located.row.revision),
                Check(row_key, ABSENT if row is None else row.revision),
            ],
            deletes=[target_row.key],
        )
        count_out(self.ctx, parts, target)
        if target_row.key == row_key:
            if bucket.versioning != DISABLED:
                await self._promote(parts, bucket, key, row_key)
        else:
            parts.checks.append(Check(target_row.key, target_row.revision))
            if target.is_null:
                parts.deletes.append(keys.null_pointer(bucket.org_id, bucket.bucket_id, key))
        outcome = await commit(self.ctx.kv, parts.txn(self.ctx.accounts.of(bucket)))
        if isinstance(outcome, Applied):
            return Deleted(version_id if version_id is None else target.shown_id, target.delete_marker)
        return None

    async def _promote(self, parts: TxnParts, bucket: Bucket, key: str, row_key: bytes) -> None:
        """The newest non-current version becomes current. A newer one cannot appear: that changes the current row."""
        prefix = keys.versions_of_key(bucket.org_id, bucket.bucket_id, key)
        newest: list[Row] = await self.ctx.kv.scan(prefix, keys.end_of_key(prefix), 1)
        if not newest:
            return
        row = newest[0]
        parts.deletes.remove(row_key)
        parts.deletes.append(row.key)
        parts.checks.append(Check(row.key, row.revision))
        parts.puts.append(Put(row_key, row.value))
        version = OBJECT_VERSION.decode(row.value, row.key)
        if version.is_null:
            parts.deletes.append(keys.null_pointer(bucket.org_id, bucket.bucket_id, key))
