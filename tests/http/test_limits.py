"""Clients that are slow, idle or too many: PROOF 21, 23, 24, 26 with limits cut short."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.http.engine import HttpLimits
from lightningstor.http.events import HttpEventKind
from tests.harness.timing import least_of
from tests.http.apps import Gate, endless, mirror, plain_answer, plain_mirror
from tests.http.serving import GIVE_UP_S, Running, serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"
EXTENSION_OR_ASGI = pytest.mark.parametrize("app", [plain_mirror, mirror])


def _timed_out(running: Running) -> list[str]:
    return [event.detail for event in running.events if event.kind is HttpEventKind.TIMED_OUT]


async def test_a_slow_header_is_given_up() -> None:
    """A header that trickles in gets 408 and the end when its time is over, however steadily it trickles."""
    async with serving(plain_mirror, HttpLimits(header_s=0.3)) as running, await running.connect() as client:
        started = trio.current_time()
        await client.send(b"GET /k HTTP/1.1\r\nX: ")
        with trio.move_on_after(0.15):
            while True:
                await client.send(b"y")
                await trio.sleep(0.01)
        answer = await client.answer()
        assert answer.status == 408
        assert answer.headers[b"connection"] == b"close"
        assert 0.2 < trio.current_time() - started < 5
        assert await client.is_closed()
        assert _timed_out(running) == ["header"]


async def test_the_header_time_starts_with_the_first_byte() -> None:
    """Time that a connection was idle does not count against a next request's header."""
    async with serving(plain_mirror, HttpLimits(header_s=0.3)) as running, await running.connect() as client:
        for _ in range(2):
            await trio.sleep(0.4)
            await client.send(GET)
            assert (await client.answer()).status == 200


@pytest.mark.parametrize("requests", [0, 1])
async def test_an_idle_connection_is_closed_without_a_word(requests: int) -> None:
    """Before the first request and between two, an idle client just loses its connection."""
    async with serving(plain_mirror, HttpLimits(idle_s=0.2)) as running, await running.connect() as client:
        for _ in range(requests):
            await client.send(GET)
            assert (await client.answer()).status == 200
        started = trio.current_time()
        assert await client.is_closed()
        assert 0.1 < trio.current_time() - started < 5
        assert _timed_out(running) == ["idle"]


async def test_a_connection_in_use_is_not_idle() -> None:
    """A request that takes longer than every limit on the client is nobody's fault but the application's."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(0.4)
        await plain_answer(send, 200, b"")

    limits = HttpLimits(idle_s=0.1, header_s=0.1, write_stall_s=0.1, body_window_s=0.1)
    async with serving(app, limits) as running:
        assert (await running.ask(GET)).status == 200
        assert "nothing" not in _timed_out(running)


@EXTENSION_OR_ASGI
@pytest.mark.parametrize("framing", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
async def test_a_slow_body_is_given_up(app: Any, framing: bytes) -> None:
    """A body slower than the least rate over the window ends in 408."""
    limits = HttpLimits(body_window_s=0.3, body_rate=1000)
    async with serving(app, limits) as running, await running.connect() as client:
        started = trio.current_time()
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n186a0\r\n")
        with trio.move_on_after(0.15):
            while True:
                await client.send(b"x" * 4)
                await trio.sleep(0.01)
        assert (await client.answer()).status == 408
        assert 0.2 < trio.current_time() - started < 5
        assert await client.is_closed()
        assert _timed_out(running) == ["body"]


@EXTENSION_OR_ASGI
async def test_a_body_at_the_least_rate_is_not_given_up(app: Any) -> None:
    """A steady client above the rate may take longer than the window."""
    limits = HttpLimits(body_window_s=0.2, body_rate=200)
    async with serving(app, limits) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n")
        for _ in range(60):
            await client.send(b"x" * 100)
            await trio.sleep(0.01)
        assert (await client.answer()).status == 200
        assert _timed_out(running) == []


async def test_a_fast_start_buys_no_time_for_a_stall() -> None:
    """The rate is taken over each window anew: a client that was quick and then stops is given up soon."""
    limits = HttpLimits(body_window_s=0.2, body_rate=1000)
    async with serving(mirror, limits) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(40):
            await client.send(bytes(1000))
            await trio.sleep(0.01)
        assert (await client.answer()).status == 408


async def test_an_application_that_reads_slowly_is_no_slow_client() -> None:
    """Only the time in which the application waits for the client counts: here little, although all takes long."""
    wanted = trio.Semaphore(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(4):
            wanted.release()
            await receive()
            await trio.sleep(0.2)
        await plain_answer(send, 200, b"")

    limits = HttpLimits(body_window_s=0.1, body_rate=80_000)
    async with serving(app, limits) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 40000\r\n\r\n")
        for _ in range(4):
            await wanted.acquire()
            await trio.sleep(0.02)
            await client.send(bytes(10_000))
        assert (await client.answer()).status == 200
        assert _timed_out(running) == []


async def test_an_answer_that_is_not_read_is_dropped() -> None:
    """A client that stops reading loses its connection when the stall limit is over; one that reads slowly doesn't."""
    async with serving(endless, HttpLimits(write_stall_s=0.3)) as running, await running.connect() as client:
        await client.send(GET)
        for _ in range(60):
            await client.stream.receive_some(200_000)
            await trio.sleep(0.01)
        assert running.server.statistics().connections == 1
        started = trio.current_time()
        await running.until(lambda: running.server.statistics().connections == 0)
        assert trio.current_time() - started < 5
        assert _timed_out(running) == ["write"]
    assert HttpEventKind.APP_FAILED not in running.kinds()


async def test_send_raises_an_oserror_when_the_client_is_gone() -> None:
    """ASGI's send tells the application by an OSError; it may clean up and leave."""
    raised: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await endless(scope, receive, send)
        except OSError as error:
            raised.append(error)

    async with serving(app) as running:
        async with await running.connect() as client:
            await client.send(GET)
            await client.more()
        await running.until(lambda: raised)
        await running.until(lambda: running.server.statistics().connections == 0)


# How many


async def test_past_the_admission_limit_the_answer_is_503(figure: Callable[[str], None]) -> None:
    """PROOF 26: requests over the limit are turned away at once, with Retry-After, and never hang."""
    gate = Gate()
    async with serving(gate, HttpLimits(requests_in_flight=8, retry_after_s=7)) as running:
        clients = [await running.connect() for _ in range(40)]
        for client in clients:
            await client.send(GET)
        await running.until(lambda: running.kinds().count(HttpEventKind.OVERLOADED) == 32)
        assert gate.inside == 8
        statuses = []
        gate.open.set()
        for client in clients:
            answer = await client.answer()
            statuses.append(answer.status)
            if answer.status == 503:
                assert answer.headers[b"retry-after"] == b"7"
                assert b"connection" not in answer.headers
        for client in clients:
            await client.send(GET)
            assert (await client.answer()).status == 200
            await trio.aclose_forcefully(client.stream)
    assert sorted(statuses) == [200] * 8 + [503] * 32
    figure(f"admission limit 8, 40 at once: {statuses.count(200)} served, {statuses.count(503)} told 503, 0 hung")


async def test_an_overloaded_server_does_not_read_bodies() -> None:
    """A 503 to a request with a body ends the connection; on HEAD it has no body."""
    gate = Gate()
    async with serving(gate, HttpLimits(requests_in_flight=1)) as running, await running.connect() as client:
        await client.send(GET)
        await gate.entered.wait()
        put = await running.ask(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (put.status, put.headers[b"connection"]) == (503, b"close")
        head = await running.ask(GET.replace(b"GET", b"HEAD"))
        assert (head.status, head.body) == (503, b"")


async def test_at_the_connection_limit_the_longest_idle_makes_room() -> None:
    """A new client gets in although the limit is reached, as long as one is idle; the busy ones stay."""
    gate = Gate()
    async with serving(gate, HttpLimits(connections=3)) as running:
        async with await running.connect() as busy, await running.connect() as idle:
            await busy.send(GET)
            await gate.entered.wait()
            third = await running.connect()
            await third.send(GET)
            await running.until(lambda: gate.inside == 2)
            async with third, await running.connect() as fourth:
                await fourth.send(GET)
                assert await idle.is_closed()
                await running.until(lambda: gate.inside == 3)
                gate.open.set()
                for client in (busy, third, fourth):
                    assert (await client.answer()).status == 200
        assert running.kinds().count(HttpEventKind.EVICTED) >= 1


async def test_at_the_connection_limit_accepting_pauses() -> None:
    """When all are busy a new client waits, and is served as soon as one has left."""
    gate = Gate()
    async with serving(gate, HttpLimits(connections=2)) as running:
        first, second = await running.connect(), await running.connect()
        async with first, second:
            await first.send(GET)
            await second.send(GET)
            await running.until(lambda: gate.inside == 2)
            third = await running.connect()
            await third.send(GET)
            await trio.testing.wait_all_tasks_blocked()
            assert (gate.inside, running.server.statistics().connections) == (2, 2)
            await trio.aclose_forcefully(first.stream)
            gate.open.set()
            assert (await second.answer()).status == 200
            await second.stream.aclose()
            async with third:
                assert (await third.answer()).status == 200


_OUT_OF_DESCRIPTORS = """
    import os, resource, socket, time
    import trio
    from lightningstor.http.engine import HttpServer, open_listeners

    GET = b"GET /k HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n"
    failures = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def served(port):
        with socket.create_connection(("127.0.0.1", port), 5) as sock:
            sock.sendall(GET)
            return sock.recv(100).startswith(b"HTTP/1.1 200")

    async def main():
        server = HttpServer(app, on_event=lambda event: failures.append(event) if event.error else None)
        listeners = await open_listeners("127.0.0.1", 0)
        port = listeners[0].address[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            assert await trio.to_thread.run_sync(served, port)
            waiting = socket.socket()
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
            hogs = []
            try:
                while True:
                    hogs.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
            await trio.to_thread.run_sync(waiting.connect, ("127.0.0.1", port))
            while not failures:
                await trio.sleep(0.01)
            await trio.sleep(0.3)
            refused = len(failures)
            for fd in hogs:
                os.close(fd)
            freed = time.monotonic()
            waiting.settimeout(5)
            waiting.sendall(GET)
            answer = await trio.to_thread.run_sync(waiting.recv, 100)
            assert answer.startswith(b"HTTP/1.1 200")
            print(refused, time.monotonic() - freed)
            waiting.close()
            server.stop(0)

    trio.run(main)
"""


async def test_running_out_of_descriptors_is_survived(figure: Callable[[str], None]) -> None:
    """PROOF 24: while accept gives EMFILE the server backs off; with descriptors free it serves within 2 s."""
    script = [sys.executable, "-c", textwrap.dedent(_OUT_OF_DESCRIPTORS)]
    with trio.fail_after(20):
        done = await trio.run_process(script, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    refused, seconds = done.stdout.split()
    assert 1 <= int(refused) <= 10
    assert float(seconds) <= 2
    figure(
        f"EMFILE on accept {int(refused)} times (once per 0.1 s), serving {float(seconds):.2f} s after they are free"
    )


_SCARCE = """
    import resource, trio
    from lightningstor.http.engine import HttpServer, open_listeners

    async def app(scope, receive, send):
        await scope["extensions"]["lightningstor.exchange"].respond(200, [], b"ok")

    async def main():
        listeners = await open_listeners("127.0.0.1", 0)
        print(listeners[0].address[1], flush=True)
        await HttpServer(app).serve(listeners)

    resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
    trio.run(main)
"""


async def test_idle_connections_do_not_keep_the_descriptors() -> None:
    """When idle clients hold every descriptor that there is, a new one gets in within 2 s all the same."""
    async with trio.open_nursery() as nursery:
        script = [sys.executable, "-c", textwrap.dedent(_SCARCE)]
        process = await nursery.start(partial(trio.run_process, script, stdout=subprocess.PIPE, check=False))
        with trio.fail_after(20):
            port = int(await process.stdout.receive_some())
            idle = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(100)]
            started = trio.current_time()
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(GET)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK")
            assert trio.current_time() - started < 2
        for stream in idle:
            await trio.aclose_forcefully(stream)
        process.terminate()
        await process.stdout.aclose()


_IDLE = """
    import resource, socket, sys, time, trio
    from lightningstor.http.engine import HttpServer, HttpLimits, open_listeners

    async def app(scope, receive, send):
        await scope["extensions"]["lightningstor.exchange"].respond(200, [(b"content-length", b"4096")], bytes(4096))

    def resident():
        for line in open("/proc/self/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1])

    async def main():
        server = HttpServer(app, HttpLimits(connections=20000))
        listeners = await open_listeners("127.0.0.1", 0, backlog=4096)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            print(listeners[0].address[1], flush=True)
            async with trio.lowlevel.FdStream(0) as commands:
                async for command in commands:
                    print(resident(), server.statistics().connections, flush=True)
            server.stop(0)

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    trio.run(main)
"""


def _quantile_ms(port: int, requests: int) -> float:
    """The 99th percentile of a GET's time over one connection."""
    times = []
    with socket.create_connection(("127.0.0.1", port), GIVE_UP_S) as sock:
        for _ in range(requests):
            started = time.perf_counter()
            sock.sendall(GET)
            left = 4096
            while left > 0:
                data = sock.recv(65_536)
                left -= len(data.partition(b"\r\n\r\n")[2] or data)
            times.append(time.perf_counter() - started)
    return sorted(times)[requests * 99 // 100] * 1000


@pytest.mark.proof
def test_idle_connections_cost_little(proof_full: bool, figure: Callable[[str], None]) -> None:
    """PROOF 23: 10,000 idle connections take at most 300 MiB and leave the p99 of a GET below twice what it was."""
    count = 10_000 if proof_full else 1_000
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_IDLE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            before_ms = min(_quantile_ms(port, 1000) for _ in range(3))
            process.stdin.write("x")
            process.stdin.flush()
            before_kib, _ = map(int, process.stdout.readline().split())
            sockets = [socket.create_connection(("127.0.0.1", port), GIVE_UP_S) for _ in range(count)]
            for sock in sockets[::2]:
                sock.sendall(GET)
            for sock in sockets[::2]:
                sock.recv(65_536)
            limit_ms = 2 * before_ms + 1
            after_ms = least_of(lambda: _quantile_ms(port, 1000), limit_ms)
            process.stdin.write("x")
            process.stdin.flush()
            after_kib, connections = map(int, process.stdout.readline().split())
        finally:
            process.stdin.close()
    for sock in sockets:
        sock.close()
    assert connections >= count
    each_kib = (after_kib - before_kib) / count
    figure(
        f"{count} idle connections: {(after_kib - before_kib) / 1024:.0f} MiB ({each_kib:.1f} KiB each),"
        f" p99 of GET {before_ms:.2f} → {after_ms:.2f} ms"
    )
    assert each_kib * 10_000 <= 300 * 1024
    assert after_ms <= limit_ms
