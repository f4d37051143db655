"""Stored values as S3 shows them, and the other way round; used by several handlers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from lightningstor.errors import InvalidTag, StoreError
from lightningstor.model.records import DISABLED, Bucket, ObjectChecksum, ObjectVersion, Owner
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidArgument

__all__ = [
    "checksum_headers",
    "checksum_lines",
    "checksum_members",
    "checksums_given",
    "owner_shape",
    "quoted",
    "shown_version",
    "tag_dict",
    "tag_shapes",
    "tags_of_header",
]


def owner_shape(owner: Owner) -> dto.Owner:
    """An owner as S3 shows it."""
    return dto.Owner(id=owner.canonical_id, display_name=owner.display_name)


def quoted(etag: str) -> str:
    """The ETag with its quotes."""
    return f'"{etag}"'


def shown_version(bucket: Bucket, version: ObjectVersion) -> str | None:
    """The version id for x-amz-version-id: none where the bucket never had versioning."""
    return None if bucket.versioning == DISABLED else version.shown_id


def checksum_members(checksum: ObjectChecksum | None) -> dict[str, Any]:
    """The one checksum member of an answer: `{"checksum_crc32": "…"}`; empty where there is no checksum."""
    return {} if checksum is None else {f"checksum_{checksum.algorithm.lower()}": checksum.value}


def checksum_headers(checksum: ObjectChecksum) -> list[tuple[bytes, bytes]]:
    """An object's checksum as headers."""
    return [
        (b"x-amz-checksum-" + checksum.algorithm.lower().encode(), checksum.value.encode()),
        (b"x-amz-checksum-type", checksum.kind.encode()),
    ]


def checksum_lines(checksum: ObjectChecksum) -> bytes:
    """The same as lines, each with its CRLF."""
    return b"x-amz-checksum-%b: %b\r\nx-amz-checksum-type: %b\r\n" % (
        checksum.algorithm.lower().encode(),
        checksum.value.encode(),
        checksum.kind.encode(),
    )


def tag_shapes(tags: Mapping[str, str] | None) -> tuple[dto.Tag, ...]:
    """A tag set as S3 shows it."""
    return tuple(dto.Tag(key=key, value=value) for key, value in (tags or {}).items())


def tag_dict(tags: Iterable[dto.Tag]) -> dict[str, str]:
    """A tag set out of a request's body.

    Raises:
        InvalidTag: a key is given twice. The other rules are the store's.
    """
    found: dict[str, str] = {}
    for tag in tags:
        if tag.key in found:
            raise InvalidTag("Cannot provide multiple Tags with the same key", tag.key)
        found[tag.key] = tag.value
    return found


def tags_of_header(header: str | None) -> dict[str, str] | None:
    """The tag set of an `x-amz-tagging` header, which is an encoded query; None: no tags.

    Raises:
        InvalidArgument: it is no query, or a key is given twice.
    """
    if not header:
        return None
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise _bad_tagging(header) from None
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise _bad_tagging(header)
    return tags


def _bad_tagging(header: str) -> StoreError:
    return InvalidArgument(
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name"
        " duplicates.",
        "x-amz-tagging",
        header,
    )


_CHECKSUM_MEMBERS = tuple(
    (f"checksum_{name.lower()}", name)
    for name in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")
)


def checksums_given(request: dto.Dto) -> dict[str, str]:
    """The checksum members of a request that are there, by S3's name of the algorithm."""
    return {name: value for member, name in _CHECKSUM_MEMBERS if (value := getattr(request, member)) is not None}
