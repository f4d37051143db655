"""Small answers of one round of the scheduler leave together.

Under load a round resumes many connections, one after another, and each answers. Sent one by one, each answer wakes the
client's process anew, which costs the *sender* some 15 µs on a virtual machine (an interrupt to another core). Sent
eight in a row, only the first does: 98 → 71 µs a signed GET of 4 KiB at 32 connections. So an answer may be held while
further connections are due in the same round: at most until the last of them is resumed, or eight are held. With one
connection at a time nothing is ever held.
"""

from __future__ import annotations

from typing import Final, Protocol

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
    """

    __slots__ = ("_held", "_round", "_yielded", "due")

    def __init__(self) -> None:
        self._held: list[Sender] = []
        self._round = 0
        self._yielded = 0
        self.due = 0

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
        """Have the sender depart with others; only while some are `due`."""
        self._held.append(sender)
        if len(self._held) >= _TOGETHER:
            self._send()

    def _send(self) -> None:
        held, self._held = self._held, []
        for sender in held:
            sender.depart()
