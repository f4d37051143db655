"""Requests and answers that list objects and versions."""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor.s3.wire.dto.members import (
    BOOLEAN,
    INTEGER,
    KEY,
    TEXT,
    TIMESTAMP,
    Dto,
    Rendered,
    flat,
    header,
    query,
    struct,
    xml,
)
from lightningstor.s3.wire.dto.shared import (
    CHECKSUM_TYPE,
    ENCODING_TYPE,
    OPTIONAL_OBJECT_ATTRIBUTES,
    REQUEST_PAYER,
    BucketRequest,
    CommonPrefix,
    Owner,
)

__all__ = [
    "DeleteMarkerEntry",
    "ListObjectVersionsOutput",
    "ListObjectVersionsRequest",
    "ListObjectsOutput",
    "ListObjectsRequest",
    "ListObjectsV2Output",
    "ListObjectsV2Request",
    "Object",
    "ObjectVersion",
]


class _ListingRequest(BucketRequest):
    """What the three listings of objects have in common."""

    delimiter: str | None = query("delimiter")
    encoding_type: str | None = query("encoding-type", ENCODING_TYPE)
    max_keys: int | None = query("max-keys", INTEGER)
    prefix: str | None = query("prefix")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    optional_object_attributes: tuple[str, ...] | None = header(
        "x-amz-optional-object-attributes", OPTIONAL_OBJECT_ATTRIBUTES
    )


class ListObjectsRequest(_ListingRequest):
    """ListObjects (version 1)."""

    marker: str | None = query("marker")


class ListObjectsV2Request(_ListingRequest):
    """ListObjectsV2."""

    continuation_token: str | None = query("continuation-token")
    fetch_owner: bool | None = query("fetch-owner", BOOLEAN)
    start_after: str | None = query("start-after")


class ListObjectVersionsRequest(_ListingRequest):
    """ListObjectVersions."""

    key_marker: str | None = query("key-marker")
    version_id_marker: str | None = query("version-id-marker")


class Object(Dto):
    """One object of a listing. `last_modified` in milliseconds, `etag` with its quotes."""

    key: str | None = xml("Key", KEY)
    last_modified: int | None = xml("LastModified", TIMESTAMP)
    etag: str | None = xml("ETag")
    checksum_algorithm: tuple[str, ...] | None = flat("ChecksumAlgorithm", TEXT)
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)
    size: int | None = xml("Size", INTEGER)
    storage_class: str | None = xml("StorageClass")
    owner: Owner | None = struct("Owner", Owner)


class ObjectVersion(Dto):
    """One version of ListObjectVersions."""

    key: str | None = xml("Key", KEY)
    version_id: str | None = xml("VersionId")
    is_latest: bool | None = xml("IsLatest", BOOLEAN)
    last_modified: int | None = xml("LastModified", TIMESTAMP)
    etag: str | None = xml("ETag")
    checksum_algorithm: tuple[str, ...] | None = flat("ChecksumAlgorithm", TEXT)
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)
    size: int | None = xml("Size", INTEGER)
    storage_class: str | None = xml("StorageClass")
    owner: Owner | None = struct("Owner", Owner)


class DeleteMarkerEntry(Dto):
    """One delete marker of ListObjectVersions."""

    key: str | None = xml("Key", KEY)
    version_id: str | None = xml("VersionId")
    is_latest: bool | None = xml("IsLatest", BOOLEAN)
    last_modified: int | None = xml("LastModified", TIMESTAMP)
    owner: Owner | None = struct("Owner", Owner)


class ListObjectsOutput(Dto):
    """A page of objects (version 1)."""

    root = "ListBucketResult"
    name: str | None = xml("Name")
    prefix: str | None = xml("Prefix", KEY)
    marker: str | None = xml("Marker", KEY)
    next_marker: str | None = xml("NextMarker", KEY)
    max_keys: int | None = xml("MaxKeys", INTEGER)
    delimiter: str | None = xml("Delimiter", KEY)
    encoding_type: str | None = xml("EncodingType", ENCODING_TYPE)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    contents: Sequence[Object] | Rendered | None = flat("Contents", Object)
    common_prefixes: Sequence[CommonPrefix] | None = flat("CommonPrefixes", CommonPrefix)


class ListObjectsV2Output(Dto):
    """A page of objects; `key_count` counts the common prefixes too."""

    root = "ListBucketResult"
    name: str | None = xml("Name")
    prefix: str | None = xml("Prefix", KEY)
    start_after: str | None = xml("StartAfter", KEY)
    continuation_token: str | None = xml("ContinuationToken")
    next_continuation_token: str | None = xml("NextContinuationToken")
    key_count: int | None = xml("KeyCount", INTEGER)
    max_keys: int | None = xml("MaxKeys", INTEGER)
    delimiter: str | None = xml("Delimiter", KEY)
    encoding_type: str | None = xml("EncodingType", ENCODING_TYPE)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    contents: Sequence[Object] | Rendered | None = flat("Contents", Object)
    common_prefixes: Sequence[CommonPrefix] | None = flat("CommonPrefixes", CommonPrefix)


class ListObjectVersionsOutput(Dto):
    """A page of versions and delete markers. S3 mixes the two by key: `versions` may be an `xml.Rendered` of both."""

    root = "ListVersionsResult"
    name: str | None = xml("Name")
    prefix: str | None = xml("Prefix", KEY)
    key_marker: str | None = xml("KeyMarker", KEY)
    version_id_marker: str | None = xml("VersionIdMarker")
    next_key_marker: str | None = xml("NextKeyMarker", KEY)
    next_version_id_marker: str | None = xml("NextVersionIdMarker")
    max_keys: int | None = xml("MaxKeys", INTEGER)
    delimiter: str | None = xml("Delimiter", KEY)
    encoding_type: str | None = xml("EncodingType", ENCODING_TYPE)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    versions: Sequence[ObjectVersion] | Rendered | None = flat("Version", ObjectVersion)
    delete_markers: Sequence[DeleteMarkerEntry] | None = flat("DeleteMarker", DeleteMarkerEntry)
    common_prefixes: Sequence[CommonPrefix] | None = flat("CommonPrefixes", CommonPrefix)
