"""How a request can fail before, or apart from, what the application does with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

__all__ = ["ClientGone", "Refusal", "Refused", "Unserved", "plain_refusal"]


class Refused(Exception):
    """The request breaks a rule of HTTP or a limit: it is answered by the engine, and the connection closed.

    Attributes:
        status: the HTTP status of the answer.
        reason: one sentence for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class ClientGone(ConnectionError):
    """Nothing more will come from the client, or go to it.

    The application meets it from `send`, `respond` and `receive_some` and need not handle it: it may propagate (in an
    exception group too), and the engine does what is left to do. Where the fault lies in the request body and
    nothing was answered yet, an application may also answer by itself: the way to the client may still be open.

    Attributes:
        cause: a word for metrics: `closed`, `reset`, `truncated`, `framing`, `body` (too slow), `write` (stalled), …
        status: the HTTP status that the engine would answer with, or None when there is nobody to answer.
    """

    def __init__(self, cause: str, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.cause = cause
        self.reason = reason
        self.status = status


Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


@frozen
class Unserved:
    """What is known of a request that the engine answers by itself; empty where its head was not read.

    Attributes:
        client: the peer's address.
        raw_path: as sent, without the query.
        headers: as in ASGI.
    """

    client: str
    raw_path: bytes = b""
    headers: Headers = ()


Refusal: TypeAlias = Callable[[int, str, Unserved], tuple[Headers, bytes]]
"""Makes the header fields and body of an answer that the engine gives by itself, from its status and reason. Called
once for each."""


def plain_refusal(status: int, reason: str, request: Unserved) -> tuple[Headers, bytes]:
    """The reason as a line of text."""
    return [(b"content-type", b"text/plain; charset=utf-8")], f"{status} {reason}\n".encode()
