"""The store's values as messages, and the other way round."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final

from lightningstor.errors import BadDigest, InvalidArgument, InvalidRequest, StoreError
from lightningstor.model.records import (
    DISABLED,
    ENABLED,
    SUSPENDED,
    Bucket,
    MultipartUpload,
    ObjectChecksum,
    ObjectVersion,
    UploadPart,
    VersionSummary,
)
from lightningstor.rpc.gen import object_service_pb2 as objects
from lightningstor.rpc.gen import types_pb2 as types
from lightningstor.store.api import DEFAULT_CONTENT_TYPE, ExpectedDigest, ReadPlan
from lightningstor.store.checksums import ALGORITHMS, decode_base64
from lightningstor.store.find import Found
from lightningstor.store.storage_classes import storage_class_of

__all__ = [
    "algorithm_of",
    "bucket_message",
    "checksum_message",
    "checksum_of",
    "checksum_type_of",
    "content_type_of",
    "expected_digests",
    "kept_headers",
    "metadata_message",
    "metadata_of",
    "optional",
    "part_message",
    "range_message",
    "shown_version",
    "storage_class",
    "storage_class_number",
    "upload_message",
    "version_message",
    "versioning_message",
    "versioning_status",
]

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
"""RFC 9110 §5.6.2: over S3 a name of user metadata stands in a header's name."""
_STANDARD_HEADERS: Final = {
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_encoding": "content-encoding",
    "content_language": "content-language",
    "expires": "expires",
}
_VERSIONING: Final[dict[str, types.VersioningStatus]] = {
    DISABLED: types.VERSIONING_STATUS_DISABLED,
    ENABLED: types.VERSIONING_STATUS_ENABLED,
    SUSPENDED: types.VERSIONING_STATUS_SUSPENDED,
}
_STATUSES: Final[dict[int, str]] = {number: status for status, number in _VERSIONING.items()}


def _names(enum: Any, prefix: str) -> dict[int, str]:
    """The store's name of every value of an enum but UNSPECIFIED."""
    return {number: name.removeprefix(prefix) for name, number in enum.items() if number}


_ALGORITHMS: Final = _names(types.ChecksumAlgorithm, "CHECKSUM_ALGORITHM_")
_TYPES: Final = _names(types.ChecksumType, "CHECKSUM_TYPE_")
_CLASSES: Final = _names(types.StorageClass, "STORAGE_CLASS_")
_ALGORITHM_NUMBERS: Final[Mapping[str, Any]] = {name: number for number, name in _ALGORITHMS.items()}
_TYPE_NUMBERS: Final[Mapping[str, Any]] = {name: number for number, name in _TYPES.items()}
_CLASS_NUMBERS: Final[Mapping[str, Any]] = {name: number for number, name in _CLASSES.items()}


def optional(message: Any, field: str) -> Any:
    """The value of an `optional` field; None where it is absent."""
    return getattr(message, field) if message.HasField(field) else None


def _known(names: Mapping[int, str], number: int, field: str) -> str | None:
    """The store's name of an enum's value; None for UNSPECIFIED.

    Raises:
        InvalidArgument: we know of no such value.
    """
    if not number:
        return None
    name = names.get(number)
    if name is None:
        raise InvalidArgument(f"{field} has no value {number}", field, str(number))
    return name


# Out of requests


def algorithm_of(number: int) -> str | None:
    """The checksum algorithm that a request names; None: it names none.

    Raises:
        InvalidArgument
    """
    return _known(_ALGORITHMS, number, "checksum_algorithm")


def checksum_type_of(number: int) -> str | None:
    """The kind of checksum that a request names; None: it names none.

    Raises:
        InvalidArgument
    """
    return _known(_TYPES, number, "checksum_type")


def storage_class(number: int) -> str:
    """The storage class to keep an object in.

    Raises:
        InvalidArgument; UnsupportedStorageClass: it is not offered.
    """
    return storage_class_of(_known(_CLASSES, number, "storage_class"))


def versioning_status(message: types.VersioningConfig) -> str:
    """The versioning that a request asks for.

    Raises:
        InvalidArgument: it asks for none.
    """
    status = _STATUSES.get(message.status)
    if status is None:
        raise InvalidArgument("The versioning status must be specified", "versioning.status", str(message.status))
    return status


def content_type_of(request: Any) -> str:
    """The content type to keep.

    Raises:
        InvalidArgument: it cannot stand in a header.
    """
    text: str = request.content_type
    return _header_text("content_type", text) if text else DEFAULT_CONTENT_TYPE


def kept_headers(request: Any) -> dict[str, str] | None:
    """The standard headers that every read of the object repeats, by lower-case name.

    Raises:
        InvalidArgument: one cannot stand in a header.
    """
    headers = {
        name: _header_text(field, getattr(request, field))
        for field, name in _STANDARD_HEADERS.items()
        if request.HasField(field)
    }
    return headers or None


def _header_text(field: str, text: str) -> str:
    if not text.isprintable():
        raise InvalidArgument(f"{field} holds characters that cannot stand in a header", field, text)
    return text


def metadata_of(request: Any) -> dict[str, str] | None:
    """The user metadata of a request; names in lower case, as S3 keeps them.

    Raises:
        InvalidArgument: a name that cannot stand in a header's name, or two that differ in case only.
    """
    given: Mapping[str, str] = request.metadata
    metadata: dict[str, str] = {}
    for name, value in given.items():
        if not _TOKEN.match(name):
            raise InvalidArgument("A name of metadata is one or more letters, digits and !#$%&'*+.^_`|~-", name, value)
        if name.lower() in metadata:
            raise InvalidArgument("Two names of metadata differ in case only", name, value)
        metadata[name.lower()] = value
    return metadata or None


def expected_digests(algorithm: str | None, value: str) -> tuple[ExpectedDigest, ...]:
    """What content must hash to; nothing where the request has no value.

    Raises:
        InvalidRequest: there is a value and no algorithm, or the value is no digest of it.
    """
    if not value:
        return ()
    if algorithm is None:
        raise InvalidRequest("checksum_value has a value and checksum_algorithm has none.")
    digest = decode_base64(value)
    if digest is None or len(digest) != ALGORITHMS[algorithm]:
        raise InvalidRequest(f"checksum_value is not the base64 of {ALGORITHMS[algorithm]} bytes.")
    name = algorithm.lower()

    def mismatch(computed: bytes) -> StoreError:
        return BadDigest(name, value, b64encode(computed).decode())

    return (ExpectedDigest(name, digest, mismatch),)


def checksum_of(message: types.ObjectChecksum) -> ObjectChecksum:
    """A checksum that a request expects.

    Raises:
        InvalidArgument: an unknown algorithm or type. InvalidRequest: no algorithm.
    """
    algorithm = algorithm_of(message.algorithm)
    if algorithm is None or not message.value:
        raise InvalidRequest("A checksum has an algorithm and a value.")
    return ObjectChecksum(algorithm, message.value, checksum_type_of(message.type) or "FULL_OBJECT")


# Into answers


def shown_version(bucket: Bucket, version: ObjectVersion) -> str | None:
    """The version id to tell: none where the bucket never had versioning."""
    return None if bucket.versioning == DISABLED else version.shown_id


def checksum_message(checksum: ObjectChecksum | None) -> types.ObjectChecksum | None:
    """A checksum; None where there is none."""
    if checksum is None:
        return None
    return types.ObjectChecksum(
        algorithm=_ALGORITHM_NUMBERS.get(checksum.algorithm, 0),
        value=checksum.value,
        type=_TYPE_NUMBERS.get(checksum.kind, 0),
    )


def storage_class_number(name: str) -> Any:
    """The enum's value of a stored class."""
    return _CLASS_NUMBERS.get(name, 0)


def versioning_message(bucket: Bucket) -> types.VersioningConfig:
    """A bucket's versioning."""
    return types.VersioningConfig(status=_VERSIONING[bucket.versioning])


def bucket_message(bucket: Bucket) -> types.Bucket:
    """A bucket."""
    quota = bucket.quota
    return types.Bucket(
        name=bucket.name,
        org_id=bucket.org_id,
        project_id=bucket.project_id,
        versioning=versioning_message(bucket),
        created_at=bucket.created_at,
        updated_at=bucket.updated_at,
        created_by=bucket.created_by.principal_id,
        storage_class=storage_class_number(bucket.storage_class),
        quota=None
        if quota is None
        else types.BucketQuota(max_size_bytes=quota.max_size_bytes, max_objects=quota.max_objects),
        metadata=bucket.metadata,
        tags=bucket.tags,
        region=bucket.region,
    )


def metadata_message(found: Found, key: str) -> types.ObjectMetadata:
    """Everything of an object version but its bytes and its tags."""
    bucket, version = found.bucket, found.version
    message = types.ObjectMetadata(
        bucket=bucket.name,
        key=key,
        version_id=shown_version(bucket, version),
        size=version.size,
        etag=version.etag,
        content_type=version.content_type,
        checksum=checksum_message(version.checksum),
        storage_class=storage_class_number(version.storage_class),
        metadata=version.metadata,
        created_at=version.created_at,
        updated_at=version.created_at,
        delete_marker=version.delete_marker,
        tag_count=len(version.tags or ()),
        parts_count=version.parts_count,
    )
    if version.headers:
        for field, name in _STANDARD_HEADERS.items():
            if name in version.headers:
                setattr(message, field, version.headers[name])
    return message


def range_message(plan: ReadPlan | None) -> objects.ContentRange | None:
    """Which bytes an answer holds; None: all."""
    return None if plan is None else objects.ContentRange(offset=plan.offset, length=plan.length)


def version_message(key: str, version: VersionSummary, is_latest: bool) -> types.ObjectVersionSummary:
    """A version in a listing."""
    return types.ObjectVersionSummary(
        key=key,
        version_id=version.shown_id,
        is_latest=is_latest,
        delete_marker=version.delete_marker,
        size=version.size,
        etag=version.etag,
        storage_class=storage_class_number(version.storage_class),
        updated_at=version.created_at,
        checksum=checksum_message(version.checksum),
    )


def upload_message(upload: MultipartUpload) -> types.MultipartUpload:
    """An open upload."""
    algorithm = upload.checksum_algorithm
    return types.MultipartUpload(
        upload_id=upload.upload_id,
        bucket=upload.bucket,
        key=upload.key,
        initiated_at=upload.initiated_at,
        initiated_by=upload.initiated_by.principal_id,
        storage_class=storage_class_number(upload.storage_class),
        checksum_algorithm=None if algorithm is None else _ALGORITHM_NUMBERS.get(algorithm),
        checksum_type=None if algorithm is None else _TYPE_NUMBERS.get(upload.checksum_type or ""),
    )


def part_message(part: UploadPart, with_checksum: bool) -> types.Part:
    """A part of an open upload."""
    return types.Part(
        part_number=part.number,
        etag=part.etag,
        size=part.size,
        uploaded_at=part.uploaded_at,
        checksum=checksum_message(part.checksum) if with_checksum else None,
    )
