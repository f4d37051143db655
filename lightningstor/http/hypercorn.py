"""The same application under hypercorn instead of our engine (`[s3] engine = "hypercorn"`, and the admin port).

hypercorn is imported when a server is made, not before. What it lacks is added here, as far as it can be from outside:

- HTTP/2 is refused before it begins: by ALPN, by preface, and by upgrade from HTTP/1.1.
- Content-Length beside Transfer-Encoding, and targets that are no paths, are refused (`Guard`).
- Where an answer begins before the whole body has come, hypercorn may close the connection: the answer says so.
- Connections and requests in flight are limited, and a client that does not read is dropped: hypercorn shields its
  sends, so that not even the end of the server would stop them.

What stays: 100 (Continue) is sent before the application has asked for the body; bare LF and folded lines pass; a
slow body has no time limit; about 2,000 small requests a second.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import trio

from lightningstor.http.connection import AsgiApp
from lightningstor.http.faults import ClientGone, Refusal, Unserved, plain_refusal
from lightningstor.http.limits import HttpLimits
from lightningstor.http.listener import Listener

if TYPE_CHECKING:
    from hypercorn.config import Config
    from hypercorn.trio.worker_context import WorkerContext

__all__ = ["Guard", "HypercornServer"]

logger = logging.getLogger("lightningstor.http.hypercorn")

_NEVER: Final = 2**63


class Guard:
    """ASGI middleware that refuses what hypercorn should have refused.

    Args:
        app: whom the rest goes to.
        limits: of which `requests_in_flight` counts here.
        refusal: makes the answers.
    """

    def __init__(self, app: AsgiApp, limits: HttpLimits, refusal: Refusal = plain_refusal) -> None:
        self._app = app
        self._limits = limits
        self._refusal = refusal
        self.requests_in_flight = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one scope; of those that are not `http` none."""
        if scope["type"] != "http":
            raise NotImplementedError(f"the protocol {scope['type']} is not served")
        refused = self._refused(scope)
        if refused is not None:
            client = scope.get("client") or ("",)
            await self._refuse(*refused, Unserved(client[0], scope["raw_path"], list(scope["headers"])), send)
            return
        self.requests_in_flight += 1
        try:
            if _announces_body(scope):
                receive, send = _closing_unless_received(receive, send)
            await self._app(scope, receive, send)
        finally:
            self.requests_in_flight -= 1

    def _refused(self, scope: Any) -> tuple[int, str] | None:
        if scope["http_version"] not in ("1.0", "1.1"):
            return 505, "This server speaks HTTP/1.1 only."
        names = [name for name, _ in scope["headers"]]
        if b"transfer-encoding" in names and b"content-length" in names:
            return 400, "Content-Length and Transfer-Encoding exclude each other."
        if not scope["raw_path"].startswith(b"/") and scope["method"] != "OPTIONS":
            return 400, "The request target must be a path."
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size + len(scope["raw_path"]) + len(scope["query_string"]) > self._limits.header_bytes:
            return 431, "The header block is too long."
        if self.requests_in_flight >= self._limits.requests_in_flight:
            return 503, "Too many requests are being served at the moment."
        return None

    async def _refuse(self, status: int, reason: str, request: Unserved, send: Any) -> None:
        headers, body = self._refusal(status, reason, request)
        more = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        if status == 503:
            more.append((b"retry-after", b"%d" % self._limits.retry_after_s))
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
        await send({"type": "http.response.body", "body": body})


def _announces_body(scope: Any) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in scope["headers"]
    )


def _closing_unless_received(receive: Any, send: Any) -> tuple[Any, Any]:
    """The same two, but an answer that begins before the body's end says `Connection: close`.

    Else the client would send its next request into a connection that is being closed.
    """
    received = False

    async def receive_body() -> Any:
        nonlocal received
        message = await receive()
        received = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def send_answer(message: Any) -> None:
        if message["type"] == "http.response.start" and not received:
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await send(message)

    return receive_body, send_answer


class HypercornServer:
    """Serves one application through hypercorn; to be used as `HttpServer` is.

    Args:
        app: an ASGI 3 application; only `http` scopes reach it.
        limits: what clients may do, as far as hypercorn can hold them to it.
        refusal: makes the answers of the guard.
    """

    def __init__(self, app: AsgiApp, limits: HttpLimits | None = None, *, refusal: Refusal = plain_refusal) -> None:
        self.limits = limits or HttpLimits()
        self._app = Guard(app, self.limits, refusal)
        self._stopped = trio.Event()
        self._grace_s = self.limits.grace_s
        self._places = trio.CapacityLimiter(self.limits.connections)
        self._sockets: set[trio.socket.SocketType] = set()
        _refuse_http2()

    async def serve(
        self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stop`, then until the last connection has ended or the grace is over; or until cancelled.

        Args:
            listeners: of `open_listeners`; they are closed in the end.
        """
        from hypercorn.trio.worker_context import WorkerContext

        context = WorkerContext(None)
        accepting = [_Accepting(listener, self._places, self.limits) for listener in listeners]
        try:
            async with trio.open_nursery() as helpers:
                async with trio.open_nursery() as connections:
                    with trio.CancelScope() as accept_scope:
                        helpers.start_soon(self._end, context, accept_scope, connections.cancel_scope)
                        task_status.started()
                        handler = partial(self._attend, context)
                        await trio.serve_listeners(handler, accepting, handler_nursery=connections)
                helpers.cancel_scope.cancel()
        finally:
            for listener in listeners:
                listener.close()

    def stop(self, grace_s: float | None = None) -> None:
        """Take no further connections and requests; `serve` returns when those under way have ended.

        Args:
            grace_s: after this time they are cancelled; by default the limit's.
        """
        self._grace_s = self.limits.grace_s if grace_s is None else grace_s
        self._stopped.set()

    async def _end(
        self, context: WorkerContext, accept_scope: trio.CancelScope, connections_scope: trio.CancelScope
    ) -> None:
        """See a stop, or a cancellation, through."""
        try:
            await self._stopped.wait()
            accept_scope.cancel()
            await context.terminated.set()
            await trio.sleep(self._grace_s)
        finally:
            accept_scope.cancel()
            connections_scope.cancel()
            for sock in self._sockets:  # hypercorn's sends are shielded: only this ends them
                trio.lowlevel.notify_closing(sock)
                sock.close()

    async def _attend(self, context: WorkerContext, stream: _Stream | trio.SSLStream[_Stream]) -> None:
        """Let hypercorn serve one connection."""
        from hypercorn.app_wrappers import ASGIWrapper
        from hypercorn.trio.tcp_server import TCPServer
        from hypercorn.typing import ConnectionState

        class Server(TCPServer):
            async def _read_data(self) -> None:
                await super()._read_data()
                await self.idle_task.stop()  # or the connection would stay until its idle time is over

        below = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        sock = below.socket
        self._sockets.add(sock)
        app = ASGIWrapper(partial(self._serve_one, below))
        try:
            await Server(app, _config(self.limits), context, ConnectionState({}), stream).run()
        except Exception:  # hypercorn's protocol code met something it did not expect: one connection's trouble
            logger.exception("hypercorn raised")
        finally:
            self._sockets.discard(sock)
            sock.close()
            self._places.release_on_behalf_of(sock)

    async def _serve_one(self, stream: _Stream, scope: Any, receive: Any, send: Any) -> None:
        """Let the application answer a request; its `send` raises when the client is gone, which hypercorn hides."""

        async def send_to_client(message: Any) -> None:
            await send(message)
            if stream.broken:
                raise ClientGone("write", "The client left, or did not read.")

        try:
            await self._app(scope, receive, send_to_client)
        except* ClientGone:
            pass


def _config(limits: HttpLimits) -> Config:
    """hypercorn's settings for our limits."""
    from hypercorn.config import Config

    config = Config()
    config.accesslog = None
    config.errorlog = logger
    config.h11_max_incomplete_size = limits.header_bytes
    config.include_server_header = False
    config.keep_alive_max_requests = _NEVER
    config.keep_alive_timeout = limits.idle_s
    config.ssl_handshake_timeout = limits.header_s
    return config


class _Stream(trio.abc.HalfCloseableStream):
    """A client's connection on which no write waits for ever.

    Attributes:
        socket: hypercorn reads the addresses of both ends from it.
        broken: nothing more can be sent.
    """

    def __init__(self, sock: trio.socket.SocketType, limits: HttpLimits) -> None:
        self.socket = sock
        self.broken = False
        self._stream = trio.SocketStream(sock)
        self._limits = limits

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            with trio.move_on_after(self._limits.write_stall_s) as scope:
                try:
                    sent = await self.socket.send(rest)
                except OSError as error:
                    self.broken = True
                    raise trio.BrokenResourceError from error
            if scope.cancelled_caught:
                self.broken = True
                self.socket.close()  # wakes who reads
                raise trio.BrokenResourceError("the client does not read")
            rest = rest[sent:]


class _Accepting(trio.abc.Listener[Any]):
    """Accepts connections, but never more than there are places."""

    def __init__(self, listener: Listener, places: trio.CapacityLimiter, limits: HttpLimits) -> None:
        self._listener = listener
        self._socket = trio.socket.from_stdlib_socket(listener.sock)
        self._places = places
        self._limits = limits

    async def accept(self) -> _Stream | trio.SSLStream[_Stream]:
        """The next connection; hypercorn does the handshake. Raises what `socket.accept` does."""
        place = object()
        await self._places.acquire_on_behalf_of(place)
        try:
            sock, _ = await self._socket.accept()
        finally:
            self._places.release_on_behalf_of(place)
        self._places.acquire_on_behalf_of_nowait(sock)
        stream = _Stream(sock, self._limits)
        if self._listener.tls is None:
            return stream
        return trio.SSLStream(stream, self._listener.tls, server_side=True, https_compatible=True)

    async def aclose(self) -> None:
        """Stop listening."""
        self._listener.close()
        await trio.lowlevel.checkpoint()


class _Http2Refused(Exception):
    """The client asked for HTTP/2 and was told no."""


def _refuse_http2() -> None:
    """Have hypercorn answer 400 where it would change over to HTTP/2, for this whole process.

    There is no setting for it. The protocol class that it makes for each connection is replaced by a subclass.
    """
    import hypercorn.protocol
    from hypercorn.events import Closed, Event
    from hypercorn.protocol.h11 import H11Protocol

    names = vars(hypercorn.protocol)
    if issubclass(names["H11Protocol"], _Http1Marker):
        return

    class Http1Protocol(H11Protocol, _Http1Marker):
        async def handle(self, event: Event) -> None:
            try:
                await super().handle(event)
            except _Http2Refused:
                await self.send(Closed())

        async def _check_protocol(self, event: Any) -> None:
            upgrades = [value.lower() for name, value in event.headers if name.lower() == b"upgrade"]
            if event.method == b"PRI" or any(b"h2c" in value for value in upgrades):
                await self._send_error_response(400)
                raise _Http2Refused

    names["H11Protocol"] = Http1Protocol


class _Http1Marker:
    """Marks our subclass, so that it is put in place once."""
