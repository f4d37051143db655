"""What the HTTP server answers by itself, said as S3 says it: overload, time-outs, requests that are not HTTP."""

from __future__ import annotations

from typing import Final

from lightningstor.s3.endpoint import Endpoint
from lightningstor.s3.errors import Explained, error_document

__all__ = ["S3Refusal"]

_CODES: Final = {
    400: "BadRequest",
    408: "RequestTimeout",
    411: "MissingContentLength",
    413: "EntityTooLarge",
    414: "InvalidURI",
    431: "RequestHeaderSectionTooLarge",
    500: "InternalError",
    501: "NotImplemented",
    503: "SlowDown",
    505: "HttpVersionNotSupported",
}
# Where the request was right, S3's own sentence; elsewhere what the server found wrong with it.
_SENTENCES: Final = {
    408: "Your socket connection to the server was not read from or written to within the timeout period.",
    500: "We encountered an internal error. Please try again.",
    503: "Please reduce your request rate.",
}


class S3Refusal:
    """Makes the answers that the HTTP server gives without asking the app."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, status: int, reason: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body.

        Args:
            status: of the answer.
            reason: one sentence about the request.
        """
        endpoint = self._endpoint
        request_id = endpoint.next_request_id()
        told = Explained(_CODES.get(status, "BadRequest"), status, "", _SENTENCES.get(status, reason), (), [], "info")
        headers = [
            (b"x-amz-request-id", request_id.encode()),
            *endpoint.server_headers,
            (b"content-type", b"application/xml"),
        ]
        return headers, error_document(told, "", request_id, endpoint.host_id)
