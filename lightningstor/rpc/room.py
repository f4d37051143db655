"""Memory for large messages: handed out whole, first come first served, so that no two half-read ones wait for ever."""

from __future__ import annotations

from collections import OrderedDict

import trio

__all__ = ["MessageRoom"]


class MessageRoom:
    """So many bytes for messages on their way in, of all calls of a server together.

    A call takes room for one message at a time and gives it back before it asks for the next: nobody waits for room
    while holding some.

    Args:
        limit: in bytes; no message may be larger.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._waiting: OrderedDict[trio.Event, int] = OrderedDict()

    async def take(self, size: int) -> None:
        """Wait for room and take it. A cancelled wait takes nothing."""
        if not self._waiting and self.taken + size <= self.limit:
            self.taken += size
            return
        granted = trio.Event()
        self._waiting[granted] = size
        try:
            await granted.wait()
        except trio.Cancelled:
            if self._waiting.pop(granted, None) is None:
                self.give_back(size)
            else:
                self._grant()
            raise

    def give_back(self, size: int) -> None:
        """Give room back; those who wait get it in turn."""
        self.taken -= size
        self._grant()

    def _grant(self) -> None:
        while self._waiting:
            granted, size = next(iter(self._waiting.items()))
            if self.taken + size > self.limit:
                return
            del self._waiting[granted]
            self.taken += size
            granted.set()
