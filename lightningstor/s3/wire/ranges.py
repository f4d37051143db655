"""What S3 has of ranges beside the Range header: If-Range, and the stricter form of x-amz-copy-source-range."""

from __future__ import annotations

from lightningstor.s3.wire.dates import parse_http_time
from lightningstor.s3.wire.faults import InvalidArgument
from lightningstor.store.conditions import etags_of
from lightningstor.store.ranges import byte_position

__all__ = ["copy_source_range", "if_range_holds"]


def if_range_holds(value: str, etag: str, modified_ms: int) -> bool:
    """Whether a range is to be served under this If-Range: the ETag or the date is that of the object."""
    text = value.strip()
    since = None if text.startswith(('"', "W/")) else parse_http_time(text)
    if since is not None:
        return since // 1000 == modified_ms // 1000
    return not text.startswith("W/") and etags_of(text) == {etag}


def copy_source_range(value: str, size: int) -> tuple[int, int]:
    """(offset, length) of x-amz-copy-source-range, which must be bytes=first-last and lie in the source.

    Raises:
        InvalidArgument: another form. InvalidRange: beyond the end.
    """
    unit, _, spec = value.partition("=")
    first_text, _, last_text = spec.partition("-")
    first, last = byte_position(first_text), byte_position(last_text)
    if unit != "bytes" or first is None or last is None or last < first:
        raise InvalidArgument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            value,
        )
    if last >= size:
        raise InvalidArgument(
            f"Range specified is not valid for source object of size: {size}", "x-amz-copy-source-range", value
        )
    return first, last - first + 1
