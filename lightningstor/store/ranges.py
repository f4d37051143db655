"""Byte ranges: RFC 9110 §14, one range as S3 serves it."""

from __future__ import annotations

from typing import Final

from lightningstor.errors import InvalidRange

__all__ = ["byte_position", "parse_range"]

_BEYOND: Final = 10**18
"""Farther than the end of any object."""


def byte_position(text: str) -> int | None:
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
        suffix = byte_position(last_text)
        if suffix is None:
            return None
        if suffix == 0 or size == 0:
            raise InvalidRange(value, size)
        return max(size - suffix, 0), min(suffix, size)
    first = byte_position(first_text)
    last = byte_position(last_text) if last_text else size - 1
    if first is None or last is None or (last_text and last < first):
        return None
    if first >= size:
        raise InvalidRange(value, size)
    return first, min(last, size - 1) - first + 1
