"""Multipart uploads. UploadPartCopy is in `copying`."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from lightningstor.errors import InvalidPartNumber
from lightningstor.model.records import MultipartUpload, ObjectChecksum
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.drafts import draft_of
from lightningstor.s3.handlers.paging import page_limit
from lightningstor.s3.handlers.shapes import checksum_members, checksums_given, owner_shape, quoted, shown_version
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidRequest
from lightningstor.s3.wire.refusals import MalformedXML
from lightningstor.store.api import CompletePart, UploadDraft
from lightningstor.store.checksums import check_multipart_type
from lightningstor.store.conditions import write_conditions

__all__ = [
    "abort_multipart_upload",
    "complete_multipart_upload",
    "create_multipart_upload",
    "list_multipart_uploads",
    "list_parts",
    "upload_part",
]

MAX_ENTRIES_PER_LIST: Final = 1000


async def create_multipart_upload(
    call: Call, request: dto.CreateMultipartUploadRequest
) -> dto.CreateMultipartUploadOutput:
    """Begin an upload."""
    algorithm, kind = request.checksum_algorithm, request.checksum_type
    _check_algorithm(algorithm, kind)
    upload = await call.endpoint.store.uploads.create(
        request.bucket, request.key, UploadDraft(draft_of(call, request, algorithm), kind)
    )
    return dto.CreateMultipartUploadOutput(
        checksum_algorithm=algorithm,
        checksum_type=upload.checksum_type if algorithm is not None else None,
        bucket=request.bucket,
        key=request.key,
        upload_id=upload.upload_id,
    )


def _check_algorithm(algorithm: str | None, kind: str | None) -> None:
    """Whether S3 makes a checksum of that kind for a multipart object (User Guide, "Checking object integrity").

    Raises:
        InvalidRequest
    """
    if algorithm is None:
        if kind is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return
    check_multipart_type(algorithm, kind)


async def upload_part(call: Call, request: dto.UploadPartRequest) -> dto.UploadPartOutput:
    """Take one part."""
    store, body = call.endpoint.store, call.body
    assert body is not None
    limits = store.limits
    if not 1 <= request.part_number <= limits.max_parts:
        raise InvalidPartNumber(request.part_number, limits.max_parts)
    _, upload, _ = await store.uploads.finder.open_upload(request.bucket, request.key, request.upload_id)
    sent = body.checksum_algorithm
    if sent is not None and upload.checksum_algorithm not in (None, sent):
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm},"
            f" actual checksum Type: {sent}"
        )
    part = await store.uploads.put_part(request.bucket, request.key, request.upload_id, request.part_number, body)
    call.object_size = part.size
    # Whoever did not ask for checksums when the upload began is not told the one that is kept all the same.
    shown = part.checksum if upload.checksum_algorithm is not None else None
    return dto.UploadPartOutput(etag=quoted(part.etag), **checksum_members(shown))


async def complete_multipart_upload(
    call: Call, request: dto.CompleteMultipartUploadRequest
) -> dto.CompleteMultipartUploadOutput:
    """Make the parts one object."""
    wanted = request.multipart_upload
    if wanted is None or not wanted.parts:
        raise MalformedXML("CompleteMultipartUpload names no part")
    written = await call.endpoint.store.completions.complete(
        request.bucket,
        request.key,
        request.upload_id,
        [_complete_part(part) for part in wanted.parts],
        checksum=_expected_checksum(request),
        checksum_type=request.checksum_type,
        size=request.mpu_object_size,
        conditions=write_conditions(request.if_match, request.if_none_match),
    )
    version = written.version
    call.object_size = version.size
    checksum = version.checksum
    return dto.CompleteMultipartUploadOutput(
        version_id=shown_version(written.bucket, version),
        location=_location(call),
        bucket=request.bucket,
        key=request.key,
        etag=quoted(version.etag),
        checksum_type=None if checksum is None else checksum.kind,
        **checksum_members(checksum),
    )


def _complete_part(part: dto.CompletedPart) -> CompletePart:
    if part.part_number is None or part.etag is None:
        raise MalformedXML("a Part has no PartNumber or no ETag")
    return CompletePart(part.part_number, part.etag.strip().strip('"'), checksums_given(part))


def _expected_checksum(request: dto.CompleteMultipartUploadRequest) -> ObjectChecksum | None:
    """What the client expects of the whole object, if it does.

    Raises:
        InvalidRequest: several checksums.
    """
    given = checksums_given(request)
    if not given:
        return None
    if len(given) > 1:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    ((algorithm, value),) = given.items()
    return ObjectChecksum(algorithm, value, request.checksum_type or "FULL_OBJECT")


def _location(call: Call) -> str:
    """The object's URL, as the client reached the store."""
    host = call.headers.get(b"host", b"").decode("latin-1")
    path = quote(f"{call.key}", safe="/~") if call.virtual_host else quote(f"{call.bucket}/{call.key}", safe="/~")
    return f"{call.exchange.scheme}://{host}/{path}"


async def abort_multipart_upload(
    call: Call, request: dto.AbortMultipartUploadRequest
) -> dto.AbortMultipartUploadOutput:
    """End an upload; its parts are freed."""
    await call.endpoint.store.uploads.abort(request.bucket, request.key, request.upload_id)
    return dto.AbortMultipartUploadOutput()


async def list_multipart_uploads(
    call: Call, request: dto.ListMultipartUploadsRequest
) -> dto.ListMultipartUploadsOutput:
    """The open uploads, by key, of each key the oldest first."""
    limit = page_limit(request.max_uploads, "max-uploads", MAX_ENTRIES_PER_LIST)
    prefix, delimiter, marker = request.prefix or "", request.delimiter or "", request.key_marker or ""
    page = await call.endpoint.store.listings.uploads(
        request.bucket,
        prefix=prefix,
        delimiter=delimiter,
        key_marker=marker,
        # As S3: without a key marker the upload id marker says nothing.
        upload_id_marker=request.upload_id_marker or None if marker else None,
        limit=limit,
    )
    return dto.ListMultipartUploadsOutput(
        bucket=request.bucket,
        key_marker=marker,
        upload_id_marker=request.upload_id_marker or "",
        next_key_marker=page.next_key,
        next_upload_id_marker=page.next_upload_id,
        delimiter=delimiter or None,
        prefix=prefix,
        encoding_type=request.encoding_type,
        max_uploads=limit,
        is_truncated=page.truncated,
        uploads=[_upload_shape(call, entry.key, entry.upload) for entry in page.uploads],
        common_prefixes=[dto.CommonPrefix(prefix=common) for common in page.prefixes],
    )


def _upload_shape(call: Call, key: str, upload: MultipartUpload) -> dto.MultipartUpload:
    assert call.found is not None
    begun_by = upload.initiated_by
    return dto.MultipartUpload(
        key=key,
        upload_id=upload.upload_id,
        initiator=dto.Initiator(id=begun_by.canonical_id, display_name=begun_by.display_name),
        owner=owner_shape(call.found.created_by),
        storage_class=upload.storage_class,
        initiated=upload.initiated_at,
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type if upload.checksum_algorithm is not None else None,
    )


async def list_parts(call: Call, request: dto.ListPartsRequest) -> dto.ListPartsOutput:
    """The parts of an open upload, by number."""
    limit = page_limit(request.max_parts, "max-parts", MAX_ENTRIES_PER_LIST)
    after = request.part_number_marker or 0
    page = await call.endpoint.store.uploads.list_parts(
        request.bucket, request.key, request.upload_id, after=after, limit=limit
    )
    upload = page.upload
    asked = upload.checksum_algorithm is not None
    begun_by = upload.initiated_by
    assert call.found is not None
    return dto.ListPartsOutput(
        bucket=request.bucket,
        key=request.key,
        upload_id=request.upload_id,
        initiator=dto.Initiator(id=begun_by.canonical_id, display_name=begun_by.display_name),
        owner=owner_shape(call.found.created_by),
        storage_class=upload.storage_class,
        part_number_marker=after,
        next_part_number_marker=page.parts[-1].number if page.parts else 0,
        max_parts=limit,
        is_truncated=page.truncated,
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type if asked else None,
        parts=[
            dto.Part(
                part_number=part.number,
                last_modified=part.uploaded_at,
                etag=quoted(part.etag),
                size=part.size,
                **checksum_members(part.checksum if asked else None),
            )
            for part in page.parts
        ],
    )
