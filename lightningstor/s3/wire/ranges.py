"""Byte ranges: RFC 9110 §14, one range as S3 serves it, and the stricter form of x-amz-copy-source-range."""

from __future__ import annotations

from typing import Final

from lightningstor.errors import InvalidRange
from lightningstor.s3.wire.conditions import etags_of
from lightningstor.s3.wire.dates import parse_http_time
from lightningstor.s3.wire.faults import InvalidArgument

__all__ = ["copy_source_range", "if_range_holds", "parse_range"]

_BEYOND: Final = 10**18
"""Farther than the end of any object."""


def _number(text: str) -> int | None:
    """The number; None: it is none. One that no object is as long as stands for the end."""
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else _BEYOND


def parse_range(value: str, size: int) -> tuple[int, int] | None:
    """The bytes that a Range header asks for.

    Args:
        size: of the object, in bytes.

    Returns:
        (offset, length), or None: the header is to be ignored and all is served: another unit, a form that cannot be
        read, or several ranges (S3: "Amazon S3 doesn't support retrieving multiple ranges of data per GET request").

    Raises:
        InvalidRange: no byte of the object lies in it.
    """
    unit, equals, spec = value.partition("=")
    spec = spec.strip()
    if not equals or unit.strip().lower() != "bytes" or "," in spec:
        return None
    first_text, dash, last_text = spec.partition("-")
    first_text, last_text = first_text.strip(), last_text.strip()
    if not dash:
        return None
    if not first_text:
        suffix = _number(last_text)
        if suffix is None:
            return None
        if suffix == 0 or size == 0:
            raise InvalidRange(value, size)
        return max(size - suffix, 0), min(suffix, size)
    first = _number(first_text)
    last = _number(last_text) if last_text else size - 1
    if first is None or last is None or (last_text and last < first):
        return None
    if first >= size:
        raise InvalidRange(value, size)
    return first, min(last, size - 1) - first + 1


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
    first, last = _number(first_text), _number(last_text)
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
