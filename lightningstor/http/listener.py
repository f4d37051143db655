"""Listening sockets: opened before the server runs, so that a taken port is an error at start."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ssl import SSLContext
from typing import Any

import trio
from attrs import frozen

__all__ = ["Listener", "open_listeners"]

_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


@frozen
class Listener:
    """A socket that listens.

    Attributes:
        sock: bound, listening, non-blocking.
        address: (host, port) it is bound to, the port never 0.
        tls: how to secure its connections; None for plain HTTP.
    """

    sock: socket.socket
    address: tuple[str, int]
    tls: SSLContext | None = None

    @property
    def url(self) -> str:
        """The address as the start of a URL."""
        host, port = self.address
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def close(self) -> None:
        """Stop listening; connections that wait to be accepted are reset."""
        if self.sock.fileno() >= 0:
            trio.lowlevel.notify_closing(self.sock)
            self.sock.close()


async def open_listeners(
    host: str | None, port: int, *, backlog: int = 1024, tls: SSLContext | None = None
) -> list[Listener]:
    """Listen on every address of `host`.

    Args:
        host: a name, an IPv4 or IPv6 address (brackets allowed); None or "" for all addresses. "::" takes IPv4
            connections too, where the system can.
        port: 0 picks a free one, the same for all addresses.
        backlog: connections that may wait to be accepted.
        tls: secure the connections with it.

    Raises:
        OSError: an address is taken, unknown or not allowed; the text names it. Nothing stays open.
    """
    name = (host or "").removeprefix("[").removesuffix("]")
    found = await _resolve(name, port)
    listeners: list[Listener] = []
    skipped: OSError | None = None
    try:
        for family, address in found:
            port = listeners[0].address[1] if listeners else port
            try:
                sock = _listen(family, (address[0], port, *address[2:]), backlog, dual=len(found) == 1)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY or len(found) == 1:
                    raise OSError(error.errno, f"cannot listen on {address[0]} port {port}: {error.strerror}") from None
                skipped = error
                continue
            listeners.append(Listener(sock, sock.getsockname()[:2], tls))
        if not listeners and skipped is not None:
            raise OSError(skipped.errno, f"cannot listen on {name} port {port}: {skipped.strerror}")
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


async def _resolve(name: str, port: int) -> Sequence[tuple[int, tuple[Any, ...]]]:
    """Address families and socket addresses of a host name, each once."""
    if not name and socket.has_dualstack_ipv6():
        name = "::"
    try:
        found = await trio.socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )
    except socket.gaierror as error:
        raise OSError(errno.EADDRNOTAVAIL, f"cannot listen on {name} port {port}: {error.strerror}") from None
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def _listen(family: int, address: tuple[Any, ...], backlog: int, *, dual: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Only past connections in TIME_WAIT are passed over; a second listener is still refused (no SO_REUSEPORT).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            only_ipv6 = not (dual and address[0] == "::" and socket.has_dualstack_ipv6())
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_ipv6)
        sock.bind(address)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock
