"""Multipart uploads: begin, take parts, list, abort, expire. Completing one is in `complete`."""

from __future__ import annotations

from contextlib import suppress

from attrs import define
from msgspec.structs import replace

from lightningstor.errors import (
    CompletionInProgress,
    Contention,
    EntityTooLarge,
    InvalidPartNumber,
    NoSuchBucket,
    NoSuchUpload,
    StoreError,
)
from lightningstor.kv.api import ABSENT, Applied, Check, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import MULTIPART_UPLOAD, RECORD_FORMAT, UPLOAD_PART, encode
from lightningstor.model.records import GcEntry, MultipartUpload, UploadPart
from lightningstor.store.announced import check_announced_part
from lightningstor.store.api import BodySource, PartListing, UploadDraft
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.ingest import ingest
from lightningstor.store.part_list import part_list_rows, thawed
from lightningstor.store.publish import Attempts, TxnParts, free_body, is_deleting
from lightningstor.store.refund import refund_upload
from lightningstor.store.staging import Staged, commit_staged
from lightningstor.store.tags import check_metadata, check_object_tags

__all__ = ["DEFAULT_ALGORITHM", "Uploads", "UploadsFinder", "default_checksum_type"]

DEFAULT_ALGORITHM = "CRC64NVME"
"""What an object that comes without a checksum is given, as in S3 since December 2024."""


def default_checksum_type(algorithm: str | None) -> str:
    """How a multipart object's checksum is made where the caller does not say (S3, "Checking object integrity")."""
    return "FULL_OBJECT" if algorithm in (None, DEFAULT_ALGORITHM) else "COMPOSITE"


@define
class UploadsFinder:
    """Finds open uploads. An id counts only together with its bucket and key."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def by_id(self, upload_id: str) -> MultipartUpload:
        """The upload in whatever state its record is, for callers that have yet to be held against its bucket.

        Raises:
            NoSuchUpload
        """
        return MULTIPART_UPLOAD.decode((row := await self._row(upload_id)).value, row.key)

    async def open_upload(self, bucket: str, key: str, upload_id: str) -> tuple[Located, MultipartUpload, Row]:
        """The upload, if it takes parts; a completion under way comes first, and wins if it succeeds.

        Raises:
            NoSuchBucket, NoSuchUpload, CompletionInProgress
        """
        located, upload, row = await self.settled_upload(bucket, key, upload_id)
        if upload.status in ("Completed", "Aborted"):
            raise NoSuchUpload(upload_id)
        return located, upload, row

    async def settled_upload(self, bucket: str, key: str, upload_id: str) -> tuple[Located, MultipartUpload, Row]:
        """The upload in whatever state it is once nobody is completing it.

        The end of a completion is waited for: who gave one up, and aborts or goes on, comes while it is being undone.

        Raises:
            NoSuchBucket, NoSuchUpload
            CompletionInProgress: that end did not come before the deadline.
        """
        attempts = Attempts(self.ctx, f"upload {upload_id}")
        while True:
            located, upload, row = await self.any_upload(bucket, key, upload_id)
            if not self.ctx.in_force(upload.completing_boot, upload_id):
                return located, upload, row
            try:
                await attempts.pause()
            except Contention:
                raise CompletionInProgress(upload_id) from None

    async def any_upload(self, bucket: str, key: str, upload_id: str) -> tuple[Located, MultipartUpload, Row]:
        """The upload in whatever state its record is.

        Raises:
            NoSuchBucket, NoSuchUpload
        """
        located = await self.catalog.locate(bucket)
        row = await self._row(upload_id)
        upload = MULTIPART_UPLOAD.decode(row.value, row.key)
        if upload.bucket_id != located.bucket.bucket_id or upload.key != key:
            raise NoSuchUpload(upload_id)
        return located, upload, row

    async def _row(self, upload_id: str) -> Row:
        row = await self.ctx.kv.get(keys.upload(upload_id)) if upload_id and "/" not in upload_id else None
        if row is None:
            raise NoSuchUpload(upload_id)
        return row


@define
class Uploads:
    """The multipart operations of one store."""

    ctx: StoreContext
    catalog: BucketCatalog
    finder: UploadsFinder

    async def create(self, bucket: str, key: str, draft: UploadDraft) -> MultipartUpload:
        """Begin an upload.

        Raises:
            NoSuchBucket, MetadataTooLarge, InvalidTag, Contention
        """
        ctx, wanted = self.ctx, draft.object
        check_metadata(wanted.metadata, ctx.limits)
        if wanted.tags:
            check_object_tags(wanted.tags, ctx.limits)
        attempts = Attempts(ctx, f"{bucket}/{key}")
        while True:
            located = await self.catalog.locate(bucket)
            owner = located.bucket
            if not is_deleting(ctx, owner):
                upload = MultipartUpload(
                    v=RECORD_FORMAT,
                    upload_id=ctx.ids.upload_id(),
                    bucket_id=owner.bucket_id,
                    bucket=owner.name,
                    key=key,
                    org_id=owner.org_id,
                    project_id=owner.project_id,
                    initiated_at=ctx.world.clock.now_ms(),
                    initiated_by=wanted.owner,
                    storage_class=wanted.storage_class,
                    content_type=wanted.content_type,
                    headers=wanted.headers,
                    metadata=wanted.metadata,
                    tags=wanted.tags,
                    checksum_algorithm=wanted.checksum_algorithm,
                    checksum_type=draft.checksum_type or default_checksum_type(wanted.checksum_algorithm),
                )
                puts = [
                    Put(keys.upload(upload.upload_id), encode(upload)),
                    Put(keys.upload_index(owner.bucket_id, key, upload.upload_id), b'{"v":1}'),
                ]
                outcome = await commit(ctx.kv, Txn([Check(located.row.key, located.row.revision)], puts))
                if isinstance(outcome, Applied):
                    return upload
            await attempts.pause()

    async def put_part(self, bucket: str, key: str, upload_id: str, number: int, body: BodySource) -> UploadPart:
        """Take a part; one of the same number is replaced.

        Raises:
            NoSuchBucket, NoSuchUpload, CompletionInProgress, InvalidPartNumber, EntityTooLarge, QuotaExceeded
            BadDigest, IncompleteBody and what the body raises: then nothing is kept.
        """
        ctx, limits = self.ctx, self.ctx.limits
        if not 1 <= number <= limits.max_parts:
            raise InvalidPartNumber(number, limits.max_parts)
        located, upload, _ = await self.finder.open_upload(bucket, key, upload_id)
        account = ctx.accounts.of(located.bucket)
        size_limit = account.object_size_limit(limits.max_part_size_bytes)
        if body.size is not None and body.size > size_limit:
            raise EntityTooLarge(body.size, size_limit)
        if account.ceilings:
            await check_announced_part(ctx, account, upload_id, number, body.size)
        staged = await ingest(ctx, body, upload.checksum_algorithm or DEFAULT_ALGORITHM, size_limit)
        async with staged:
            return await self._publish_part(bucket, key, upload_id, number, staged)

    async def _publish_part(self, bucket: str, key: str, upload_id: str, number: int, staged: Staged) -> UploadPart:
        ctx = self.ctx
        attempts = Attempts(ctx, f"part {number} of upload {upload_id}")
        part_key = keys.part(upload_id, number)
        while True:
            located, _, upload_row = await self.finder.open_upload(bucket, key, upload_id)
            if not is_deleting(ctx, located.bucket):
                row = await ctx.kv.get(part_key)
                part = UploadPart(
                    v=RECORD_FORMAT,
                    number=number,
                    etag=staged.md5,
                    size=staged.size,
                    uploaded_at=ctx.world.clock.now_ms(),
                    body=staged.body,
                    checksum=staged.checksum,
                )
                parts = TxnParts(
                    checks=[
                        Check(located.row.key, located.row.revision),
                        Check(upload_row.key, upload_row.revision),
                        Check(part_key, ABSENT if row is None else row.revision),
                    ],
                    puts=[Put(part_key, encode(part)), *staged.puts],
                    bytes=staged.size,
                )
                if row is not None:
                    old = UPLOAD_PART.decode(row.value, row.key)
                    parts.bytes -= old.size
                    parts.puts += free_body(ctx, old.body)
                account = ctx.accounts.of(located.bucket)
                account.check_object_size(part.size)
                outcome = await commit_staged(ctx.kv, parts.txn(account), staged)
                if isinstance(outcome, Applied):
                    return part
                if outcome.ceiling is not None:
                    raise account.exceeded(outcome)
            await attempts.pause()

    async def list_parts(self, bucket: str, key: str, upload_id: str, *, after: int = 0, limit: int) -> PartListing:
        """The upload's parts with numbers greater than `after`, ascending.

        Raises:
            NoSuchBucket, NoSuchUpload
        """
        _, upload, _ = await self.finder.any_upload(bucket, key, upload_id)
        if upload.status in ("Completed", "Aborted"):
            raise NoSuchUpload(upload_id)
        prefix = keys.parts_of(upload_id)
        start = keys.part(upload_id, max(after, 0)) + b"\0"
        rows = await self.ctx.kv.scan(start, keys.end_of(prefix), limit + 1) if limit > 0 else []
        parts = [UPLOAD_PART.decode(row.value, row.key) for row in rows[:limit]]
        truncated = len(rows) > limit
        return PartListing(upload, parts, truncated, parts[-1].number if truncated else None)

    async def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """End the upload and free its parts.

        Raises:
            NoSuchBucket, NoSuchUpload, CompletionInProgress
        """
        attempts = Attempts(self.ctx, f"upload {upload_id}")
        while True:
            located, upload, row = await self.finder.open_upload(bucket, key, upload_id)
            entry_key = await self._end(located, upload, row)
            if entry_key is not None:
                with suppress(StoreError):  # the upload has ended; the collector gives back what could not be now
                    await refund_upload(self.ctx, entry_key)
                return
            await attempts.pause()

    async def _end(self, located: Located, upload: MultipartUpload, row: Row) -> bytes | None:
        """Freeze the upload and queue its parts for the collector; gives the entry's key. None: a conflict."""
        now = self.ctx.world.clock.now_ms()
        entry = GcEntry(
            RECORD_FORMAT,
            "upload",
            upload_id=upload.upload_id,
            refund=True,
            org_id=upload.org_id,
            project_id=upload.project_id,
            bucket_id=upload.bucket_id,
        )
        entry_key = keys.gc(now, f"upload-{upload.upload_id}")
        outcome = await commit(
            self.ctx.kv,
            Txn(
                checks=[Check(located.row.key, located.row.revision), Check(row.key, row.revision)],
                puts=[
                    Put(row.key, encode(replace(thawed(upload), status="Aborted", finished_at=now))),
                    Put(entry_key, encode(entry)),
                    Put(
                        entry_key + b"-record",  # after the upload, whose refund asks the record for the bucket
                        encode(GcEntry(RECORD_FORMAT, "record", upload_id=upload.upload_id)),
                    ),
                ],
                deletes=[
                    keys.upload_index(upload.bucket_id, upload.key, upload.upload_id),
                    *part_list_rows(upload),
                ],
            ),
        )
        return entry_key if isinstance(outcome, Applied) else None

    async def expire(self) -> int:
        """Abort the uploads that have been open for longer than the time-out; gives their number.

        Upload ids sort by age, so the walk ends at the first that is young enough.
        """
        limits, now = self.ctx.limits, self.ctx.world.clock.now_ms()
        expired = 0
        # Ids are hex digits of a clock, 0 to a for eight thousand years; the index "by-bucket" lies behind them.
        start, end = keys.upload("0"), keys.upload("b")
        while rows := await self.ctx.kv.scan(start, end, 1):
            upload = MULTIPART_UPLOAD.decode(rows[0].value, rows[0].key)
            if upload.initiated_at > now - limits.upload_timeout_ms:
                break
            if upload.status in ("InProgress", "Completing"):
                try:
                    await self.abort(self.catalog.naming.reference(upload), upload.key, upload.upload_id)
                    expired += 1
                except (NoSuchBucket, NoSuchUpload, CompletionInProgress, Contention):
                    pass  # it ended, or is ending, by itself
            start = keys.end_of(keys.upload(upload.upload_id) + b"/")
        return expired
