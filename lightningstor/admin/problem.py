"""Errors as the admin API tells them: JSON, with the codes and the sentences of the one map."""

from __future__ import annotations

from typing import Final

import msgspec

from lightningstor.admin.api.shapes import Problem, ProblemDetail
from lightningstor.http.faults import Headers
from lightningstor.s3.errors import Explained, explain

__all__ = ["code_of_status", "error_answer", "explained_answer", "status_answer"]

_CODES: Final = {
    400: "BadRequest",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    413: "EntityTooLarge",
    414: "RequestURITooLong",
    417: "ExpectationFailed",
    431: "RequestHeaderSectionTooLarge",
    500: "InternalError",
    501: "NotImplemented",
    503: "SlowDown",
    505: "HTTPVersionNotSupported",
}
_JSON: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def code_of_status(status: int) -> str:
    """The code of an answer of which no more than its status is known."""
    return _CODES.get(status, "BadRequest" if status < 500 else "InternalError")


def error_answer(error: BaseException, request_id: str, method: str = "") -> tuple[int, Headers, bytes]:
    """Status, headers and body that answer an error."""
    return explained_answer(explain(error, method), request_id)


def explained_answer(told: Explained, request_id: str) -> tuple[int, Headers, bytes]:
    """The same for one that is explained already."""
    return told.status, [*told.headers, *_JSON], _body(told.code, told.message, request_id)


def status_answer(status: int, reason: str, request_id: str) -> tuple[str, Headers, bytes]:
    """Code, headers and body of an answer that HTTP's rules ask for.

    Args:
        reason: a sentence.
    """
    code = code_of_status(status)
    return code, list(_JSON), _body(code, reason, request_id)


def _body(code: str, message: str, request_id: str) -> bytes:
    # A message may repeat what the client sent, lone surrogates included, which UTF-8 cannot say.
    told = message.encode("utf-8", "backslashreplace").decode()
    return msgspec.json.encode(Problem(error=ProblemDetail(code=code, message=told, request_id=request_id)))
