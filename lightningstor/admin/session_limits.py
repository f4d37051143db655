"""The limits of the console's sessions and of logging in to it."""

from __future__ import annotations

from attrs import frozen

__all__ = ["SessionLimits"]


@frozen
class SessionLimits:
    """How long and how many.

    Args:
        idle_s: a session that is not used for so long ends. lifetime_s: every session ends after that.
        at_most: sessions at once; the one unused for longest makes room. The same bound holds for the addresses
            whose failed logins are remembered.
        free_failures: failed logins of an address before it has to wait; from then on twice as long each time.
        longest_wait_s: the longest such wait.
    """

    idle_s: float = 1800.0
    lifetime_s: float = 12 * 3600.0
    at_most: int = 1000
    free_failures: int = 5
    longest_wait_s: float = 300.0
