"""A request whose server is killed in the middle of it."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from urllib.parse import quote

from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import Answer, SignedHttp

__all__ = ["killed_amid"]


def killed_amid(
    daemon: RunningDaemon,
    client: SignedHttp,
    method: str,
    path: str,
    body: bytes = b"",
    query: str = "",
    headers: dict[str, str] | None = None,
    *,
    sent: float = 1.0,
    delay_s: float = 0.0,
) -> Answer | None:
    """Send a request on a connection of its own and kill the daemon.

    Args:
        sent: which share of its bytes is sent; below 1 at least the last byte is missing.
        delay_s: how long after them the daemon is killed.

    Returns:
        The answer, if it left whole before the end. None: what became of the request is not known.
    """
    target = quote(path, safe="/~") + (f"?{query}" if query else "")
    signed = client.signed_headers(method, target, body, headers)
    lines = [f"{method} {target} HTTP/1.1", f"Host: {daemon.addresses['s3']}", f"Content-Length: {len(body)}"]
    head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in signed.items()), "", ""])
    whole = head.encode("latin-1") + body
    host, _, port = daemon.addresses["s3"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=client.timeout_s) as connection:
        with suppress(OSError):  # refused before it was sent whole: the answer may be there all the same
            connection.sendall(whole if sent >= 1 else whole[: int((len(whole) - 1) * sent)])
        time.sleep(delay_s)
        daemon.kill()
        try:
            response = HTTPResponse(connection, method=method)
            response.begin()
            answer = Answer(
                response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}
            )
        except (OSError, HTTPException):
            return None
        return answer
