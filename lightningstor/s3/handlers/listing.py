"""Listings of objects and versions.

The entries are written straight from the records: a page holds up to 1,000 of them, and an object for each would cost
more than reading them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lightningstor.errors import InvalidVersionId
from lightningstor.model.records import Bucket, VersionSummary
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.paging import page_limit
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidArgument
from lightningstor.s3.wire.times import xml_time
from lightningstor.s3.wire.xml import Rendered, escape, url_encode
from lightningstor.store.api import Listing, VersionEntry
from lightningstor.store.ids import is_id
from lightningstor.store.tokens import decode_token, encode_token

__all__ = ["list_object_versions", "list_objects", "list_objects_v2"]


async def list_objects(call: Call, request: dto.ListObjectsRequest) -> dto.ListObjectsOutput:
    """ListObjects, version 1: goes on behind a key. NextMarker is told only with a delimiter, as in S3."""
    limit = page_limit(request.max_keys, "max-keys", call.endpoint.settings.max_keys_per_list)
    prefix, delimiter, marker = request.prefix or "", request.delimiter or "", request.marker or ""
    page = await call.endpoint.store.listings.objects(
        request.bucket, prefix=prefix, delimiter=delimiter, after=marker, limit=limit
    )
    return dto.ListObjectsOutput(
        name=request.bucket,
        prefix=prefix,
        marker=marker,
        next_marker=page.next_after if page.truncated and delimiter else None,
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        is_truncated=page.truncated,
        contents=_contents(call, page, request.encoding_type, with_owner=True),
        common_prefixes=_common_prefixes(page.prefixes),
    )


async def list_objects_v2(call: Call, request: dto.ListObjectsV2Request) -> dto.ListObjectsV2Output:
    """ListObjectsV2: goes on by an opaque token; an owner is told only to those who ask."""
    limit = page_limit(request.max_keys, "max-keys", call.endpoint.settings.max_keys_per_list)
    prefix, delimiter, token = request.prefix or "", request.delimiter or "", request.continuation_token
    page = await call.endpoint.store.listings.objects(
        request.bucket,
        prefix=prefix,
        delimiter=delimiter,
        after=decode_token(token, "continuation-token") if token else request.start_after or "",
        limit=limit,
    )
    return dto.ListObjectsV2Output(
        name=request.bucket,
        prefix=prefix,
        start_after=request.start_after,
        continuation_token=token,
        next_continuation_token=encode_token(page.next_after) if page.truncated and page.next_after else None,
        key_count=len(page.objects) + len(page.prefixes),
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        is_truncated=page.truncated,
        contents=_contents(call, page, request.encoding_type, with_owner=bool(request.fetch_owner)),
        common_prefixes=_common_prefixes(page.prefixes),
    )


async def list_object_versions(call: Call, request: dto.ListObjectVersionsRequest) -> dto.ListObjectVersionsOutput:
    """All versions and delete markers: keys ascending, of each key the newest first."""
    limit = page_limit(request.max_keys, "max-keys", call.endpoint.settings.max_keys_per_list)
    prefix, delimiter, marker = request.prefix or "", request.delimiter or "", request.key_marker or ""
    page = await call.endpoint.store.listings.versions(
        request.bucket,
        prefix=prefix,
        delimiter=delimiter,
        key_marker=marker,
        version_id_marker=_version_marker(request),
        limit=limit,
    )
    return dto.ListObjectVersionsOutput(
        name=request.bucket,
        prefix=prefix,
        key_marker=marker,
        version_id_marker=request.version_id_marker or "",
        next_key_marker=page.next_key,
        next_version_id_marker=page.next_version_id,
        max_keys=limit,
        delimiter=delimiter or None,
        encoding_type=request.encoding_type,
        is_truncated=page.truncated,
        versions=_versions(call, page.versions, request.encoding_type),
        common_prefixes=_common_prefixes(page.prefixes),
    )


def _version_marker(request: dto.ListObjectVersionsRequest) -> str | None:
    marker = request.version_id_marker
    if marker is None:
        return None
    if not request.key_marker:
        raise InvalidArgument(
            "A version-id marker cannot be specified without a key marker.", "version-id-marker", marker
        )
    if marker == "":
        raise InvalidArgument("A version-id marker cannot be empty.", "version-id-marker", "")
    if marker != "null" and not is_id(marker):
        raise InvalidVersionId(marker)
    return marker


def _common_prefixes(prefixes: Iterable[str]) -> list[dto.CommonPrefix]:
    return [dto.CommonPrefix(prefix=prefix) for prefix in prefixes]


# What stands as it is in XML (of the bytes of UTF-8 all but those of U+FFFE and U+FFFF), and in encoding-type=url.
_PLAIN_IN_XML: Final = bytes(byte for byte in range(0x20, 0x100) if byte not in b'&<>"\x7f\xef')
_PLAIN_IN_URL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"


def _written_keys(keys: list[str], encoding_type: str | None) -> list[str]:
    """The keys as they stand in the answer. Most pages need nothing changed, which one look at all of them tells."""
    write, plain = (escape, _PLAIN_IN_XML) if encoding_type is None else (url_encode, _PLAIN_IN_URL)
    return [write(key) for key in keys] if "".join(keys).encode().translate(None, plain) else keys


def _owner_of(call: Call) -> str:
    """The owner's element. In a bucket without ACLs every object is the bucket owner's, whoever wrote it."""
    bucket: Bucket | None = call.found
    assert bucket is not None
    owner = bucket.created_by
    name = escape(owner.display_name)
    return f"<Owner><ID>{escape(owner.canonical_id)}</ID><DisplayName>{name}</DisplayName></Owner>"


def _contents(call: Call, page: Listing, encoding_type: str | None, *, with_owner: bool) -> Sequence[dto.Object]:
    keys = _written_keys([key for key, _ in page.objects], encoding_type)
    end = f"{_owner_of(call)}</Contents>" if with_owner else "</Contents>"
    facts = _Facts()
    parts = [
        f"<Contents><Key>{key}</Key>{facts.of(version)}{end}"
        for key, (_, version) in zip(keys, page.objects, strict=True)
    ]
    # What is written already may stand where the writer expects items (`Rendered`).
    return Rendered("".join(parts))  # type: ignore[return-value]


class _Facts:
    """Writes what the listings say of an object's version, in the order of S3's model.

    The objects of a page often share the second in which they were made, the checksum's kind and the class, so these
    are written once and looked up: half a microsecond an object in place of one.
    """

    __slots__ = ("_ends", "_times")

    def __init__(self) -> None:
        self._times: dict[int, str] = {}
        self._ends: dict[str, str] = {}

    def of(self, version: VersionSummary) -> str:
        """Everything of a version's element but its key and owner."""
        second = version.created_at // 1000
        modified = self._times.get(second)
        if modified is None:
            modified = self._times[second] = f"<LastModified>{xml_time(version.created_at)}</LastModified><ETag>&quot;"
        checksum = version.checksum
        storage_class = version.storage_class
        end = self._ends.get(storage_class)
        if end is None:
            end = self._ends[storage_class] = f"</Size><StorageClass>{storage_class}</StorageClass>"
        if checksum is None:
            return f"{modified}{version.etag}&quot;</ETag><Size>{version.size}{end}"
        return (
            f"{modified}{version.etag}&quot;</ETag><ChecksumAlgorithm>{checksum.algorithm}</ChecksumAlgorithm>"
            f"<ChecksumType>{checksum.kind}</ChecksumType><Size>{version.size}{end}"
        )


def _versions(call: Call, entries: Sequence[VersionEntry], encoding_type: str | None) -> Sequence[dto.ObjectVersion]:
    keys = _written_keys([entry.key for entry in entries], encoding_type)
    owner = _owner_of(call)
    facts = _Facts()
    parts: list[str] = []
    for key, entry in zip(keys, entries, strict=True):
        version = entry.version
        latest = "true" if entry.is_latest else "false"
        name = f"<Key>{key}</Key><VersionId>{version.shown_id}</VersionId><IsLatest>{latest}</IsLatest>"
        if version.delete_marker:
            when = xml_time(version.created_at)
            parts.append(f"<DeleteMarker>{name}<LastModified>{when}</LastModified>{owner}</DeleteMarker>")
        else:
            parts.append(f"<Version>{name}{facts.of(version)}{owner}</Version>")
    return Rendered("".join(parts))  # type: ignore[return-value]
