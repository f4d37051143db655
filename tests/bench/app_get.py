"""What a request costs in the app: authentication, routing, store, answer; no HTTP engine, no sockets.

    python -m tests.bench.app_get [--profile]

Drives the ASGI app in process over SQLite in a temporary directory, with the engine's short ways in and out
(`lightningstor.http.exchange`), and prints µs of CPU and Python calls per request.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

from lightningstor.observe.metrics import Metrics
from lightningstor.store.api import StoreLimits
from tests.s3.client import Client
from tests.s3.conftest import service_over
from tests.store.conftest import disk_store

PAYLOAD = bytes(range(256)) * 16
Request = Callable[[], Awaitable[None]]


class _Engine:
    """The part of the HTTP engine that the app sees."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 0

    async def receive_some(self, most: int = 1 << 20) -> bytes:
        piece, self._body = self._body, b""
        return piece

    async def respond(self, status: int, headers: Any, body: Any = b"", more_body: bool = False) -> None:
        self.status = status


def _request(client: Client, method: str, path: str, query: str = "", body: bytes = b"") -> Request:
    """A signed request that can be sent again and again."""
    headers = {"host": client.host}
    if method == "PUT":
        headers["content-length"] = str(len(body))
    headers |= client.sign(method, path, query, headers, hashlib.sha256(body).hexdigest())
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw_path, raw_query = path.encode(), query.encode()

    async def send() -> None:
        engine = _Engine(body)
        scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": raw_path,
            "query_string": raw_query,
            "headers": pairs,
            "extensions": {"lightningstor.body": engine, "lightningstor.respond": engine.respond},
        }
        await client.app(scope, None, None)
        assert engine.status == 200, engine.status

    return send


async def _measure(name: str, request: Request, count: int, profile: bool) -> None:
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


async def _main(profile: bool, only: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        async with disk_store(Path(root), StoreLimits()) as store:
            service = service_over(store, observer=Metrics())
            client = service.client()
            assert (await client.put("/bench")).status == 200
            assert (await client.put("/bench/object", PAYLOAD)).status == 200
            for index in range(1000):
                await client.put(f"/bench/list/{index:08d}-0123456789abcdef", b"x")
            requests = [
                ("GET 4 KiB", _request(client, "GET", "/bench/object"), 500),
                ("HEAD", _request(client, "HEAD", "/bench/object"), 500),
                ("PUT 4 KiB, one by one", _request(client, "PUT", "/bench/put", "", PAYLOAD), 100),
                ("LIST 1,000", _request(client, "GET", "/bench", "list-type=2&prefix=list%2F"), 5),
            ]
            for name, request, count in requests:
                if only in name:
                    await _measure(name, request, count, profile)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    parser.add_argument("--only", default="", help="only requests whose name holds this")
    options = parser.parse_args()
    trio.run(_main, options.profile, options.only)
