"""Moments as S3 writes them: in headers (RFC 9110 §5.6.7) and in XML (ISO 8601, UTC).

S3 keeps whole seconds, so milliseconds are cut off; in XML it writes `.000`. What does not change from second to
second is made once a minute: a listing has a thousand times in it.
"""

from __future__ import annotations

from functools import lru_cache
from time import gmtime
from typing import Final

__all__ = ["http_time", "xml_time"]

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_XML_SECONDS: Final = tuple(f"{second:02d}.000Z" for second in range(60))
_HTTP_SECONDS: Final = tuple(f"{second:02d} GMT".encode() for second in range(60))


@lru_cache(4096)
def _xml_minute(minute: int) -> str:
    moment = gmtime(minute * 60)
    return f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}T{moment.tm_hour:02d}:{moment.tm_min:02d}:"


@lru_cache(4096)
def _http_minute(minute: int) -> bytes:
    moment = gmtime(minute * 60)
    date = f"{_DAYS[moment.tm_wday]}, {moment.tm_mday:02d} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year:04d}"
    return f"{date} {moment.tm_hour:02d}:{moment.tm_min:02d}:".encode()


def xml_time(ms: int) -> str:
    """`2026-01-02T03:04:05.000Z`, of milliseconds since the Unix epoch."""
    seconds = ms // 1000
    return _xml_minute(seconds // 60) + _XML_SECONDS[seconds % 60]


def http_time(ms: int) -> bytes:
    """`Fri, 02 Jan 2026 03:04:05 GMT`, of milliseconds since the Unix epoch."""
    seconds = ms // 1000
    return _http_minute(seconds // 60) + _HTTP_SECONDS[seconds % 60]
