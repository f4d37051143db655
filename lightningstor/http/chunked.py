"""Undoing the chunked transfer coding of a request body (RFC 9112 §7.1), strictly. No I/O.

    body = *( size-line data CRLF ) last-size-line *( trailer-line ) CRLF

    SIZE ──size > 0──▶ DATA ──size bytes──▶ DATA_END ──CRLF──▶ SIZE
    SIZE ──size = 0──▶ TRAILER ──line──▶ TRAILER ──empty line──▶ DONE

Lines end with CRLF and nothing else, sizes are plain hexadecimal; chunk extensions are dropped and trailer fields
checked and dropped, both within limits.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from lightningstor.http.faults import Refused

__all__ = ["ChunkedDecoder"]

_HEX: Final = b"0123456789abcdefABCDEF"
_LINE_BYTES: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAX_SIZE_DIGITS: Final = 15
_MAX_SIZE_LINE: Final = 256


class _Stage(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


class ChunkedDecoder:
    """Decodes one chunked body.

    Args:
        trailer_limit: bytes that the trailer fields may take together.

    Attributes:
        done: the body has ended.
        rest: after the end, the bytes that follow it (of the next request).
    """

    __slots__ = ("_left", "_line", "_stage", "_trailer_left", "rest")

    def __init__(self, trailer_limit: int) -> None:
        self._stage = _Stage.SIZE
        self._left = 0
        self._line = b""
        self._trailer_left = trailer_limit
        self.rest = b""

    @property
    def done(self) -> bool:
        """The last chunk and the trailer have been read."""
        return self._stage is _Stage.DONE

    def decode(self, data: bytes) -> bytes:
        """Take the next bytes off the wire and give back the content in them, which may be none.

        Raises:
            Refused: 400, the framing is broken, or 431, a line or the trailer is too long.
        """
        pieces: list[bytes] = []
        at = 0
        end = len(data)
        while at < end:
            if self._stage is _Stage.DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._stage = _Stage.DATA_END
                continue
            if self._stage is _Stage.DONE:
                self.rest = data[at:]
                break
            at = self._take_line(data, at)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_line(self, data: bytes, at: int) -> int:
        """Complete a line with `data` from `at` on, as far as it goes, and act on it; gives where it stopped."""
        feed = data.find(b"\n", at)
        stop = len(data) if feed < 0 else feed + 1
        self._line += data[at:stop]
        limit = {_Stage.SIZE: _MAX_SIZE_LINE, _Stage.DATA_END: 2, _Stage.TRAILER: self._trailer_left}[self._stage]
        if len(self._line) > limit:
            if self._stage is _Stage.TRAILER:
                raise Refused(431, "The trailer fields are too long.")
            raise Refused(400, "A chunk of the body is not framed as its size says.")
        if feed >= 0:
            line, self._line = self._line, b""
            if not line.endswith(b"\r\n"):
                raise Refused(400, "A line of the chunked body does not end with CRLF.")
            self._act(line[:-2])
        return stop

    def _act(self, line: bytes) -> None:
        if self._stage is _Stage.SIZE:
            size, semicolon, extension = line.partition(b";")
            if semicolon:
                size = size.rstrip(b" \t")
            if not size or len(size) > _MAX_SIZE_DIGITS or size.translate(None, _HEX):
                raise Refused(400, "A chunk size is not a hexadecimal number.")
            if extension.translate(None, _LINE_BYTES):
                raise Refused(400, "A chunk extension holds a control character.")
            self._left = int(size, 16)
            self._stage = _Stage.DATA if self._left else _Stage.TRAILER
        elif self._stage is _Stage.DATA_END:
            if line:
                raise Refused(400, "A chunk of the body is not framed as its size says.")
            self._stage = _Stage.SIZE
        elif line:
            self._trailer_left -= len(line) + 2
            name, colon, value = line.partition(b":")
            if not colon or not name or name.translate(None, _TOKEN) or value.translate(None, _LINE_BYTES):
                raise Refused(400, "A trailer field is malformed.")
        else:
            self._stage = _Stage.DONE
