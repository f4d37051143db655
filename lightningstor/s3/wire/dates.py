"""Reading the dates that clients send, and the compact form that signatures use."""

from __future__ import annotations

from calendar import timegm
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache
from time import gmtime, strftime

__all__ = ["amz_time", "parse_amz_time", "parse_http_time"]


def amz_time(ms: int) -> str:
    """`20260102T030405Z`, of milliseconds since the Unix epoch."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(ms // 1000))


@lru_cache(maxsize=64)
def parse_amz_time(text: str) -> int:
    """Milliseconds since the Unix epoch of "YYYYMMDDThhmmssZ".

    Raises:
        ValueError: the text is not of that form, or no such moment.
    """
    digits = text[:8] + text[9:15]
    if len(text) != 16 or text[8] != "T" or text[15] != "Z" or not (digits.isascii() and digits.isdigit()):
        raise ValueError(text)
    month, day = int(digits[4:6]), int(digits[6:8])
    hour, minute, second = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        raise ValueError(text)
    return timegm((int(digits[:4]), month, day, hour, minute, second)) * 1000


def parse_http_time(text: str) -> int | None:
    """Milliseconds since the Unix epoch of an HTTP date in any of its three forms (RFC 9110 §5.6.7), or of an ISO one.

    None: the text is no date; a recipient ignores such a condition (RFC 9110 §13.1.3).
    """
    try:
        return parse_amz_time(text.strip())
    except ValueError:
        pass
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else int(mktime_tz(parsed)) * 1000
    except (ValueError, OverflowError, IndexError, TypeError):  # email.utils lets these out for odd texts
        return None
