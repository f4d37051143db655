"""The headers of answers, as HPACK writes them (RFC 7541), without its dynamic table.

hpack takes 150 µs for the headers and trailers of an answer, most of it to search and fill that table, which nothing
here gains from: what is always the same is written once, and the rest is short.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

__all__ = ["DATA", "END_HEADERS", "END_STREAM", "HEADERS", "OK_TRAILERS", "frame_head", "literals", "opening"]

DATA: Final = 0
HEADERS: Final = 1
END_STREAM: Final = 1
END_HEADERS: Final = 4
_FRAME_HEAD: Final = struct.Struct(">HBBBL")
_SHORT: Final = 127


def frame_head(size: int, kind: int, flags: int, stream_id: int) -> bytes:
    """What stands before a frame's `size` bytes (RFC 9113 §4.1)."""
    return _FRAME_HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id)


def literals(headers: Iterable[tuple[str, str]]) -> bytes:
    """Headers as literals that are not indexed, neither names nor values compressed (RFC 7541 §6.2.2)."""
    parts: list[bytes] = []
    for name, value in headers:
        parts += (b"\0", _text(name.encode("ascii")), _text(value.encode("ascii")))
    return b"".join(parts)


def _text(data: bytes) -> bytes:
    """A string (RFC 7541 §5.2): its length as an integer with a prefix of 7 bits, and it."""
    length = len(data)
    if length < _SHORT:
        return bytes((length,)) + data
    made = bytearray((_SHORT,))
    length -= _SHORT
    while length > _SHORT:
        made.append(length & 0x7F | 0x80)
        length >>= 7
    made.append(length)
    return bytes(made) + data


# :status 200 is entry 8 of the static table, content-type the name of entry 31.
_ALWAYS: Final = b"\x88\x0f\x10" + _text(b"application/grpc") + b"\0" + _text(b"x-request-id")
OK_TRAILERS: Final = literals([("grpc-status", "0")])
"""Of a call that went well."""


def opening(request_id: str) -> bytes:
    """The headers that every answer begins with."""
    return _ALWAYS + _text(request_id.encode("ascii"))
