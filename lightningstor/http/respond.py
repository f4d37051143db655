"""The head of an answer, as bytes. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from time import gmtime
from typing import Final

__all__ = ["HttpDate", "head_bytes"]

_STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}
_FIELD_BYTES: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_DAYS: Final = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def head_bytes(
    status: int, headers: Sequence[tuple[bytes, bytes]], more: bytes, body: bytes | bytearray | memoryview = b""
) -> bytes:
    """Status line, `headers`, `more` (whole lines that the engine adds), the empty line, and `body`.

    Raises:
        ValueError: a name or value holds a control character, which would let it write further fields.
    """
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    if not headers:
        return b"".join((line, more, b"\r\n", body))
    block = b"\r\n".join(map(b": ".join, headers))
    if len(block.translate(None, _FIELD_BYTES)) != 2 * len(headers) - 2:
        raise ValueError("a header field of the response holds a control character")
    return b"".join((line, block, b"\r\n", more, b"\r\n", body))


class HttpDate:
    """The Date field's line, made once a second.

    Attributes:
        line: `date: …` with its CRLF (RFC 9110 §5.6.7, IMF-fixdate).
    """

    __slots__ = ("_second", "line")

    def __init__(self, now_ms: int) -> None:
        self._second = -1
        self.line = b""
        self.refresh(now_ms)

    def refresh(self, now_ms: int) -> None:
        """Make the line anew if the second is another one than before."""
        second = now_ms // 1000
        if second != self._second:
            self._second = second
            self.line = b"date: %b\r\n" % _imf_fixdate(second)


def _imf_fixdate(second: int) -> bytes:
    moment = gmtime(second)
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _DAYS[moment.tm_wday],
        moment.tm_mday,
        _MONTHS[moment.tm_mon - 1],
        moment.tm_year,
        moment.tm_hour,
        moment.tm_min,
        moment.tm_sec,
    )
