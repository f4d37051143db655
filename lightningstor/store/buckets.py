"""Buckets: create, list, configure, delete."""

from __future__ import annotations

from collections.abc import Callable

import trio
from attrs import define
from msgspec.structs import replace

from lightningstor.errors import (
    BucketNotEmpty,
    InvalidBucketState,
    NoSuchBucket,
)
from lightningstor.kv.api import ABSENT, Applied, Check, KvReads, Put, Txn
from lightningstor.model import iam_keys, keys
from lightningstor.model.codec import BUCKET, RECORD_FORMAT, encode
from lightningstor.model.records import DISABLED, ENABLED, SUSPENDED, Bucket, BucketLogging, GcEntry, Owner
from lightningstor.store.api import Page
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.publish import Attempts, is_deleting
from lightningstor.store.tags import check_bucket_tags
from lightningstor.store.usage import usage_keys

__all__ = ["Buckets"]


@define
class Buckets:
    """The bucket operations of one store."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def create(
        self,
        name: str,
        owner: Owner,
        *,
        org_id: str,
        project_id: str | None,
        region: str,
        versioning: str = DISABLED,
        tags: dict[str, str] | None = None,
    ) -> Bucket:
        """Make a bucket. Its name is unique in the store, or in its scope where names are scoped.

        Raises:
            BucketAlreadyOwnedByYou: the name is held in the same organisation and project.
            BucketAlreadyExists: somebody else holds it, or scoped names would shadow one another.
            QuotaExceeded: the organisation or the project has as many buckets as it may.
        """
        ctx = self.ctx
        if tags:
            check_bucket_tags(tags, ctx.limits)
        now = ctx.world.clock.now_ms()
        bucket = Bucket(
            v=RECORD_FORMAT,
            bucket_id=ctx.ids.upload_id(),
            name=name,
            org_id=org_id,
            project_id=project_id,
            versioning=versioning,
            created_at=now,
            updated_at=now,
            created_by=owner,
            region=region,
            tags=tags or None,
        )
        attempts = Attempts(ctx, name)
        while True:
            named = await self.catalog.naming.claim(bucket)
            adds, ceilings = ctx.accounts.bucket_adds(org_id, project_id, 1)
            row_key = keys.bucket(org_id, project_id, name)
            joined = await _joining(ctx.kv, bucket)
            txn = Txn(
                checks=[named.check, Check(row_key, ABSENT), *joined.checks],
                puts=[*named.puts, Put(row_key, encode(bucket)), *joined.puts],
                adds=adds,
            )
            outcome = await commit(ctx.kv, txn)
            if isinstance(outcome, Applied):
                return bucket
            if outcome.ceiling is not None:
                raise ceilings[outcome.key].exceeded()
            await attempts.pause()

    @property
    def scoped_names(self) -> bool:
        """Whether a name is looked up in a scope: then calls take names as `resolve` and `reference` give them."""
        return self.catalog.naming.scoped

    async def resolve(self, name: str, org_id: str, project_id: str | None) -> str:
        """A bucket's name as the other calls take it, for a caller of that organisation and project.

        Raises:
            NoSuchBucket: where names are scoped, and neither the project nor the organisation has one of that name.
        """
        return await self.catalog.naming.resolve(name, org_id, project_id)

    def reference(self, bucket: Bucket) -> str:
        """The name of a known bucket as the other calls take it."""
        return self.catalog.naming.reference(bucket)

    async def get(self, name: str) -> Bucket:
        """The bucket.

        Raises:
            NoSuchBucket
        """
        return (await self.catalog.locate(name)).bucket

    async def list(
        self,
        org_id: str,
        project_id: str | None,
        *,
        prefix: str = "",
        after: str = "",
        limit: int,
        reachable: bool = False,
    ) -> Page[Bucket]:
        """The buckets that a caller of that scope sees, by name: the organisation's and the project's own.

        Args:
            project_id: None: the buckets of all projects too.
            reachable: only those that a caller of that scope reaches by their names alone: where names are scoped,
                none of a project but its own.
            after: only names greater than this one.
        """
        start = keys.buckets_of_org(org_id)
        found: list[Bucket] = []
        async with self.ctx.kv.snapshot() as snapshot:
            first = start
            while rows := await snapshot.scan(first, keys.end_of(start), 1000):
                found += [BUCKET.decode(row.value, row.key) for row in rows]
                first = rows[-1].key + b"\0"
        everywhere = project_id is None and not (reachable and self.scoped_names)
        seen = sorted(
            (
                bucket
                for bucket in found
                if bucket.name > after
                and bucket.name.startswith(prefix)
                and (everywhere or bucket.project_id in (None, project_id))
            ),
            key=lambda bucket: bucket.name,
        )
        return Page(seen[:limit], len(seen) > limit)

    async def set_versioning(self, name: str, status: str) -> Bucket:
        """Enable or suspend versioning.

        Raises:
            InvalidBucketState: versioning cannot be taken back to disabled.
        """

        return await self.change(name, versioning=status)

    async def change(self, name: str, *, versioning: str | None = None, tags: dict[str, str] | None = None) -> Bucket:
        """Change versioning and tags in one transaction; None leaves them, no tags at all removes them.

        Raises:
            InvalidBucketState, InvalidTag
        """
        if versioning not in (None, ENABLED, SUSPENDED):
            raise InvalidBucketState(name, f"versioning can be {ENABLED} or {SUSPENDED}, not {versioning!r}")
        if tags:
            check_bucket_tags(tags, self.ctx.limits)

        def changed(bucket: Bucket) -> Bucket:
            return replace(
                bucket,
                versioning=bucket.versioning if versioning is None else versioning,
                tags=bucket.tags if tags is None else tags or None,
            )

        return await self._update(name, changed)

    async def set_tags(self, name: str, tags: dict[str, str] | None) -> Bucket:
        """Replace the bucket's tags; None removes them."""
        if tags:
            check_bucket_tags(tags, self.ctx.limits)
        return await self._update(name, lambda bucket: replace(bucket, tags=tags or None))

    async def set_logging(self, name: str, logging: BucketLogging | None) -> Bucket:
        """Say where the bucket's access logs go; None: nowhere."""
        return await self._update(name, lambda bucket: replace(bucket, logging=logging))

    async def _update(self, name: str, change: Callable[[Bucket], Bucket]) -> Bucket:
        ctx = self.ctx
        attempts = Attempts(ctx, name)
        while True:
            located = await self.catalog.locate(name)
            if not is_deleting(ctx, located.bucket):
                new = replace(change(located.bucket), updated_at=ctx.world.clock.now_ms())
                check = Check(located.row.key, located.row.revision)
                outcome = await commit(ctx.kv, Txn([check], [Put(located.row.key, encode(new))]))
                if isinstance(outcome, Applied):
                    return new
            await attempts.pause()

    async def delete(self, name: str) -> None:
        """Delete an empty bucket. Open uploads do not keep it; they are queued for abort.

        The bucket is marked first, so that no write can slip in while we look whether it is empty: a writer's
        commit checks the bucket's row, meets the mark, and waits for what becomes of it.

        Raises:
            NoSuchBucket, BucketNotEmpty
        """
        ctx = self.ctx
        attempts = Attempts(ctx, name)
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            located = await self.catalog.locate(name)
            if not is_deleting(ctx, located.bucket):
                marked = replace(located.bucket, deleting_boot=ctx.boot)
                # Not to be cancelled from the mark to the end: the record is not left with a mark, void as it would be.
                with trio.CancelScope(shield=True), ctx.marked.holding(located.bucket.bucket_id):
                    outcome = await commit(
                        ctx.kv,
                        Txn(
                            [Check(located.row.key, located.row.revision)],
                            [Put(located.row.key, encode(marked))],
                        ),
                    )
                    if isinstance(outcome, Applied):
                        await self._finish_delete(located, outcome.revision)
                        return
            await attempts.pause()

    async def _finish_delete(self, located: Located, marked_revision: int) -> None:
        ctx, bucket = self.ctx, located.bucket
        check = Check(located.row.key, marked_revision)
        if not await _is_empty(ctx.kv, bucket):
            await commit(ctx.kv, Txn([check], [Put(located.row.key, encode(replace(bucket, deleting_boot=None)))]))
            raise BucketNotEmpty(bucket.name)
        entry = GcEntry(
            RECORD_FORMAT,
            "bucket",
            org_id=bucket.org_id,
            project_id=bucket.project_id,
            bucket_id=bucket.bucket_id,
        )
        puts = [Put(keys.gc(ctx.world.clock.now_ms(), f"bucket-{bucket.bucket_id}"), encode(entry))]
        counters = usage_keys(bucket)
        while True:
            # What parts of open uploads count goes with the bucket; the refund of an aborted one may come between.
            rows = await ctx.kv.get_many(counters)
            counted = [Check(key, row.revision if row else ABSENT) for key, row in zip(counters, rows, strict=True)]
            objects, size = (int(row.value) if row else 0 for row in rows)
            adds = ctx.accounts.removal_adds(bucket, objects, size)
            named = await self.catalog.naming.release(bucket)
            deletes = [located.row.key, *named.deletes, *counters]
            txn = Txn([check, named.check, *counted], [*puts, *named.puts], deletes, adds)
            outcome = await commit(ctx.kv, txn)
            if isinstance(outcome, Applied):
                return
            if outcome.key not in (*counters, named.check.key):
                raise NoSuchBucket(bucket.name)


async def _joining(kv: KvReads, bucket: Bucket) -> Txn:
    """What makes the deletion of the bucket's organisation or project, and its making, see each other.

    One that is not recorded, as the configuration's are not, cannot be deleted either.
    """
    containers = [iam_keys.organisation(bucket.org_id)]
    if bucket.project_id is not None:
        containers.append(iam_keys.project(bucket.org_id, bucket.project_id))
    rows = await kv.get_many(containers)
    checks = [Check(key, row.revision if row else ABSENT) for key, row in zip(containers, rows, strict=True)]
    return Txn(checks, [Put(iam_keys.members(key), b'{"v":1}') for key in containers])


async def _is_empty(kv: KvReads, bucket: Bucket) -> bool:
    for prefix in (
        keys.objects_of(bucket.org_id, bucket.bucket_id),
        keys.versions_of(bucket.org_id, bucket.bucket_id),
    ):
        if await kv.scan(prefix, keys.end_of(prefix), 1):
            return False
    return True
