"""Time-ordered ids: of versions (newest sorts first) and of uploads (oldest sorts first).

A hybrid logical clock: 48 bits of milliseconds and 16 bits that count within one, so that ids grow even when the
wall clock stands still or steps back; then 56 random bits, so that nobody can guess them. Together 15 bytes, which
are 24 characters of base32 with the digits in ASCII order (RFC 4648 §7): the order of the strings is that of the clock.
"""

from __future__ import annotations

from base64 import b32hexdecode, b32hexencode
from typing import Final

from lightningstor.ports import Clock, Entropy

__all__ = ["ID_LENGTH", "IdClock", "is_id"]

ID_LENGTH: Final = 24

_CLOCK_MAX: Final = (1 << 64) - 1
_DIGITS: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUV")


def is_id(text: str) -> bool:
    """Whether the text has the form of an id that `IdClock` draws."""
    return len(text) == ID_LENGTH and _DIGITS.issuperset(text)


class IdClock:
    """Draws ids, each later than all that it drew or was shown before."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._last = 0

    def version_id(self, newer_than: str | None = None) -> str:
        """A version id that sorts before every earlier one, and before `newer_than`."""
        after = 0 if newer_than is None else _CLOCK_MAX - _clock_of(newer_than)
        return self._text(_CLOCK_MAX - self._tick(after))

    def upload_id(self) -> str:
        """An upload id that sorts after every earlier one."""
        return self._text(self._tick(0))

    def _tick(self, after: int) -> int:
        self._last = max(self._clock.now_ms() << 16, self._last + 1, after + 1)
        return self._last

    def _text(self, clock: int) -> str:
        return b32hexencode(clock.to_bytes(8, "big") + self._entropy.token_bytes(7)).decode()


def _clock_of(text: str) -> int:
    return int.from_bytes(b32hexdecode(text)[:8], "big")
