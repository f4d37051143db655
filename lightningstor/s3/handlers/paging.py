"""What the listings' pages have in common."""

from __future__ import annotations

from typing import Final

from lightningstor.s3.wire.faults import InvalidArgument

__all__ = ["page_limit"]

_INT32_MAX: Final = (1 << 31) - 1


def page_limit(wanted: int | None, argument: str, most: int) -> int:
    """How many entries a page holds: what the client wants, but no more than `most`; 0 is allowed.

    Args:
        argument: the query parameter or header, for the message.

    Raises:
        InvalidArgument: below 0, or more than a 32-bit integer holds.
    """
    if wanted is None:
        return most
    if not 0 <= wanted <= _INT32_MAX:
        raise InvalidArgument(
            f"Argument {argument} must be an integer between 0 and {_INT32_MAX}", argument, str(wanted)
        )
    return min(wanted, most)
