"""What a request gets whose operation has no handler: what S3 answers while nothing is configured, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lightningstor.s3.wire.faults import NotImplementedHere
from lightningstor.s3.wire.operation import OPTIONS, Fixed, NotConfigured, Operation
from lightningstor.s3.wire.refusals import (
    AccessControlListNotSupported,
    CrossOriginRefused,
    NotConfiguredHere,
    PreflightIncomplete,
)

__all__ = ["answer_unimplemented", "refuse_preflight"]

_XML: Final = [(b"content-type", b"application/xml")]


def answer_unimplemented(operation: Operation, bucket: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body for a row without a handler.

    To be asked only once the bucket was found and the caller may do `operation.action` there.

    Raises:
        AccessControlListNotSupported: it would set an ACL.
        NotConfiguredHere: S3's answer to what is not configured is an error.
        NotImplementedHere: anything else.
    """
    if operation.acl:
        raise AccessControlListNotSupported(operation.name)
    match operation.unconfigured:
        case NotConfigured(what):
            raise NotConfiguredHere(what, bucket)
        case Fixed(body, status):
            return status, list(_XML) if body else [], body
    raise NotImplementedHere(operation.name)


def refuse_preflight(operation: Operation, headers: Mapping[bytes, bytes]) -> CrossOriginRefused | PreflightIncomplete:
    """Why a CORS preflight is refused: no bucket allows cross-origin requests yet.

    The answer does not depend on whether the bucket exists, as nobody has been authenticated.

    Args:
        operation: a row whose method is OPTIONS.
        headers: of the request, by lower-case name.
    """
    assert operation.method == OPTIONS
    if b"origin" not in headers:
        return PreflightIncomplete("Origin")
    method = headers.get(b"access-control-request-method")
    if method is None:
        return PreflightIncomplete("Access-Control-Request-Method")
    return CrossOriginRefused(method.decode("latin-1"), operation.scope.resource_type)
