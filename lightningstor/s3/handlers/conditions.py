"""The conditions and ranges of a request's DTO, held against what the store found."""

from __future__ import annotations

from lightningstor.s3.wire import dto
from lightningstor.s3.wire.conditions import read_conditions
from lightningstor.s3.wire.ranges import copy_source_range, if_range_holds
from lightningstor.store.api import ReadPlan
from lightningstor.store.find import Found
from lightningstor.store.ranges import parse_range

__all__ = ["check_copy_source", "check_read", "copy_range", "is_conditional", "range_of"]

_COPY_SOURCE = "x-amz-copy-source-"

ReadRequest = dto.GetObjectRequest | dto.HeadObjectRequest
CopyRequest = dto.CopyObjectRequest | dto.UploadPartCopyRequest


def is_conditional(request: ReadRequest) -> bool:
    """Whether the request has a condition at all."""
    return (
        request.if_match is not None
        or request.if_none_match is not None
        or request.if_modified_since is not None
        or request.if_unmodified_since is not None
    )


def check_read(request: ReadRequest, found: Found) -> None:
    """Whether the object is in the state that the reader wants.

    Raises:
        NotModified, PreconditionFailed
    """
    if is_conditional(request):
        version = found.version
        read_conditions(
            request.if_match, request.if_none_match, request.if_modified_since, request.if_unmodified_since
        ).check(version.etag, version.created_at, version.shown_id)


def range_of(request: ReadRequest, found: Found) -> ReadPlan | None:
    """The range that the reader wants; None: the whole object, also where If-Range does not hold.

    Raises:
        InvalidRange
    """
    if request.range is None:
        return None
    version = found.version
    if request.if_range is not None and not if_range_holds(request.if_range, version.etag, version.created_at):
        return None
    wanted = parse_range(request.range, version.size)
    return None if wanted is None else ReadPlan(*wanted)


def check_copy_source(request: CopyRequest, found: Found) -> None:
    """Whether the source is in the state that the copier wants.

    Raises:
        PreconditionFailed
    """
    version = found.version
    read_conditions(
        request.copy_source_if_match,
        request.copy_source_if_none_match,
        request.copy_source_if_modified_since,
        request.copy_source_if_unmodified_since,
        _COPY_SOURCE,
    ).check(version.etag, version.created_at)


def copy_range(header: str | None, found: Found) -> ReadPlan | None:
    """The part of a source that is to be copied; None: all of it.

    Raises:
        InvalidArgument
    """
    return None if header is None else ReadPlan(*copy_source_range(header, found.version.size))
