"""Unary and streaming rates: our client and server against bare purerpc's, in turns, in the same run.

`python -m tests.bench.client_rates [--rounds N]`; servers run on core 0, the client on core 1. `bare` and `ours` serve
the same purerpc services with the same messages, and only what lies beneath differs; the mixed pairs show which side
costs what. `daemon` is the real one: health checks through its whole gRPC port, and GetObject of an object on its disk.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import purerpc
import trio
from attrs import frozen

from lightningstor.admin.api.endpoint import PREFIX
from lightningstor.client import CreateBucketRequest, LightningStorClient
from lightningstor.client.channel import Channel, Method, open_channel
from lightningstor.client.methods import GET_OBJECT
from lightningstor.iam.directory import ROOT_ID
from lightningstor.rpc.gen import grpc_health_v1_pb2
from lightningstor.rpc.gen.grpc_health_v1_grpc import HealthServicer, HealthStub
from lightningstor.rpc.gen.object_service_grpc import ObjectServiceServicer, ObjectServiceStub
from lightningstor.rpc.gen.object_service_pb2 import GetObjectRequest, GetObjectResponse
from tests.bench.__main__ import ACCESS, SECRET, daemon
from tests.harness.signed_http import SignedHttp

_ROOT: Final = Path(__file__).resolve().parents[2]
_PIECE: Final = 1 << 20
_PIECES: Final = 128
_CALLS: Final = 1500
_health: Any = grpc_health_v1_pb2
_CHECK: Method[Any, Any] = Method("grpc.health.v1.Health/Check", _health.HealthCheckResponse, lambda request: True)


class Health(HealthServicer):
    async def Check(self, input_message: Any) -> Any:
        return _health.HealthCheckResponse(status=1)


class Objects(ObjectServiceServicer):
    async def GetObject(self, input_message: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        content = bytes(_PIECE)
        for _ in range(_PIECES):
            yield GetObjectResponse(content=content)


async def serve(kind: str) -> None:
    """Serve until killed; the port is printed."""
    if kind == "bare":
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        port = listener.socket.getsockname()[1]
        await listener.aclose()
        server = purerpc.Server(port)
        server.add_service(Health().service)
        server.add_service(Objects().service)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve_async)
            await trio.sleep(0.3)
            print(port, flush=True)
    else:
        from lightningstor.rpc.dispatch import Dispatcher
        from tests.rpc.serving import bare_connection

        dispatch = Dispatcher((Health(), Objects()))

        async def attend(stream: trio.SocketStream) -> None:
            await bare_connection(stream, dispatch).run()

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        print(listeners[0].socket.getsockname()[1], flush=True)
        await trio.serve_listeners(attend, listeners)


class Ours:
    """Our client, on a server whose object "bench/object" has what the other servers stream."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    async def unary(self) -> None:
        await self.channel.unary(_CHECK, _health.HealthCheckRequest())

    async def stream(self) -> int:
        total = 0
        request = GetObjectRequest(bucket="bench", key="object")
        async with self.channel.streaming_down(GET_OBJECT, request) as answers:
            async for answer in answers:
                total += len(answer.content)
        return total


class Bare:
    def __init__(self, channel: Any) -> None:
        self.health, self.objects = HealthStub(channel), ObjectServiceStub(channel)

    async def unary(self) -> None:
        await self.health.Check(_health.HealthCheckRequest())

    async def stream(self) -> int:
        total = 0
        async for answer in self.objects.GetObject(GetObjectRequest()):
            total += len(answer.content)
        return total


@frozen
class Server:
    """Where a server is, and the token that it wants."""

    port: int
    token: str = ""


@asynccontextmanager
async def client(kind: str, server: Server) -> AsyncIterator[Ours | Bare]:
    if kind == "bare":
        async with purerpc.insecure_channel("127.0.0.1", server.port) as channel:
            yield Bare(channel)
    else:
        metadata = {"authorization": f"Bearer {server.token}"} if server.token else {}
        async with open_channel(f"http://127.0.0.1:{server.port}", metadata=lambda: metadata) as channel:
            yield Ours(channel)


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


async def measure(kind: str, server: Server) -> dict[str, float]:
    """Calls a second one by one, and by 32 tasks; MB a second of one stream."""
    async with client(kind, server) as calls:

        async def one_by_one() -> None:
            for _ in range(_CALLS // 2):
                await calls.unary()

        async def some() -> None:
            for _ in range(_CALLS // 32):
                await calls.unary()

        async def at_once() -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(32):
                    nursery.start_soon(some)

        async def stream() -> None:
            assert await calls.stream() == _PIECE * _PIECES

        await calls.unary()
        return {
            "unary one by one, calls/s": _CALLS // 2 / await timed(one_by_one),
            "unary 32 tasks, calls/s": _CALLS // 32 * 32 / await timed(at_once),
            "stream of 1 MiB pieces, MB/s": _PIECE * _PIECES / 1e6 / await timed(stream),
        }


@contextmanager
def bare_and_ours() -> Iterator[dict[str, Server]]:
    """Both servers of this file, each a process on core 0."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "tests.bench.client_rates", "--serve"]
    processes = {
        kind: subprocess.Popen([*command, kind], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        for kind in ("bare", "ours")
    }
    try:
        yield {kind: Server(int(process.stdout.readline())) for kind, process in processes.items() if process.stdout}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


def with_object(ready: dict[str, Any]) -> Server:
    """A daemon that holds the object."""
    admin = SignedHttp(ready["admin"], ACCESS, SECRET)
    token = json.loads(admin.request("POST", f"{PREFIX}/principals/{ROOT_ID}/tokens", b'{"ttl_s": 600}').body)["token"]
    admin.close()

    async def put() -> None:
        async with LightningStorClient.connect(f"http://{ready['grpc']}", token=token) as store:
            await store.create_bucket(CreateBucketRequest(name="bench"))
            await store.upload("bench", "object", bytes(_PIECE * _PIECES))

    trio.run(put)
    return Server(int(ready["grpc"].rpartition(":")[2]), token)


PAIRS: Final = (("bare", "bare"), ("ours", "ours"), ("ours", "daemon"), ("bare", "ours"), ("ours", "bare"))


def main() -> None:
    """Print the table: medians, and each as a share of bare purerpc's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=("bare", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(serve, options.serve)
        return
    os.sched_setaffinity(0, {1})
    found: dict[tuple[str, str], list[dict[str, float]]] = {pair: [] for pair in PAIRS}
    with tempfile.TemporaryDirectory() as folder, bare_and_ours() as servers, daemon(Path(folder)) as ready:
        servers["daemon"] = with_object(ready)
        for _ in range(options.rounds):
            for pair in PAIRS:
                found[pair].append(trio.run(measure, pair[0], servers[pair[1]]))
    for figure in found[PAIRS[0]][0]:
        medians = {pair: statistics.median(run[figure] for run in runs) for pair, runs in found.items()}
        bare = medians[PAIRS[0]]
        for (mine, theirs), rate in medians.items():
            print(f"{figure}: client {mine}, server {theirs}: {rate:,.0f}, {rate / bare:.0%} of bare purerpc")


if __name__ == "__main__":
    main()
