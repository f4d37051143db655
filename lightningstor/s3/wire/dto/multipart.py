"""Requests and answers about multipart uploads."""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor.s3.wire.dto.members import (
    BOOLEAN,
    INTEGER,
    KEY,
    TIMESTAMP,
    Dto,
    flat,
    header,
    payload,
    query,
    refuse,
    stream,
    struct,
    xml,
)
from lightningstor.s3.wire.dto.shared import (
    ACL_GRANTS,
    CHECKSUM_ALGORITHM,
    CHECKSUM_TYPE,
    COPY_SOURCE_SSE_C,
    ENCODING_TYPE,
    OBJECT_LOCK,
    REQUEST_PAYER,
    SSE,
    SSE_C,
    WEBSITE_REDIRECT,
    BucketRequest,
    ChecksumHeaders,
    ChecksumMembers,
    CommonPrefix,
    Initiator,
    NewObjectRequest,
    ObjectRequest,
    Owner,
)

__all__ = [
    "AbortMultipartUploadOutput",
    "AbortMultipartUploadRequest",
    "CompleteMultipartUploadOutput",
    "CompleteMultipartUploadRequest",
    "CompletedMultipartUpload",
    "CompletedPart",
    "CopyPartResult",
    "CreateMultipartUploadOutput",
    "CreateMultipartUploadRequest",
    "ListMultipartUploadsOutput",
    "ListMultipartUploadsRequest",
    "ListPartsOutput",
    "ListPartsRequest",
    "MultipartUpload",
    "Part",
    "UploadPartCopyOutput",
    "UploadPartCopyRequest",
    "UploadPartOutput",
    "UploadPartRequest",
]


class CreateMultipartUploadRequest(NewObjectRequest):
    """CreateMultipartUpload."""

    checksum_algorithm: str | None = header("x-amz-checksum-algorithm", CHECKSUM_ALGORITHM)
    checksum_type: str | None = header("x-amz-checksum-type", CHECKSUM_TYPE)
    refused = (*ACL_GRANTS, *SSE, *OBJECT_LOCK, *WEBSITE_REDIRECT)


class CreateMultipartUploadOutput(Dto):
    """The new upload; `abort_date` in milliseconds."""

    root = "InitiateMultipartUploadResult"
    abort_date: int | None = header("x-amz-abort-date", TIMESTAMP)
    abort_rule_id: str | None = header("x-amz-abort-rule-id")
    checksum_algorithm: str | None = header("x-amz-checksum-algorithm", CHECKSUM_ALGORITHM)
    checksum_type: str | None = header("x-amz-checksum-type", CHECKSUM_TYPE)
    bucket: str | None = xml("Bucket")
    key: str | None = xml("Key")
    upload_id: str | None = xml("UploadId")


class UploadPartRequest(ObjectRequest):
    """UploadPart."""

    body: None = stream()
    part_number: int = query("partNumber", INTEGER, required=True)
    upload_id: str = query("uploadId", required=True)
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
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    refused = SSE_C


class UploadPartOutput(ChecksumHeaders):
    """`etag` with its quotes."""

    etag: str | None = header("ETag")


class UploadPartCopyRequest(ObjectRequest):
    """UploadPartCopy."""

    copy_source: str = header("x-amz-copy-source", required=True)
    copy_source_if_match: str | None = header("x-amz-copy-source-if-match")
    copy_source_if_modified_since: str | None = header("x-amz-copy-source-if-modified-since", TIMESTAMP)
    copy_source_if_none_match: str | None = header("x-amz-copy-source-if-none-match")
    copy_source_if_unmodified_since: str | None = header("x-amz-copy-source-if-unmodified-since", TIMESTAMP)
    copy_source_range: str | None = header("x-amz-copy-source-range")
    part_number: int = query("partNumber", INTEGER, required=True)
    upload_id: str = query("uploadId", required=True)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    expected_source_bucket_owner: str | None = header("x-amz-source-expected-bucket-owner")
    refused = (*SSE_C, *COPY_SOURCE_SSE_C)


class CopyPartResult(ChecksumMembers):
    """The new part."""

    last_modified: int | None = xml("LastModified", TIMESTAMP)
    etag: str | None = xml("ETag")


class UploadPartCopyOutput(Dto):
    """The new part, and which version was copied."""

    copy_part_result: CopyPartResult | None = payload("CopyPartResult", CopyPartResult)
    copy_source_version_id: str | None = header("x-amz-copy-source-version-id")


class CompletedPart(ChecksumMembers):
    """A part as the client knows it."""

    etag: str | None = xml("ETag")
    part_number: int | None = xml("PartNumber", INTEGER)


class CompletedMultipartUpload(Dto):
    """The parts that make the object."""

    parts: tuple[CompletedPart, ...] | None = flat("Part", CompletedPart, most=10_000)


class CompleteMultipartUploadRequest(ObjectRequest):
    """CompleteMultipartUpload."""

    upload_id: str = query("uploadId", required=True)
    multipart_upload: CompletedMultipartUpload | None = payload("CompleteMultipartUpload", CompletedMultipartUpload)
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
    checksum_type: str | None = header("x-amz-checksum-type", CHECKSUM_TYPE)
    mpu_object_size: int | None = header("x-amz-mp-object-size", INTEGER)
    if_match: str | None = header("If-Match")
    if_none_match: str | None = header("If-None-Match")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    refused = SSE_C


class CompleteMultipartUploadOutput(ChecksumMembers):
    """The new object; `location` is its URL."""

    root = "CompleteMultipartUploadResult"
    version_id: str | None = header("x-amz-version-id")
    location: str | None = xml("Location")
    bucket: str | None = xml("Bucket")
    key: str | None = xml("Key")
    etag: str | None = xml("ETag")
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)


class AbortMultipartUploadRequest(ObjectRequest):
    """AbortMultipartUpload."""

    upload_id: str = query("uploadId", required=True)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    # S3 has this for directory buckets only.
    refused = (refuse("x-amz-if-match-initiated-time"),)


class AbortMultipartUploadOutput(Dto):
    """Nothing but the status."""


class ListMultipartUploadsRequest(BucketRequest):
    """ListMultipartUploads."""

    delimiter: str | None = query("delimiter")
    encoding_type: str | None = query("encoding-type", ENCODING_TYPE)
    key_marker: str | None = query("key-marker")
    max_uploads: int | None = query("max-uploads", INTEGER)
    prefix: str | None = query("prefix")
    upload_id_marker: str | None = query("upload-id-marker")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)


class MultipartUpload(Dto):
    """One open upload."""

    key: str | None = xml("Key", KEY)
    upload_id: str | None = xml("UploadId")
    initiator: Initiator | None = struct("Initiator", Initiator)
    owner: Owner | None = struct("Owner", Owner)
    storage_class: str | None = xml("StorageClass")
    initiated: int | None = xml("Initiated", TIMESTAMP)
    checksum_algorithm: str | None = xml("ChecksumAlgorithm", CHECKSUM_ALGORITHM)
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)


class ListMultipartUploadsOutput(Dto):
    """A page of open uploads."""

    root = "ListMultipartUploadsResult"
    bucket: str | None = xml("Bucket")
    key_marker: str | None = xml("KeyMarker", KEY)
    upload_id_marker: str | None = xml("UploadIdMarker")
    next_key_marker: str | None = xml("NextKeyMarker", KEY)
    next_upload_id_marker: str | None = xml("NextUploadIdMarker")
    delimiter: str | None = xml("Delimiter", KEY)
    prefix: str | None = xml("Prefix", KEY)
    encoding_type: str | None = xml("EncodingType", ENCODING_TYPE)
    max_uploads: int | None = xml("MaxUploads", INTEGER)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    uploads: Sequence[MultipartUpload] | None = flat("Upload", MultipartUpload)
    common_prefixes: Sequence[CommonPrefix] | None = flat("CommonPrefixes", CommonPrefix)


class ListPartsRequest(ObjectRequest):
    """ListParts."""

    upload_id: str = query("uploadId", required=True)
    max_parts: int | None = query("max-parts", INTEGER)
    part_number_marker: int | None = query("part-number-marker", INTEGER)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)
    refused = SSE_C


class Part(ChecksumMembers):
    """One uploaded part."""

    part_number: int | None = xml("PartNumber", INTEGER)
    last_modified: int | None = xml("LastModified", TIMESTAMP)
    etag: str | None = xml("ETag")
    size: int | None = xml("Size", INTEGER)


class ListPartsOutput(Dto):
    """A page of an upload's parts."""

    root = "ListPartsResult"
    abort_date: int | None = header("x-amz-abort-date", TIMESTAMP)
    abort_rule_id: str | None = header("x-amz-abort-rule-id")
    bucket: str | None = xml("Bucket")
    key: str | None = xml("Key")
    upload_id: str | None = xml("UploadId")
    initiator: Initiator | None = struct("Initiator", Initiator)
    owner: Owner | None = struct("Owner", Owner)
    storage_class: str | None = xml("StorageClass")
    part_number_marker: int | None = xml("PartNumberMarker", INTEGER)
    next_part_number_marker: int | None = xml("NextPartNumberMarker", INTEGER)
    max_parts: int | None = xml("MaxParts", INTEGER)
    is_truncated: bool | None = xml("IsTruncated", BOOLEAN)
    checksum_algorithm: str | None = xml("ChecksumAlgorithm", CHECKSUM_ALGORITHM)
    checksum_type: str | None = xml("ChecksumType", CHECKSUM_TYPE)
    parts: Sequence[Part] | None = flat("Part", Part)
