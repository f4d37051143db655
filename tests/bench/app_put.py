"""What a signed PUT of 4 KiB costs above its socket: HTTP, S3, store and durable commit, at many connections at once.

    python -m tests.bench.app_put [--connections N] [--count N] [--profile | --opcodes]

As `tests.bench.app_get`, but with so many connections at work that commits are shared, as they are under load.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import pstats
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import trio

from lightningstor.http.connection import Connection
from lightningstor.http.engine import HttpServer
from lightningstor.observe.metrics import Metrics
from lightningstor.store.api import StoreLimits
from tests.bench.app_get import PAYLOAD, BenchWire
from tests.bench.opcodes import print_opcodes
from tests.s3.client import Client
from tests.s3.conftest import service_over
from tests.store.conftest import disk_store


def _requests(client: Client, numbers: Iterator[int]) -> Iterator[bytes]:
    """Signed PUTs of new keys."""
    digest = hashlib.sha256(PAYLOAD).hexdigest()
    for number in numbers:
        path = f"/bench/put4k/{number:08d}"
        headers = {"host": client.host, "content-length": str(len(PAYLOAD))}
        headers |= client.sign("PUT", path, "", headers, digest)
        lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        yield "\r\n".join((*lines, "", "")).encode() + PAYLOAD


async def _connection(server: HttpServer, requests: list[bytes]) -> None:
    wire = BenchWire(server.ticker, server.limits)
    connection = Connection(server, wire, ("127.0.0.1", 50_000), ("127.0.0.1", 9000), None)
    while requests:
        wire.incoming = requests.pop()
        await trio.lowlevel.checkpoint()
        assert await connection.serve_one()
        assert bytes(wire.written[9:12]) == b"200", wire.written


async def _round(server: HttpServer, requests: list[bytes], connections: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(connections):
            nursery.start_soon(_connection, server, requests)


async def _main(connections: int, count: int, profile: bool, opcodes: bool) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as root:
        async with disk_store(Path(root), StoreLimits()) as store:
            client = service_over(store, observer=Metrics()).client()
            assert (await client.put("/bench")).status == 200
            server = HttpServer(client.app)
            numbers = iter(range(100_000_000))

            def some(many: int) -> list[bytes]:
                made = _requests(client, numbers)
                return [next(made) for _ in range(many)]

            await _round(server, some(2000), connections)
            costs = []
            for _ in range(7):
                requests = some(count)
                started = time.process_time()
                await _round(server, requests, connections)
                costs.append((time.process_time() - started) / count * 1e6)
            print(f"PUT of 4 KiB: {', '.join(f'{cost:.1f}' for cost in sorted(costs))} µs CPU")
            if profile:
                profiler = cProfile.Profile()
                requests = some(1000)
                profiler.enable()
                await _round(server, requests, connections)
                profiler.disable()
                stats = pstats.Stats(profiler)
                print(f"{sum(row.callcount for row in profiler.getstats()) / 1000:.0f} calls")
                stats.sort_stats("tottime").print_stats(70)
            if opcodes:
                await print_opcodes(partial(_round, server, some(320), connections), 320)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    parser.add_argument("--opcodes", action="store_true", help="count opcodes by function")
    options = parser.parse_args()
    trio.run(_main, options.connections, options.count, options.profile, options.opcodes)
