"""What a request costs above its socket: HTTP, authentication, routing, store, answer; no kernel, no task switch.

    python -m tests.bench.app_get [--profile | --opcodes] [--only WORD]

Drives a connection of the HTTP engine in process, its wire a list of bytes, with the S3 app over SQLite in a temporary
directory, and prints µs of CPU and calls (Python's and C's) per request.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import socket
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import trio

from lightningstor.http.connection import Connection
from lightningstor.http.engine import HttpLimits, HttpServer
from lightningstor.http.wire import Bytes, SocketWire, Ticker
from lightningstor.observe.metrics import Metrics
from lightningstor.store.api import StoreLimits
from tests.bench.opcodes import print_opcodes
from tests.s3.client import Client
from tests.s3.conftest import service_over
from tests.store.conftest import disk_store

PAYLOAD = bytes(range(256)) * 16
Request = Callable[[], Awaitable[None]]


class BenchWire(SocketWire):
    """A socket that has one request to read, and takes what is written to it."""

    def __init__(self, ticker: Ticker, limits: HttpLimits) -> None:
        self._left, self._right = socket.socketpair()
        super().__init__(self._left, ticker, limits)
        self.incoming = b""
        self.written: Bytes = b""

    async def wait_read(self, limit: int) -> bytes:
        return self.incoming

    async def write(self, data: Bytes) -> None:
        self.written = data

    async def write_last(self, data: bytes) -> None:
        self.written = data

    async def write_all(self, pieces: Sequence[Bytes]) -> None:
        self.written = bytes(pieces[0])


def signed_request(client: Client, method: str, path: str, query: str = "", body: bytes = b"", **more: str) -> Request:
    """A signed request that can be sent again and again, with more headers."""
    headers = {"host": client.host, **more}
    if method == "PUT":
        headers["content-length"] = str(len(body))
    headers |= client.sign(method, path, query, headers, hashlib.sha256(body).hexdigest())
    target = f"{path}?{query}" if query else path
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    server = HttpServer(client.app)
    wire = BenchWire(server.ticker, server.limits)
    wire.incoming = "\r\n".join((*lines, "", "")).encode() + body
    connection = Connection(server, wire, ("127.0.0.1", 50_000), ("127.0.0.1", 9000), None)

    async def send() -> None:
        assert await connection.serve_one()
        assert bytes(wire.written[9:12]) == b"200", wire.written

    return send


async def _measure(name: str, request: Request, count: int, profile: bool, opcodes: bool) -> None:
    for _ in range(max(count // 10, 3)):
        await request()
    rounds = []
    for _ in range(20):
        started = time.process_time()
        for _ in range(count):
            await request()
        rounds.append((time.process_time() - started) / count * 1e6)
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(100):
        await request()
    profiler.disable()
    stats = pstats.Stats(profiler)
    least, middle = min(rounds), statistics.median(rounds)
    print(f"{name:24} least {least:8.1f}, median {middle:8.1f} µs CPU {stats.total_calls / 100:8.0f} calls")
    if profile:
        stats.sort_stats("tottime").print_stats(45)
    if opcodes:
        await print_opcodes(request, 1)


async def _main(profile: bool, opcodes: bool, only: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        async with disk_store(Path(root), StoreLimits()) as store:
            service = service_over(store, observer=Metrics())
            client = service.client()
            assert (await client.put("/bench")).status == 200
            assert (await client.put("/bench/object", PAYLOAD)).status == 200
            for index in range(1000):
                await client.put(f"/bench/list/{index:08d}-0123456789abcdef", b"x")
            requests = [
                ("GET 4 KiB", signed_request(client, "GET", "/bench/object"), 500),
                ("HEAD", signed_request(client, "HEAD", "/bench/object"), 500),
                ("PUT 4 KiB, one by one", signed_request(client, "PUT", "/bench/put", "", PAYLOAD), 100),
                ("LIST 1,000", signed_request(client, "GET", "/bench", "list-type=2&prefix=list%2F"), 5),
            ]
            for name, request, count in requests:
                if only in name:
                    await _measure(name, request, count, profile, opcodes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    parser.add_argument("--opcodes", action="store_true", help="count opcodes by function")
    parser.add_argument("--only", default="", help="only requests whose name holds this")
    options = parser.parse_args()
    trio.run(_main, options.profile, options.opcodes, options.only)
