"""grpc.health.v1: is the server ready? For the server as a whole (""), and for each of its services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import trio

from lightningstor.rpc.gen import grpc_health_v1_pb2
from lightningstor.rpc.gen.grpc_health_v1_grpc import HealthServicer
from lightningstor.rpc.status import RpcFailed, StatusCode

__all__ = ["Health"]

_messages: Any = grpc_health_v1_pb2  # its classes are made when it is imported
_SERVING: Final[int] = _messages.HealthCheckResponse.ServingStatus.SERVING
_NOT_SERVING: Final[int] = _messages.HealthCheckResponse.ServingStatus.NOT_SERVING
_SERVICE_UNKNOWN: Final[int] = _messages.HealthCheckResponse.ServingStatus.SERVICE_UNKNOWN


class Health(HealthServicer):
    """Answers health checks.

    Args:
        ready: whether the daemon is.
        services: the full names that may be asked about.
        look_every_s: how often a watch looks.
    """

    def __init__(self, ready: Callable[[], bool], services: frozenset[str], look_every_s: float = 0.5) -> None:
        self._ready = ready
        self._services = services
        self._look_every_s = look_every_s
        self._stopping = trio.Event()

    def stop(self) -> None:
        """The server stops: the watches tell so, and end."""
        self._stopping.set()

    def _status(self, service: str) -> int:
        if service and service not in self._services:
            return _SERVICE_UNKNOWN
        return _SERVING if self._ready() and not self._stopping.is_set() else _NOT_SERVING

    async def Check(self, input_message: Any) -> Any:
        """The status now; NOT_FOUND for a service that is none of this server's, as the protocol says."""
        status = self._status(input_message.service)
        if status == _SERVICE_UNKNOWN:
            raise RpcFailed(StatusCode.NOT_FOUND, f"there is no service {input_message.service}")
        return _messages.HealthCheckResponse(status=status)

    async def Watch(self, input_message: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        """The status now and whenever it changes; here SERVICE_UNKNOWN is a status.

        It ends with the call, or with the server. (The generated class declares every method a coroutine.)
        """
        last: int | None = None
        while True:
            status = self._status(input_message.service)
            if status != last:
                yield _messages.HealthCheckResponse(status=status)
                last = status
            if self._stopping.is_set():
                return
            with trio.move_on_after(self._look_every_s):
                await self._stopping.wait()
