"""The client's limits, and when it tries again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from lightningstor.ports import World

__all__ = ["ClientLimits", "RetryPolicy"]

_ENTROPY: Final = World().entropy


def _draw() -> float:
    return int.from_bytes(_ENTROPY.token_bytes(4)) / (1 << 32)


@frozen
class ClientLimits:
    """Every limit of a client; sizes in bytes, times in seconds.

    Args:
        connect_s: from the first packet to the server's HTTP/2 settings, TLS included.
        call_s: the deadline of calls that name none; None: they have none. Streams that are read have one only if
            they name it.
        receive_message_bytes: of a message that comes in.
        send_message_bytes: of a message that goes out; the server has its own.
        window_bytes: what the server may send on one call ahead of its being read, so what an unread call holds.
        frame_bytes: of an HTTP/2 frame that comes in.
        header_bytes: of an answer's header list.
        outgoing_bytes: that wait for the socket, over all calls; further messages wait outside.
        ping_after_s: without a word of the server while calls are open, it is asked whether it is there.
        ping_wait_s: that it has to answer.
        close_s: that the end of the connection may take.
        abort_s: that a failed or cancelled `upload` has to abort what it began.
    """

    connect_s: float = 10
    call_s: float | None = 60
    receive_message_bytes: int = 4 << 20
    send_message_bytes: int = 4 << 20
    window_bytes: int = 1 << 20
    frame_bytes: int = 64 << 10
    header_bytes: int = 16 << 10
    outgoing_bytes: int = 1 << 20
    ping_after_s: float = 20
    ping_wait_s: float = 10
    close_s: float = 1
    abort_s: float = 10


@frozen
class RetryPolicy:
    """When a call that found the server unavailable is tried again: never unless repeating it does no harm.

    Args:
        attempts: at most, the first included; 1: never again.
        first_s: the pause after the first attempt, in seconds; each further one is twice as long.
        longest_s: of a pause, in seconds.
        jitter: the share of a pause that is random, so that many clients do not come back at once.
        draw: gives random numbers from 0 to 1.
    """

    attempts: int = 5
    first_s: float = 0.1
    longest_s: float = 5
    jitter: float = 0.5
    draw: Callable[[], float] = _draw

    def pause_s(self, attempt: int) -> float:
        """How long to wait after that attempt (the first is 1), in seconds."""
        pause: float = min(self.longest_s, self.first_s * 2 ** (attempt - 1))
        return pause * (1 - self.jitter * self.draw())
