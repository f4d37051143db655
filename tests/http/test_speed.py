"""What the engine costs by itself, with an application that answers at once. Run by `make bench`."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.bench

_SERVER = """
    import trio
    from lightningstor.http.engine import HttpServer, open_listeners

    SMALL = bytes(4096)
    LARGE = bytes(1 << 20)
    FIELDS = [
        (b"content-type", b"application/octet-stream"),
        (b"etag", b'"d41d8cd98f00b204e9800998ecf8427e"'),
        (b"last-modified", b"Sun, 22 Nov 2026 14:17:46 GMT"),
        (b"x-amz-request-id", b"0123456789ABCDEF"),
        (b"accept-ranges", b"bytes"),
    ]

    async def app(scope, receive, send):
        respond = scope["extensions"]["lightningstor.exchange"].respond
        if scope["method"] == "PUT":
            receive_some = scope["extensions"]["lightningstor.exchange"].receive_some
            while await receive_some():
                pass
            await respond(200, [(b"content-length", b"0")])
        elif scope["raw_path"] == b"/large":
            await respond(200, [*FIELDS, (b"content-length", b"%d" % (64 << 20))], b"", True)
            for n in range(64):
                await send({"type": "http.response.body", "body": LARGE, "more_body": n < 63})
        else:
            await respond(200, [*FIELDS, (b"content-length", b"4096")], SMALL)

    async def main():
        listeners = await open_listeners("127.0.0.1", 0)
        print(listeners[0].address[1], flush=True)
        await HttpServer(app).serve(listeners)

    trio.run(main)
"""


@pytest.fixture
def server() -> Iterator[tuple[int, int]]:
    """A server pinned to the first core: its port and process id. The test itself goes to the last."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(_SERVER)], stdout=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, cores[:1])
    os.sched_setaffinity(0, cores[-1:])
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process.pid
    finally:
        os.sched_setaffinity(0, cores)
        process.terminate()
        process.communicate()


def _cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_small_answers(server: tuple[int, int], figure: Callable[[str], None]) -> None:
    """GET of 4 KiB over 32 connections."""
    if shutil.which("wrk") is None:
        pytest.skip("needs wrk: apt-get install wrk")
    port, pid = server
    started = _cpu_s(pid)
    load = ["wrk", "-t1", "-c32", "-d5", f"http://127.0.0.1:{port}/small"]
    out = subprocess.run(load, capture_output=True, text=True, check=True, timeout=60).stdout
    used_s = _cpu_s(pid) - started
    assert "Non-2xx" not in out
    assert "Socket errors" not in out
    requests = int(re.findall(r"(\d+) requests in", out)[0])
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", out)[0])
    figure(f"GET 4 KiB, 32 connections: {rate:,.0f}/s, {used_s / requests * 1e6:.1f} µs of CPU each")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_large_bodies(server: tuple[int, int], method: str, figure: Callable[[str], None]) -> None:
    """64 MiB in pieces of 1 MiB over one connection, the best of ten."""
    port, pid = server
    size = 64 << 20
    piece = memoryview(bytearray(1 << 20))
    best_s = float("inf")
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        before_s = _cpu_s(pid)
        for _ in range(10):
            started = time.perf_counter()
            if method == "GET":
                sock.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
                left = size + len(_head(sock))
                while left > 0:
                    left -= sock.recv_into(piece)
            else:
                sock.sendall(b"PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
                for _ in range(64):
                    sock.sendall(piece)
                assert b" 200 " in sock.recv(65_536)
            best_s = min(best_s, time.perf_counter() - started)
        used_s = (_cpu_s(pid) - before_s) / 10
    figure(f"{method} 64 MiB: {size / best_s / 1e9:.2f} GB/s at best, {used_s * 1000:.1f} ms of CPU each")


def _head(sock: socket.socket) -> bytes:
    """The head of the answer that is about to come, left in the socket."""
    while b"\r\n\r\n" not in (seen := sock.recv(4096, socket.MSG_PEEK)):
        pass
    return seen[: seen.index(b"\r\n\r\n") + 4]
