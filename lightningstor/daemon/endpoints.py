"""The servers of a daemon, made from its configuration."""

from __future__ import annotations

import errno
from ssl import SSLContext
from typing import Final

from lightningstor.config import Address, Config
from lightningstor.http.admin import AdminApp, Readiness
from lightningstor.http.engine import HttpLimits, HttpServer, Listener, open_listeners
from lightningstor.iam import CredentialStore, EmbeddedAuthorizer
from lightningstor.observe.metrics import Metrics
from lightningstor.ports import World
from lightningstor.s3.settings import S3Settings, SignatureV2
from lightningstor.store.store import Store

__all__ = ["ListenFailed", "admin_server", "http_limits", "listen", "s3_listen_context", "s3_server", "s3_settings"]

_ADMIN_LIMITS: Final = HttpLimits(connections=256, requests_in_flight=64, grace_s=1.0)


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
        flag = "--" + option.replace("_", "-")
        hints = {
            errno.EADDRINUSE: f"; something else listens there, choose another with {flag}",
            errno.EACCES: f"; ports below 1024 need rights, choose another with {flag}",
            errno.EADDRNOTAVAIL: f"; this machine has no such address, choose another with {flag}",
        }
        raise ListenFailed(f"{error.strerror or error}{hints.get(error.errno or 0, '')}") from error


def s3_listen_context(config: Config) -> SSLContext | None:
    """What secures the S3 port; None where it speaks plain HTTP.

    Raises:
        ListenFailed: a file of [server.tls] cannot be used.
    """
    tls = config.server.tls
    if tls.cert_file is None or tls.key_file is None:
        return None
    from lightningstor.http.tls import TlsConfigError, server_context

    client_auth = tls.client_auth or ("none" if tls.ca_file is None else "optional")
    try:
        return server_context(
            tls.cert_file,
            tls.key_file,
            ca_file=tls.ca_file if client_auth != "none" else None,
            client_auth=client_auth,
            min_version=tls.min_version,
        )
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
        max_parts=limits.max_multipart_parts,
        max_object_size=limits.max_object_size_bytes,
        max_part_size=limits.max_part_size_bytes,
        max_document_size=limits.max_document_bytes,
        keepalive_after_s=limits.keepalive_after_seconds,
        clock_skew_ms=int(limits.clock_skew_seconds * 1000),
    )


def s3_server(config: Config, world: World, store: Store, credentials: CredentialStore, metrics: Metrics) -> HttpServer:
    """The S3 port's server."""
    from lightningstor.s3.app import S3App
    from lightningstor.s3.endpoint import Endpoint

    endpoint = Endpoint(s3_settings(config), store, credentials, EmbeddedAuthorizer(), world, metrics)
    return HttpServer(S3App(endpoint), http_limits(config), clock=world.clock)


def admin_server(world: World, readiness: Readiness, metrics: Metrics) -> HttpServer:
    """The admin port's server."""

    async def render() -> bytes:
        await world.blocking.run(metrics.registry)  # the first time, it imports prometheus_client
        return metrics.render()

    return HttpServer(AdminApp(readiness, render), _ADMIN_LIMITS, clock=world.clock)
