"""The S3 app below `/s3/` of the admin port, for presigned requests only: how the console's browser reads and writes.

What users stored is served from the console's own origin there, so it must not be able to act as the console: every
answer has a policy that puts it into a sandbox without scripts, forms or the page's origin, and is never sniffed.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

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


def path_of_mount(raw_path: bytes) -> bytes | None:
    """The S3 path that a path below the mount holds (`Links.local` made it); None: it holds none."""
    if not raw_path.startswith(_PREFIX):
        return None
    try:
        path = b64decode(raw_path[len(_PREFIX) :], altchars=b"-_", validate=True)
    except ValueError:
        return None
    return path if path.startswith(b"/") else None


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
        signed = b"X-Amz-Signature=" in query and scope["method"] in _METHODS
        return signed and path_of_mount(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry, for requests that it `takes`."""

        async def bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept: list[Any] = [pair for pair in message["headers"] if pair[0] not in _OURS]
                message = {**message, "headers": kept + _BINDING}
            await send(message)

        raw_path = path_of_mount(scope["raw_path"])
        assert raw_path is not None
        path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
        inner = {**scope, "raw_path": raw_path, "path": path, "extensions": {}}
        await self._s3(inner, receive, bound)
