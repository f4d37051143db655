"""One client's connection: requests read and answered in turn, in one task, until it is closed.

    [handshake] ─▶ IDLE ──first byte──▶ HEADER ──empty line──▶ application ──complete, reusable──▶ IDLE
                    │                     │                        │
                    └──────limit, end, refusal, failure, close─────┴──▶ FIN ─▶ bounded drain ─▶ closed

The order of the end matters: a socket closed with bytes unread is reset by the kernel, which destroys the answer on
its way (RFC 9112 §9.6). So the writing side is shut first, and what still comes is read and dropped for a while.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from math import inf
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

import trio

from lightningstor.http.events import HttpEvent, HttpEventKind
from lightningstor.http.exchange import Exchange, exchange_of
from lightningstor.http.faults import ClientGone, Refused, Unserved
from lightningstor.http.respond import head_bytes
from lightningstor.http.wire import SocketWire, Waiting, Wire

if TYPE_CHECKING:
    from lightningstor.http.engine import HttpServer
    from lightningstor.http.head import RequestHead

__all__ = ["AsgiApp", "Connection"]

AsgiApp: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]

logger = logging.getLogger("lightningstor.http")

_FIRST_READ: Final = 16 * 1024
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}
_DRAIN_READ: Final = 64 * 1024
_END_OF_HEAD: Final = b"\r\n\r\n"
_CR: Final = 13
# Bound here because a look at an Enum's member runs Python code in 3.11: 0.13 µs, several times a request.
_IDLE: Final = Waiting.IDLE
_NOTHING: Final = Waiting.NOTHING


class Connection:
    """A client's connection.

    Args:
        server: whose it is.
        base: its socket.
        client: the peer's (host, port).
        local: our own (host, port) on it.
        context: to speak TLS with; None for plain HTTP.

    Attributes:
        server, client: as above. scheme: "http" or "https".
        buffer: bytes read and not used yet: of the request body, then of requests that were sent ahead.
        wire: where to read and write: `base`, or TLS over it.
        reset: the socket is to be reset, not closed: its end alone would look like the end of an answer.
    """

    __slots__ = (
        "_context",
        "_extensions",
        "_local",
        "base",
        "buffer",
        "client",
        "limits",
        "reset",
        "scheme",
        "server",
        "ticker",
        "wire",
    )

    def __init__(
        self,
        server: HttpServer,
        base: SocketWire,
        client: tuple[str, int],
        local: tuple[str, int],
        context: SSLContext | None,
    ) -> None:
        self.server = server
        self.client = client
        self._local = local
        self._context = context
        self.scheme = "http" if context is None else "https"
        self._extensions: dict[str, Any] = {}
        self.base = base
        self.wire: Wire = base
        self.buffer = b""
        self.limits = server.limits
        self.reset = False
        self.ticker = server.ticker

    async def run(self) -> None:
        """Serve the client until either side ends the connection.

        Raises nothing of the client's or the application's making, only Cancelled and its kin.
        """
        try:
            if self._context is not None:
                await self._handshake(self._context)
            while await self.serve_one():
                pass
        except Refused as refused:
            await self._refuse(refused.status, refused.reason)
        except ClientGone as gone:
            if gone.status is not None:
                await self._refuse(gone.status, gone.reason)

    async def _handshake(self, context: SSLContext) -> None:
        from lightningstor.http.tls import TlsWire

        self.base.waiting = Waiting.HANDSHAKE
        self.base.read_deadline = self.ticker.now + self.limits.header_s
        wire = TlsWire(self.base, context)
        try:
            self._extensions = {"tls": await wire.handshake()}
        except ClientGone as gone:
            self.server.on_event(HttpEvent(HttpEventKind.HANDSHAKE_FAILED, detail=gone.reason))
            raise
        self.wire = wire

    async def serve_one(self) -> bool:
        """Read one request and have it answered; says whether another may follow."""
        server = self.server
        base = self.base
        block = await self._next_head()
        if not block:
            return False
        base.waiting = _NOTHING
        base.read_deadline = inf
        head = server.parser.parse(block)
        departures = base.departures
        if departures.at_work >= self.limits.requests_in_flight:
            return await self._overloaded(head)
        exchange = exchange_of(self, head)
        departures.at_work += 1
        server.requests_total += 1
        try:
            answer = server.answer
            if answer is not None:
                await answer(exchange)
            else:
                await server.app(self._scope(head, exchange), exchange.receive, exchange.send)
        except BaseException as error:
            await self._failed(exchange, head, error)
            return False
        finally:
            departures.at_work -= 1
        if exchange.complete and exchange.keep_alive and exchange.body_done:
            return True
        return await self._after(exchange, head)

    async def _next_head(self) -> bytes:
        """The next request's header block; b"" when there will be none. Always a checkpoint."""
        data = self.buffer
        if data:
            await trio.lowlevel.checkpoint()
        elif self.server.stopping:
            return b""
        else:
            base = self.base
            base.waiting = _IDLE
            base.read_deadline = self.ticker.now + self.limits.idle_s
            data = await self.wire.wait_read(_FIRST_READ)
            if not data:
                return b""
        end = data.find(_END_OF_HEAD) + 4
        if 4 <= end <= self.limits.header_bytes and data[0] != _CR:
            self.buffer = data[end:]
            return data[:end]
        return await self._rest_of_head(data)

    async def _rest_of_head(self, data: bytes) -> bytes:
        """The header block that begins with `data`, reading on until it is whole."""
        limit = self.limits.header_bytes
        base = self.base
        base.waiting = Waiting.HEADER
        base.read_deadline = self.ticker.now + self.limits.header_s
        leading = 2 if data[:2] == b"\r\n" else 0  # RFC 9112 §2.2: an empty line before a request is to be ignored
        while True:
            end = data.find(_END_OF_HEAD, leading) + 4
            if 4 <= end <= limit:
                self.buffer = data[end:]
                return data[leading:end]
            if end >= 4 or len(data) >= limit:
                if data.find(b"\r\n", leading, limit) < 0:
                    raise Refused(414, "The request target is too long.")
                raise Refused(431, "The header block is too long.")
            if data.count(b"\n") != data.count(b"\r\n"):
                raise Refused(400, "A line of the header block does not end with CRLF.")
            more = await self.wire.read(limit)
            if not more:
                if data == b"\r\n":
                    return b""
                raise Refused(400, "The header block is incomplete.")
            data += more
            if data[:2] == b"\r\n":
                leading = 2

    def _scope(self, head: RequestHead, exchange: Exchange) -> dict[str, Any]:
        raw_path = head.raw_path
        path = unquote_to_bytes(raw_path) if b"%" in raw_path else raw_path
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": head.version,
            "server": self._local,
            "client": self.client,
            "scheme": self.scheme,
            "method": head.method,
            "root_path": "",
            "path": path.decode("utf-8", "replace"),
            "raw_path": raw_path,
            "query_string": head.query,
            "headers": head.headers,
            "extensions": {"lightningstor.exchange": exchange, **self._extensions},
        }

    async def watch(self) -> None:
        """Return when the client has certainly left. Requests that it sends ahead are kept, within bounds."""
        try:
            while len(self.buffer) < self.limits.header_bytes:
                data = await self.wire.wait_read(self.limits.header_bytes)
                if not data:
                    break  # it only finished sending; a write will tell the rest
                self.buffer += data
        except ClientGone:
            return
        await trio.sleep_forever()

    async def _overloaded(self, head: RequestHead) -> bool:
        """Turn a request away because too many run; a client that has sent all of it may go on."""
        self.server.on_event(HttpEvent(HttpEventKind.OVERLOADED, 503))
        reason = "Too many requests are being served at the moment."
        more = b"retry-after: %d\r\n" % self.limits.retry_after_s
        if head.length or not head.keep_alive:
            await self._refuse(503, reason, more, head=head)
            return False
        await self._answer(503, reason, more, head)
        return True

    async def _after(self, exchange: Exchange, head: RequestHead) -> bool:
        """What is left to do when the application has returned but the connection is not ready for a next request."""
        if not exchange.started:
            if exchange.fault is not None:
                raise exchange.fault
            if not self.base.broken:
                await self._report(None, exchange, head)
            return False
        if not exchange.complete:
            self._cut_short(exchange)
            return False
        if exchange.keep_alive:
            with trio.move_on_after(self.limits.drain_s), suppress(ClientGone):
                await exchange.skip_body()
                return True
            return False  # the client has its answer, and must not be told of its body in another
        await self._linger()
        return False

    async def _failed(self, exchange: Exchange, head: RequestHead, error: BaseException) -> None:
        """The application raised: Cancelled goes on, the client's leaving is no error, everything else is one."""
        bugs: Exception | None = None
        others: BaseException | None = None
        if isinstance(error, BaseExceptionGroup):
            ours, others = error.split(Exception)
            bugs = ours.split(ClientGone)[1] if ours is not None else None
        elif not isinstance(error, Exception):
            others = error
        elif not isinstance(error, ClientGone):
            bugs = error
        if others is not None:
            if bugs is not None:
                self._log(bugs, head)
            raise others
        if bugs is not None:
            await self._report(bugs, exchange, head)
        elif exchange.fault is not None and not exchange.started:
            raise exchange.fault
        elif exchange.complete:
            await self._linger()
        else:
            self._cut_short(exchange)

    async def _report(self, error: Exception | None, exchange: Exchange, head: RequestHead) -> None:
        """Log a failure of the application and tell the client, if it was told nothing yet."""
        self._log(error, head)
        if exchange.complete:
            await self._linger()
        elif exchange.started:
            self._cut_short(exchange)
        else:
            await self._refuse(500, "The server met an error of its own.", head=head)

    def _log(self, error: Exception | None, head: RequestHead) -> None:
        detail = "the application raised" if error is not None else "the application returned without an answer"
        self.server.on_event(HttpEvent(HttpEventKind.APP_FAILED, 500, detail, error))
        logger.error("%s: %s %r", detail, head.method, head.raw_path, exc_info=error)

    def _cut_short(self, exchange: Exchange) -> None:
        """Close so that the client does not take what it got for the whole."""
        if exchange.ends_with_connection:
            self.reset = True

    async def _refuse(self, status: int, reason: str, more: bytes = b"", *, head: RequestHead | None = None) -> None:
        """Answer with an error of the engine's own, and end the connection."""
        self.base.read_deadline = inf
        self.server.refused_total += 1
        self.server.on_event(HttpEvent(HttpEventKind.REFUSED, status, reason))
        try:
            await self._answer(status, reason, more + b"connection: close\r\n", head)
        except ClientGone:
            return
        await self._linger()

    async def _answer(self, status: int, reason: str, more: bytes, head: RequestHead | None) -> None:
        client = self.client[0]
        request = Unserved(client) if head is None else Unserved(client, head.raw_path, head.headers)
        headers, body = self.server.refusal(status, reason, request)
        bodyless = head is not None and head.method == "HEAD"
        more = b"%bcontent-length: %d\r\n%b" % (self.ticker.date.line, len(body), more)
        await self.wire.write(head_bytes(status, headers, more) + (b"" if bodyless else body))

    async def _linger(self) -> None:
        """Shut the writing side and let the client finish, within bounds: the text above says why."""
        self.base.waiting = Waiting.NOTHING
        self.base.read_deadline = inf
        left = self.limits.drain_bytes
        with trio.move_on_after(self.limits.drain_s):
            try:
                await self.wire.finish()
                while left > 0:
                    data = await self.base.read(_DRAIN_READ)
                    if not data:
                        return
                    left -= len(data)
            except ClientGone:
                return
