"""Who is logged in to the console.

Sessions live in memory and end with the daemon: a browser then logs in again. The cookie holds a random name and
nothing else; what is kept under it is the access key's id, so that a key that is revoked ends its sessions with the
next click.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from typing import Final

from attrs import define, field

from lightningstor.admin.session_limits import SessionLimits
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.principal import Principal
from lightningstor.ports import World

__all__ = ["COOKIE", "LoginThrottled", "Session", "Sessions"]

COOKIE: Final = "lightningstor_session"
_NAME_BYTES: Final = 32


class LoginThrottled(Exception):
    """Too many failed logins from one address. `retry_after_s`: when the next may be tried."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many failed logins; try again in {retry_after_s} s")


@define
class Session:
    """One browser that has logged in.

    Args:
        credential: as it was found for this request; its secret signs the links that the browser gets.
        csrf: must come with every request that changes something.
        last_seen_s: on the monotonic clock, as `started_s`.
        shown_once: a new access key and its secret, until the page that shows them.
    """

    credential: Credential
    csrf: str
    started_s: float
    last_seen_s: float
    shown_once: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def principal(self) -> Principal:
        """On whose behalf the browser acts."""
        return self.credential.principal


@define
class _Failures:
    count: int = 0
    until_s: float = 0.0


@define
class Sessions:
    """The sessions of one daemon."""

    credentials: CredentialStore
    world: World
    limits: SessionLimits = field(factory=SessionLimits)
    _sessions: OrderedDict[str, Session] = field(factory=OrderedDict, init=False)
    _failures: OrderedDict[str, _Failures] = field(factory=OrderedDict, init=False)

    def log_in(self, access_key_id: str, secret: str, client: str) -> str | None:
        """Begin a session; the cookie's value, or None where key and secret do not belong together.

        Raises:
            LoginThrottled
        """
        now = self.world.clock.monotonic()
        failures = self._failures.get(client)
        if failures is not None and failures.until_s > now:
            raise LoginThrottled(int(failures.until_s - now) + 1)
        credential = self.credentials.find(access_key_id)
        expected = b"" if credential is None else credential.secret
        matches = hmac.compare_digest(expected, secret.encode("utf-8", "surrogatepass"))
        if credential is None or not matches:
            self._remember_failure(client, now)
            return None
        self._failures.pop(client, None)
        name = self.world.entropy.token_bytes(_NAME_BYTES).hex()
        csrf = self.world.entropy.token_bytes(_NAME_BYTES).hex()
        self._sessions[name] = Session(credential, csrf, now, now)
        while len(self._sessions) > self.limits.at_most:
            self._sessions.popitem(last=False)
        return name

    def find(self, name: str | None) -> Session | None:
        """The session of a cookie's value, if it still holds."""
        session = None if name is None else self._sessions.get(name)
        if name is None or session is None:
            return None
        now = self.world.clock.monotonic()
        credential = self.credentials.find(session.credential.access_key_id)
        over = now - session.last_seen_s > self.limits.idle_s or now - session.started_s > self.limits.lifetime_s
        if over or credential is None or credential.secret != session.credential.secret:
            del self._sessions[name]
            return None
        session.credential = credential
        session.last_seen_s = now
        self._sessions.move_to_end(name)
        return session

    def log_out(self, name: str | None) -> None:
        """End the session, if there is one."""
        if name is not None:
            self._sessions.pop(name, None)

    def _remember_failure(self, client: str, now: float) -> None:
        failures = self._failures.setdefault(client, _Failures())
        self._failures.move_to_end(client)
        failures.count += 1
        over = failures.count - self.limits.free_failures
        if over >= 0:
            failures.until_s = now + min(self.limits.longest_wait_s, 2.0 ** min(over, 60))
        while len(self._failures) > self.limits.at_most:
            self._failures.popitem(last=False)
