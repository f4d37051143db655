"""What several operations have in common: the base requests, the refused headers, small structures."""

from __future__ import annotations

from typing import Final

from lightningstor.s3.wire.dto.members import (
    KEY,
    TEXT,
    Dto,
    Kind,
    Refusal,
    choice,
    choices,
    header,
    prefixed_headers,
    refuse,
    refuse_grant,
    wrapped,
    xml,
)

__all__ = [
    "ACL_GRANTS",
    "BUCKET_KEY",
    "CHECKSUM_ALGORITHM",
    "CHECKSUM_TYPE",
    "COPY_SOURCE_SSE_C",
    "ENCODING_TYPE",
    "MFA",
    "OBJECT_LOCK",
    "OPTIONAL_OBJECT_ATTRIBUTES",
    "REQUEST_PAYER",
    "SSE",
    "SSE_C",
    "WEBSITE_REDIRECT",
    "BucketRequest",
    "ChecksumHeaders",
    "ChecksumMembers",
    "CommonPrefix",
    "Initiator",
    "NewObjectRequest",
    "ObjectRequest",
    "Owner",
    "Tag",
    "Tagging",
]

CHECKSUM_ALGORITHM: Final[Kind] = choice(
    "CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128"
)
CHECKSUM_TYPE: Final[Kind] = choice("COMPOSITE", "FULL_OBJECT")
ENCODING_TYPE: Final[Kind] = choice("url")
# Who asks to pay for a bucket whose owner pays anyway gets the same answer as anybody (S3 API, Requester Pays).
REQUEST_PAYER: Final[Kind] = choice("requester")
# Nothing is archived here, so no object has a restore status to add: the answer is S3's.
OPTIONAL_OBJECT_ATTRIBUTES: Final[Kind] = choices("RestoreStatus")

# ACLs are disabled, as in every new bucket of S3 (BucketOwnerEnforced). The two canned ACLs that say "the owner has
# full control" are what holds anyway.
ACL_GRANTS: Final[tuple[Refusal, ...]] = (
    refuse_grant("x-amz-acl", "private", "bucket-owner-full-control"),
    refuse_grant("x-amz-grant-full-control"),
    refuse_grant("x-amz-grant-read"),
    refuse_grant("x-amz-grant-read-acp"),
    refuse_grant("x-amz-grant-write-acp"),
)
# Whoever asks for encryption must never find the object stored plain.
SSE_C: Final[tuple[Refusal, ...]] = (
    refuse("x-amz-server-side-encryption-customer-algorithm"),
    refuse("x-amz-server-side-encryption-customer-key"),
    refuse("x-amz-server-side-encryption-customer-key-MD5"),
)
COPY_SOURCE_SSE_C: Final[tuple[Refusal, ...]] = (
    refuse("x-amz-copy-source-server-side-encryption-customer-algorithm"),
    refuse("x-amz-copy-source-server-side-encryption-customer-key"),
    refuse("x-amz-copy-source-server-side-encryption-customer-key-MD5"),
)
BUCKET_KEY: Final[tuple[Refusal, ...]] = (refuse("x-amz-server-side-encryption-bucket-key-enabled", "false"),)
SSE: Final[tuple[Refusal, ...]] = (
    refuse("x-amz-server-side-encryption"),
    refuse("x-amz-server-side-encryption-aws-kms-key-id"),
    refuse("x-amz-server-side-encryption-context"),
    *BUCKET_KEY,
    *SSE_C,
)
OBJECT_LOCK: Final[tuple[Refusal, ...]] = (
    refuse("x-amz-object-lock-mode"),
    refuse("x-amz-object-lock-retain-until-date"),
    refuse("x-amz-object-lock-legal-hold"),
    refuse("x-amz-object-lock-event-hold"),
    refuse("x-amz-object-lock-event-hold-duration-days"),
    refuse("x-amz-object-lock-event-hold-duration-years"),
)
WEBSITE_REDIRECT: Final[tuple[Refusal, ...]] = (refuse("x-amz-website-redirect-location"),)
MFA: Final[tuple[Refusal, ...]] = (refuse("x-amz-mfa"),)


class BucketRequest(Dto):
    """A request for a bucket."""

    bucket: str
    expected_bucket_owner: str | None = header("x-amz-expected-bucket-owner")


class ObjectRequest(BucketRequest):
    """A request for an object."""

    key: str


class NewObjectRequest(ObjectRequest):
    """What every request that makes an object may say of it."""

    cache_control: str | None = header("Cache-Control")
    content_disposition: str | None = header("Content-Disposition")
    content_encoding: str | None = header("Content-Encoding")
    content_language: str | None = header("Content-Language")
    content_type: str | None = header("Content-Type")
    expires: str | None = header("Expires")
    metadata: dict[str, str] | None = prefixed_headers("x-amz-meta-")
    storage_class: str | None = header("x-amz-storage-class")
    tagging: str | None = header("x-amz-tagging")
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)


class ChecksumHeaders(Dto):
    """An answer's checksum headers: base64, with `-N` if the checksum is COMPOSITE."""

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


class ChecksumMembers(Dto):
    """Checksums inside an XML body: base64, with `-N` if the checksum is COMPOSITE."""

    checksum_crc32: str | None = xml("ChecksumCRC32")
    checksum_crc32c: str | None = xml("ChecksumCRC32C")
    checksum_crc64nvme: str | None = xml("ChecksumCRC64NVME")
    checksum_sha1: str | None = xml("ChecksumSHA1")
    checksum_sha256: str | None = xml("ChecksumSHA256")
    checksum_sha512: str | None = xml("ChecksumSHA512")
    checksum_md5: str | None = xml("ChecksumMD5")
    checksum_xxhash64: str | None = xml("ChecksumXXHASH64")
    checksum_xxhash3: str | None = xml("ChecksumXXHASH3")
    checksum_xxhash128: str | None = xml("ChecksumXXHASH128")


class Owner(Dto):
    """Who owns a bucket or an object."""

    id: str | None = xml("ID")
    display_name: str | None = xml("DisplayName")


class Initiator(Dto):
    """Who began a multipart upload."""

    id: str | None = xml("ID")
    display_name: str | None = xml("DisplayName")


class CommonPrefix(Dto):
    """What keys have in common up to a delimiter, in a listing."""

    prefix: str | None = xml("Prefix", KEY)


class Tag(Dto):
    """One tag."""

    key: str = xml("Key", TEXT, required=True)
    value: str = xml("Value", TEXT, required=True)


class Tagging(Dto):
    """A tag set as a body."""

    tag_set: tuple[Tag, ...] = wrapped("TagSet", "Tag", Tag, required=True)
