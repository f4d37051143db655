"""A request over plain ASGI, in the shape in which our own engine hands it over (`lightningstor.http.exchange`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from lightningstor.chunks.api import Buffer

__all__ = ["AsgiExchange", "AsgiHead", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class AsgiHead(Struct, eq=False):
    """What the S3 app looks at of a request's head."""

    method: str
    raw_path: bytes
    query: bytes
    fields: dict[bytes, bytes]


class AsgiExchange:
    """ASGI's `scope`, `receive` and `send` as one object."""

    __slots__ = ("_ended", "_receive", "_send", "client", "head", "scheme")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._ended = False
        self.head = AsgiHead(scope["method"], scope["raw_path"], scope["query_string"], _fields(scope["headers"]))
        self.scheme: str = scope.get("scheme", "http")
        self.client: tuple[str, int] | None = scope.get("client")

    async def receive_some(self, max_bytes: int = 0) -> bytes:
        """The next piece of the request body, as large as the server gives it; empty at its end.

        Raises:
            ConnectionError: the client left before the end.
        """
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("the client left")
            self._ended = not message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            if piece:
                return piece
        return b""

    def receive_whole(self) -> None:
        """None: `receive_some` has the body."""

    def receive_now(self, buffer: memoryview) -> int:
        """Nothing: ASGI's servers bring the body in memory of their own."""
        return 0

    async def wait_more(self) -> bool:
        """False: `receive_some` has the body."""
        return False

    async def respond(
        self,
        status: int,
        headers: Headers,
        body: Buffer = b"",
        more_body: bool = False,
        lines: bytes = b"",
        length: int | None = None,
    ) -> None:
        """The answer, or with `more_body` its start. `length`: of the body that an answer to HEAD leaves out."""
        headers = [*_pairs(lines), *headers]
        if length is None and not more_body and status not in (204, 304):
            length = len(body)
        if length is not None and not any(name == b"content-length" for name, _ in headers):
            headers.append((b"content-length", b"%d" % length))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send_more(body, more_body)

    async def send_more(self, body: Buffer, more_body: bool) -> None:
        """A further piece of an answer that was started with `more_body`."""
        # ASGI promises bytes to servers; only our own engine takes views as well.
        await self._send({"type": "http.response.body", "body": bytes(body), "more_body": more_body})


def _pairs(lines: bytes) -> Headers:
    """Header lines as pairs."""
    parted = (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])
    return [(name, value) for name, _, value in parted]


def _fields(pairs: Headers) -> dict[bytes, bytes]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        fields = {}
        for name, value in pairs:
            fields[name] = fields[name] + b"," + value if name in fields else value
    return fields
