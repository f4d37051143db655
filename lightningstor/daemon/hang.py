"""Noticing a device that hangs.

A thread in a system call cannot be cancelled, and whoever waits for it waits with it. So a daemon whose disk does not
answer says that it is not ready, and in the end leaves: the store survives that, and what supervises the daemon can
start it elsewhere (DESIGN.md §2). A program that embeds the store waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import count
from typing import Final, TypeVar, TypeVarTuple

import trio
from attrs import evolve

from lightningstor.ports import Blocking, Clock, World

__all__ = ["SLOW_S", "WatchedBlocking", "watch", "watched"]

logger: Final = logging.getLogger("lightningstor.daemon")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SLOW_S: Final = 10.0
"""A call that takes longer makes the daemon not ready, until it returns."""

_LOOK_EVERY_S: Final = 1.0


class WatchedBlocking:
    """A `Blocking` that knows how long its oldest call has been running.

    Args:
        inner: runs the calls.
        clock: the monotonic one counts.
    """

    def __init__(self, inner: Blocking, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._numbers = count()
        # In the order in which they began, so the first is the oldest.
        self._began: dict[int, float] = {}

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """See `Blocking.run`."""
        number = next(self._numbers)
        self._began[number] = self._clock.monotonic()
        try:
            return await self._inner.run(function, *args)
        finally:
            del self._began[number]

    def oldest_s(self) -> float:
        """For how long the oldest call has been running, in seconds; 0 when none is."""
        began = next(iter(self._began.values()), None)
        return 0.0 if began is None else self._clock.monotonic() - began

    def reason(self) -> str | None:
        """Why the daemon is not ready, as a check of /ready."""
        oldest_s = self.oldest_s()
        return f"a disk operation has been running for {oldest_s:.0f} s" if oldest_s >= SLOW_S else None


def watched(world: World) -> tuple[World, WatchedBlocking]:
    """The same world with its blocking calls watched, and the watch."""
    blocking = WatchedBlocking(world.blocking, world.clock)
    return evolve(world, blocking=blocking), blocking


async def watch(blocking: WatchedBlocking, deadline_s: float, on_hang: Callable[[], None]) -> None:
    """Call `on_hang` once a call has been running for `deadline_s`. Runs until cancelled."""
    while True:
        await trio.sleep(min(_LOOK_EVERY_S, deadline_s / 2))
        if blocking.oldest_s() >= deadline_s:
            logger.critical("a disk operation has been running for %.0f s: the device hangs", blocking.oldest_s())
            on_hang()
            return
