"""What a client is tested against: our own server with handlers of the test's, and a peer that plays a script."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trio
from attrs import define, field

from lightningstor.client.channel import Method
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.framing import frame
from lightningstor.rpc.gen import grpc_health_v1_pb2
from lightningstor.rpc.limits import RpcLimits
from tests.rpc.serving import bare_connection

messages: Any = grpc_health_v1_pb2
Asked = messages.HealthCheckRequest
Answer = messages.HealthCheckResponse

ECHO: Method[Any, Any] = Method("test.Service/Echo", Asked, lambda request: True)
"""Answers are of the request's class, whose one field is a string."""
ONCE: Method[Any, Any] = Method("test.Service/Once", Asked, lambda request: False)

OK = [("grpc-status", "0")]
OPENING = [(":status", "200"), ("content-type", "application/grpc")]


@asynccontextmanager
async def listening(
    attend: Callable[[trio.SocketStream], Awaitable[None]], port: int = 0
) -> AsyncIterator[tuple[int, trio.Nursery]]:
    """A listener on loopback; its port, and the nursery of its connections."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, attend, listeners)
        yield listeners[0].socket.getsockname()[1], nursery
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def our_server(
    handler: Callable[[RpcCall], Awaitable[None]],
    limits: RpcLimits | None = None,
    ssl_context: ssl.SSLContext | None = None,
    port: int = 0,
) -> AsyncIterator[int]:
    """Our server's connections, every call of which goes to `handler`; the port."""

    async def attend(socket: trio.SocketStream) -> None:
        stream: Any = socket
        try:
            if ssl_context is not None:
                stream = trio.SSLStream(socket, ssl_context, server_side=True, https_compatible=True)
                await stream.do_handshake()
            await bare_connection(stream, handler, limits).run()
        except trio.BrokenResourceError:
            pass  # what the client makes of it is what is tested
        finally:
            await trio.aclose_forcefully(socket)

    async with listening(attend, port) as (bound, _):
        yield bound


async def echo(call: RpcCall) -> None:
    """Give back each message, as it comes."""
    while (raw := await call.receive()) is not None:
        await call.send(Asked.FromString(raw))


class ClientLeft(Exception):
    """The client has closed; so the script ends."""


@define
class Peer:
    """The server's end of one connection, for a script to play."""

    stream: trio.SocketStream
    h2: Any = field(init=False)
    events: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        # A script may break every rule.
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.h2.initiate_connection()

    async def flush(self, raw: bytes = b"") -> None:
        await self.stream.send_all(self.h2.data_to_send() + raw)

    async def wait_for(self, kind: type[Any]) -> Any:
        """The next event of that kind; those before it are kept in `events`."""
        while True:
            for at, event in enumerate(self.events):
                if isinstance(event, kind):
                    return self.events.pop(at)
            await self.flush()
            data = await self.stream.receive_some(65536)
            if not data:
                raise ClientLeft
            self.events += self.h2.receive_data(bytes(data))

    async def request(self) -> int:
        """Wait until a whole request is here; its stream id."""
        ended: int = (await self.wait_for(h2.events.StreamEnded)).stream_id
        return ended

    async def answer(self, stream_id: int, text: str = "") -> None:
        self.h2.send_headers(stream_id, OPENING)
        self.h2.send_data(stream_id, frame(Asked(service=text).SerializeToString()))
        self.h2.send_headers(stream_id, OK, end_stream=True)
        await self.flush()


Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[int]:
    """A server whose n-th connection plays the n-th script (the last one plays for all further) and is closed then."""
    accepted = 0

    async def attend(stream: trio.SocketStream) -> None:
        nonlocal accepted
        accepted += 1
        with suppress(ClientLeft, trio.BrokenResourceError, h2.exceptions.ProtocolError):
            await scripts[min(accepted, len(scripts)) - 1](Peer(stream))
        await trio.aclose_forcefully(stream)

    async with listening(attend) as (port, _):
        yield port


async def answer_all(peer: Peer) -> None:
    """The script of a good server."""
    while True:
        await peer.answer(await peer.request(), "good")
