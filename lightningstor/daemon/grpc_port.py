"""The gRPC port of a daemon, made from its configuration."""

from __future__ import annotations

from collections.abc import Callable
from ssl import SSLContext

from lightningstor.config import Config
from lightningstor.daemon.identity import Access
from lightningstor.rpc.gate import OperationRow
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.server import Backing, RpcServer
from lightningstor.rpc.status import Told
from lightningstor.s3.endpoint import Endpoint
from lightningstor.s3.errors import explain
from lightningstor.s3.wire.operations import BY_NAME

__all__ = ["explain_to_grpc", "grpc_limits", "grpc_server", "operation_rows"]


def grpc_server(
    config: Config, endpoint: Endpoint, access: Access, ready: Callable[[], bool], tls: SSLContext | None
) -> RpcServer:
    """The server of the gRPC port; `run` it on its listeners.

    Args:
        endpoint: of the S3 port, whose store and observer it shares.
    """
    backing = Backing(
        endpoint.store,
        access.callers,
        access.authorizer,
        operation_rows(),
        endpoint.observer,
        endpoint.world,
        endpoint.tracing,
        region=config.s3.region,
        strict_names=config.s3.strict_names,
    )
    return RpcServer(ready, explain_to_grpc, grpc_limits(config), tls, backing)


def grpc_limits(config: Config) -> RpcLimits:
    """The gRPC port's limits."""
    limits = config.limits
    return RpcLimits(
        connections=limits.grpc_max_connections,
        streams=limits.grpc_max_calls_per_connection,
        message_bytes=limits.grpc_message_bytes,
        room_bytes=max(limits.grpc_room_bytes, limits.grpc_message_bytes),
        window_bytes=limits.grpc_window_bytes,
        header_bytes=limits.header_bytes,
        resets=limits.grpc_resets,
        first_frame_s=limits.header_timeout_seconds,
        idle_s=limits.grpc_idle_seconds,
        message_s=limits.grpc_message_seconds,
        write_stall_s=limits.write_stall_seconds,
        grace_s=limits.stop_grace_seconds,
    )


def operation_rows() -> dict[str, OperationRow]:
    """The rows of the one operation table, as gRPC needs them; its methods have the names of S3's operations."""
    return {name: OperationRow(row.action, row.iam_action, row.version_iam_action) for name, row in BY_NAME.items()}


def explain_to_grpc(error: BaseException) -> Told:
    """The one map of errors, in gRPC's terms."""
    told = explain(error)
    return Told(told.code, told.status, told.grpc_status, told.message, dict(told.elements), told.level)
