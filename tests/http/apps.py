"""Applications that the tests serve. Those named `plain_…` use nothing but ASGI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import trio


async def read_body(receive: Any) -> bytes | None:
    """The whole request body by ASGI's `receive`; None if it does not come whole."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message["body"])
        if not message["more_body"]:
            return b"".join(pieces)


async def plain_answer(send: Any, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """One answer by ASGI's `send`."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def describe(scope: Mapping[str, Any], body: bytes) -> bytes:
    """What a request was, as JSON."""
    return json.dumps(
        {
            "method": scope["method"],
            "path": scope["path"],
            "raw_path": scope["raw_path"].decode("latin-1"),
            "query": scope["query_string"].decode("latin-1"),
            "version": scope["http_version"],
            "scheme": scope["scheme"],
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
            "body": body.decode("latin-1"),
        }
    ).encode()


async def plain_mirror(scope: Any, receive: Any, send: Any) -> None:
    """Answers with a description of the request, body included."""
    if scope["type"] != "http":
        return
    body = await read_body(receive)
    if body is not None:
        await plain_answer(send, 200, describe(scope, body), (b"content-type", b"application/json"))


async def mirror(scope: Any, receive: Any, send: Any) -> None:
    """The same by the engine's exchange."""
    exchange = scope["extensions"]["lightningstor.exchange"]
    pieces = []
    while piece := await exchange.receive_some():
        pieces.append(piece)
    headers = [(b"content-type", b"application/json")]
    await exchange.respond(200, headers, describe(scope, b"".join(pieces)))


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Answers 403 without a look at the body."""
    await plain_answer(send, 403, b"no")


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Sends for as long as it can."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % (1 << 50))]})
    piece = bytes(1 << 20)
    while True:
        await send({"type": "http.response.body", "body": piece, "more_body": True})


class Gate:
    """An application that answers when the test lets it; `inside` counts the requests that wait."""

    def __init__(self) -> None:
        self.inside = 0
        self.cancelled = 0
        self.entered = trio.Event()
        self.open = trio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        self.entered.set()
        try:
            await self.open.wait()
        except trio.Cancelled:
            self.cancelled += 1
            raise
        finally:
            self.inside -= 1
        await plain_answer(send, 200, b"at last")
