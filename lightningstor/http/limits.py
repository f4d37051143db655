"""Every limit of the HTTP engine, with a name, a unit and a default (DESIGN.md §8)."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

__all__ = ["HttpLimits"]


def _positive(instance: object, attribute: Attribute[Any], value: float) -> None:
    if value <= 0:
        raise ValueError(f"{attribute.name} must be greater than 0, not {value!r}")


@frozen(kw_only=True)
class HttpLimits:
    """What one server allows its clients.

    Time limits are checked by a sweep (see `sweep_interval_s`), so one may strike up to an interval early, never
    noticeably late.
    """

    header_bytes: int = field(default=16 * 1024, validator=_positive)
    """Request line and header fields together, and the trailer fields of a chunked body. More: 431 (or 414)."""

    header_s: float = field(default=10.0, validator=_positive)
    """From a request's first byte to the end of its header block, and for the TLS handshake."""

    idle_s: float = field(default=75.0, validator=_positive)
    """Without a byte of a next request; then the connection is closed without a word."""

    body_rate: int = field(default=1024, validator=_positive)
    """Bytes per second that a request body must bring while the application waits for it. Less: 408."""

    body_window_s: float = field(default=30.0, validator=_positive)
    """Seconds of such waiting over which the rate is taken."""

    write_stall_s: float = field(default=60.0, validator=_positive)
    """Without the client taking a byte of what is being sent to it; then the connection is reset."""

    connections: int = field(default=10_000, validator=_positive)
    """Open at once. At the limit those idle longest make room; when none is idle, accepting pauses."""

    requests_in_flight: int = field(default=1_024, validator=_positive)
    """Inside the application at once. More: 503 with Retry-After."""

    retry_after_s: int = field(default=1, validator=_positive)
    """What that Retry-After says."""

    reuse_drain_bytes: int = field(default=64 * 1024, validator=_positive)
    """An unread rest of a request body up to this size is read and dropped to keep the connection."""

    drain_bytes: int = field(default=1024 * 1024, validator=_positive)
    """Read and dropped, at most, after the last answer of a connection, so that closing it does not destroy it."""

    drain_s: float = field(default=2.0, validator=_positive)
    """How long either of the two may take."""

    grace_s: float = field(default=10.0, validator=_positive)
    """How long requests that run when the server is told to stop may go on before they are cancelled."""

    @property
    def sweep_interval_s(self) -> float:
        """Seconds between two sweeps: 1, or a tenth of the shortest time limit where that is less."""
        shortest_s = min(self.header_s, self.idle_s, self.body_window_s, self.write_stall_s)
        return min(1.0, shortest_s / 10)
