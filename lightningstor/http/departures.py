"""Small answers of one round of the scheduler leave together.

Under load a round resumes many connections, one after another, and each answers. Sent one by one, each answer wakes the
client's process anew, which costs the *sender* some 15 µs on a virtual machine (an interrupt to another core). Sent
eight in a row, only the first does: 98 → 71 µs a signed GET of 4 KiB at 32 connections. So an answer may be held while
further connections are due in the same round: at most until the last of them is resumed, or eight are held. With one
connection at a time nothing is ever held.

Requests that wait for something together, as PUTs do for the commit that they share, are resumed by that, and so
nobody has counted them as due. While several are at work an answer may be held as well: until the next round, in which
the task `Departures.run` sends what is left.
"""

from __future__ import annotations

from typing import Final, Protocol

import trio

__all__ = ["Departures", "Sender"]

_TOGETHER: Final = 8


class Sender(Protocol):
    """A connection whose answer is held."""

    def depart(self) -> None:
        """Send what is held, as far as it can go without waiting. Raises nothing."""
        ...


class Departures:
    """The connections of one server that have yielded, and those whose answers are held.

    Attributes:
        due: how many connections this round has yet to resume; an answer may be held while there are some. A connection
            that yields between two rounds may be counted in the earlier one: then answers leave a little earlier.
        at_work: requests that are inside the application now; an answer may be held while there are several.
    """

    __slots__ = ("_attended", "_held", "_round", "_sleeper", "_yielded", "at_work", "due")

    def __init__(self) -> None:
        self._held: list[Sender] = []
        self._round = 0
        self._yielded = 0
        self._attended = False
        self._sleeper: trio.lowlevel.Task | None = None
        self.due = 0
        self.at_work = 0

    async def run(self) -> None:
        """Send in each round what was held in the one before and not sent since. Until it is cancelled."""
        self._attended = True
        try:
            while True:
                self._sleeper = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(self._stop_sleeping)
                self._send()
        finally:
            self._attended = False
            self._send()

    def _stop_sleeping(self, _: object) -> trio.lowlevel.Abort:
        self._sleeper = None  # it must not be woken once more
        return trio.lowlevel.Abort.SUCCEEDED

    @property
    def open(self) -> bool:
        """An answer may be held now."""
        return self.due > 0 or (self.at_work > 1 and self._attended)

    def leave(self) -> int:
        """A connection is about to yield; gives the round that will resume it, for `resume`."""
        self._yielded += 1
        return self._round + 1

    def resume(self, number: int) -> None:
        """A connection runs again."""
        if number > self._round:  # the first of its round
            self._round = number
            self.due = self._yielded
            self._yielded = 0
        self.due -= 1
        if self.due <= 0 and self._held:
            self._send()

    def hold(self, sender: Sender) -> None:
        """Have the sender depart with others; only while `open`."""
        self._held.append(sender)
        if len(self._held) >= _TOGETHER:
            self._send()
        elif self.due <= 0 and self._sleeper is not None:
            trio.lowlevel.reschedule(self._sleeper)
            self._sleeper = None

    def _send(self) -> None:
        held, self._held = self._held, []
        for sender in held:
            sender.depart()
