"""Sockets that speak S3 badly on purpose: presigned requests sent byte by byte, and what a daemon's process holds."""

from __future__ import annotations

import hashlib
import hmac
import socket
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from tests.harness.daemon import RunningDaemon

__all__ = ["begin", "connect", "metric", "peak_memory_mib", "presigned"]


def connect(daemon: RunningDaemon, timeout_s: float = 120, receive_buffer: int | None = None) -> socket.socket:
    """A connection to the S3 port."""
    host, _, port = daemon.addresses["s3"].rpartition(":")
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(timeout_s)
    client.connect((host, int(port)))
    return client


def presigned(daemon: RunningDaemon, method: str, path: str, query: str = "") -> str:
    """Path and query of a request that is signed in its URL, so that its body is not.

    Args:
        query: names and values as they stand in a canonical query, already encoded.
    """
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
    fields = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{daemon.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": "86400",
        "X-Amz-SignedHeaders": "host",
    }
    pairs = [f"{name}={quote(value, safe='')}" for name, value in fields.items()]
    canonical_query = "&".join(sorted([*pairs, *filter(None, query.split("&"))]))
    host = daemon.addresses["s3"]
    canonical = f"{method}\n{path}\n{canonical_query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + daemon.secret_key.encode()
    for piece in (*scope.split("/")[:-1], "aws4_request"):
        key = hmac.digest(key, piece.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"{path}?{canonical_query}&X-Amz-Signature={signature}"


def begin(daemon: RunningDaemon, client: socket.socket, method: str, path: str, *lines: str, query: str = "") -> None:
    """Send the head of a presigned request."""
    target = presigned(daemon, method, path, query)
    head = [f"{method} {target} HTTP/1.1", f"Host: {daemon.addresses['s3']}", *lines, "", ""]
    client.sendall("\r\n".join(head).encode())


def metric(daemon: RunningDaemon, name: str) -> float:
    """The value of a metric without labels."""
    with urllib.request.urlopen(f"http://{daemon.addresses['admin']}/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
    raise AssertionError(f"there is no metric {name}")


def peak_memory_mib(daemon: RunningDaemon) -> float:
    """The most resident memory that the process has had."""
    status = Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
