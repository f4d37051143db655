"""What goes wrong in a view: noted for the audit log, logged where it is ours, and told."""

from __future__ import annotations

import logging
from typing import Final

from quart import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from lightningstor.admin.noting import noted
from lightningstor.admin.problem import explained_answer, status_answer
from lightningstor.errors import StoreError
from lightningstor.http.faults import Headers
from lightningstor.s3.errors import Explained, explain

__all__ = ["http_problem", "note_failure", "problem", "reason_of"]

logger: Final = logging.getLogger("lightningstor.admin")
_LEVELS: Final = {"warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}
_REASONS: Final = {
    404: "There is nothing at this path.",
    405: "This path does not take the method {method}.",
    413: "The body is larger than the admin port takes.",
}


def reason_of(error: HTTPException) -> str:
    """A sentence about what HTTP's rules, or Quart, have against the request."""
    return _REASONS.get(error.code or 500, f"{error.name}.").format(method=request.method)


def note_failure(error: BaseException) -> Explained:
    """What is told of an error. What is no StoreError is a bug of ours: it is logged, and not a word of it told."""
    told = explain(error, request.method)
    noted().code = told.code
    if not isinstance(error, StoreError):
        logger.error("request failed", exc_info=error)
    elif told.level in _LEVELS:
        logger.log(_LEVELS[told.level], "%s: %s", told.code, error)
    return told


def problem(error: BaseException) -> Response:
    """The answer to an error."""
    if isinstance(error, HTTPException):
        return http_problem(error)
    return _response(*explained_answer(note_failure(error), noted().id))


def http_problem(error: HTTPException) -> Response:
    """The answer to a request that no endpoint takes."""
    status, note = error.code or 500, noted()
    note.code, headers, body = status_answer(status, reason_of(error), note.id)
    answer = _response(status, headers, body)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def _response(status: int, headers: Headers, body: bytes) -> Response:
    answer = Response(body, status)
    for name, value in headers:
        answer.headers[name.decode("latin-1")] = value.decode("latin-1")
    return answer
