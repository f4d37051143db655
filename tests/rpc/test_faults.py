"""What goes wrong beneath a call: peers that vanish, stall, flood or lie. Nothing is left of any of it."""

from __future__ import annotations

import gc
import os
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import h2.events
import h2.settings
import pytest
import trio
import trio.testing

from lightningstor.rpc.connection import RpcConnection
from lightningstor.rpc.framing import frame
from lightningstor.rpc.limits import RpcLimits
from tests.rpc.conftest import Both, both_over
from tests.rpc.raw import RawClient, raw_client
from tests.rpc.serving import Failed, failed, in_thread, objects, part_messages
from tests.store.conftest import disk_store

GET = "/lightningstor.v1.ObjectService/GetObject"
UPLOAD = "/lightningstor.v1.ObjectService/UploadPart"
ROOT = ("authorization", "Bearer token-root")
WANTED = frame(objects.GetObjectRequest(bucket="bucket", key="key").SerializeToString())
LARGE = os.urandom(1 << 20) * 24


def leftovers(root: Path) -> tuple[int, int, set[Path]]:
    """Tasks, descriptors, and the files of the store."""
    gc.collect()
    files = {path for path in (root / "chunks").rglob("*") if path.is_file()}
    return trio.lowlevel.current_statistics().tasks_living, len(os.listdir("/proc/self/fd")), files


@asynccontextmanager
async def nothing_left(root: Path, **limits: Any) -> AsyncIterator[Both]:
    """S3 and gRPC over a store on disk, with a bucket; in the end it is as when the block began."""
    async with (
        disk_store(root) as store,
        both_over(store, limits=RpcLimits(**{"grace_s": 1, **limits})) as both,
    ):
        await both.rpc.call("CreateBucket", name="bucket")
        yield both
        await both.server.wait_no_connections_but(1)


class Watch:
    """Notes what there is, and waits until it is so again."""

    def __init__(self, both: Both, root: Path) -> None:
        self.both, self.root = both, root
        self.before = leftovers(root)

    async def settled(self) -> None:
        """Until nothing more is there than before, within five seconds."""
        deadline = trio.current_time() + 5
        while (now := leftovers(self.root)) != self.before or self.both.server.room.taken:
            assert trio.current_time() < deadline, (self.before[:2], now[:2], now[2] - self.before[2])
            await trio.sleep(0.02)


async def watching(both: Both, root: Path) -> Watch:
    """From a moment at which all earlier calls have ended."""
    await trio.testing.wait_all_tasks_blocked(0.02)
    return Watch(both, root)


async def open_upload(both: Both) -> str:
    """The id of a new upload."""
    upload: str = (await both.rpc.call("CreateMultipartUpload", bucket="bucket", key="key")).upload_id
    return upload


def begin_part(client: RawClient, upload: str, size: int, *more: tuple[str, str]) -> int:
    """Start an UploadPart, send `size` bytes of a message of 2 MiB, and leave it so."""
    stream: int = client.h2.get_next_available_stream_id()
    headers = [(":method", "POST"), (":scheme", "http"), (":path", UPLOAD), (":authority", "x"), ROOT, *more]
    client.h2.send_headers(stream, [*headers, ("content-type", "application/grpc")])
    first = frame(objects.UploadPartRequest(upload_id=upload, part_number=1, content=bytes(40_000)).SerializeToString())
    rest = struct.pack(">BI", 0, 2 << 20) + bytes(size)
    for piece in (first, rest):
        for at in range(0, len(piece), 16_384):
            client.h2.send_data(stream, piece[at : at + 16_384])
    client.flush()
    return stream


@pytest.mark.parametrize("way", ["killed", "reset"])
async def test_uploads_that_are_given_up(tmp_path: Path, way: str) -> None:
    """Twenty clients that vanish, or reset their call, in the midst of a part: no task, descriptor, file or room."""
    async with nothing_left(tmp_path) as both:
        upload = await open_upload(both)
        watch = await watching(both, tmp_path)

        def vanish() -> None:
            clients = [raw_client(both.port) for _ in range(20)]
            streams = [begin_part(client, upload, 0) for client in clients]
            for client, stream in zip(clients, streams, strict=True):
                client.h2.ping(b"12345678")
                client.flush()
                client.read_until(h2.events.PingAckReceived)
                if way == "reset":
                    client.h2.reset_stream(stream)
                    client.flush()
                client.socket.close()

        await in_thread(vanish)
        await watch.settled()
        assert not (await both.rpc.call("ListParts", bucket="bucket", key="key", upload_id=upload)).parts
        assert {record.outcome for record in both.records.seen if record.operation == "UploadPart"} == {"aborted"}


async def test_a_cancelled_download(tmp_path: Path) -> None:
    """grpcio's cancel ends the handler; the object's bytes are let go."""
    async with nothing_left(tmp_path) as both:
        await both.rpc.upload("bucket", "key", [LARGE])
        watch = await watching(both, tmp_path)
        rpc = both.rpc

        def cancel() -> None:
            call = rpc.channel.unary_stream(
                GET, lambda message: message.SerializeToString(), objects.GetObjectResponse.FromString
            )
            answers = call(objects.GetObjectRequest(bucket="bucket", key="key"), metadata=[ROOT], timeout=20)
            next(answers)
            answers.cancel()

        await in_thread(cancel)
        await watch.settled()


async def test_deadlines_end_handlers(tmp_path: Path) -> None:
    """grpc-timeout ends a call that waits for its client, and one whose answer the client does not take."""
    async with nothing_left(tmp_path) as both:
        await both.rpc.upload("bucket", "key", [LARGE])
        upload = await open_upload(both)
        watch = await watching(both, tmp_path)

        def ask() -> list[bytes]:
            client = raw_client(both.port)
            begin_part(client, upload, 0, ("grpc-timeout", "200m"))
            waited = client.read_until(h2.events.ResponseReceived)
            client.start_call(GET, WANTED, ROOT, ("grpc-timeout", "200m"))
            sent = client.read_until(h2.events.TrailersReceived)
            client.socket.close()
            return [dict(event.headers)[b"grpc-status"] for event in (waited, sent)]

        assert await in_thread(ask) == [b"4", b"4"]
        await watch.settled()


async def test_a_message_that_does_not_come(tmp_path: Path) -> None:
    """Who begins a message and stalls is told RequestTimeout; the room it had goes to those who wait."""
    async with nothing_left(tmp_path, message_s=0.5, room_bytes=4 << 20) as both:
        upload = await open_upload(both)
        watch = await watching(both, tmp_path)
        stalled: list[RawClient] = []

        def stall() -> None:
            for _ in range(6):
                client = raw_client(both.port)
                begin_part(client, upload, 10_000)
                stalled.append(client)

        def end() -> set[bytes]:
            codes = set()
            for client in stalled:
                answered = client.read_until(h2.events.ResponseReceived)
                codes.add(dict(answered.headers)[b"grpc-status"])
                client.socket.close()
            return codes

        await in_thread(stall)
        assert both.server.room.taken <= both.server.room.limit
        await both.rpc.put("bucket", "other", bytes(4_000_000))
        assert await in_thread(end) == {b"4"}
        await both.rpc.call("DeleteObject", bucket="bucket", key="other")
        await both.store.collector.run()
        await watch.settled()


def greedy(port: int, calls: int) -> RawClient:
    """A client with the widest windows that asks for an object several times and reads nothing."""
    client = raw_client(port)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: (1 << 31) - 1})
    client.h2.increment_flow_control_window((1 << 31) - 1 - 65_535)
    for _ in range(calls):
        client.start_call(GET, WANTED, ROOT)
    return client


def resident() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


async def test_readers_that_never_read(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """40 calls of 10 clients for 24 MiB each, nothing read: memory stays bounded, and the stall limit ends them."""
    async with nothing_left(tmp_path, write_stall_s=1.0) as both:
        await both.rpc.upload("bucket", "key", [LARGE])
        for _ in range(3):
            await both.rpc.get("bucket", "key")
        watch = await watching(both, tmp_path)
        before = resident()
        clients = await in_thread(lambda: [greedy(both.port, 4) for _ in range(10)])
        most = 0
        with trio.move_on_after(0.8):
            while True:
                most = max(most, resident() - before)
                await trio.sleep(0.02)
        figure(f"40 GetObject of 24 MiB that nobody reads: {most / (1 << 20):.0f} MiB more memory")
        assert most < 96 << 20
        await both.server.wait_no_connections_but(1)
        for client in clients:
            client.socket.close()
        await watch.settled()


async def test_a_window_that_never_opens(tmp_path: Path) -> None:
    """A client that reads, but gives no room in its window, is dropped after the stall limit."""
    async with nothing_left(tmp_path, write_stall_s=0.5) as both:
        await both.rpc.upload("bucket", "key", [LARGE])
        watch = await watching(both, tmp_path)

        def ask() -> int:
            client = raw_client(both.port)
            client.start_call(
                GET, frame(objects.GetObjectRequest(bucket="bucket", key="key").SerializeToString()), ROOT
            )
            received = 0
            while data := client.socket.recv(65_536):
                received += len(data)
            client.socket.close()
            return received

        assert await in_thread(ask) < 70_000
        await watch.settled()


async def test_other_calls_go_on_beside_a_stalled_one(tmp_path: Path) -> None:
    """On the same connection: one call's closed window holds no other up."""
    async with nothing_left(tmp_path) as both:
        await both.rpc.upload("bucket", "key", [LARGE])
        await both.rpc.put("bucket", "small", b"data")

        def ask() -> bytes:
            client = raw_client(both.port)
            client.h2.increment_flow_control_window(1 << 20)
            client.start_call(
                GET, frame(objects.GetObjectRequest(bucket="bucket", key="key").SerializeToString()), ROOT
            )
            request = objects.GetObjectRequest(bucket="bucket", key="small").SerializeToString()
            stream = client.start_call(GET, frame(request), ROOT)
            while True:
                event = client.read_until(h2.events.DataReceived)
                if event.stream_id == stream:
                    client.socket.close()
                    return bytes(event.data)

        assert (await in_thread(ask)).endswith(b"data")


BAD_HEADERS = [
    ("x-a", "b\r\nx-evil: 1"), ("x-a", "b\0c"), ("x-a", "b\nc"), ("x\r\ny", "b"), ("X-Upper", "b"),
    ("connection", "close"), ("transfer-encoding", "chunked"), (":unknown", "x"), ("te", "gzip"),
]  # fmt: skip


@pytest.mark.parametrize("header", BAD_HEADERS, ids=lambda header: repr(header[0] + header[1]))
async def test_bad_headers(both: Both, header: tuple[str, str]) -> None:
    """A header that HTTP/2 forbids ends its stream or its connection (CVE-2025-57804); no handler sees the call."""
    await both.rpc.call("CreateBucket", name="bucket")
    await trio.testing.wait_all_tasks_blocked(0.01)
    seen = len(both.records.seen)

    def ask() -> Any:
        client = raw_client(both.port)
        client.h2.config.validate_outbound_headers = False
        request = objects.PutObjectRequest(bucket="bucket", key="key", content=b"x").SerializeToString()
        client.start_call("/lightningstor.v1.ObjectService/PutObject", frame(request), ROOT, header)
        answer = client.read_until((h2.events.StreamReset, h2.events.ConnectionTerminated))
        client.socket.close()
        return answer

    assert await in_thread(ask) is not None
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(both.records.seen) == seen
    assert (await both.rpc.fails("GetObject", bucket="bucket", key="key")).reason == "NoSuchKey"


async def test_a_message_that_lies_about_its_size(both: Both) -> None:
    """One that announces 4 GiB is refused when it has said so, and nothing is kept for it."""

    def ask() -> dict[bytes, bytes]:
        client = raw_client(both.port)
        client.start_call("/lightningstor.v1.ObjectService/PutObject", b"\0\xff\xff\xff\xffabc", ROOT)
        answer = client.read_until(h2.events.ResponseReceived)
        client.socket.close()
        return dict(answer.headers)

    assert (await in_thread(ask))[b"grpc-status"] == b"8"


async def test_idle_connections(tmp_path: Path) -> None:
    """Without a call a connection ends after the limit; with one it stays."""
    async with nothing_left(tmp_path, idle_s=0.3) as both:

        def ask() -> tuple[bool, bool]:
            idle, busy = raw_client(both.port), raw_client(both.port)
            idle.read_until(h2.events.RemoteSettingsChanged)
            busy.start_call("/grpc.health.v1.Health/Watch", frame(b""))
            busy.read_until(h2.events.DataReceived)
            ended = idle.read_until(h2.events.DataReceived) is None
            busy.h2.ping(b"12345678")
            busy.flush()
            alive = busy.read_until(h2.events.PingAckReceived) is not None
            idle.socket.close()
            busy.socket.close()
            return ended, alive

        assert await in_thread(ask) == (True, True)


async def test_what_comes_as_time_runs_out_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that comes at the very end of the idle time, while a call stays, has its answer all the same."""
    read = RpcConnection._read

    async def late(connection: RpcConnection) -> bytes:
        data = await read(connection)
        if data[3:4] == b"\x06":  # a PING
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
        return data

    monkeypatch.setattr(RpcConnection, "_read", late)
    async with nothing_left(tmp_path, idle_s=0.3) as both:

        def ask() -> bool:
            client = raw_client(both.port)
            client.start_call("/grpc.health.v1.Health/Watch", frame(b""))
            client.read_until(h2.events.DataReceived)
            client.h2.ping(b"12345678")
            client.flush()
            answered = client.read_until(h2.events.PingAckReceived) is not None
            client.socket.close()
            return answered

        assert await in_thread(ask)


@pytest.mark.parametrize("block", ["first", "last"])
async def test_stored_bytes_that_went_bad(tmp_path: Path, block: str) -> None:
    """DATA_LOSS: before any message for the first block, behind good ones for a later one; never wrong bytes."""
    async with nothing_left(tmp_path) as both:
        rpc = both.rpc
        before = leftovers(tmp_path)[2]
        await rpc.put("bucket", "key", LARGE[: 3 << 20])
        chunks = sorted(leftovers(tmp_path)[2] - before, key=lambda path: path.name)
        damaged = chunks[0] if block == "first" else chunks[-1]
        data = bytearray(damaged.read_bytes())
        data[10 if block == "first" else (1 << 20) - 10] ^= 1
        damaged.write_bytes(data)
        received = b""

        def read() -> Failed:
            nonlocal received
            call = rpc.channel.unary_stream(
                GET, lambda message: message.SerializeToString(), objects.GetObjectResponse.FromString
            )
            try:
                for answer in call(objects.GetObjectRequest(bucket="bucket", key="key"), metadata=[ROOT], timeout=20):
                    received += answer.content
            except grpc.RpcError as error:
                return failed(error)
            raise AssertionError("it was read to its end")

        error = await in_thread(read)
        assert (error.status, error.reason) == ("DATA_LOSS", "InternalError")
        assert LARGE.startswith(received)
        assert len(received) == 0 if block == "first" else len(received) >= 1 << 20


_OUT_OF_DESCRIPTORS = """
    import os, resource, socket, time, grpc, trio
    from tests.rpc.serving import CHECKED, serving, unary

    def check(port):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            return unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=20)

    async def main():
        async with serving() as (server, port):
            assert await trio.to_thread.run_sync(check, port) == CHECKED
            await server.wait_no_connections()
            await trio.sleep(0.2)
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
            waiting = socket.socket()
            hogs = []
            try:
                while True:
                    hogs.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            await trio.to_thread.run_sync(waiting.connect, ("127.0.0.1", port))
            await trio.sleep(0.3)
            for fd in hogs:
                os.close(fd)
            freed = time.monotonic()
            assert await trio.to_thread.run_sync(check, port) == CHECKED
            print(time.monotonic() - freed)
            waiting.close()

    trio.run(main)
"""


async def test_running_out_of_descriptors_is_survived(figure: Callable[[str], None]) -> None:
    """While accept gives EMFILE the server backs off; with descriptors free it serves within 2 s (PROOF 24)."""
    done = await in_thread(
        lambda: subprocess.run(
            [sys.executable, "-c", textwrap.dedent(_OUT_OF_DESCRIPTORS)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    )
    assert done.returncode == 0, done.stderr
    assert "trying again" in done.stderr
    assert float(done.stdout) <= 2
    figure(f"gRPC after EMFILE: serving {float(done.stdout):.2f} s after descriptors are free")


async def test_parts_flow_through_a_small_window(tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Messages larger than a window come through while calls are many: back-pressure never becomes a deadlock."""
    async with nothing_left(tmp_path, window_bytes=65_535, room_bytes=4 << 20) as both:
        upload = await open_upload(both)

        async def send(number: int) -> None:
            await both.rpc.call("UploadPart", parts=part_messages(upload, number, LARGE[: 4 << 20]))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for number in range(1, 9):
                    nursery.start_soon(send, number)
        listed = await both.rpc.call("ListParts", bucket="bucket", key="key", upload_id=upload)
        assert [part.size for part in listed.parts] == [4 << 20] * 8
