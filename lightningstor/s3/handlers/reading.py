"""GetObject and HeadObject."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

from lightningstor.model.records import DISABLED, ObjectChecksum, ObjectVersion
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.conditions import check_read, is_conditional, range_of
from lightningstor.s3.handlers.shapes import checksum_headers
from lightningstor.s3.respond import Reply, Streamed
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import InvalidRequest
from lightningstor.s3.wire.render import header_value, metadata_value
from lightningstor.s3.wire.times import http_time
from lightningstor.store.api import ReadPlan
from lightningstor.store.find import Found
from lightningstor.store.selection import Selection
from lightningstor.store.storage_classes import STANDARD

__all__ = ["get_object", "head_object"]

ReadRequest: TypeAlias = dto.GetObjectRequest | dto.HeadObjectRequest
HeaderList: TypeAlias = list[tuple[bytes, bytes]]

_OVERRIDES: Final = (
    ("response_content_type", b"content-type"),
    ("response_content_disposition", b"content-disposition"),
    ("response_content_encoding", b"content-encoding"),
    ("response_content_language", b"content-language"),
    ("response_cache_control", b"cache-control"),
    ("response_expires", b"expires"),
)


async def get_object(call: Call, request: dto.GetObjectRequest) -> Reply | Streamed:
    """An object, or a range or a part of it."""
    selection = _selection(call, request) if _is_particular(request) else None
    if selection is None:
        opened = await call.endpoint.store.reads.open(call.located, request.key, request.version_id)
    else:
        opened = await selection.open(request.bucket, request.key, request.version_id)
    try:
        found = opened.found
        call.object_size = found.version.size
        if found.bucket.versioning != DISABLED:
            call.version_id = found.version.shown_id
        if selection is None:
            status, headers = 200, _head(request, found, found.version.checksum)
        else:
            status, headers = _selected_head(request, selection, found, opened.plan)
        if call.raw_query:
            headers = _overridden(request, headers)
        lines = _lines(request, found.version)
    except BaseException:
        await opened.aclose()
        raise
    if opened.complete:
        return Reply(status, headers, opened.first, lines)
    return Streamed(status, [_length(opened.plan.length), *headers], opened, lines)


async def head_object(call: Call, request: dto.HeadObjectRequest) -> Reply:
    """What GetObject would answer, without the bytes."""
    objects = call.endpoint.store.objects
    if _is_particular(request):
        selection = _selection(call, request)
        found, plan = await selection.find(request.bucket, request.key, request.version_id)
        length = plan.length
        status, headers = _selected_head(request, selection, found, plan)
    else:
        found = await objects.find(call.located, request.key, request.version_id)
        length = found.version.size
        status, headers = 200, _head(request, found, found.version.checksum)
    if call.raw_query:
        headers = _overridden(request, headers)
    return Reply(status, headers, b"", _lines(request, found.version), length)


def _length(length: int) -> tuple[bytes, bytes]:
    """The header that tells how long a body is which is not at hand whole; else the server knows."""
    return (b"content-length", b"%d" % length)


def _lines(request: ReadRequest, version: ObjectVersion) -> bytes:
    """The headers that cannot hold anything but what they should, ready to be sent."""
    content_type = version.content_type
    return b'etag: "%b"\r\nlast-modified: %b\r\naccept-ranges: bytes\r\n%b' % (
        version.etag.encode(),
        http_time(version.created_at),
        b"" if content_type is None or request.response_content_type is not None else _type_line(content_type),
    )


@lru_cache(256)
def _type_line(content_type: str) -> bytes:
    """Objects without number share a few types."""
    return b"content-type: %b\r\n" % header_value(content_type)


def _is_particular(request: ReadRequest) -> bool:
    """Whether the request is for anything else than the whole object in whatever state."""
    return request.range is not None or request.part_number is not None or is_conditional(request)


def _selection(call: Call, request: ReadRequest) -> Selection:
    """The bytes that a request is for: conditions, a range, a part.

    Raises:
        InvalidRequest
    """
    if request.part_number is not None and request.range is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    store = call.endpoint.store
    return Selection(
        store.objects,
        store.reads,
        lambda found: check_read(request, found),
        lambda found: range_of(request, found),
        request.part_number,
    )


def _selected_head(request: ReadRequest, selection: Selection, found: Found, plan: ReadPlan) -> tuple[int, HeaderList]:
    """Status and headers of an answer to a request that is for something particular."""
    version, part = found.version, selection.part
    if not selection.partial:
        return 200, _head(request, found, version.checksum)
    headers = _head(request, found, None if part is None else part.checksum)
    if plan.length:
        end = plan.offset + plan.length - 1
        headers.append((b"content-range", b"bytes %d-%d/%d" % (plan.offset, end, version.size)))
    if part is not None and version.parts_count is not None:
        headers.append((b"x-amz-mp-parts-count", b"%d" % part.count))
    return 206 if plan.length else 200, headers


def _head(request: ReadRequest, found: Found, checksum: ObjectChecksum | None) -> HeaderList:
    """The headers of every answer besides `_lines`. On the way of every GET, so it is written for speed.

    Args:
        checksum: of the bytes that are the answer's, where they have one.
    """
    version = found.version
    headers: HeaderList = []
    if found.bucket.versioning != DISABLED:
        headers.append((b"x-amz-version-id", version.shown_id.encode()))
    if version.headers is not None or version.metadata is not None or version.tags is not None:
        headers += _rarer_headers(version)
    if version.storage_class != STANDARD:
        headers.append((b"x-amz-storage-class", version.storage_class.encode()))
    if checksum is not None and request.checksum_mode is not None:
        headers += checksum_headers(checksum)
    return headers


def _rarer_headers(version: ObjectVersion) -> HeaderList:
    headers = [(name.encode(), header_value(value)) for name, value in (version.headers or {}).items()]
    headers += [
        (b"x-amz-meta-" + name.encode("latin-1"), metadata_value(value))
        for name, value in (version.metadata or {}).items()
    ]
    if version.tags:
        headers.append((b"x-amz-tagging-count", b"%d" % len(version.tags)))
    return headers


def _overridden(request: ReadRequest, headers: HeaderList) -> HeaderList:
    """The headers with those replaced that the query's `response-…` parameters name.

    S3 takes these from signed requests only, and no other reaches a handler.
    """
    wanted = {
        name: header_value(value)
        for attribute, name in _OVERRIDES
        if (value := getattr(request, attribute)) is not None
    }
    return [pair for pair in headers if pair[0] not in wanted] + list(wanted.items())
