"""The gRPC port: its own listener on the configured address, connections counted, stopped in order.

h2, protobuf and purerpc are imported with the first connection: the port takes connections from the start, and the
daemon is ready before they are needed.
"""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import trio
from attrs import frozen
from trio import socket as trio_socket

from lightningstor.iam.authorize import Authorizer
from lightningstor.iam.callers import Callers
from lightningstor.observe.record import Observer
from lightningstor.ports import World
from lightningstor.rpc.gate import OperationRow
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.record import record_of
from lightningstor.rpc.room import MessageRoom
from lightningstor.store.store import Store

if TYPE_CHECKING:
    from lightningstor.observe.tracing import Tracing
    from lightningstor.rpc.call import RpcCall
    from lightningstor.rpc.connection import Began, Dispatch, RpcConnection
    from lightningstor.rpc.health import Health
    from lightningstor.rpc.status import Ending, Explain

__all__ = ["Backing", "RpcServer", "certificate_names", "open_rpc_listeners"]

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


@frozen
class Backing:
    """What the services on the port stand on.

    Args:
        store: the objects. callers: finds principals. authorizer: says who may do what.
        operations: the rows of the operation table, by name.
        observer: hears of every call to them. world: clock and entropy.
        tracing: makes spans, and is the observer as well; None: there are no traces.
        region: that new buckets lie in. strict_names: their names are without dots.
    """

    store: Store
    callers: Callers
    authorizer: Authorizer
    operations: Mapping[str, OperationRow]
    observer: Observer
    world: World
    tracing: Tracing | None = None
    region: str = "us-east-1"
    strict_names: bool = False


class RpcServer:
    """Serves gRPC on listeners.

    Args:
        ready: whether the daemon is, for health checks.
        explain: the one map of errors.
        ssl_context: to speak TLS with (ALPN h2); None: in the clear.
        backing: of ObjectService and BucketService; None: health and reflection only.
    """

    def __init__(
        self,
        ready: Callable[[], bool],
        explain: Explain,
        limits: RpcLimits | None = None,
        ssl_context: ssl.SSLContext | None = None,
        backing: Backing | None = None,
    ) -> None:
        self._ready = ready
        self._explain = explain
        self._backing = backing
        self._fewer = trio.Event()
        self._stopping = trio.Event()
        self.limits = limits or RpcLimits()
        self.room = MessageRoom(self.limits.room_bytes)
        self._ssl_context = ssl_context
        self._dispatch: Dispatch | None = None
        self._health: Health | None = None
        self._calls = 0
        self._salt = 1 if backing is None else int.from_bytes(backing.world.entropy.token_bytes(8), "big") | 1
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
        await self.wait_no_connections_but(0)

    async def wait_no_connections_but(self, number: int) -> None:
        """Return when at most so many clients are connected."""
        while len(self.connections) > number:
            self._fewer = trio.Event()
            await self._fewer.wait()

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
        try:
            if len(self.connections) >= self.limits.connections:
                logger.warning("gRPC: more than %d connections", self.limits.connections)
                return
            host, port = socket_stream.socket.getpeername()[:2]
            stream: Any = socket_stream
            if self._ssl_context is not None:
                stream = await self._encrypted(socket_stream, self._ssl_context)
            await self._serve(stream, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except (trio.BrokenResourceError, trio.TooSlowError, OSError) as error:
            logger.info("gRPC: a client was lost before its first call: %s", error)
        finally:
            await trio.aclose_forcefully(socket_stream)

    async def _encrypted(self, socket_stream: trio.SocketStream, context: ssl.SSLContext) -> trio.SSLStream[Any]:
        stream = trio.SSLStream(socket_stream, context, server_side=True, https_compatible=True)
        with trio.fail_after(self.limits.first_frame_s):
            await stream.do_handshake()
        return stream

    async def _serve(self, stream: Any, peer: str) -> None:
        from lightningstor.rpc.connection import RpcConnection

        connection = RpcConnection(
            stream,
            self._dispatcher(),
            self.limits,
            peer=peer,
            certificate_names=certificate_names(stream) if isinstance(stream, trio.SSLStream) else (),
            room=self.room,
            explain=self._explain,
            next_request_id=self._next_request_id,
            done=self._done,
            began=self._began,
        )
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            self._fewer.set()

    def _next_request_id(self) -> str:
        """As those of S3 (`lightningstor.s3.endpoint`): a name that no other call of this process has."""
        self._calls += 1
        return f"{self._calls * self._salt & 0xFFFF_FFFF_FFFF_FFFF:016X}"

    @property
    def _began(self) -> Began | None:
        """What a connection tells of each call that begins; None: nobody wants to know."""
        tracing = None if self._backing is None else self._backing.tracing
        return None if tracing is None else lambda call: tracing.begin(call.metadata)

    def _done(self, call: RpcCall, ending: Ending | None) -> None:
        """A call has ended; those of services that anybody may call are nothing that is told of."""
        if self._backing is not None and not call.is_open:
            self._backing.observer.operation_done(record_of(call, ending))

    def _dispatcher(self) -> Dispatch:
        if self._dispatch is None:
            from lightningstor.rpc.services.all import make_dispatcher

            self._health, self._dispatch = make_dispatcher(self._ready, self._backing, self._explain)
        return self._dispatch


def certificate_names(stream: trio.SSLStream[Any]) -> tuple[str, ...]:
    """The names in a client's certificate, which TLS has verified: the subject's common name and all alternatives."""
    certificate: dict[str, Any] = stream.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    names += [value for _, value in certificate.get("subjectAltName", ())]
    return tuple(dict.fromkeys(names))


async def _say_goodbye(connection: RpcConnection) -> None:
    try:
        await connection.goodbye()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        connection.abandon()


def _close(listeners: list[trio.SocketListener]) -> None:
    for listener in listeners:
        listener.socket.close()
