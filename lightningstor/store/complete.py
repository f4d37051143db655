"""Completing a multipart upload.

InProgress → Completing freezes the parts: UploadPart and Abort check the row, and wait. Then the list is held against
the parts, written in segments, and one commit publishes the object that names it. A bad list, an error or a
cancellation goes back to InProgress; a crash does too, since the mark counts only while who set it is at work.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import trio
from attrs import define, frozen
from msgspec.structs import replace

from lightningstor.chunks.crc_combine import crc_combine
from lightningstor.chunks.digest import digest_inline
from lightningstor.errors import (
    BadDigest,
    CommitUndetermined,
    EntityTooLarge,
    EntityTooSmall,
    InvalidPart,
    InvalidPartOrder,
    NoSuchUpload,
    UploadSizeMismatch,
)
from lightningstor.kv.api import Applied, Check, Put, Row, Txn, TxnConflict
from lightningstor.model import keys
from lightningstor.model.codec import RECORD_FORMAT, UPLOAD_PART, encode
from lightningstor.model.records import (
    BodyRef,
    CompletedUpload,
    GcEntry,
    MultipartUpload,
    ObjectChecksum,
    ObjectVersion,
    PartEntry,
    PartList,
    UploadPart,
)
from lightningstor.store.api import CompletePart, StoreLimits, WriteConditions, Written
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.multipart import DEFAULT_ALGORITHM, UploadsFinder
from lightningstor.store.part_list import SEGMENT_PARTS, part_list_rows, thawed
from lightningstor.store.publish import Attempts, Publication, check_conditions, decode_current, publish

__all__ = ["Completions"]


@frozen
class _Composition:
    """What the object will be: checked against the parts, nothing written yet."""

    entries: tuple[PartEntry, ...]
    size: int
    etag: str
    checksum: ObjectChecksum
    unused_bytes: int


@define
class Completions:
    """CompleteMultipartUpload of one store."""

    ctx: StoreContext
    catalog: BucketCatalog
    finder: UploadsFinder

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[CompletePart],
        *,
        checksum: ObjectChecksum | None = None,
        checksum_type: str | None = None,
        size: int | None = None,
        conditions: WriteConditions,
    ) -> Written:
        """Make the parts one object. One that was completed within the last day answers as it did then.

        Args:
            checksum: what the caller expects of the whole; its value with or without "-N".
            checksum_type: what the caller expects the upload's type to be.
            size: what the caller expects the object's size to be, in bytes.

        Raises:
            NoSuchBucket, NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, EntityTooLarge, BadDigest
            UploadSizeMismatch, PreconditionFailed, NoSuchKey, QuotaExceeded, CompletionInProgress, Contention
        """
        attempts = Attempts(self.ctx, f"upload {upload_id}")
        while True:
            located, upload, row = await self.finder.settled_upload(bucket, key, upload_id)
            if upload.status == "Completed":
                return _as_before(located, upload)
            if upload.status == "Aborted":
                raise NoSuchUpload(upload_id)
            current = await self.ctx.kv.get(keys.object_current(upload.org_id, upload.bucket_id, key))
            check_conditions(conditions, decode_current(current), bucket, key)
            with self.ctx.marked.holding(upload_id):
                frozen = await self._freeze(located, upload, row)
                if frozen is not None:
                    return await self._finish(located, *frozen, parts, checksum, checksum_type, size, conditions)
            await attempts.pause()

    async def _freeze(self, located: Located, upload: MultipartUpload, row: Row) -> tuple[MultipartUpload, Row] | None:
        """Freeze the parts; a list that a crash left goes. None: a conflict."""
        part_list = f"{self.ctx.data_ids.draw():016x}"
        frozen = replace(upload, status="Completing", completing_boot=self.ctx.boot, part_list=part_list)
        value = encode(frozen)
        checks = [Check(located.row.key, located.row.revision), Check(row.key, row.revision)]
        outcome = await commit(self.ctx.kv, Txn(checks, [Put(row.key, value)], part_list_rows(upload)))
        return (frozen, Row(row.key, value, outcome.revision)) if isinstance(outcome, Applied) else None

    async def _finish(
        self,
        located: Located,
        upload: MultipartUpload,
        frozen_row: Row,
        parts: Sequence[CompletePart],
        checksum: ObjectChecksum | None,
        checksum_type: str | None,
        size: int | None,
        conditions: WriteConditions,
    ) -> Written:
        try:
            rows = await self._uploaded(upload.upload_id)
            limits = self.ctx.limits
            size_limit = self.ctx.accounts.of(located.bucket).object_size_limit(limits.max_object_size_bytes)
            composition = _compose(limits, size_limit, upload, parts, rows)
            _check_expectations(upload, composition, checksum, checksum_type, size)
            body = await self._write_part_list(upload, composition)
            return await self._publish(located, upload, frozen_row, composition, body, conditions)
        except CommitUndetermined:
            raise
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._thaw(upload, frozen_row)
            raise

    async def _thaw(self, upload: MultipartUpload, frozen_row: Row) -> None:
        """Back to InProgress, and the list of parts goes; unless the publish was done after all."""
        check = Check(frozen_row.key, frozen_row.revision)
        put = Put(frozen_row.key, encode(thawed(upload)))
        await self.ctx.kv.commit(Txn([check], [put], part_list_rows(upload)))

    async def _uploaded(self, upload_id: str) -> dict[int, UploadPart]:
        prefix = keys.parts_of(upload_id)
        rows = await self.ctx.kv.scan(prefix, keys.end_of(prefix), self.ctx.limits.max_parts + 1)
        found = [UPLOAD_PART.decode(row.value, row.key) for row in rows]
        return {part.number: part for part in found}

    async def _write_part_list(self, upload: MultipartUpload, composition: _Composition) -> BodyRef:
        assert upload.part_list is not None
        data_id = int(upload.part_list, 16)
        starts: list[int] = []
        entries = composition.entries
        for segment, first in enumerate(range(0, len(entries), SEGMENT_PARTS)):
            piece = entries[first : first + SEGMENT_PARTS]
            starts.append(piece[0].offset)
            row = Put(keys.manifest(data_id, segment), encode(PartList(RECORD_FORMAT, piece)))
            await commit(self.ctx.kv, Txn(puts=[row]))
        return BodyRef(upload.part_list, "parts", starts=tuple(starts))

    async def _publish(
        self,
        located: Located,
        upload: MultipartUpload,
        frozen_row: Row,
        composition: _Composition,
        body: BodyRef,
        conditions: WriteConditions,
    ) -> Written:
        ctx = self.ctx
        now = ctx.world.clock.now_ms()
        puts: list[Put] = []

        def build(version_id: str, is_null: bool, _: ObjectVersion | None) -> ObjectVersion:
            result = CompletedUpload(version_id, is_null, composition.etag, composition.size, composition.checksum)
            done = replace(thawed(upload), status="Completed", finished_at=now, result=result)
            puts[0] = Put(frozen_row.key, encode(done))
            return ObjectVersion(
                v=RECORD_FORMAT,
                version_id=version_id,
                is_null=is_null,
                size=composition.size,
                etag=composition.etag,
                created_at=ctx.world.clock.now_ms(),
                owner=upload.initiated_by,
                storage_class=upload.storage_class,
                content_type=upload.content_type,
                headers=upload.headers,
                metadata=upload.metadata,
                tags=upload.tags,
                checksum=composition.checksum,
                body=body,
                parts_count=len(composition.entries),
            )

        cleanup = GcEntry(RECORD_FORMAT, "upload", upload_id=upload.upload_id, composed=body)
        record = GcEntry(RECORD_FORMAT, "record", upload_id=upload.upload_id)
        kept_until = now + ctx.limits.completed_upload_kept_ms
        puts += [
            Put(frozen_row.key, b""),  # filled in by `build`, which knows the version id
            Put(keys.gc(now, f"upload-{upload.upload_id}"), encode(cleanup)),
            Put(keys.gc(kept_until, f"record-{upload.upload_id}"), encode(record)),
        ]

        def again(_: TxnConflict) -> None:
            raise NoSuchUpload(upload.upload_id)

        publication = Publication(
            build,
            puts,
            checks=[Check(frozen_row.key, frozen_row.revision)],
            deletes=[keys.upload_index(upload.bucket_id, upload.key, upload.upload_id)],
            # The parts' bytes count already: those that are used become the object's, the others are given back.
            bytes=-(composition.size + composition.unused_bytes),
            again=again,
        )
        return await publish(
            ctx, self.catalog, self.catalog.naming.reference(located.bucket), upload.key, publication, conditions
        )


def _compose(
    limits: StoreLimits,
    size_limit: int,
    upload: MultipartUpload,
    wanted: Sequence[CompletePart],
    found: dict[int, UploadPart],
) -> _Composition:
    """Hold the caller's list against the parts.

    Raises:
        InvalidPart, InvalidPartOrder, EntityTooSmall, EntityTooLarge
    """
    entries: list[PartEntry] = []
    digests = bytearray()
    offset = 0
    for index, part in enumerate(wanted):
        if index and part.number <= wanted[index - 1].number:
            raise InvalidPartOrder(upload.upload_id)
    for index, part in enumerate(wanted):
        stored = found.get(part.number)
        if stored is None or stored.etag != part.etag:
            raise InvalidPart(upload.upload_id, part.number, part.etag)
        for algorithm, value in part.checksums.items():
            if stored.checksum is None or (stored.checksum.algorithm, stored.checksum.value) != (algorithm, value):
                raise InvalidPart(upload.upload_id, part.number, part.etag, "the part's checksum differs")
        if stored.size < limits.min_part_size_bytes and index < len(wanted) - 1:
            raise EntityTooSmall(part.number, stored.size, limits.min_part_size_bytes, part.etag)
        entries.append(PartEntry(part.number, offset, stored.size, stored.etag, stored.body, stored.checksum))
        digests += bytes.fromhex(stored.etag)
        offset += stored.size
    if not entries:
        raise InvalidPart(upload.upload_id, 0, "", "the list of parts is empty")
    if offset > size_limit:
        raise EntityTooLarge(offset, size_limit)
    etag = f"{hashlib.md5(digests, usedforsecurity=False).hexdigest()}-{len(entries)}"
    unused = sum(part.size for part in found.values()) - offset
    return _Composition(tuple(entries), offset, etag, _checksum_of(upload, entries), unused)


def _checksum_of(upload: MultipartUpload, entries: Sequence[PartEntry]) -> ObjectChecksum:
    """The whole object's checksum out of its parts': their CRCs combined, or a hash of their hashes."""
    algorithm = upload.checksum_algorithm or DEFAULT_ALGORITHM
    raws = [base64.b64decode(entry.checksum.value) for entry in entries if entry.checksum is not None]
    if upload.checksum_type == "FULL_OBJECT":
        name, width = algorithm.lower(), len(raws[0])
        total = int.from_bytes(raws[0], "big")
        for raw, entry in zip(raws[1:], entries[1:], strict=True):
            total = crc_combine(name, total, int.from_bytes(raw, "big"), entry.size)
        return ObjectChecksum(algorithm, base64.b64encode(total.to_bytes(width, "big")).decode())
    digest = digest_inline([algorithm.lower()], b"".join(raws))[algorithm.lower()]
    return ObjectChecksum(algorithm, f"{base64.b64encode(digest).decode()}-{len(raws)}", "COMPOSITE")


def _check_expectations(
    upload: MultipartUpload,
    composition: _Composition,
    checksum: ObjectChecksum | None,
    checksum_type: str | None,
    size: int | None,
) -> None:
    if size is not None and size != composition.size:
        raise UploadSizeMismatch(upload.upload_id, size, composition.size)
    if checksum_type is not None and checksum_type != upload.checksum_type:
        raise BadDigest(composition.checksum.algorithm, checksum_type, upload.checksum_type or "")
    if checksum is not None:
        ours = composition.checksum
        if checksum.algorithm != ours.algorithm or checksum.value.partition("-")[0] != ours.value.partition("-")[0]:
            raise BadDigest(checksum.algorithm, checksum.value, ours.value)


def _as_before(located: Located, upload: MultipartUpload) -> Written:
    """The answer of a Complete that was done already."""
    result = upload.result
    assert result is not None
    version = ObjectVersion(
        v=RECORD_FORMAT,
        version_id=result.version_id,
        is_null=result.is_null,
        size=result.size,
        etag=result.etag,
        created_at=upload.finished_at or upload.initiated_at,
        owner=upload.initiated_by,
        storage_class=upload.storage_class,
        checksum=result.checksum,
    )
    return Written(located.bucket, version)
