"""Putting an object: look at what can refuse it, receive its bytes, publish."""

from __future__ import annotations

from attrs import define

from lightningstor.errors import EntityTooLarge
from lightningstor.model.codec import RECORD_FORMAT
from lightningstor.model.records import ObjectVersion
from lightningstor.store.announced import check_announced_object
from lightningstor.store.api import BodySource, ObjectDraft, WriteConditions, Written
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext
from lightningstor.store.ingest import ingest
from lightningstor.store.multipart import DEFAULT_ALGORITHM
from lightningstor.store.publish import Publication, check_conditions, decode_current, publish
from lightningstor.store.staging import Staged
from lightningstor.store.tags import check_metadata, check_object_tags

__all__ = ["Puts"]


@define
class Puts:
    """PutObject of one store."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def put(
        self, bucket: str | Located, key: str, draft: ObjectDraft, body: BodySource, conditions: WriteConditions
    ) -> Written:
        """Store an object. When this returns, data, name and metadata are on stable storage.

        Cancelled, or with any error but CommitUndetermined: the old object stays as it was, and no byte of the new
        one is left.

        Args:
            bucket: its name; or the bucket itself where it was located just before, for the same request.

        Raises:
            NoSuchBucket, MetadataTooLarge, InvalidTag, EntityTooLarge, PreconditionFailed, NoSuchKey (If-Match)
            BadDigest, IncompleteBody and what the body raises; QuotaExceeded, Contention
            StorageFull, StorageReadOnly, CommitUndetermined
        """
        ctx, limits = self.ctx, self.ctx.limits
        located = bucket if isinstance(bucket, Located) else await self.catalog.locate(bucket)
        if draft.metadata:
            check_metadata(draft.metadata, limits)
        if draft.tags:
            check_object_tags(draft.tags, limits)
        account = ctx.accounts.of(located.bucket)
        size_limit, announced = account.object_size_limit(limits.max_put_size_bytes), body.size
        if announced is not None and announced > size_limit:
            raise EntityTooLarge(announced, size_limit)
        if conditions.if_none_match or conditions.if_match is not None:
            # Advice only: it saves the upload. The publish decides.
            row = await ctx.kv.get(located.object_key(key))
            check_conditions(conditions, decode_current(row), located.bucket.name, key)
        if account.ceilings:
            await check_announced_object(ctx, located, account, key, announced)
        staged = await ingest(ctx, body, draft.checksum_algorithm or DEFAULT_ALGORITHM, size_limit)
        publication = _publication(ctx, draft, staged)
        if staged.writer is None:
            return await publish(ctx, self.catalog, located, key, publication, conditions)
        async with staged:
            return await publish(ctx, self.catalog, located, key, publication, conditions)


def _publication(ctx: StoreContext, draft: ObjectDraft, staged: Staged) -> Publication:
    """Received bytes under a key."""

    def build(version_id: str, is_null: bool, _: ObjectVersion | None) -> ObjectVersion:
        return ObjectVersion(
            v=RECORD_FORMAT,
            version_id=version_id,
            is_null=is_null,
            size=staged.size,
            etag=staged.md5,
            created_at=ctx.world.clock.now_ms(),
            owner=draft.owner,
            storage_class=draft.storage_class,
            content_type=draft.content_type,
            headers=draft.headers or None,
            metadata=draft.metadata or None,
            tags=draft.tags or None,
            checksum=staged.checksum,
            body=staged.body,
        )

    return Publication(build, staged.puts, staged=staged)
