"""The three doors to the outside world: time, randomness, blocking calls.

Everything that cannot be replayed from a seed passes through here, so that the whole store runs in a
simulated world as well (DESIGN.md §11). Production code takes a `World`; nothing else in the package calls
`time.time`, `os.urandom`, `uuid4` or `trio.to_thread`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol, TypeVar, TypeVarTuple

import trio
from attrs import field, frozen

__all__ = ["Blocking", "Clock", "Entropy", "World", "production_world"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Clock(Protocol):
    """Two clocks: the wall's, which may jump, and a monotonic one, which deadlines use."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class Entropy(Protocol):
    """Unpredictable bytes."""

    def token_bytes(self, count: int) -> bytes:
        """`count` random bytes, fit for secrets."""
        ...


class Blocking(Protocol):
    """Runs functions that block (disk, hashing) away from the event loop."""

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call `function(*args)` in a thread and give back what it returns or raises.

        A thread cannot be cancelled: a caller that is cancelled meanwhile still waits for the call to end,
        gets its result, and meets its cancellation at its next checkpoint. So whatever the function made
        (a file, a descriptor) always reaches the caller, who can clean it up.
        """
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


class SystemEntropy:
    """The kernel's random number generator."""

    def token_bytes(self, count: int) -> bytes:
        return os.urandom(count)


class ThreadBlocking:
    """Threads of Trio's cache, at most `threads` at once."""

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        with trio.CancelScope(shield=True):
            result = await trio.to_thread.run_sync(function, *args, limiter=self._limiter)
        return result


@frozen
class World:
    """The doors that one store uses."""

    clock: Clock = field(factory=SystemClock)
    entropy: Entropy = field(factory=SystemEntropy)
    blocking: Blocking = field(factory=lambda: ThreadBlocking(32))


def production_world(threads: int = 32) -> World:
    """The real world, with at most `threads` blocking calls at once."""
    return World(blocking=ThreadBlocking(threads))
