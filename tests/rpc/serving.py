"""A gRPC server in a Trio run, and blocking code of a foreign client beside it in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc
import trio

from lightningstor.errors import StoreError
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.server import RpcServer, open_rpc_listeners

T = TypeVar("T")


def explain(_: StoreError) -> tuple[str, str]:
    return "NOT_FOUND", "mapped"


@asynccontextmanager
async def serving(
    limits: RpcLimits | None = None, ready: Callable[[], bool] = lambda: True
) -> AsyncIterator[tuple[RpcServer, int]]:
    """A server and its port; stopped at the end, and over within the grace period."""
    server = RpcServer(ready, explain, limits or RpcLimits(grace_s=1))
    listeners = await open_rpc_listeners("127.0.0.1", 0)
    port: int = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, listeners)
        yield server, port
        server.stop()
        nursery.cancel_scope.deadline = trio.current_time() + server.limits.grace_s + 5
    assert not nursery.cancel_scope.cancelled_caught


async def in_thread(work: Callable[[], T]) -> T:
    """What the blocking `work` returns."""
    return await trio.to_thread.run_sync(work)


def unary(channel: grpc.Channel, method: str) -> Callable[..., bytes]:
    """A unary method that takes and gives raw bytes."""
    call: Callable[..., bytes] = channel.unary_unary(
        method, request_serializer=lambda message: message, response_deserializer=lambda message: message
    )
    return call


def failure(call: Callable[..., object], *arguments: object, **options: object) -> tuple[grpc.StatusCode, str]:
    """Status and message of a call that fails."""
    try:
        call(*arguments, timeout=10, **options)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call succeeded")
