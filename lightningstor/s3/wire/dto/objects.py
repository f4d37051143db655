"""Requests and answers about single objects, and DeleteObjects."""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor.s3.wire.dto.members import (
    BOOLEAN,
    INTEGER,
    TIMESTAMP,
    Dto,
    choice,
    choices,
    flat,
    header,
    payload,
    prefixed_headers,
    query,
    refuse,
    stream,
    struct,
    wrapped,
    xml,
)
from lightningstor.s3.wire.dto.shared import (
    ACL_GRANTS,
    CHECKSUM_ALGORITHM,
    CHECKSUM_TYPE,
    COPY_SOURCE_SSE_C,
    MFA,
    OBJECT_LOCK,
    REQUEST_PAYER,
    SSE,
    SSE_C,
    WEBSITE_REDIRECT,
    BucketRequest,
    ChecksumHeaders,
    ChecksumMembers,
    NewObjectRequest,
    ObjectRequest,
    Tag,
    Tagging,
)

__all__ = [
    "Checksum",
    "CopyObjectOutput",
    "CopyObjectRequest",
    "CopyObjectResult",
    "Delete",
    "DeleteObjectOutput",
    "DeleteObjectRequest",
    "DeleteObjectTaggingOutput",
    "DeleteObjectTaggingRequest",
    "DeleteObjectsOutput",
    "DeleteObjectsRequest",
    "DeletedObject",
    "Error",
    "GetObjectAttributesOutput",
    "GetObjectAttributesParts",
    "GetObjectAttributesRequest",
    "GetObjectOutput",
    "GetObjectRequest",
    "GetObjectTaggingOutput",
    "GetObjectTaggingRequest",
    "HeadObjectOutput",
    "HeadObjectRequest",
    "ObjectIdentifier",
    "ObjectPart",
    "PutObjectOutput",
    "PutObjectRequest",
    "PutObjectTaggingOutput",
    "PutObjectTaggingRequest",
]


class PutObjectRequest(NewObjectRequest):
    """PutObject."""

    body: None = stream()
    content_length: int | None = header("Content-Length", INTEGER)
    content_md5: str | None = header("Content-MD5")
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    checksum_crc32: str | None = header("x-amz-checksum-crc32")
    checksum_crc32c: str | None = header("x-amz-checksum-crc32c")
    checksum_crc64nvme: str | None = header("x-amz-checksum-crc64nvme")
    checksum_sha1: str | None = header("x-amz-checksum-sha1")
    checksum_sha256: str | None = header("x-amz-checksum-sha256")
    checksum_sha512: str | None = header("x-amz-checksum-sha512")
    checksum_md5: str | None = header("x-amz-checksum-md5")
    checksum_xxhash64: str | None = header("x-amz-checksum-xxhash64")
    checksum_xxhash3: str | None = header("x-amz-checksum-xxhash3")
    checksum_xxhash128: str | None = header("x-amz-checksum-xxhash128")
    if_match: str | None = header("If-Match")
    if_none_match: str | None = header("If-None-Match")
    # Appending (directory buckets) would replace the object here.
    refused = (*ACL_GRANTS, *SSE, *OBJECT_LOCK, *WEBSITE_REDIRECT, refuse("x-amz-write-offset-bytes"))


class PutObjectOutput(ChecksumHeaders):
    """`etag` with its quotes; `size` in bytes."""

    etag: str | None = header("ETag")
    checksum_type: str | None = header("x-amz-checksum-type", CHECKSUM_TYPE)
    version_id: str | None = header("x-amz-version-id")
    size: int | None = header("x-amz-object-size", INTEGER)


class _ReadRequest(ObjectRequest):
    """What GetObject and HeadObject have in common: all of it."""

    if_match: str | None = header("If-Match")
    if_modified_since: str | None = header("If-Modified-Since", TIMESTAMP)
    if_none_match: str | None = header("If-None-Match")
    if_unmodified_since: str | None = header("If-Unmodified-Since", TIMESTAMP)
    range: str | None = header("Range")
    # Not in S3's model, but S3 honours it (RFC 9110 §13.1.5).
    if_range: str | None = header("If-Range")
    response_cache_control: str | None = query("response-cache-control")
    response_content_disposition: str | None = query("response-content-disposition")
    response_content_encoding: str | None = query("response-content-encoding")
    response_content_language: str | None = query("response-content-language")
    response_content_type: str | None = query("response-content-type")
    response_expires: str | None = query("response-expires", TIMESTAMP)
    version_id: str | None = query("versionId")
    part_number: int | None = query("partNumber", INTEGER)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    checksum_mode: str | None = header("x-amz-checksum-mode", choice("ENABLED"))
    refused = SSE_C


class GetObjectRequest(_ReadRequest):
    """GetObject."""


class HeadObjectRequest(_ReadRequest):
    """HeadObject."""


class _ReadOutput(ChecksumHeaders):
    """What GetObject and HeadObject answer. Times in milliseconds, sizes in bytes; `etag` with its quotes."""

    accept_ranges: str | None = header("accept-ranges")
    last_modified: int | None = header("Last-Modified", TIMESTAMP)
    content_length: int | None = header("Content-Length", INTEGER)
    etag: str | None = header("ETag")
    checksum_type: str | None = header("x-amz-checksum-type", CHECKSUM_TYPE)
    delete_marker: bool | None = header("x-amz-delete-marker", BOOLEAN)
    missing_meta: int | None = header("x-amz-missing-meta", INTEGER)
    version_id: str | None = header("x-amz-version-id")
    cache_control: str | None = header("Cache-Control")
    content_disposition: str | None = header("Content-Disposition")
    content_encoding: str | None = header("Content-Encoding")
    content_language: str | None = header("Content-Language")
    content_range: str | None = header("Content-Range")
    content_type: str | None = header("Content-Type")
    expires: str | None = header("Expires")
    metadata: dict[str, str] | None = prefixed_headers("x-amz-meta-")
    storage_class: str | None = header("x-amz-storage-class")
    parts_count: int | None = header("x-amz-mp-parts-count", INTEGER)
    tag_count: int | None = header("x-amz-tagging-count", INTEGER)


class GetObjectOutput(_ReadOutput):
    """GetObject's headers; the handler sends the bytes."""

    body: None = stream()


class HeadObjectOutput(_ReadOutput):
    """HeadObject's headers."""


class DeleteObjectRequest(ObjectRequest):
    """DeleteObject."""

    version_id: str | None = query("versionId")
    if_match: str | None = header("If-Match")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    refused = (
        *MFA,
        refuse("x-amz-bypass-governance-retention", "false"),
        # S3 has these two for directory buckets only.
        refuse("x-amz-if-match-last-modified-time"),
        refuse("x-amz-if-match-size"),
    )


class DeleteObjectOutput(Dto):
    """`delete_marker`: a marker was made, or the version removed was one."""

    delete_marker: bool | None = header("x-amz-delete-marker", BOOLEAN)
    version_id: str | None = header("x-amz-version-id")


class ObjectIdentifier(Dto):
    """One object to delete."""

    key: str = xml("Key", required=True)
    version_id: str | None = xml("VersionId")
    etag: str | None = xml("ETag")
    # Directory buckets only, as in DeleteObject.
    refused = (refuse("LastModifiedTime"), refuse("Size"))


class Delete(Dto):
    """The objects to delete; `quiet`: only errors are told."""

    objects: tuple[ObjectIdentifier, ...] = flat("Object", ObjectIdentifier, required=True, most=1000)
    quiet: bool | None = xml("Quiet", BOOLEAN)


class DeleteObjectsRequest(BucketRequest):
    """DeleteObjects."""

    delete: Delete = payload("Delete", Delete, required=True)
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    refused = (*MFA, refuse("x-amz-bypass-governance-retention", "false"))


class DeletedObject(Dto):
    """One object that is gone."""

    key: str | None = xml("Key")
    version_id: str | None = xml("VersionId")
    delete_marker: bool | None = xml("DeleteMarker", BOOLEAN)
    delete_marker_version_id: str | None = xml("DeleteMarkerVersionId")


class Error(Dto):
    """One object that could not be deleted, and why."""

    key: str | None = xml("Key")
    version_id: str | None = xml("VersionId")
    code: str | None = xml("Code")
    message: str | None = xml("Message")


class DeleteObjectsOutput(Dto):
    """What became of each object."""

    root = "DeleteResult"
    deleted: Sequence[DeletedObject] | None = flat("Deleted", DeletedObject)
    errors: Sequence[Error] | None = flat("Error", Error)


class CopyObjectRequest(NewObjectRequest):
    """CopyObject."""

    copy_source: str = header("x-amz-copy-source", required=True)
    copy_source_if_match: str | None = header("x-amz-copy-source-if-match")
    copy_source_if_modified_since: str | None = header("x-amz-copy-source-if-modified-since", TIMESTAMP)
    copy_source_if_none_match: str | None = header("x-amz-copy-source-if-none-match")
    copy_source_if_unmodified_since: str | None = header("x-amz-copy-source-if-unmodified-since", TIMESTAMP)
    if_match: str | None = header("If-Match")
    if_none_match: str | None = header("If-None-Match")
    metadata_directive: str | None = header("x-amz-metadata-directive", choice("COPY", "REPLACE"))
    tagging_directive: str | None = header("x-amz-tagging-directive", choice("COPY", "REPLACE"))
    checksum_algorithm: str | None = header("x-amz-checksum-algorithm", CHECKSUM_ALGORITHM)
    expected_source_bucket_owner: str | None = header("x-amz-source-expected-bucket-owner")
    refused = (
        *ACL_GRANTS,
        *SSE,
        *COPY_SOURCE_SSE_C,
        *OBJECT_LOCK,
        *WEBSITE_REDIRECT,
        refuse("x-amz-object-annotation-directive"),
    )


class CopyObjectResult(ChecksumMembers):
    """The new object."""

    last_modified: int | None = xml("LastModified", TIMESTAMP)
    etag: str | None = xml("ETag")
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)


class CopyObjectOutput(Dto):
    """The new object, and which version was copied."""

    copy_object_result: CopyObjectResult | None = payload("CopyObjectResult", CopyObjectResult)
    copy_source_version_id: str | None = header("x-amz-copy-source-version-id")
    version_id: str | None = header("x-amz-version-id")


class GetObjectAttributesRequest(ObjectRequest):
    """GetObjectAttributes."""

    version_id: str | None = query("versionId")
    max_parts: int | None = header("x-amz-max-parts", INTEGER)
    part_number_marker: int | None = header("x-amz-part-number-marker", INTEGER)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    object_attributes: tuple[str, ...] = header(
        "x-amz-object-attributes",
        choices("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"),
        required=True,
    )
    refused = SSE_C


class Checksum(ChecksumMembers):
    """An object's checksum."""

    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)


class ObjectPart(ChecksumMembers):
    """One part of a multipart object."""

    part_number: int | None = xml("PartNumber", INTEGER)
    size: int | None = xml("Size", INTEGER)


class GetObjectAttributesParts(Dto):
    """A page of an object's parts."""

    total_parts_count: int | None = xml("PartsCount", INTEGER)
    part_number_marker: int | None = xml("PartNumberMarker", INTEGER)
    next_part_number_marker: int | None = xml("NextPartNumberMarker", INTEGER)
    max_parts: int | None = xml("MaxParts", INTEGER)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    parts: Sequence[ObjectPart] | None = flat("Part", ObjectPart)


class GetObjectAttributesOutput(Dto):
    """The attributes that were asked for. `etag` is without quotes, unlike everywhere else in S3."""

    root = "GetObjectAttributesResponse"
    delete_marker: bool | None = header("x-amz-delete-marker", BOOLEAN)
    last_modified: int | None = header("Last-Modified", TIMESTAMP)
    version_id: str | None = header("x-amz-version-id")
    etag: str | None = xml("ETag")
    checksum: Checksum | None = struct("Checksum", Checksum)
    object_parts: GetObjectAttributesParts | None = struct("ObjectParts", GetObjectAttributesParts)
    storage_class: str | None = xml("StorageClass")
    object_size: int | None = xml("ObjectSize", INTEGER)


class GetObjectTaggingRequest(ObjectRequest):
    """GetObjectTagging."""

    version_id: str | None = query("versionId")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)


class GetObjectTaggingOutput(Dto):
    """The object's tags."""

    root = "Tagging"
    version_id: str | None = header("x-amz-version-id")
    tag_set: Sequence[Tag] = wrapped("TagSet", "Tag", Tag, required=True)


class PutObjectTaggingRequest(ObjectRequest):
    """PutObjectTagging."""

    version_id: str | None = query("versionId")
    content_md5: str | None = header("Content-MD5")
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    tagging: Tagging = payload("Tagging", Tagging, required=True)


class PutObjectTaggingOutput(Dto):
    """Which version was tagged."""

    version_id: str | None = header("x-amz-version-id")


class DeleteObjectTaggingRequest(ObjectRequest):
    """DeleteObjectTagging."""

    version_id: str | None = query("versionId")


class DeleteObjectTaggingOutput(Dto):
    """Which version lost its tags."""

    version_id: str | None = header("x-amz-version-id")
