"""How the admin port answers: section [admin]."""

# `option` makes an attrs field; what it is called with is the default (see `sections`).

from attrs import frozen

from lightningstor.config.option import Bounds, Section, option
from lightningstor.config.rules import POSITIVE, SECONDS

__all__ = ["AdminSettings"]

MIB = 1 << 20


@frozen(eq=False, repr=False)
class AdminSettings(Section):
    """The admin API and the web console; where they listen stands in [server]."""

    max_connections: int = option(256, "Open connections of the admin port.", rule=POSITIVE)
    max_requests_in_flight: int = option(
        64, "Requests to the admin port at work at once; further ones get 503.", rule=POSITIVE
    )
    max_body_bytes: int = option(
        MIB, "Size of a request's body; objects do not pass through the admin API.", rule=Bounds(65536, 64 * MIB)
    )
    session_idle_seconds: float = option(
        1800.0, "A session of the console that is not used for so long ends.", rule=SECONDS
    )
    session_lifetime_seconds: float = option(
        43200.0, "Every session of the console ends after this time.", rule=SECONDS
    )
    max_sessions: int = option(
        1000, "Sessions of the console at once; the one unused for longest makes room.", rule=POSITIVE
    )
    free_failed_logins: int = option(
        5,
        "Failed logins from one address before it has to wait: 1 second, then twice as long each time.",
        rule=POSITIVE,
    )
    max_login_wait_seconds: float = option(300.0, "The longest such wait.", rule=SECONDS)
