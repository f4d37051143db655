"""Copying: a read that feeds a put. The source stays pinned while its bytes stream."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, frozen
from msgspec.structs import replace

from lightningstor.chunks.api import Buffer
from lightningstor.errors import EntityTooLarge, WriteConflict
from lightningstor.model.records import DISABLED, SUSPENDED, ObjectVersion, UploadPart
from lightningstor.store.api import ExpectedDigest, ObjectDraft, ReadPlan, WriteConditions, Written
from lightningstor.store.catalog import BucketCatalog
from lightningstor.store.context import StoreContext
from lightningstor.store.find import Found
from lightningstor.store.multipart import DEFAULT_ALGORITHM, Uploads
from lightningstor.store.publish import Publication, publish
from lightningstor.store.put import Puts
from lightningstor.store.reading import OpenObject, Reads
from lightningstor.store.tags import check_metadata, check_object_tags

__all__ = ["Copied", "CopiedPart", "Copies", "Source"]


@frozen
class Source:
    """What to copy."""

    bucket: str
    key: str
    version_id: str | None = None


@frozen
class Copied:
    """What was copied, and what came of it."""

    source: Found
    written: Written


@frozen
class CopiedPart:
    """What was copied, and the part that came of it."""

    source: Found
    part: UploadPart


class _SourceBody:
    """An open object as the content of a put. Its pieces are verified as they are read, so nothing more is expected."""

    algorithms: Sequence[str] = ()

    def __init__(self, opened: OpenObject) -> None:
        self._opened = opened
        self._first: Buffer | None = opened.first

    @property
    def size(self) -> int:
        return self._opened.plan.length

    async def receive(self) -> Buffer:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return await self._opened.next() or b""

    def expected(self) -> Sequence[ExpectedDigest]:
        return ()


@define
class Copies:
    """The copy operations of one store."""

    ctx: StoreContext
    catalog: BucketCatalog
    reads: Reads
    puts: Puts
    uploads: Uploads

    async def copy(
        self,
        source: Source,
        check: Callable[[Found], None],
        bucket: str,
        key: str,
        draft: Callable[[Found], ObjectDraft],
        conditions: WriteConditions,
        *,
        replace_metadata: bool,
    ) -> Copied:
        """S3's CopyObject, within a bucket or across buckets.

        Args:
            check: raises if the source is not one to copy (conditions on it).
            draft: makes the new object's draft out of the source.
            replace_metadata: a copy onto itself keeps the bytes where they are and changes the rest.

        Raises:
            As a read of the source and a put of the destination.
        """
        planned: list[ObjectDraft] = []

        def plan(found: Found) -> ReadPlan | None:
            check(found)
            if found.version.size > self.ctx.limits.max_put_size_bytes:
                raise EntityTooLarge(found.version.size, self.ctx.limits.max_put_size_bytes)
            planned[:] = [draft(found)]
            return None

        opened = await self.reads.open(source.bucket, source.key, source.version_id, plan)
        try:
            found, wanted = opened.found, planned[0]
            if replace_metadata and self._onto_itself(source, found, bucket, key, wanted):
                written = await self._replace_in_place(found, bucket, key, wanted, conditions)
                if written is not None:
                    return Copied(found, written)
            body = _SourceBody(opened)
            return Copied(found, await self.puts.put(bucket, key, wanted, body, conditions))
        finally:
            await opened.aclose()

    def _onto_itself(self, source: Source, found: Found, bucket: str, key: str, wanted: ObjectDraft) -> bool:
        """Whether the new version takes the place of the source, so that it can go on using its bytes."""
        version = found.version
        same_place = (source.bucket, source.key) == (bucket, key) and source.version_id is None
        takes_place = found.bucket.versioning == DISABLED or (found.bucket.versioning == SUSPENDED and version.is_null)
        algorithm = version.checksum.algorithm if version.checksum else DEFAULT_ALGORITHM
        return same_place and takes_place and wanted.checksum_algorithm in (None, algorithm)

    async def _replace_in_place(
        self, found: Found, bucket: str, key: str, wanted: ObjectDraft, conditions: WriteConditions
    ) -> Written | None:
        """Publish a record with the same body. None: somebody replaced the object meanwhile."""
        check_metadata(wanted.metadata, self.ctx.limits)
        if wanted.tags:
            check_object_tags(wanted.tags, self.ctx.limits)
        version = found.version

        def build(version_id: str, is_null: bool, current: ObjectVersion | None) -> ObjectVersion:
            if current is None or current.version_id != version.version_id or not is_null:
                raise WriteConflict(bucket, key)
            return replace(
                current,
                version_id=version_id,
                is_null=is_null,
                created_at=self.ctx.world.clock.now_ms(),
                owner=wanted.owner,
                storage_class=wanted.storage_class,
                content_type=wanted.content_type,
                headers=wanted.headers or None,
                metadata=wanted.metadata or None,
                tags=wanted.tags or None,
            )

        try:
            return await publish(self.ctx, self.catalog, bucket, key, Publication(build, sized=False), conditions)
        except WriteConflict:
            return None

    async def copy_part(
        self,
        source: Source,
        plan: Callable[[Found], ReadPlan | None],
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
    ) -> CopiedPart:
        """S3's UploadPartCopy: a part made of an object, or of a range of one.

        Args:
            plan: says which bytes, or raises.
        """
        await self.uploads.finder.open_upload(bucket, key, upload_id)
        opened = await self.reads.open(source.bucket, source.key, source.version_id, plan)
        try:
            part = await self.uploads.put_part(bucket, key, upload_id, number, _SourceBody(opened))
            return CopiedPart(opened.found, part)
        finally:
            await opened.aclose()
