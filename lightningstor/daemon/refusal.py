"""The answers that the HTTP engine gives by itself on the S3 port, in the form that S3 clients read."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from lightningstor.errors import StoreError
from lightningstor.http.faults import Headers, Refusal, Unserved
from lightningstor.observe.record import FAILED, MALFORMED, OperationRecord
from lightningstor.s3.endpoint import Endpoint
from lightningstor.s3.errors import Explained, error_document

__all__ = ["s3_refusal"]

_CODES: Final = {
    400: "BadRequest",
    408: "RequestTimeout",
    414: "RequestURITooLong",
    417: "ExpectationFailed",
    431: "RequestHeaderSectionTooLarge",
    500: "InternalError",
    501: "NotImplemented",
    503: "SlowDown",
    505: "HTTPVersionNotSupported",
}
"""S3's code where it has one for the status, and a word of the same kind elsewhere."""


def s3_refusal(endpoint: Endpoint) -> Refusal:
    """A `Refusal` that answers with S3's error document and headers.

    503 is SlowDown, which every SDK answers by waiting and trying again. The endpoint's observer hears of each.
    """

    def refuse(status: int, reason: str, request: Unserved) -> tuple[Headers, bytes]:
        request_id = endpoint.next_request_id()
        explained = Explained(_CODES.get(status, "BadRequest"), status, "", reason, (), [], "info")
        endpoint.observer.operation_done(_record(endpoint, request_id, explained, request))
        body = error_document(explained, "", request_id, endpoint.host_id)
        own = [(b"x-amz-request-id", request_id.encode()), (b"content-type", b"application/xml")]
        return [*endpoint.server_headers, *own], body

    return refuse


def _record(endpoint: Endpoint, request_id: str, explained: Explained, request: Unserved) -> OperationRecord:
    """What is known of a request that never reached the S3 endpoint."""
    headers = dict(request.headers)
    bucket = key = None
    if request.raw_path:
        with suppress(StoreError):
            target = endpoint.addressing.locate(headers.get(b"host", b""), request.raw_path)
            bucket, key = target.bucket, target.key
    return OperationRecord(
        "s3",
        "Unmatched",
        request_id,
        explained.status,
        MALFORMED if explained.status < 500 else FAILED,
        0.0,
        explained.code,
        bucket=bucket,
        key=key,
        client=endpoint.clients.address(request.client, headers.get(b"x-forwarded-for")),
        user_agent=headers[b"user-agent"].decode("latin-1") if b"user-agent" in headers else None,
    )
