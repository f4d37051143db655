"""One request to the admin port while it is answered: what its audit line and its log lines will say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import define

from lightningstor.iam.conditions import UnknownKey
from lightningstor.iam.principal import Principal
from lightningstor.ports import Clock

__all__ = ["UNKNOWN", "AdminRequest", "joined_headers", "request_in"]

UNKNOWN: Final = "Unknown"
"""The operation of a request to a path that nothing is at."""

_IN_SCOPE: Final = "lightningstor.admin"


@define(eq=False)
class AdminRequest:
    """What is known of a request. Whoever answers it fills in what is found out on the way.

    Args:
        id: as the client receives it.
        client: its address, a trusted proxy's word for it included.
        secure: it came over TLS.
        headers: by lower-case name.
        resource: what it is about; the path, until a bucket is known.

    Attributes:
        operation: the endpoint's name in the API's table, or the console's page.
        principal, access_key, authentication, action, bucket, key, code: as `OperationRecord` has them.
        refused: the answer is a redirection to the login because nobody is logged in.
    """

    id: str
    clock: Clock
    client: str
    secure: bool
    headers: dict[bytes, bytes]
    resource: str
    operation: str = UNKNOWN
    principal: Principal | None = None
    access_key: str | None = None
    authentication: str | None = None
    action: str | None = None
    bucket: str | None = None
    key: str | None = None
    code: str | None = None
    refused: bool = False

    def put_into(self, scope: Any) -> None:
        """Make it what `request_in` finds."""
        scope[_IN_SCOPE] = self

    def text(self, header: bytes) -> str | None:
        """A header's value; None: there is none."""
        value = self.headers.get(header)
        return None if value is None else value.decode("latin-1")

    def value(self, key: str) -> str | None:
        """The value of one of AWS's global condition keys.

        Raises:
            UnknownKey: it is none of those.
        """
        principal = self.principal
        now_ms = self.clock.now_ms()
        known = {
            "aws:currenttime": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(),
            "aws:epochtime": str(now_ms // 1000),
            "aws:principalorgid": None if principal is None else principal.org_id,
            "aws:referer": self.text(b"referer"),
            "aws:securetransport": "true" if self.secure else "false",
            "aws:sourceip": self.client,
            "aws:useragent": self.text(b"user-agent"),
            "aws:userid": None if principal is None else principal.id,
            "aws:username": None if principal is None else principal.id,
        }
        if key not in known:
            raise UnknownKey(key)
        return known[key]


def request_in(scope: Any) -> AdminRequest:
    """The request of an ASGI scope that came through `Recorder`."""
    found: AdminRequest = scope[_IN_SCOPE]
    return found


def joined_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by lower-case name, the values of a repeated one joined by a comma (RFC 9110 §5.2)."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers
