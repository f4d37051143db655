"""How a call fails, as its caller sees it: a class for every status of gRPC, with S3's code where the store gave one.

Sources: "Status codes and their use in gRPC", "HTTP to gRPC status code mapping", "gRPC over HTTP2" (grpc/grpc, doc);
google.rpc.Status and ErrorInfo (googleapis/googleapis, google/rpc).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import unquote

from google.protobuf.message import DecodeError
from h2.errors import ErrorCodes

from lightningstor.rpc.gen.details_pb2 import ErrorInfo, Status
from lightningstor.rpc.status import StatusCode

__all__ = [
    "Aborted",
    "AlreadyExists",
    "CallCancelled",
    "DataLoss",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InternalError",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "RpcError",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnknownError",
    "error_of_http",
    "error_of_reset",
    "error_of_trailers",
]


class RpcError(Exception):
    """A call ended with a status other than OK.

    Attributes:
        code: gRPC's status. message: the server's sentence, or what happened here.
        call: "package.Service/Method"; "" where no call is at fault.
        s3_code: what S3 would answer ("NoSuchKey"), where the store said so; None otherwise.
        facts: what else the store says of the error, by name.
        unseen: the server's handlers never saw the call, so that repeating it is safe whatever it does.
        lasting: trying again cannot help (a certificate that does not fit, say).
    """

    code: ClassVar[StatusCode] = StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        call: str = "",
        s3_code: str | None = None,
        facts: Mapping[str, str] | None = None,
        unseen: bool = False,
        lasting: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.call = call
        self.s3_code = s3_code
        self.facts = dict(facts or {})
        self.unseen = unseen
        self.lasting = lasting

    def __str__(self) -> str:
        status = self.code.name if self.s3_code is None else f"{self.code.name} ({self.s3_code})"
        return f"{self.call}: {status}: {self.message}" if self.call else f"{status}: {self.message}"

    def of_call(self, call: str) -> RpcError:
        """The same error, of that call: one that ends several calls is raised in each as an exception of its own."""
        return type(self)(
            self.message,
            call=call,
            s3_code=self.s3_code,
            facts=self.facts,
            unseen=self.unseen,
            lasting=self.lasting,
        )


class CallCancelled(RpcError):
    """The server gave the call up."""

    code = StatusCode.CANCELLED


class UnknownError(RpcError):
    """The server ended the call with a status that says nothing, or that gRPC does not know."""

    code = StatusCode.UNKNOWN


class InvalidArgument(RpcError):
    """The request is wrong whatever the store holds."""

    code = StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(RpcError):
    """The call's time is up. What it asked for may have happened all the same."""

    code = StatusCode.DEADLINE_EXCEEDED


class NotFound(RpcError):
    """There is no such bucket, key, version or upload."""

    code = StatusCode.NOT_FOUND


class AlreadyExists(RpcError):
    """What was to be made is there already."""

    code = StatusCode.ALREADY_EXISTS


class PermissionDenied(RpcError):
    """The caller may not do this."""

    code = StatusCode.PERMISSION_DENIED


class ResourceExhausted(RpcError):
    """A quota or a limit, the one for the size of messages among them, stands against the call."""

    code = StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(RpcError):
    """The store's state, or a condition of the request, stands against the call."""

    code = StatusCode.FAILED_PRECONDITION


class Aborted(RpcError):
    """The call lost against another one; nothing was changed."""

    code = StatusCode.ABORTED


class OutOfRange(RpcError):
    """No byte of the object lies in the range."""

    code = StatusCode.OUT_OF_RANGE


class Unimplemented(RpcError):
    """The server has no such call, or not this use of it."""

    code = StatusCode.UNIMPLEMENTED


class InternalError(RpcError):
    """The server met an error of its own, or broke the protocol."""

    code = StatusCode.INTERNAL


class Unavailable(RpcError):
    """The server cannot be reached, is gone, or takes no calls at present."""

    code = StatusCode.UNAVAILABLE


class DataLoss(RpcError):
    """Stored bytes are damaged."""

    code = StatusCode.DATA_LOSS


class Unauthenticated(RpcError):
    """The server does not know who is calling."""

    code = StatusCode.UNAUTHENTICATED


_DOMAIN: Final = "lightningstor"
_ERROR_INFO: Final = "/google.rpc.ErrorInfo"

_BY_CODE: Final[dict[int, type[RpcError]]] = {kind.code: kind for kind in RpcError.__subclasses__()}

_OF_HTTP: Final[dict[str, type[RpcError]]] = {
    "400": InternalError,
    "401": Unauthenticated,
    "403": PermissionDenied,
    "404": Unimplemented,
    "429": Unavailable,
    "502": Unavailable,
    "503": Unavailable,
    "504": Unavailable,
}

_OF_RESET: Final[dict[int, type[RpcError]]] = {
    ErrorCodes.REFUSED_STREAM: Unavailable,
    ErrorCodes.CANCEL: CallCancelled,
    ErrorCodes.ENHANCE_YOUR_CALM: ResourceExhausted,
    ErrorCodes.INADEQUATE_SECURITY: PermissionDenied,
}


def error_of_trailers(trailers: Mapping[str, str], call: str) -> RpcError | None:
    """The error that a call's trailers tell; None for OK."""
    told = trailers["grpc-status"]
    if told == "0":
        return None
    kind = _BY_CODE.get(int(told), UnknownError) if told.isascii() and told.isdigit() else UnknownError
    message = unquote(trailers.get("grpc-message", "")) or f"the server said status {told} and no more"
    s3_code, facts = _info(trailers.get("grpc-status-details-bin", ""))
    return kind(message, call=call, s3_code=s3_code, facts=facts)


def error_of_http(status: str, call: str) -> RpcError:
    """The error of an answer that is not gRPC's."""
    return _OF_HTTP.get(status, UnknownError)(
        f"the server answered with HTTP status {status}, not with gRPC", call=call
    )


def error_of_reset(code: int, call: str) -> RpcError:
    """The error of a stream that the server reset before it told a status."""
    kind = _OF_RESET.get(code, InternalError)
    name = code.name if isinstance(code, ErrorCodes) else str(code)
    return kind(f"the server reset the stream ({name})", call=call, unseen=code == ErrorCodes.REFUSED_STREAM)


def _info(encoded: str) -> tuple[str | None, dict[str, str]]:
    """S3's code and the facts in grpc-status-details-bin; what cannot be read there is left out."""
    if not encoded:
        return None, {}
    try:
        status = Status.FromString(base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True))
        for detail in status.details:
            if detail.type_url.endswith(_ERROR_INFO):
                info = ErrorInfo.FromString(detail.value)
                if info.domain == _DOMAIN:
                    return info.reason, dict(info.metadata)
    except (binascii.Error, DecodeError):
        pass
    return None, {}
