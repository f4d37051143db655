"""What can go wrong in the store, as facts.

Each class says when it is raised and carries what a caller needs to explain it. Codes, statuses and
sentences of a protocol are not here: `lightningstor.s3.errors` maps every class to them, once.
"""

from __future__ import annotations

from attrs import define

__all__ = [
    "AccessDenied",
    "AuditUnavailable",
    "AuthorizerUnavailable",
    "BadDigest",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketNamesFixed",
    "BucketNotEmpty",
    "BytesCorrupt",
    "BytesMissing",
    "CommitUndetermined",
    "CompletionInProgress",
    "Contention",
    "CurrentIsDeleteMarker",
    "EntityTooLarge",
    "EntityTooSmall",
    "FormatTooNew",
    "IncompleteBody",
    "InvalidArgument",
    "InvalidBucketName",
    "InvalidBucketState",
    "InvalidKey",
    "InvalidPart",
    "InvalidPartNumber",
    "InvalidPartOrder",
    "InvalidQuota",
    "InvalidRange",
    "InvalidRequest",
    "InvalidTag",
    "InvalidVersionId",
    "KeyTooLong",
    "MetadataTooLarge",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchTagSet",
    "NoSuchUpload",
    "NoSuchVersion",
    "NotImplementedHere",
    "NotModified",
    "PreconditionFailed",
    "QuotaExceeded",
    "StorageFull",
    "StorageReadOnly",
    "StoreClosed",
    "StoreError",
    "StoreLocked",
    "Unauthenticated",
    "UnsupportedStorageClass",
    "UploadSizeMismatch",
    "VersionIsDeleteMarker",
    "WriteConflict",
]


@define(slots=True)
class StoreError(Exception):
    """Base of every error that the store raises on purpose. Anything else is a bug of ours."""

    def __str__(self) -> str:
        words = (self.__doc__ or type(self).__name__).partition("\n")[0].rstrip(".")
        facts = ", ".join(
            f"{name}={value!r}"
            for name in getattr(type(self), "__match_args__", ())
            if (value := getattr(self, name)) is not None
        )
        return f"{words} ({facts})" if facts else words


# Buckets


@define(slots=True)
class NoSuchBucket(StoreError):
    """The bucket does not exist, or the caller's scope has none of that name."""

    bucket: str


@define(slots=True)
class BucketAlreadyExists(StoreError):
    """The bucket's name is taken by somebody else."""

    bucket: str


@define(slots=True)
class BucketAlreadyOwnedByYou(StoreError):
    """The bucket exists already and belongs to the caller's own scope."""

    bucket: str


@define(slots=True)
class BucketNotEmpty(StoreError):
    """A bucket that still holds a version or a delete marker cannot be deleted."""

    bucket: str


@define(slots=True)
class BucketNamesFixed(StoreError):
    """Whether bucket names are global or scoped cannot be changed while the store has buckets."""

    stored: str


@define(slots=True)
class InvalidBucketName(StoreError):
    """The name breaks a rule for bucket names."""

    bucket: str
    reason: str


@define(slots=True)
class InvalidBucketState(StoreError):
    """The bucket's settings do not allow the request (versioning cannot go back to disabled, say)."""

    bucket: str
    reason: str


@define(slots=True)
class NoSuchTagSet(StoreError):
    """The bucket has no tags."""

    bucket: str


# Objects and versions


@define(slots=True)
class NoSuchKey(StoreError):
    """The bucket has no current object under the key."""

    bucket: str
    key: str


@define(slots=True)
class NoSuchVersion(StoreError):
    """The key has no version of that id."""

    bucket: str
    key: str
    version_id: str


@define(slots=True)
class InvalidVersionId(StoreError):
    """The version id does not have the form of one."""

    version_id: str


@define(slots=True)
class CurrentIsDeleteMarker(StoreError):
    """The key's current version is a delete marker: there is nothing to read under the bare key."""

    bucket: str
    key: str
    version_id: str


@define(slots=True)
class VersionIsDeleteMarker(StoreError):
    """The version that the caller named is a delete marker, which has no content."""

    bucket: str
    key: str
    version_id: str
    modified_ms: int


@define(slots=True)
class InvalidKey(StoreError):
    """The object key is empty or is not valid UTF-8."""

    key: str
    reason: str


@define(slots=True)
class KeyTooLong(StoreError):
    """The object key is longer than the limit, in bytes of UTF-8."""

    size: int
    limit: int


@define(slots=True)
class MetadataTooLarge(StoreError):
    """The user metadata is larger than the limit, in bytes (names and values added up)."""

    size: int
    limit: int


@define(slots=True)
class InvalidTag(StoreError):
    """A tag set breaks a rule: too many tags, or a key or value that is too long or has a forbidden character."""

    reason: str
    key: str | None = None


@define(slots=True)
class UnsupportedStorageClass(StoreError):
    """The storage class is not offered here; `known`: it is one of S3's."""

    storage_class: str
    known: bool


# What a request asks for, where it cannot be had


@define(slots=True)
class InvalidArgument(StoreError):
    """An argument has a value that it cannot have."""

    reason: str
    name: str | None = None
    value: str | None = None


@define(slots=True)
class InvalidRequest(StoreError):
    """The request contradicts itself or leaves out what it needs."""

    reason: str


@define(slots=True)
class NotImplementedHere(StoreError):
    """A header, parameter or operation has a meaning that this store does not implement; so it is not ignored."""

    what: str


# Conditions


@define(slots=True)
class PreconditionFailed(StoreError):
    """The object's state did not match If-Match, If-None-Match or their kin when it was looked at or published."""

    condition: str
    current: str | None = None


@define(slots=True)
class NotModified(StoreError):
    """A conditional read found the copy that the caller already has; carries what a 304 repeats."""

    etag: str
    modified_ms: int
    version_id: str | None = None


@define(slots=True)
class WriteConflict(StoreError):
    """A conditional write lost against another write of the same key while it was under way."""

    bucket: str
    key: str


@define(slots=True)
class Contention(StoreError):
    """A write met conflicting writes until its deadline. Nothing was changed; it may be tried again."""

    what: str


@define(slots=True)
class InvalidRange(StoreError):
    """No byte of the object lies in the range that was asked for."""

    requested: str
    size: int


@define(slots=True)
class InvalidPartNumber(StoreError):
    """The object has no part of that number, or the number is outside 1 to the limit."""

    part_number: int
    parts: int


# Content


@define(slots=True)
class BadDigest(StoreError):
    """A digest or checksum that came with the content is not that of the bytes received."""

    algorithm: str
    expected: str
    computed: str


@define(slots=True)
class IncompleteBody(StoreError):
    """The content ended before, or went on after, the length that was announced; or its framing is broken."""

    reason: str
    expected: int | None = None
    received: int | None = None


@define(slots=True)
class EntityTooLarge(StoreError):
    """The content is larger than the limit, in bytes."""

    size: int
    limit: int


@define(slots=True)
class EntityTooSmall(StoreError):
    """A part other than the last is smaller than the least size of a part, in bytes."""

    part_number: int
    size: int
    limit: int
    etag: str


# Multipart uploads


@define(slots=True)
class NoSuchUpload(StoreError):
    """No upload of that id is open for that bucket and key."""

    upload_id: str


@define(slots=True)
class InvalidPart(StoreError):
    """A part that the completion names was not uploaded, or its ETag or checksum is another one."""

    upload_id: str
    part_number: int
    etag: str
    reason: str = "the part was not uploaded or its ETag differs"


@define(slots=True)
class InvalidPartOrder(StoreError):
    """The completion's list of parts is not in ascending order."""

    upload_id: str


@define(slots=True)
class UploadSizeMismatch(StoreError):
    """The size that the completion announces is not that of the parts together, in bytes."""

    upload_id: str
    expected: int
    computed: int


@define(slots=True)
class CompletionInProgress(StoreError):
    """The upload is being completed by another request; its parts are frozen."""

    upload_id: str


# Access and limits


@define(slots=True)
class AccessDenied(StoreError):
    """The principal may not do this to that resource."""

    reason: str = ""


@define(slots=True)
class Unauthenticated(StoreError):
    """The call carries no credential that stands for anybody: none, an unknown, an expired or a revoked one."""

    reason: str = ""


@define(slots=True)
class AuthorizerUnavailable(StoreError):
    """The service that decides who may do what gave no answer; without one, nothing is allowed."""

    reason: str


@define(slots=True)
class QuotaExceeded(StoreError):
    """The write would take usage over a quota; nothing was stored.

    Args:
        scope: in words, whose quota it is: "bucket photos", "project web of organisation acme".
        quota: the limit's name: "max_objects", "max_total_size_bytes".
        limit: its value.
    """

    scope: str
    quota: str
    limit: int


@define(slots=True)
class InvalidQuota(StoreError):
    """The limits are none that the scope can have."""

    reason: str


# The machine beneath


@define(slots=True)
class BytesCorrupt(StoreError):
    """Stored bytes are not those that were written.

    `where` names the file or row, `reason` says how it was found.
    """

    where: str
    reason: str


@define(slots=True)
class BytesMissing(StoreError):
    """A record refers to bytes that are not there."""

    where: str


@define(slots=True)
class CommitUndetermined(StoreError):
    """The store cannot tell whether the write took effect; a reader will see the old state or the new one, whole."""

    reason: str


@define(slots=True)
class StorageFull(StoreError):
    """The device or its quota has no room for the write; nothing was stored."""

    where: str


@define(slots=True)
class StorageReadOnly(StoreError):
    """The store takes no writes since the device refused one; reads still work."""

    reason: str


@define(slots=True)
class AuditUnavailable(StoreError):
    """The audit log takes no records at present: what cannot be recorded is not done."""

    reason: str


@define(slots=True)
class StoreClosed(StoreError):
    """The store is closing and takes no further calls."""


@define(slots=True)
class StoreLocked(StoreError):
    """Another process has the data directory open."""

    path: str
    holder: str | None = None


@define(slots=True)
class FormatTooNew(StoreError):
    """The data was written by a newer version than this one, which must not touch it."""

    where: str
    found: int
    supported: int
