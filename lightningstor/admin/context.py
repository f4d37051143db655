"""What conditions of statements may ask of a request to the admin port: what is the same for every protocol.

S3's own keys (the version, the listing's prefix) are not known here, so a statement that asks for them refuses.
"""

from __future__ import annotations

from quart import request

from lightningstor.iam.conditions import UnknownKey
from lightningstor.ports import Clock

__all__ = ["RequestContext"]


class RequestContext:
    """The context of the request that Quart is answering.

    Args:
        s3_action: S3's name of the action, `s3:GetObject`; None where S3 has none.
    """

    __slots__ = ("_clock", "s3_action")

    def __init__(self, clock: Clock, s3_action: str | None) -> None:
        self._clock = clock
        self.s3_action = s3_action

    def value(self, key: str) -> str | None:
        """The value of a condition key. Raises UnknownKey."""
        if key == "aws:sourceip":
            return request.remote_addr
        if key == "aws:securetransport":
            return "true" if request.scheme == "https" else "false"
        if key == "aws:useragent":
            return request.headers.get("user-agent")
        if key in ("aws:currenttime", "aws:epochtime"):
            return str(self._clock.now_ms() // 1000)
        raise UnknownKey(key)
