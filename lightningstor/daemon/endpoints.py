"""The servers of a daemon, made from its configuration."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import TYPE_CHECKING, Final, Protocol

import trio
from attrs import evolve

from lightningstor.config import Address, Config
from lightningstor.daemon.identity import Access
from lightningstor.http.engine import HttpLimits, HttpServer, Listener, open_listeners
from lightningstor.http.events import HttpEvent, HttpEventKind
from lightningstor.observe.clients import ClientAddresses
from lightningstor.observe.metrics import Metrics
from lightningstor.observe.record import Observer
from lightningstor.ports import World
from lightningstor.s3.settings import AccessLogLimits, S3Settings, SignatureV2
from lightningstor.store.store import Store

if TYPE_CHECKING:
    from lightningstor.admin.port import AdminPort
    from lightningstor.daemon.tls import ServerTls
    from lightningstor.observe.tracing import Tracing
    from lightningstor.s3.app import S3App
    from lightningstor.s3.endpoint import Endpoint

__all__ = [
    "ListenFailed",
    "Server",
    "admin_server",
    "http_limits",
    "listen",
    "listen_failed",
    "s3_endpoint",
    "s3_server",
    "s3_settings",
    "server_tls",
]

logger: Final = logging.getLogger("lightningstor.daemon")

_ADMIN_GRACE_S: Final = 1.0
"""What runs on the admin port is done by then, or can be asked for again."""


class Server(Protocol):
    """What serves a port."""

    async def serve(
        self, listeners: Sequence[Listener], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until told to stop, and those requests have ended that were under way."""
        ...

    def stop(self, grace_s: float | None = None) -> None:
        """Take no further requests; those under way have this long."""
        ...


class ListenFailed(Exception):
    """An address cannot be listened on. The message names it, its option and what helps."""


async def listen(address: Address, option: str, tls: SSLContext | None = None) -> list[Listener]:
    """Open the listeners of an address.

    Args:
        option: of section `server` that holds the address, for the message.

    Raises:
        ListenFailed: see there.
    """
    try:
        return await open_listeners(address.host, address.port, tls=tls)
    except OSError as error:
        raise listen_failed(error, option) from error


def listen_failed(error: OSError, option: str) -> ListenFailed:
    """The error of a listener of option `option`, in words that help."""
    flag = "--" + option.replace("_", "-")
    hints = {
        errno.EADDRINUSE: f"; something else listens there, choose another with {flag}",
        errno.EACCES: f"; ports below 1024 need rights, choose another with {flag}",
        errno.EADDRNOTAVAIL: f"; this machine has no such address, choose another with {flag}",
    }
    return ListenFailed(f"{error.strerror or error}{hints.get(error.errno or 0, '')}")


def server_tls(config: Config, metrics: Metrics) -> ServerTls | None:
    """What secures the S3 and the gRPC port; None where they speak in the clear.

    Raises:
        ListenFailed: a file of [server.tls] cannot be used.
    """
    if config.server.tls.cert_file is None:
        return None
    from lightningstor.daemon.tls import ServerTls
    from lightningstor.http.tls import TlsConfigError

    try:
        return ServerTls(config.server.tls, metrics)
    except TlsConfigError as error:
        raise ListenFailed(f"[server.tls]: {error}") from error


def http_limits(config: Config) -> HttpLimits:
    """The S3 port's limits."""
    limits = config.limits
    return HttpLimits(
        header_bytes=limits.header_bytes,
        header_s=limits.header_timeout_seconds,
        idle_s=limits.idle_timeout_seconds,
        body_rate=limits.min_body_rate_bytes_per_second,
        body_window_s=limits.body_rate_window_seconds,
        write_stall_s=limits.write_stall_seconds,
        connections=limits.max_connections,
        requests_in_flight=limits.max_requests_in_flight,
    )


def s3_settings(config: Config) -> S3Settings:
    """The S3 endpoint's settings."""
    s3, limits = config.s3, config.limits
    return S3Settings(
        region=s3.region,
        strict_region=s3.strict_region,
        strict_names=s3.strict_names,
        signature_v2=SignatureV2(s3.signature_v2),
        domains=s3.domains,
        host_aliases=s3.host_aliases,
        max_keys_per_list=limits.max_keys_per_list,
        max_document_size=limits.max_document_bytes,
        keepalive_after_s=limits.keepalive_after_seconds,
        clock_skew_ms=int(limits.clock_skew_seconds * 1000),
        access_log=AccessLogLimits(
            s3.access_log_interval_seconds, s3.access_log_object_bytes, s3.access_log_waiting_bytes
        ),
    )


def s3_endpoint(
    config: Config, world: World, store: Store, access: Access, observer: Observer, tracing: Tracing | None
) -> Endpoint:
    """The services of the S3 app.

    Args:
        tracing: hears of requests in the observer's place, where there are traces.
    """
    from lightningstor.s3.endpoint import Endpoint

    clients = ClientAddresses(config.server.trusted_proxies)
    hears: Observer = observer if tracing is None else tracing
    settings, credentials = s3_settings(config), access.credentials
    return Endpoint(settings, store, credentials, access.authorizer, world, hears, clients, tracing)


def s3_server(config: Config, endpoint: Endpoint, app: S3App, metrics: Metrics) -> Server:
    """The S3 port's server, our own or hypercorn as `[s3] engine` says; its figures become metrics."""
    from lightningstor.daemon.refusal import s3_refusal

    limits, refusal = http_limits(config), s3_refusal(endpoint)
    if config.s3.engine == "hypercorn":
        from lightningstor.http.hypercorn import HypercornServer

        return HypercornServer(app, limits, refusal=refusal)
    server = HttpServer(app, limits, refusal=refusal, on_event=_counting(metrics), clock=endpoint.world.clock)
    figures = server.statistics
    metrics.gauge("http_connections", "Open connections of the S3 port.", lambda: figures().connections)
    metrics.gauge("http_requests_in_flight", "S3 requests at work.", lambda: figures().requests_in_flight)
    return server


def _counting(metrics: Metrics) -> Callable[[HttpEvent], None]:
    """Counts what the engine does besides answering requests, and says what an administrator should hear of."""

    def on_event(event: HttpEvent) -> None:
        metrics.happened(event.kind.value)
        if event.kind is HttpEventKind.ACCEPT_FAILED:
            logger.warning("a connection could not be accepted: %s", event.detail)

    return on_event


def admin_server(config: Config, app: AdminPort, world: World) -> Server:
    """The admin port's server."""
    settings = config.admin
    limits = evolve(
        http_limits(config),
        connections=settings.max_connections,
        requests_in_flight=settings.max_requests_in_flight,
        grace_s=_ADMIN_GRACE_S,
    )
    return HttpServer(app, limits, refusal=app.recorder.refusal, clock=world.clock)
