"""How a call ends: gRPC's statuses, and the boundary at which errors become one.

Source of codes and trailers: "gRPC over HTTP2" and "Status codes and their use in gRPC" (github.com/grpc/grpc, doc).
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import quote

from lightningstor.errors import StoreError

__all__ = ["Explain", "RpcFailed", "StatusCode", "status_of", "trailers"]

logger = logging.getLogger("lightningstor.rpc")

_MESSAGE_SAFE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


Explain: TypeAlias = Callable[[StoreError], tuple[str, str]]


class StatusCode(enum.IntEnum):
    """gRPC's status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcFailed(Exception):
    """A call ends with a status other than OK. Raised by handlers and by the machinery beneath them."""

    def __init__(self, code: StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def status_of(error: BaseException, call_name: str, explain: Explain) -> RpcFailed:
    """The status that an error of a handler ends its call with: the boundary.

    Of an unexpected error nothing is told to the client; it is logged.

    Args:
        explain: the one map of errors: gRPC's name of the status and a sentence, for an error of the store.
    """
    if isinstance(error, RpcFailed):
        return error
    if isinstance(error, StoreError):
        name, sentence = explain(error)
        return RpcFailed(StatusCode[name], sentence)
    if isinstance(error, NotImplementedError):
        return RpcFailed(StatusCode.UNIMPLEMENTED, f"{call_name} is not implemented")
    logger.error("the handler of %s failed", call_name, exc_info=error)
    return RpcFailed(StatusCode.INTERNAL, "The server met an error of its own.")


def trailers(code: StatusCode, message: str) -> list[tuple[str, str]]:
    """The headers that end a call; the message percent-encoded where it is not plain ASCII."""
    found = [("grpc-status", str(int(code)))]
    if message:
        found.append(("grpc-message", quote(message, safe=_MESSAGE_SAFE)))
    return found
