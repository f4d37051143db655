"""Reading the dates that clients send, and the compact form that signatures use. `times` writes the other forms."""

from __future__ import annotations

from calendar import timegm
from functools import lru_cache
from time import gmtime, strftime
from typing import Final

__all__ = ["amz_time", "parse_amz_time", "parse_http_time"]

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def amz_time(ms: int) -> str:
    """`20260102T030405Z`, of milliseconds since the Unix epoch."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(ms // 1000))


@lru_cache(maxsize=64)
def parse_amz_time(text: str) -> int:
    """Milliseconds since the Unix epoch of "YYYYMMDDThhmmssZ".

    Raises:
        ValueError: the text is not of that form, or there is no such moment.
    """
    digits = text[:8] + text[9:15]
    if len(text) != 16 or text[8] != "T" or text[15] != "Z" or not (digits.isascii() and digits.isdigit()):
        raise ValueError("not of the form YYYYMMDDThhmmssZ")
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    return _moment(year, month, day, int(digits[8:10]), int(digits[10:12]), int(digits[12:14]))


def parse_http_time(text: str) -> int | None:
    """Milliseconds since the Unix epoch of an HTTP date in any of its three forms, or of the compact form.

        Sun, 06 Nov 1994 08:49:37 GMT        as it is written now
        Sunday, 06-Nov-94 08:49:37 GMT       RFC 850
        Sun Nov  6 08:49:37 1994             C's asctime

    RFC 9110 §5.6.7. The name of the day is not looked at; `+0000` and `UTC` may stand for GMT. None: the text is no
    date, and a recipient ignores such a condition (RFC 9110 §13.1.3).
    """
    words = text.replace(",", " ").split()
    try:
        if len(words) == 1:
            return parse_amz_time(words[0])
        if len(words) == 5 and ":" in words[3]:
            _, month, day, clock, year = words
        else:
            if words[-1].upper() not in ("GMT", "UTC", "+0000", "-0000"):
                return None
            if len(words) == 4:
                _, dashed, clock, _ = words
                day, month, year = dashed.split("-")
            else:
                _, day, month, year, clock, _ = words
        hour, minute, second = clock.split(":")
        return _moment(
            _full_year(year), _MONTHS[month.lower()], _number(day), _number(hour), _number(minute), _number(second)
        )
    except (ValueError, KeyError, IndexError):
        return None


def _number(text: str) -> int:
    """One or two digits."""
    if len(text) > 2 or not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _full_year(text: str) -> int:
    """Four digits, or two of RFC 850's, which mean the 69 years before 2000 or else the years after it (POSIX)."""
    if len(text) == 4 and text.isascii() and text.isdigit():
        return int(text)
    year = _number(text)
    return year + (2000 if year < 69 else 1900)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    if not (1 <= month <= 12 and 1 <= day <= _DAYS_IN_MONTH[month - 1] and hour < 24 and minute < 60 and second <= 60):
        raise ValueError("no such moment")
    if year < 1 or (month == 2 and day == 29 and (year % 4 or (year % 100 == 0 and year % 400))):
        raise ValueError("no such day")
    return timegm((year, month, day, hour, minute, second)) * 1000
