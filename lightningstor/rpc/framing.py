"""gRPC's messages inside HTTP/2's data: a flag, a length, the message. Bytes in, messages out.

message = compressed-flag (1 byte, 0 or 1) length (4 bytes, big-endian) data      ("gRPC over HTTP2")
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import define, field

from lightningstor.rpc.status import RpcFailed, StatusCode

__all__ = ["MessageReader", "MessageTooLarge", "frame", "parse_timeout", "prefix", "varint"]

_PREFIX: Final = struct.Struct(">BI")
_UNITS_S: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


class MessageTooLarge(RpcFailed):
    """A message is larger than the limit. Told before its data is taken in."""

    def __init__(self, size: int, limit: int) -> None:
        message = f"the message has {size} bytes, the limit is {limit}"
        super().__init__(StatusCode.RESOURCE_EXHAUSTED, message, "EntityTooLarge")


def prefix(size: int) -> bytes:
    """What stands before a message of that size, not compressed."""
    return _PREFIX.pack(0, size)


def frame(message: bytes) -> bytes:
    """A message with its prefix."""
    return _PREFIX.pack(0, len(message)) + message


def varint(number: int) -> bytes:
    """A number as Protocol Buffers writes lengths: seven bits a byte, the lowest first."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def parse_timeout(value: str) -> float:
    """Seconds of a grpc-timeout: at most 8 digits and a unit.

    Raises:
        RpcFailed: INVALID_ARGUMENT.
    """
    digits, unit = value[:-1], value[-1:]
    if unit not in _UNITS_S or not (digits.isascii() and digits.isdigit()) or len(digits) > 8:
        raise RpcFailed(StatusCode.INVALID_ARGUMENT, f"grpc-timeout is {value!r}, not up to 8 digits and a unit")
    return int(digits) * _UNITS_S[unit]


@define
class MessageReader:
    """Cuts the data of one call into messages.

    Args:
        limit: of one message, in bytes.
    """

    limit: int
    _buffer: bytearray = field(factory=bytearray, init=False)

    def feed(self, data: bytes) -> list[bytes]:
        """Take a piece; gives the messages that are complete with it.

        Raises:
            MessageTooLarge: it is over the limit.
            RpcFailed: UNIMPLEMENTED for a compressed one, since no compression was offered.
        """
        buffer = self._buffer
        buffer += data
        found: list[bytes] = []
        while len(buffer) >= _PREFIX.size:
            flag, length = _PREFIX.unpack_from(buffer)
            if flag:
                raise RpcFailed(StatusCode.UNIMPLEMENTED, "compressed messages are not taken here")
            if length > self.limit:
                raise MessageTooLarge(length, self.limit)
            end = _PREFIX.size + length
            if len(buffer) < end:
                break
            found.append(bytes(buffer[_PREFIX.size : end]))
            del buffer[:end]
        return found

    @property
    def announced(self) -> int:
        """The size of the message that has begun; 0 where that is not yet known."""
        buffer = self._buffer
        size: int = _PREFIX.unpack_from(buffer)[1] if len(buffer) >= _PREFIX.size else 0
        return size

    @property
    def partial(self) -> bool:
        """A message has begun and is not complete."""
        return bool(self._buffer)
