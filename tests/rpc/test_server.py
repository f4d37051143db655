"""The gRPC port with grpcio as a foreign client: health, reflection, and how calls and connections end."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
import trio
from hyperframe.frame import WindowUpdateFrame

from lightningstor.rpc.framing import frame
from lightningstor.rpc.gen import grpc_health_v1_pb2, grpc_reflection_v1_pb2, grpc_reflection_v1alpha_pb2
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.server import open_rpc_listeners
from tests.rpc.raw import raw_client
from tests.rpc.serving import failure, in_thread, serving, unary

CHECK = "/grpc.health.v1.Health/Check"
health: Any = grpc_health_v1_pb2
SERVING = health.HealthCheckResponse(status=1).SerializeToString()
NOT_SERVING = health.HealthCheckResponse(status=2).SerializeToString()


async def test_health_follows_the_daemon() -> None:
    """Check tells whether the daemon is ready, of the whole and of a service; an unknown service is NOT_FOUND."""
    ready = True

    def ask() -> list[object]:
        nonlocal ready
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = unary(channel, CHECK)
            named = health.HealthCheckRequest(service="grpc.health.v1.Health").SerializeToString()
            other = health.HealthCheckRequest(service="no.Such").SerializeToString()
            answers: list[object] = [check(b"", timeout=10), check(named, timeout=10), failure(check, other)[0]]
            ready = False
            return [*answers, check(b"", timeout=10)]

    async with serving(ready=lambda: ready) as (_, port):
        assert await in_thread(ask) == [SERVING, SERVING, grpc.StatusCode.NOT_FOUND, NOT_SERVING]


async def test_a_watch_sees_the_server_stop() -> None:
    """Watch gives the status at once, and NOT_SERVING when the server stops, which ends it."""
    seen: list[bytes] = []

    def watch() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_stream(
                "/grpc.health.v1.Health/Watch",
                request_serializer=lambda message: message,
                response_deserializer=lambda message: message,
            )
            for answer in call(b"", timeout=20):
                seen.append(answer)
                if len(seen) == 1:
                    trio.from_thread.run_sync(server.stop)

    async with serving() as (server, port):
        await in_thread(watch)
    assert seen == [SERVING, NOT_SERVING]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection(version: str) -> None:
    """The services are listed, and the descriptor of each can be had; an unknown symbol is told so."""
    messages: Any = grpc_reflection_v1_pb2 if version == "v1" else grpc_reflection_v1alpha_pb2

    def ask() -> list[Any]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.stream_stream(
                f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=messages.ServerReflectionResponse.FromString,
            )
            request = messages.ServerReflectionRequest
            asked = [request(list_services=""), request(file_containing_symbol="grpc.health.v1.Health")]
            return list(call(iter([*asked, request(file_containing_symbol="no.Such")]), timeout=10))

    async with serving() as (_, port):
        listed, described, unknown = await in_thread(ask)
    names = [service.name for service in listed.list_services_response.service]
    assert names == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    ]
    assert b"HealthCheckRequest" in described.file_descriptor_response.file_descriptor_proto[0]
    assert unknown.error_response.error_code == 5


async def test_calls_that_are_refused_leave_the_connection_usable() -> None:
    """An unknown method, a broken, an oversized and a compressed message: each its status, then a good call."""

    def ask() -> list[object]:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check = unary(channel, CHECK)
            return [
                failure(unary(channel, "/a.b/C"), b"")[0],
                failure(check, b"\xff\xff")[0],
                failure(check, bytes(5 << 20))[0],
                failure(check, bytes(1000), compression=grpc.Compression.Gzip)[0],
                check(b"", timeout=10),
            ]

    async with serving() as (_, port):
        assert await in_thread(ask) == [
            grpc.StatusCode.UNIMPLEMENTED,
            grpc.StatusCode.INVALID_ARGUMENT,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.UNIMPLEMENTED,
            SERVING,
        ]


async def test_vanished_clients_leave_nothing() -> None:
    """Twenty clients with an open call that are gone without a word: their calls and connections end."""

    def vanish() -> None:
        for _ in range(20):
            client = raw_client(port)
            client.start_call("/grpc.health.v1.Health/Watch", frame(b""))
            client.read_until(h2.events.DataReceived)
            client.socket.close()

    async with serving() as (server, port):
        await in_thread(vanish)
        with trio.fail_after(10):
            await server.wait_no_connections()


async def test_a_deadline_ends_the_call() -> None:
    """grpc-timeout is kept by the server; one that cannot be read is INVALID_ARGUMENT."""

    def ask(timeout: str) -> str:
        client = raw_client(port)
        client.start_call("/grpc.health.v1.Health/Watch", frame(b""), ("grpc-timeout", timeout))
        ended = client.read_until(h2.events.TrailersReceived if timeout == "50m" else h2.events.ResponseReceived)
        client.socket.close()
        return str({bytes(name): bytes(value) for name, value in ended.headers})

    async with serving() as (_, port):
        assert "b'grpc-status': b'4'" in await in_thread(lambda: ask("50m"))
        assert "b'grpc-status': b'3'" in await in_thread(lambda: ask("soon"))


async def test_a_flood_of_resets_ends_the_connection() -> None:
    """More resets than allowed in the window: GOAWAY with ENHANCE_YOUR_CALM; other clients go on."""

    def flood() -> object:
        client = raw_client(port)
        for _ in range(30):
            stream = client.h2.get_next_available_stream_id()
            headers = [(":method", "POST"), (":scheme", "http"), (":path", CHECK), (":authority", "x")]
            client.h2.send_headers(stream, [*headers, ("content-type", "application/grpc")])
            client.h2.reset_stream(stream)
        client.flush()
        gone = client.read_until(h2.events.ConnectionTerminated)
        client.socket.close()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert unary(channel, CHECK)(b"", timeout=10) == SERVING
        return gone.error_code if gone else None

    async with serving(RpcLimits(resets=20, grace_s=1)) as (_, port):
        assert await in_thread(flood) == 11


async def test_a_reset_on_the_heels_of_its_data_is_survived() -> None:
    """Data, a reset and the next call in one packet: the first is forgotten, the second answered."""

    def ask() -> str:
        client = raw_client(port)
        stream = client.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":path", CHECK), (":authority", "x")]
        client.h2.send_headers(stream, [*headers, ("content-type", "application/grpc")])
        client.h2.send_data(stream, b"\0\0")
        client.h2.reset_stream(stream)
        client.start_call(CHECK, frame(b""))
        ended = client.read_until(h2.events.TrailersReceived)
        client.socket.close()
        return str({bytes(name): bytes(value) for name, value in ended.headers})

    async with serving() as (_, port):
        assert "b'grpc-status': b'0'" in await in_thread(ask)


async def test_room_given_to_a_call_that_is_over_is_no_error() -> None:
    """A WINDOW_UPDATE that comes after its stream's end, as it may: the connection goes on."""

    def ask() -> int:
        client = raw_client(port)
        for _ in range(2):
            stream = client.start_call(CHECK, frame(b""))
            client.read_until(h2.events.StreamEnded)
        client.socket.sendall(WindowUpdateFrame(stream - 2, window_increment=5).serialize())
        client.start_call(CHECK, frame(b""))
        answered: int = client.read_until(h2.events.StreamEnded).stream_id - stream
        client.socket.close()
        return answered

    async with serving() as (_, port):
        assert await in_thread(ask) == 2


@pytest.mark.parametrize("greeting", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\nXX"])
async def test_what_is_no_http2_is_closed(greeting: bytes) -> None:
    """Another protocol ends the connection; it is not waited for."""

    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(greeting)
            received = b""
            while data := client.recv(4096):
                received += data
            return received

    async with serving() as (server, port):
        await in_thread(ask)
        assert not server.connections


async def test_silent_connections_are_closed() -> None:
    """A client that says nothing is closed after the limit for the first frame."""

    def wait() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            while client.recv(4096):
                pass

    async with serving(RpcLimits(first_frame_s=0.1, grace_s=1)) as (_, port):
        await in_thread(wait)


async def test_a_taken_port_is_an_error() -> None:
    """A second server on the same port fails loudly."""
    async with serving() as (_, port):
        with pytest.raises(OSError, match=r"[Aa]ddress already in use"):
            await open_rpc_listeners("127.0.0.1", port)


def test_generated_code_is_current() -> None:
    """What lies in rpc/gen is what the .proto files give."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "lightningstor.rpc.generate", "--check"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
