"""The answers that the HTTP engine gives by itself on the S3 port, in the form that S3 clients read."""

from __future__ import annotations

from typing import Final

from lightningstor.http.faults import Headers, Refusal
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

    503 is SlowDown, which every SDK answers by waiting and trying again.
    """

    def refuse(status: int, reason: str) -> tuple[Headers, bytes]:
        request_id = endpoint.next_request_id()
        explained = Explained(_CODES.get(status, "BadRequest"), status, "", reason, (), [], "info")
        body = error_document(explained, "", request_id, endpoint.host_id)
        own = [(b"x-amz-request-id", request_id.encode()), (b"content-type", b"application/xml")]
        return [*endpoint.server_headers, *own], body

    return refuse
