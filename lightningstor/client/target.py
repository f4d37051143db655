"""Where a server is, and how it is reached: the address, and TLS if its URL says https."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import trio
from attrs import frozen

from lightningstor.client.errors import Unavailable

__all__ = ["Target", "client_ssl_context", "dial"]

_DEFAULT_PORT: Final = 9001
_ALPN: Final = "h2"


@frozen
class Target:
    """A server's address.

    Args:
        host: a name or an IP address, without brackets.
        tls: whether it speaks TLS; gRPC without TLS is HTTP/2 from the first byte.
    """

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Target:
        """An address of `http://host:port` or `https://host:port`; the port is 9001 where none is named.

        Raises:
            ValueError: it has another form.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not of the form http://host:port or https://host:port")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(f"{url!r} has more than host and port")
        host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
        return cls(host, _DEFAULT_PORT if parts.port is None else parts.port, parts.scheme == "https")

    @property
    def authority(self) -> str:
        """`host:port`, as HTTP/2 names the server."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def client_ssl_context(
    ca_file: str | Path | None = None, cert_file: str | Path | None = None, key_file: str | Path | None = None
) -> ssl.SSLContext:
    """A context for `https` servers, TLS 1.2 at least.

    Args:
        ca_file: the authorities that servers' certificates must come from; None: the system's.
        cert_file, key_file: what the client shows to a server that asks who it is; PEM.
    """
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.set_alpn_protocols([_ALPN])
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context


async def dial(target: Target, context: ssl.SSLContext | None) -> trio.abc.Stream:
    """Connect, with TLS where the target says so.

    Args:
        context: of `client_ssl_context`, or one that offers "h2" by ALPN.

    Raises:
        Unavailable: the server is not there, or cannot be trusted, or speaks no HTTP/2.
    """
    try:
        socket = await trio.open_tcp_stream(target.host, target.port)
    except OSError as error:
        raise Unavailable(f"cannot connect to {target.authority}: {_reason(error)}", unseen=True) from None
    if not target.tls:
        return socket
    stream = trio.SSLStream(socket, context or client_ssl_context(), server_hostname=target.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        cause = error.__cause__
        lasting = isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError)
        raise Unavailable(f"TLS with {target.authority} failed: {cause}", unseen=True, lasting=lasting) from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    if stream.selected_alpn_protocol() != _ALPN:
        await trio.aclose_forcefully(stream)
        raise Unavailable(f"{target.authority} does not speak HTTP/2 (ALPN)", unseen=True, lasting=True)
    return stream


def _reason(error: OSError) -> str:
    """What the system says; trio puts it beneath a sentence of its own."""
    cause: BaseException = error
    while (inner := cause.__cause__) is not None or isinstance(cause, BaseExceptionGroup):
        cause = inner if inner is not None else cause.exceptions[0]  # type: ignore[attr-defined]
    return getattr(cause, "strerror", None) or str(cause)
