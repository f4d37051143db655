"""CopyObject and UploadPartCopy: both read one object, which the caller must be allowed to read, and write another."""

from __future__ import annotations

from typing import Final

from lightningstor.errors import InvalidPartNumber, VersionIsDeleteMarker
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket
from lightningstor.s3.addressing import decode_key
from lightningstor.s3.authorise import ABSENCES, check_owner, hide_absence
from lightningstor.s3.call import Call
from lightningstor.s3.context import CallContext
from lightningstor.s3.handlers.conditions import check_copy_source, copy_range
from lightningstor.s3.handlers.drafts import draft_of
from lightningstor.s3.handlers.shapes import checksum_members, quoted, shown_version, tags_of_header
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidArgument, InvalidRequest, InvalidURI
from lightningstor.s3.wire.operations import BY_NAME
from lightningstor.store.api import ObjectDraft, ReadPlan
from lightningstor.store.conditions import write_conditions
from lightningstor.store.copy import Source
from lightningstor.store.find import Found
from lightningstor.store.storage_classes import storage_class_of

__all__ = ["copy_object", "copy_source", "upload_part_copy"]

READ: Final = "lightningstor:objects:get"
REPLACE: Final = "REPLACE"


async def copy_object(call: Call, request: dto.CopyObjectRequest) -> dto.CopyObjectOutput:
    """Copy an object, within a bucket or across buckets, with its metadata or with other."""
    source = copy_source(request.copy_source)
    _check_that_something_changes(request, source)
    bucket, source = await _authorise_source(call, source, request.expected_source_bucket_owner)
    try:
        copied = await call.endpoint.store.copies.copy(
            source,
            lambda found: check_copy_source(request, found),
            request.bucket,
            request.key,
            lambda found: _draft(call, request, found),
            write_conditions(request.if_match, request.if_none_match),
            replace_metadata=request.metadata_directive == REPLACE,
        )
    except VersionIsDeleteMarker as marker:
        raise _not_to_be_copied() from marker
    except ABSENCES as absent:
        raise await hide_absence(call, bucket, absent) from None
    version = copied.written.version
    call.object_size = version.size
    checksum = version.checksum
    return dto.CopyObjectOutput(
        copy_object_result=dto.CopyObjectResult(
            last_modified=version.created_at,
            etag=quoted(version.etag),
            checksum_type=None if checksum is None else checksum.kind,
            **checksum_members(checksum),
        ),
        copy_source_version_id=shown_version(copied.source.bucket, copied.source.version),
        version_id=shown_version(copied.written.bucket, version),
    )


def copy_source(header: str) -> Source:
    """What an `x-amz-copy-source` header names: `[/]bucket/key[?versionId=id]`, the key percent-encoded.

    A `+` is a space, other than in paths: S3 reads the header so, s5cmd writes it so, and whoever means a plus
    writes %2B.

    Raises:
        InvalidArgument: it is not of that form.
    """
    path, _, version = header.partition("?versionId=")
    bucket, slash, key = path.removeprefix("/").partition("/")
    if not bucket or not slash or not key or bucket.startswith("arn:"):
        raise InvalidArgument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", header
        )
    if "?" in key:
        raise InvalidArgument("Copy Source holds a parameter other than versionId", "x-amz-copy-source", header)
    try:
        return Source(decode_key(bucket.encode()), decode_key(key.replace("+", " ").encode()), version or None)
    except InvalidURI:
        raise InvalidArgument("Invalid copy source encoding.", "x-amz-copy-source", header) from None


def _check_that_something_changes(request: dto.CopyObjectRequest, source: Source) -> None:
    """A copy of an object onto itself must change something, as in S3.

    Raises:
        InvalidRequest
    """
    if (
        (source.bucket, source.key) == (request.bucket, request.key)
        and source.version_id is None
        and request.metadata_directive != REPLACE
        and request.tagging_directive != REPLACE
        and request.storage_class is None
        and request.checksum_algorithm is None
    ):
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing the"
            " object's metadata, storage class, website redirect location or encryption attributes."
        )


def _draft(call: Call, request: dto.CopyObjectRequest, found: Found) -> ObjectDraft:
    """The new object: by S3's directives either as the source was or as the request says."""
    source = found.version
    algorithm = request.checksum_algorithm or (None if source.checksum is None else source.checksum.algorithm)
    tags = tags_of_header(request.tagging) if request.tagging_directive == REPLACE else source.tags
    if request.metadata_directive == REPLACE:
        wanted = draft_of(call, request, algorithm)
        return ObjectDraft(
            wanted.owner,
            wanted.content_type,
            wanted.headers,
            wanted.metadata,
            tags,
            wanted.storage_class,
            algorithm,
        )
    return ObjectDraft(
        call.principal.owner,
        source.content_type,
        source.headers,
        source.metadata,
        tags,
        storage_class_of(request.storage_class),
        algorithm,
    )


async def upload_part_copy(call: Call, request: dto.UploadPartCopyRequest) -> dto.UploadPartCopyOutput:
    """Make a part of an object or of a range of one."""
    store = call.endpoint.store
    limits = store.limits
    if not 1 <= request.part_number <= limits.max_parts:
        raise InvalidPartNumber(request.part_number, limits.max_parts)
    source = copy_source(request.copy_source)
    bucket, source = await _authorise_source(call, source, request.expected_source_bucket_owner)

    def plan(found: Found) -> ReadPlan | None:
        check_copy_source(request, found)
        return copy_range(request.copy_source_range, found)

    try:
        copied = await store.copies.copy_part(
            source, plan, request.bucket, request.key, request.upload_id, request.part_number
        )
    except VersionIsDeleteMarker as marker:
        raise _not_to_be_copied() from marker
    except ABSENCES as absent:
        raise await hide_absence(call, bucket, absent) from None
    part = copied.part
    call.object_size = part.size
    return dto.UploadPartCopyOutput(
        copy_part_result=dto.CopyPartResult(
            last_modified=part.uploaded_at, etag=quoted(part.etag), **checksum_members(part.checksum)
        ),
        copy_source_version_id=shown_version(copied.source.bucket, copied.source.version),
    )


async def _authorise_source(call: Call, source: Source, expected_owner: str | None) -> tuple[Bucket, Source]:
    """The bucket to copy from, which the caller may read, and the source as the store takes it.

    Raises:
        NoSuchBucket, AccessDenied
    """
    buckets, principal = call.endpoint.store.buckets, call.principal
    if buckets.scoped_names:
        name = await buckets.resolve(source.bucket, principal.org_id, principal.project_id)
        source = Source(name, source.key, source.version_id)
    bucket = await buckets.get(source.bucket)
    if not principal.admin:
        resource = Resource(bucket.org_id, bucket.project_id, bucket.name, source.key)
        reading = CallContext(call, BY_NAME["GetObject"], source.version_id)
        await call.endpoint.authorizer.authorize(principal, READ, resource, reading)
    check_owner(bucket, expected_owner)
    return bucket, source


def _not_to_be_copied() -> InvalidRequest:
    return InvalidRequest("The source of a copy request may not specifically refer to a delete marker by version id.")
