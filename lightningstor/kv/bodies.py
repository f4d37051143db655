"""Keys of small bodies: `lightningstor/data/` and 16 lower-case hex digits of a 63-bit id.

Such a row may lie in a table of its own under that id, where bodies of growing ids are appended side by side
and listings of other rows do not wade through them. Any other key is an ordinary one, also under that prefix.
Ids and keys have the same order.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BODIES_END", "BODY_KEY_BYTES", "BODY_PREFIX", "bodies_between", "body_id", "body_key"]

BODY_PREFIX: Final = b"lightningstor/data/"
BODIES_END: Final = b"lightningstor/data0"
"""The least key behind all that begin with `BODY_PREFIX`."""

_PREFIX_SIZE: Final = len(BODY_PREFIX)
BODY_KEY_BYTES: Final = _PREFIX_SIZE + 16
"""The length of every body's key."""

_IDS = 1 << 63
_DIGITS: Final = b"0123456789abcdef"
_LAST_FIRST_DIGIT: Final = ord("7")


def body_id(key: bytes) -> int | None:
    """The id of a body's key; None for every other key."""
    if len(key) != BODY_KEY_BYTES or not key.startswith(BODY_PREFIX):
        return None
    digits = key[_PREFIX_SIZE:]
    if digits.translate(None, _DIGITS):
        return None
    return int(digits, 16) if digits[0] <= _LAST_FIRST_DIGIT else None


def body_key(number: int) -> bytes:
    """The key of a body's id."""
    return b"lightningstor/data/%016x" % number


def bodies_between(start: bytes, end: bytes) -> range:
    """The ids of the bodies whose keys have `start` <= key < `end`."""
    if start >= BODIES_END or end <= BODY_PREFIX:
        return range(0)
    return range(_first_at_or_behind(start), _first_at_or_behind(end))


def _first_at_or_behind(bound: bytes) -> int:
    """The least id whose key is not less than `bound`, which need not be a body's key."""
    low, high = 0, _IDS
    while low < high:
        middle = (low + high) // 2
        if body_key(middle) < bound:
            low = middle + 1
        else:
            high = middle
    return low
