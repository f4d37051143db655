"""The HTTP/1.1 server: any ASGI 3 application over Trio sockets.

    serve ─┬─ sweep                  one task: the time, and everybody who has waited past a limit
           └─ connections ─┬─ accept, one task per listener
                           └─ one task per connection, which calls the application inline

Scopes hold what ASGI says, `raw_path` and `query_string` as on the wire; `exchange` describes the shorter way that
spares an application the dictionaries. The lifespan protocol is not spoken: who starts the server starts what the
application needs. On limits and refusals see `limits` and `head`; DESIGN.md §8 gives the reasons.
"""

from __future__ import annotations

import errno
import heapq
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Final

import trio

from lightningstor.http.connection import AsgiApp, Connection
from lightningstor.http.events import HttpEvent, HttpEventKind, HttpStatistics, OnEvent, ignore_event
from lightningstor.http.exchange import Exchange
from lightningstor.http.faults import Refusal, plain_refusal
from lightningstor.http.head import HeadParser
from lightningstor.http.limits import HttpLimits
from lightningstor.http.listener import Listener, open_listeners
from lightningstor.http.wire import SocketWire, Ticker
from lightningstor.ports import Clock, SystemClock

__all__ = ["AsgiApp", "HttpLimits", "HttpServer", "Listener", "open_listeners"]

logger = logging.getLogger("lightningstor.http")

_OUT_OF_ROOM: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ACCEPT_BACKOFF_S: Final = 0.1
_ACCEPTS_AT_ONCE: Final = 64


class HttpServer:
    """Serves one application on any number of listeners.

    Args:
        app: an ASGI 3 application; only `http` scopes reach it. One with a method `answer` is called by that (see
            `lightningstor.http.exchange`).
        limits: what clients may do.
        refusal: makes the answers that the engine gives by itself.
        on_event: is told of everything but ordinary requests.
        clock: the time.

    Attributes:
        requests_total, refused_total: see `HttpStatistics`.
        stopping: `stop` was called.
    """

    def __init__(
        self,
        app: AsgiApp,
        limits: HttpLimits | None = None,
        *,
        refusal: Refusal = plain_refusal,
        on_event: OnEvent = ignore_event,
        clock: Clock | None = None,
    ) -> None:
        self.app = app
        self.answer: Callable[[Exchange], Awaitable[None]] | None = getattr(app, "answer", None)
        self.limits = limits or HttpLimits()
        self.refusal = refusal
        self.on_event = on_event
        self.parser = HeadParser()
        self.requests_total = 0
        self.refused_total = 0
        self.stopping = False
        self._clock: Clock = clock or SystemClock()
        self.ticker = Ticker(self._clock.monotonic(), self._clock.now_ms())
        self._connections: set[Connection] = set()
        self._connections_total = 0
        self._listeners: Sequence[Listener] = ()
        self._scope: trio.CancelScope | None = None
        self._room = trio.Event()

    def statistics(self) -> HttpStatistics:
        """The server's figures."""
        return HttpStatistics(
            connections=len(self._connections),
            requests_in_flight=self.ticker.departures.at_work,
            connections_total=self._connections_total,
            requests_total=self.requests_total,
            refused_total=self.refused_total,
        )

    async def serve(
        self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until `stop`, then until the last connection has ended; or until cancelled, which ends all at once.

        Args:
            listeners: of `open_listeners`; they are closed in the end.
        """
        self._listeners = listeners
        self.ticker.now = self._clock.monotonic()
        try:
            async with trio.open_nursery() as helpers:
                helpers.start_soon(self._sweep)
                helpers.start_soon(self.ticker.departures.run)
                async with trio.open_nursery() as connections:
                    self._scope = connections.cancel_scope
                    for listener in listeners:
                        connections.start_soon(self._accept, listener, connections)
                    task_status.started()
                helpers.cancel_scope.cancel()
        finally:
            for listener in listeners:
                listener.close()

    def stop(self, grace_s: float | None = None) -> None:
        """Take no further connections and requests; `serve` returns when those under way have ended.

        Args:
            grace_s: after this time they are cancelled; by default the limit's. A later call may shorten it.
        """
        self.stopping = True
        for listener in self._listeners:
            listener.close()
        for connection in self._connections:
            connection.base.stop_idle()
        self._room.set()
        if self._scope is not None:
            grace_s = self.limits.grace_s if grace_s is None else grace_s
            self._scope.deadline = min(self._scope.deadline, trio.current_time() + grace_s)

    async def _sweep(self) -> None:
        """Keep the time, and wake whoever has waited past a limit."""
        last = self.ticker.now
        while True:
            await trio.sleep(self.limits.sweep_interval_s)
            now = self._clock.monotonic()
            elapsed_s, last = now - last, now
            self.ticker.now = now
            self.ticker.date.refresh(self._clock.now_ms())
            for connection in self._connections:
                struck = connection.base.sweep(elapsed_s)
                if struck is not None:
                    self.on_event(HttpEvent(HttpEventKind.TIMED_OUT, detail=struck.value))

    async def _accept(self, listener: Listener, nursery: trio.Nursery) -> None:
        """Take connections from a listener until it is closed."""
        while not self.stopping:
            try:
                await trio.lowlevel.wait_readable(listener.sock)
                if len(self._connections) >= self.limits.connections:
                    if self._room.is_set():
                        self._room = trio.Event()
                    self._evict()
                    await self._room.wait()
                    continue
                for _ in range(min(_ACCEPTS_AT_ONCE, self.limits.connections - len(self._connections))):
                    self._open(listener, nursery, *listener.sock.accept())
            except BlockingIOError:
                continue
            except trio.ClosedResourceError:
                return
            except OSError as error:
                if listener.sock.fileno() < 0:
                    return
                self.on_event(HttpEvent(HttpEventKind.ACCEPT_FAILED, detail=str(error), error=error))
                if error.errno in _OUT_OF_ROOM:
                    self._evict()
                if error.errno != errno.ECONNABORTED:
                    await trio.sleep(_ACCEPT_BACKOFF_S)

    def _open(self, listener: Listener, nursery: trio.Nursery, sock: socket.socket, client: tuple[str, int]) -> None:
        """Start the task of a new connection."""
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            local = sock.getsockname()[:2]
        except OSError:
            sock.close()
            raise
        connection = Connection(self, SocketWire(sock, self.ticker, self.limits), client[:2], local, listener.tls)
        self._connections.add(connection)
        self._connections_total += 1
        nursery.start_soon(self._attend, connection)

    async def _attend(self, connection: Connection) -> None:
        """Run a connection to its end."""
        self.on_event(HttpEvent(HttpEventKind.OPENED))
        try:
            await connection.run()
        except Exception as error:  # a bug of the engine's: it costs this connection, not the daemon
            self.on_event(HttpEvent(HttpEventKind.APP_FAILED, detail="the engine raised", error=error))
            logger.exception("the HTTP engine raised")
        finally:
            self._connections.discard(connection)
            connection.base.close(reset=connection.reset or connection.base.broken)
            self._room.set()
            self.on_event(HttpEvent(HttpEventKind.CLOSED))

    def _evict(self) -> None:
        """Have the connections closed that have been idle longest, to make room for others."""
        idle = [connection.base for connection in self._connections if connection.base.idle]
        for base in heapq.nsmallest(self.limits.connections // 100 + 1, idle, key=attrgetter("read_deadline")):
            base.stop_idle()
            self.on_event(HttpEvent(HttpEventKind.EVICTED))
