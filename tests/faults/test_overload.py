"""A real daemon out of descriptors, and past its admission limit (PROOF 24, 26)."""

from __future__ import annotations

import resource
import socket
import sys
import time
from contextlib import ExitStack, closing
from functools import partial

import pytest
import trio

from tests.conftest import Figure, StartDaemon
from tests.faults.test_kill_platform import recount
from tests.harness.daemon import RunningDaemon
from tests.harness.raw_s3 import begin, connect, metric
from tests.harness.signed_http import SignedHttp

LARGE = bytes(300_000)


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are set by prlimit")
def test_a_daemon_without_descriptors(launch_daemon: StartDaemon, figure: Figure) -> None:
    """Without one to spare an upload that needs a file is told 503, and one that needs none is stored; within 2 s of
    there being some again, all is well."""
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket")
    with ExitStack() as stack:
        with closing(client_of(daemon)) as s3:
            assert s3.request("PUT", "/bucket/large", LARGE).status == 200
        # Connections that are at work, since idle ones give way to new ones.
        large, small = stack.enter_context(connect(daemon)), stack.enter_context(connect(daemon))
        begin(daemon, large, "PUT", "/bucket/large", f"Content-Length: {len(LARGE)}", "Connection: close")
        begin(daemon, small, "PUT", "/bucket/small", "Content-Length: 3", "Connection: close")
        until_in_flight(daemon, 2)
        _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (3, hard))
        waiting = stack.enter_context(connect(daemon))
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        large.sendall(LARGE)
        refused = read_all(large)
        assert refused.startswith(b"HTTP/1.1 503")
        assert b"<Code>SlowDown</Code>" in refused
        small.sendall(b"new")
        assert small.recv(12) == b"HTTP/1.1 200"
        small.close()
        time.sleep(0.5)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (hard, hard))
        freed = time.monotonic()
        assert waiting.recv(12) == b"HTTP/1.1 403"
        with closing(client_of(daemon)) as fresh:
            assert fresh.request("GET", "/bucket/large").body == LARGE
            assert fresh.request("GET", "/bucket/small").body == b"new"
            assert fresh.request("PUT", "/bucket/large", LARGE[::-1]).status == 200
        took_s = time.monotonic() - freed
    figure(f"all is served {took_s:.2f} s after descriptors are free")
    assert took_s <= 2
    assert daemon.stop() == 0
    assert trio.run(partial(recount, scoped=False), daemon.data_dir) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="another process's limits are read by prlimit")
def test_a_daemon_takes_all_descriptors(launch_daemon: StartDaemon) -> None:
    """The soft limit that a shell sets does not hold for a daemon: 10,000 clients are more than 1,024."""
    limited = ("sh", "-c", 'ulimit -Sn 256; exec "$0" "$@"', sys.executable, "-m", "lightningstor")
    daemon: RunningDaemon = launch_daemon(command=limited)
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    assert soft == hard > 256


def until_in_flight(daemon: RunningDaemon, count: int) -> None:
    """Until so many requests are at work."""
    deadline = time.monotonic() + 10
    while metric(daemon, "lightningstor_http_requests_in_flight") < count:
        assert time.monotonic() < deadline


def read_all(client: socket.socket) -> bytes:
    pieces = []
    while piece := client.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def test_past_the_admission_limit_of_a_daemon(launch_daemon: StartDaemon, figure: Figure) -> None:
    """Four PUTs at work of four that may be: 40 others are told SlowDown at once; when the four end all are served."""
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket", config="[limits]\nmax_requests_in_flight = 4\n")
    with ExitStack() as stack:
        busy: list[socket.socket] = [stack.enter_context(connect(daemon)) for _ in range(4)]
        for number, client in enumerate(busy):
            begin(daemon, client, "PUT", f"/bucket/{number}", "Content-Length: 100000", "Connection: close")
            client.sendall(bytes(50_000))
        until_in_flight(daemon, 4)
        slowest_s = 0.0
        s3 = stack.enter_context(closing(client_of(daemon)))
        for _ in range(40):
            started = time.monotonic()
            answer = s3.request("GET", "/bucket/none")
            slowest_s = max(slowest_s, time.monotonic() - started)
            assert (answer.status, answer.element("Code")) == (503, "SlowDown")
            assert int(answer.headers["retry-after"]) >= 1
        for client in busy:
            client.sendall(bytes(50_000))
        assert [client.recv(12) for client in busy] == [b"HTTP/1.1 200"] * 4
        assert s3.request("GET", "/bucket/none").status == 404
    figure(f"limit 4: 40 of 40 told SlowDown, the slowest after {slowest_s * 1000:.0f} ms; then all served")
    assert slowest_s < 5
