"""What the HTTP engine tells of itself: events for metrics and logs, and figures for gauges."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from attrs import frozen

__all__ = ["HttpEvent", "HttpEventKind", "HttpStatistics", "OnEvent", "ignore_event"]


class HttpEventKind(Enum):
    """What happened."""

    OPENED = "connection opened"
    CLOSED = "connection closed"
    REFUSED = "request refused by the engine"
    OVERLOADED = "request refused because too many run"
    TIMED_OUT = "client too slow or idle"
    EVICTED = "idle connection closed to make room"
    HANDSHAKE_FAILED = "TLS handshake failed"
    ACCEPT_FAILED = "a connection could not be accepted"
    APP_FAILED = "the application raised, or did not answer"


@frozen
class HttpEvent:
    """One event.

    Attributes:
        kind: what happened.
        status: of the engine's own answer; 0 when there is none.
        detail: a word or sentence: the limit that struck, the reason of a refusal.
        error: what was raised, where something was.
    """

    kind: HttpEventKind
    status: int = 0
    detail: str = ""
    error: BaseException | None = None


OnEvent: TypeAlias = Callable[[HttpEvent], None]
"""Called inline: it must be quick and must not raise."""


def ignore_event(event: HttpEvent) -> None:
    """The hook of a server that nobody watches."""


@frozen
class HttpStatistics:
    """A server's figures.

    Attributes:
        connections: open now.
        requests_in_flight: inside the application now.
        connections_total: accepted so far.
        requests_total: handed to the application so far.
        refused_total: answered by the engine itself so far.
    """

    connections: int
    requests_in_flight: int
    connections_total: int
    requests_total: int
    refused_total: int
