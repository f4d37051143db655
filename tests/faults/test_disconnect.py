"""A client that leaves in the middle of its upload leaves nothing behind (PROOF 19, 20)."""

from __future__ import annotations

import hashlib
import socket
import struct
from contextlib import closing

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

pytestmark = pytest.mark.proof

_STEP = 64 << 10


def put_head(daemon: RunningDaemon, path: str, body: bytes) -> bytes:
    """The head of a signed PUT."""
    host = daemon.addresses["s3"]
    request = AWSRequest("PUT", f"http://{host}{path}", data=body)
    request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    request.context["client_config"] = None
    S3SigV4Auth(Credentials(daemon.access_key, daemon.secret_key), "s3", "us-east-1").add_auth(request)
    lines = [f"PUT {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send_and_leave(daemon: RunningDaemon, data: bytes, *, reset: bool) -> None:
    host, _, port = daemon.addresses["s3"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(data)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_left_at_every_64_kib(launch_daemon: StartDaemon, proof_full: bool, figure: Figure, reset: bool) -> None:
    """Wherever an upload breaks off the old object stays; after the last byte it is the old or the new one, whole."""
    daemon: RunningDaemon = launch_daemon()
    with closing(SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)) as client:
        assert client.request("PUT", "/bucket").status == 200
        assert client.request("PUT", "/bucket/key", b"old").status == 200
        body = b"n" * ((20 << 20) if proof_full else (1 << 20) + 100)
        head = put_head(daemon, "/bucket/key", body)
        points = [*range(0, len(body), _STEP), len(body) - 1]
        for sent in points:
            send_and_leave(daemon, head + body[:sent], reset=reset)
            assert client.request("GET", "/bucket/key").body == b"old"
        send_and_leave(daemon, head + body, reset=reset)
        assert client.request("GET", "/bucket/key").body in (b"old", body)
    assert daemon.stop() == 0
    chunks = [path for path in (daemon.data_dir / "chunks").rglob("*-*") if path.is_file()]
    assert len(chunks) <= 1 + len(body) // (8 << 20)
    figure(f"left at {len(points) + 1} points: the old object each time, {len(chunks)} chunk files of the whole one")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 5\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ],
)
def test_a_body_that_falls_short_is_not_stored(launch_daemon: StartDaemon, head: bytes) -> None:
    """Less than Content-Length, or a chunked body without its end, is no object."""
    daemon: RunningDaemon = launch_daemon()
    with closing(SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)) as client:
        assert client.request("PUT", "/bucket").status == 200
        signed = put_head(daemon, "/bucket/key", b"hello").replace(b"Content-Length: 5\r\n", b"")
        send_and_leave(daemon, signed.removesuffix(b"\r\n") + head, reset=False)
        assert client.request("GET", "/bucket/key").status == 404
