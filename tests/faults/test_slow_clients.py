"""Clients of a real daemon that send or read too slowly, each dropped by the limit that it breaks (PROOF 21)."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import ExitStack, closing

from attrs import frozen

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.raw_s3 import begin, connect, metric
from tests.harness.signed_http import SignedHttp

_SLACK_S = 5.0
"""Limits are swept once a second or so, and the machine may be busy."""


@frozen
class Limits:
    header_s: float
    body_window_s: float
    write_stall_s: float

    @property
    def config(self) -> str:
        return (
            f"[limits]\nheader_timeout_seconds = {self.header_s}\n"
            f"body_rate_window_seconds = {self.body_window_s}\nwrite_stall_seconds = {self.write_stall_s}\n"
        )


DEFAULTS = Limits(10.0, 30.0, 60.0)
SHORT = Limits(1.0, 2.0, 2.0)


def trickle(client: socket.socket, data: bytes, pause_s: float) -> tuple[float, bytes]:
    """Send `data` over and over, slowly, until an answer comes; after how long, and its first bytes."""
    started = time.monotonic()
    while not select.select([client], [], [], pause_s)[0]:
        client.sendall(data)
    return time.monotonic() - started, client.recv(12)


def slow_header(daemon: RunningDaemon) -> tuple[float, bytes]:
    with connect(daemon) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        return trickle(client, b"y", 0.1)


def slow_body(daemon: RunningDaemon) -> tuple[float, bytes]:
    """Half a KiB a second."""
    with connect(daemon) as client:
        begin(daemon, client, "PUT", "/bucket/slow", f"Content-Length: {1 << 20}")
        return trickle(client, bytes(51), 0.1)


def unread_answer(daemon: RunningDaemon) -> tuple[float, bytes]:
    """A GET of far more than any buffer holds, of which nothing is read."""
    with connect(daemon, receive_buffer=4096) as client:
        begin(daemon, client, "GET", "/bucket/large")
        select.select([client], [], [])
        started = time.monotonic()
        poll = select.poll()
        poll.register(client, select.POLLERR | select.POLLHUP)
        assert poll.poll(120_000), "it was never dropped"
        return time.monotonic() - started, b""


def test_slow_clients_are_dropped(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """A slow header and a slow body are told 408, an unread answer is cut, each when its time is over; others go on."""
    limits = DEFAULTS if proof_full else SHORT
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket", config="" if proof_full else limits.config)
    found: dict[str, tuple[float, bytes]] = {}
    with ExitStack() as stack:
        s3 = stack.enter_context(closing(SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)))
        assert s3.request("PUT", "/bucket/large", bytes(32 << 20)).status == 200
        threads = [
            threading.Thread(target=lambda work=work: found.update({work.__name__: work(daemon)}))
            for work in (slow_header, slow_body, unread_answer)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert s3.request("HEAD", "/bucket/large").status == 200
            time.sleep(0.2)
        assert s3.request("GET", "/bucket/slow").status == 404
        assert metric(daemon, "lightningstor_http_requests_in_flight") == 0
    for work, limit_s in (
        ("slow_header", limits.header_s),
        ("slow_body", limits.body_window_s),
        ("unread_answer", limits.write_stall_s),
    ):
        took_s, answer = found[work]
        figure(f"{work.replace('_', ' ')}: dropped after {took_s:.1f} s, limit {limit_s:g} s")
        assert limit_s * 0.5 < took_s <= limit_s + _SLACK_S
        assert answer == (b"" if work == "unread_answer" else b"HTTP/1.1 408")
