"""Answers to errors, from the one map in `lightningstor.s3.error_map`.

An exception that is no `StoreError` is a bug of ours: InternalError, and not a word of its text.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lightningstor.s3.error_map import BUG, ROWS, Headers, Row
from lightningstor.s3.wire.xml import DECLARATION, escape

__all__ = ["Explained", "error_document", "explain", "render_error"]


class Explained(NamedTuple):
    """An error in a client's terms.

    Args:
        code: S3's.
        status: HTTP's.
        grpc_status: the name of gRPC's status.
        message: the sentence.
        elements: further elements, names and texts.
        headers: further headers.
        level: of the log line: debug, info, warning, error or critical.
    """

    code: str
    status: int
    grpc_status: str
    message: str
    elements: tuple[tuple[str, str], ...]
    headers: Headers
    level: str


def _row_of(error: BaseException) -> Row:
    for base in type(error).__mro__:
        row = ROWS.get(base)
        if row is not None:
            return row if isinstance(row, Row) else row(error)
    return BUG


class _Attributes(dict[str, Any]):
    """An error's attributes, for `str.format_map`."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __missing__(self, name: str) -> Any:
        return getattr(self._error, name)


def _element_text(error: BaseException, source: str, method: str) -> str | None:
    if source[0] == "=":
        return source[1:]
    if source == "~method":
        return method or None
    if source[0] == "#":  # the bytes of a text in hex, so that invisible characters show
        text = getattr(error, source[1:])
        return None if text is None else text.encode("utf-8", "surrogateescape").hex(" ")
    value = getattr(error, source)
    return None if value is None else str(value)


def explain(error: BaseException, method: str = "") -> Explained:
    """What a client is told of an error.

    Args:
        error: whatever was raised.
        method: of the request, where there is one.
    """
    row = _row_of(error)
    elements = tuple(
        [
            (name, text)
            for name, source in row.elements.items()
            if (text := _element_text(error, source, method)) is not None
        ]
    )
    message = row.sentence.format_map(_Attributes(error)) if "{" in row.sentence else row.sentence
    headers = row.headers(error) if row.headers is not None else []
    return Explained(row.code, row.status, row.grpc, message, elements, headers, row.level)


def error_document(explained: Explained, resource: str, request_id: str, host_id: str) -> bytes:
    """The `<Error>` document. S3's errors are in no namespace."""
    told = (
        ("Code", explained.code),
        ("Message", explained.message),
        *explained.elements,
        ("Resource", resource),
        ("RequestId", request_id),
        ("HostId", host_id),
    )
    content = "".join([f"<{name}>{escape(text)}</{name}>" for name, text in told])
    return DECLARATION + f"<Error>{content}</Error>".encode("utf-8", "backslashreplace")


def render_error(
    error: BaseException, *, method: str, resource: str, request_id: str, host_id: str
) -> tuple[int, Headers, bytes]:
    """Status, headers and body that answer an error.

    Args:
        error: whatever was raised.
        method: of the request: a HEAD has no body.
        resource: the path that was asked for.
        request_id: of this request.
        host_id: of this endpoint.
    """
    explained = explain(error, method)
    if method == "HEAD" or explained.status == 304:
        return explained.status, explained.headers, b""
    headers = [*explained.headers, (b"content-type", b"application/xml")]
    return explained.status, headers, error_document(explained, resource, request_id, host_id)
