"""The gRPC port: its own listener on the configured address, connections counted, stopped in order.

h2, protobuf and purerpc are imported with the first connection: the port takes connections from the start, and the
daemon is ready before they are needed.
"""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import trio
from trio import socket as trio_socket

from lightningstor.rpc.limits import RpcLimits

if TYPE_CHECKING:
    from lightningstor.rpc.connection import Dispatch, RpcConnection
    from lightningstor.rpc.health import Health
    from lightningstor.rpc.status import Explain

__all__ = ["RpcServer", "open_rpc_listeners"]

logger = logging.getLogger("lightningstor.rpc")

_BACKLOG: Final = 128
_OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_ACCEPT_PAUSE_S: Final = 0.1


async def open_rpc_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on that address and no other; a port that somebody else listens on is an error.

    Raises:
        OSError
    """
    listeners: list[trio.SocketListener] = []
    found = await trio_socket.getaddrinfo(
        host or None, port, type=trio_socket.SOCK_STREAM, flags=trio_socket.AI_PASSIVE
    )
    for family, kind, protocol, _, address in found[:1]:
        sock = trio_socket.socket(family, kind, protocol)
        try:
            # Lets a restarted daemon bind beside connections that are closing; two listeners still exclude each other.
            sock.setsockopt(trio_socket.SOL_SOCKET, trio_socket.SO_REUSEADDR, 1)
            await sock.bind(address)
            sock.listen(_BACKLOG)
        except BaseException:
            sock.close()
            raise
        listeners.append(trio.SocketListener(sock))
    return listeners


class RpcServer:
    """Serves gRPC on listeners.

    Args:
        ready: whether the daemon is, for health checks.
        explain: the one map of errors: gRPC's name of the status and a sentence, for an error of the store.
        ssl_context: to speak TLS with (ALPN h2); None: in the clear.
    """

    def __init__(
        self,
        ready: Callable[[], bool],
        explain: Explain,
        limits: RpcLimits | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._ready = ready
        self._explain = explain
        self._empty = trio.Event()
        self._stopping = trio.Event()
        self.limits = limits or RpcLimits()
        self._ssl_context = ssl_context
        self._dispatch: Dispatch | None = None
        self._health: Health | None = None
        self.connections: set[RpcConnection] = set()

    def stop(self) -> None:
        """Take no further connections and calls; those under way have the grace period. Then `run` returns."""
        self._stopping.set()

    async def run(self, listeners: list[trio.SocketListener]) -> None:
        """Serve until `stop` is called. Cancelling ends everything at once."""
        try:
            async with trio.open_nursery() as nursery:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(self._accept, listener, nursery)
                    await self._stopping.wait()
                    accepting.cancel_scope.cancel()
                _close(listeners)
                await self._end_calls()
                nursery.cancel_scope.cancel()
        finally:
            _close(listeners)

    async def wait_no_connections(self) -> None:
        """Return when no client is connected."""
        while self.connections:
            self._empty = trio.Event()
            await self._empty.wait()

    async def _end_calls(self) -> None:
        if self._health is not None:
            self._health.stop()
        with trio.move_on_after(self.limits.grace_s):
            async with trio.open_nursery() as farewells:
                for connection in list(self.connections):
                    farewells.start_soon(_say_goodbye, connection)
            await self.wait_no_connections()

    async def _accept(self, listener: trio.SocketListener, nursery: trio.Nursery) -> None:
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                if error.errno not in _OUT_OF_DESCRIPTORS:
                    raise
                logger.warning("gRPC: %s; trying again", error)
                await trio.sleep(_ACCEPT_PAUSE_S)
                continue
            nursery.start_soon(self._attend, stream)

    async def _attend(self, socket_stream: trio.SocketStream) -> None:
        from lightningstor.rpc.connection import RpcConnection

        stream: Any = socket_stream
        try:
            if len(self.connections) >= self.limits.connections:
                logger.warning("gRPC: more than %d connections", self.limits.connections)
                return
            peer = socket_stream.socket.getpeername()
            if self._ssl_context is not None:
                stream = trio.SSLStream(socket_stream, self._ssl_context, server_side=True, https_compatible=True)
                with trio.fail_after(self.limits.first_frame_s):
                    await stream.do_handshake()
            connection = RpcConnection(stream, self._dispatcher(), self.limits, f"{peer[0]}:{peer[1]}", self._explain)
            self.connections.add(connection)
            try:
                await connection.run()
            finally:
                self.connections.discard(connection)
                if not self.connections:
                    self._empty.set()
        except (trio.BrokenResourceError, trio.TooSlowError, OSError) as error:
            logger.info("gRPC: a client was lost before its first call: %s", error)
        finally:
            await trio.aclose_forcefully(socket_stream)

    def _dispatcher(self) -> Dispatch:
        if self._dispatch is None:
            from lightningstor.rpc.dispatch import Dispatcher
            from lightningstor.rpc.health import Health
            from lightningstor.rpc.reflection import Reflection, ReflectionAlpha

            names = (
                "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            )
            self._health = Health(self._ready, frozenset(names))
            self._dispatch = Dispatcher((self._health, Reflection(names), ReflectionAlpha(names)))
        return self._dispatch


async def _say_goodbye(connection: RpcConnection) -> None:
    try:
        await connection.goodbye()
    except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
        connection.abandon()


def _close(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()
