"""How a call ends: gRPC's statuses, and the boundary at which errors become one.

Source of codes and trailers: "gRPC over HTTP2" and "Status codes and their use in gRPC" (github.com/grpc/grpc, doc).
"""

from __future__ import annotations

import enum
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

from lightningstor.errors import StoreError

__all__ = ["DOMAIN", "Ending", "Explain", "RpcFailed", "StatusCode", "Told", "ending_of", "trailers"]

logger = logging.getLogger("lightningstor.rpc")

DOMAIN: Final = "lightningstor"
"""Of the reasons in google.rpc.ErrorInfo."""
_ERROR_INFO: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_MESSAGE_SAFE: Final = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_MESSAGE_MAX: Final = 1024
_DETAILS_MAX: Final = 4096
"""Characters of an error's facts in all: a client refuses trailers that are too large, and then learns nothing."""
_SERVER_ERROR: Final = 500
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class Told(NamedTuple):
    """What the one map of errors says of one.

    Args:
        code: S3's. status: HTTP's. grpc: the name of gRPC's status. message: the sentence.
        facts: further ones, names and texts. level: of the log line.
    """

    code: str
    status: int
    grpc: str
    message: str
    facts: Mapping[str, str]
    level: str


Explain: TypeAlias = Callable[[BaseException], Told]


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


# HTTP's statuses for what goes wrong with a call itself; what goes wrong in the store has its own in the map of errors.
_HTTP_STATUSES: Final = {
    StatusCode.OK: 200,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.RESOURCE_EXHAUSTED: 400,
    StatusCode.NOT_FOUND: 404,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}


class RpcFailed(Exception):
    """A call itself is at fault: its form, its size, its time. Raised by the machinery beneath the handlers.

    Args:
        reason: the S3 code of the same fault, if S3 has one.
    """

    def __init__(self, code: StatusCode, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason


class Ending(NamedTuple):
    """How a call ends.

    Args:
        reason: the S3 code of the error; None: there is none.
        status: HTTP's, for metrics and the audit log.
        facts: for google.rpc.ErrorInfo.
    """

    code: StatusCode
    message: str = ""
    reason: str | None = None
    status: int = 200
    facts: Mapping[str, str] = {}


def ending_of(error: BaseException, call_name: str, explain: Explain) -> Ending:
    """How an error of a handler ends its call: the boundary.

    Of an unexpected error nothing is told to the client; it is logged. So is what is our own fault; what a client did
    wrong is logged by its code alone.
    """
    if isinstance(error, RpcFailed):
        return Ending(error.code, error.message, error.reason, _HTTP_STATUSES.get(error.code, 500))
    told = explain(error)
    if not isinstance(error, StoreError):
        logger.error("the handler of %s failed", call_name, exc_info=error)
    elif told.status >= _SERVER_ERROR:
        logger.log(_LEVELS[told.level], "%s: %s: %s", call_name, told.code, error)
    elif logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s: %s: %s", call_name, told.code, told.message)
    return Ending(StatusCode[told.grpc], told.message, told.code, told.status, told.facts)


def trailers(ending: Ending, request_id: str) -> list[tuple[str, str]]:
    """The headers that end a call; the message percent-encoded where it is not plain ASCII, and not too long."""
    found = [("grpc-status", str(int(ending.code)))]
    if ending.message:
        found.append(("grpc-message", quote(ending.message[:_MESSAGE_MAX], safe=_MESSAGE_SAFE)))
    if ending.reason is not None:
        found.append(("grpc-status-details-bin", b64encode(_details(ending, request_id)).rstrip(b"=").decode()))
    return found


def _details(ending: Ending, request_id: str) -> bytes:
    """google.rpc.Status with its ErrorInfo, in bytes."""
    from lightningstor.rpc.gen import details_pb2

    info = details_pb2.ErrorInfo(reason=ending.reason, domain=DOMAIN, metadata={"RequestId": request_id})
    left = _DETAILS_MAX
    for name, text in ending.facts.items():
        left -= len(name) + len(text)
        if left >= 0:
            info.metadata[name] = text.encode("utf-8", "replace").decode()
    status = details_pb2.Status(code=int(ending.code), message=ending.message[:_MESSAGE_MAX])
    status.details.add(type_url=_ERROR_INFO, value=info.SerializeToString())
    made: bytes = status.SerializeToString()
    return made
