"""Rates of the whole gRPC path against bare purerpc's, in turns in the same run.

`python -m tests.bench.rpc_rates [--rounds N] [--profile]`; servers run on core 0, the client on core 1. "ours" is our
client and the server as the daemon has it, over a store on disk: callers known, operations authorised, bytes verified.
Bare purerpc answers a constant, and streams pieces of 1 MiB out of memory.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import trio

from lightningstor.client.channel import Channel, open_channel
from lightningstor.client.methods import GET_OBJECT, HEAD_OBJECT, PUT_OBJECT, UPLOAD_PART
from lightningstor.rpc.gen import object_service_pb2 as objects
from lightningstor.rpc.server import RpcServer, open_rpc_listeners
from lightningstor.store.api import ObjectDraft, UploadDraft, WriteConditions
from lightningstor.store.sources import BytesSource
from tests.bench.client_rates import Ours as Plain
from tests.bench.client_rates import client, timed

_ROOT: Final = Path(__file__).resolve().parents[2]
_SIZE: Final = 128 << 20
_CALLS: Final = 1000
CONDITIONS: Final = WriteConditions()


async def serve(profile: bool) -> None:
    """Serve a store until standard input ends; the port and an upload's id are printed."""
    from lightningstor.daemon.grpc_port import explain_to_grpc
    from tests.rpc.serving import backing_of
    from tests.s3.conftest import ROOT
    from tests.store.conftest import disk_store

    with tempfile.TemporaryDirectory() as folder:
        async with disk_store(Path(folder)) as store, trio.open_nursery() as nursery:
            await store.buckets.create("bucket", ROOT.owner, org_id="default", project_id=None, region="us-east-1")
            draft = ObjectDraft(ROOT.owner)
            await store.puts.put("bucket", "large", draft, BytesSource(bytes(_SIZE)), CONDITIONS)
            await store.puts.put("bucket", "small", draft, BytesSource(bytes(4096)), CONDITIONS)
            upload = await store.uploads.create("bucket", "parts", UploadDraft(draft))
            server = RpcServer(lambda: True, explain_to_grpc, backing=backing_of(store, Deaf()))
            listeners = await open_rpc_listeners("127.0.0.1", 0)
            nursery.start_soon(server.run, listeners)
            print(listeners[0].socket.getsockname()[1], upload.upload_id, flush=True)
            profiler: Any = None
            if profile:
                import cProfile

                profiler = cProfile.Profile()
                profiler.enable()
            await trio.to_thread.run_sync(sys.stdin.read)
            if profiler is not None:
                profiler.disable()
                profiler.dump_stats("rpc.prof")
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Channel]:
    """Our client in root's name."""
    token = {"authorization": "Bearer token-root"}
    async with open_channel(f"http://127.0.0.1:{port}", metadata=lambda: token) as channel:
        yield channel


async def rates(unary: Callable[[], Awaitable[Any]], calls: int = _CALLS) -> tuple[float, float]:
    """Calls a second, one by one and by 32 tasks."""

    async def some(number: int) -> None:
        for _ in range(number):
            await unary()

    async def at_once() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(32):
                nursery.start_soon(some, calls // 32)

    await unary()
    return calls / 2 / await timed(lambda: some(calls // 2)), calls // 32 * 32 / await timed(at_once)


async def bare(port: int) -> dict[str, float]:
    """purerpc's rates."""
    async with client("bare", port) as calls:
        alone, many = await rates(calls.unary)
        return {"one by one": alone, "32 tasks": many, "stream": _SIZE / 1e6 / await timed(calls.stream)}


async def ours(port: int, upload: str) -> dict[str, float]:
    """Ours, and of what the store does besides."""
    async with connected(port) as channel:
        found: dict[str, float] = {}
        found["one by one"], found["32 tasks"] = await rates(Plain(channel).unary)
        named = {"bucket": "bucket", "key": "small"}
        for name, work in (
            ("HeadObject", lambda: channel.unary(HEAD_OBJECT, objects.HeadObjectRequest(**named))),
            ("GetObject of 4 KiB", lambda: download(channel, "small")),
            (
                "PutObject of 4 KiB",
                lambda: channel.unary(PUT_OBJECT, objects.PutObjectRequest(**named, content=bytes(4096))),
            ),
        ):
            found[f"{name} one by one"], found[f"{name} 32 tasks"] = await rates(work, _CALLS // 2)
        await download(channel, "large")
        found["stream"] = _SIZE / 1e6 / await timed(lambda: download(channel, "large"))

        async def messages() -> AsyncGenerator[Any, None]:
            yield objects.UploadPartRequest(upload_id=upload, part_number=1)
            piece = bytes(1 << 20)
            for _ in range(_SIZE >> 20):
                yield objects.UploadPartRequest(content=piece)

        found["UploadPart"] = _SIZE / 1e6 / await timed(lambda: channel.streaming_up(UPLOAD_PART, messages))
        return found


async def download(channel: Channel, key: str) -> None:
    """Read an object to its end."""
    async with channel.streaming_down(GET_OBJECT, objects.GetObjectRequest(bucket="bucket", key=key)) as answers:
        async for _ in answers:
            pass


class Deaf:
    """An observer that keeps nothing."""

    closed = False

    async def admit(self) -> None:
        """See `Observer`."""

    def operation_done(self, record: Any) -> None:
        """See `Observer`."""


def main() -> None:
    """Print medians, and ours as a share of bare purerpc's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="leave rpc.prof, of the server")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(serve, options.profile)
        return
    os.sched_setaffinity(0, {1})
    pinned = ["taskset", "-c", "0", sys.executable, "-m"]
    pipes: dict[str, Any] = {"cwd": _ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    purerpc = subprocess.Popen([*pinned, "tests.bench.client_rates", "--serve", "bare"], **pipes)
    more = ["--profile"] if options.profile else []
    store = subprocess.Popen([*pinned, "tests.bench.rpc_rates", "--serve", *more], **pipes)
    try:
        bare_port = int(purerpc.stdout.readline())
        port, upload = store.stdout.readline().split()
        found: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
        for _ in range(options.rounds):
            found["bare"].append(trio.run(bare, bare_port))
            found["ours"].append(trio.run(ours, int(port), upload))
        store.communicate("", timeout=30)
    finally:
        for process in (purerpc, store):
            process.kill()
            process.wait()
    base = {name: statistics.median(run[name] for run in found["bare"]) for name in found["bare"][0]}
    for name in found["ours"][0]:
        rate = statistics.median(run[name] for run in found["ours"])
        share = f", bare purerpc {base[name]:,.0f}: {rate / base[name]:.0%}" if name in base else ""
        print(f"{name}: {rate:,.0f}{' MB/s' if name in ('stream', 'UploadPart') else ' calls/s'}{share}")


if __name__ == "__main__":
    main()
