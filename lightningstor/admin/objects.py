"""The S3 app below `/s3/` of the admin port, for presigned requests only: how the console's browser reads and writes.

What users stored is served from the console's own origin there, so it must not be able to act as the console: every
answer has a policy that puts it into a sandbox without scripts, forms or the page's origin, and is never sniffed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from lightningstor.admin.console.links import MOUNT
from lightningstor.http.admin import Message, Receive, Scope, Send

__all__ = ["ObjectsMount"]

_PREFIX: Final = MOUNT.encode() + b"/"
_METHODS: Final = frozenset({"GET", "HEAD", "PUT"})
_BINDING: Final = [
    (b"content-security-policy", b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
]
_OURS: Final = frozenset(name for name, _ in _BINDING)


class ObjectsMount:
    """Passes presigned requests on.

    Args:
        s3: the S3 app.
    """

    def __init__(self, s3: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._s3 = s3

    def takes(self, scope: Scope) -> bool:
        """Whether the request is for the S3 app: below the mount, and presigned."""
        path: bytes = scope["raw_path"]
        query: bytes = scope["query_string"]
        return path.startswith(_PREFIX) and scope["method"] in _METHODS and b"X-Amz-Signature=" in query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry, for requests that it `takes`."""

        async def bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept: list[Any] = [pair for pair in message["headers"] if pair[0] not in _OURS]
                message = {**message, "headers": kept + _BINDING}
            await send(message)

        raw_path: bytes = scope["raw_path"]
        inner = {**scope, "raw_path": raw_path[len(MOUNT) :], "path": scope["path"][len(MOUNT) :], "extensions": {}}
        await self._s3(inner, receive, bound)
