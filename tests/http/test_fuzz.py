"""Bytes of all kinds thrown at a running server: no exception leaves a connection, nothing hangs, service goes on."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import trio

from lightningstor.http.engine import HttpLimits
from lightningstor.http.events import HttpEventKind
from tests.http.apps import early, mirror, plain_mirror
from tests.http.serving import Running, serving

_STARTS = [
    b"%b %b HTTP/1.1\r\nHost: a\r\n" % (method, path)
    for method in (b"GET", b"PUT", b"HEAD", b"POST")
    for path in (b"/k", b"/early")
] + [b"GET /k HTTP/1.0\r\n"]
_ENDS = [
    b"\r\n",
    b"\r\n",
    b"Connection: close\r\n\r\n",
    b"Content-Length: 0\r\n\r\n",
    b"Content-Length: 5\r\n\r\nhello",
    b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    b"Content-Length: 5\r\n\r\nhel",
    b"Content-Length: 70000\r\n\r\n" + b"y" * 70_000,
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
]
_GRAINS = [
    b"GET /k HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: close\r\n",
    b"Upgrade: h2c\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\0",
    b" ",
    b"x" * 20_000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def _input(rng: random.Random) -> bytes:
    """A request with something wrong, many requests, or noise."""
    if rng.random() < 0.1:
        return rng.randbytes(rng.randrange(300))
    requests = []
    for _ in range(rng.randrange(1, 5)):
        grains = rng.choices(_GRAINS, k=rng.choice([0, 0, 0, 1, 2]))
        requests.append(rng.choice(_STARTS) + b"".join(grains) + rng.choice(_ENDS))
    data = bytearray(b"".join(requests))
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


async def _throw(running: Running, data: bytes, rng: random.Random) -> bytes:
    """Send `data` in pieces on a connection of its own; everything that comes back until the server ends it."""
    client = await running.connect()
    async with client:
        try:
            for _ in range(rng.randrange(1, 4)):
                cut = rng.randrange(len(data) + 1)
                await client.send(data[:cut])
                data = data[cut:]
            await client.send(data)
            await client.finish()
        except trio.BrokenResourceError:
            pass
        return await client.rest()


async def test_no_input_hurts_the_server(proof_full: bool, figure: Callable[[str], None]) -> None:
    """Every input gets answers of HTTP or none, the connection ends, and nothing is logged as a failure."""
    count = 20_000 if proof_full else 1_000

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kind = early if scope["raw_path"] == b"/early" else rng.choice([mirror, plain_mirror])
        await kind(scope, receive, send)

    limits = HttpLimits(drain_s=0.2, reuse_drain_bytes=1000)
    async with serving(app, limits) as running:
        for seed in range(count):
            rng = random.Random(seed)
            data = _input(rng)
            answers = await _throw(running, data, rng)
            assert not answers or re.match(rb"HTTP/1\.1 [1-5]\d\d ", answers), (seed, data, answers)
        await running.until(lambda: running.server.statistics().connections == 0)
        statistics = running.server.statistics()
    assert HttpEventKind.APP_FAILED not in running.kinds()
    figure(
        f"{count} seeds: {statistics.requests_total} requests, {statistics.refused_total} refusals,"
        " 0 exceptions, 0 hangs"
    )
