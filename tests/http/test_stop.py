"""Starting and stopping a server: nothing is left behind, nothing waits longer than the grace period."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.http.engine import HttpLimits, HttpServer, open_listeners
from lightningstor.http.listener import Listener
from tests.http.apps import Gate, endless, plain_answer, plain_mirror
from tests.http.serving import GIVE_UP_S, serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_running_requests_finish_and_idle_connections_end() -> None:
    """stop() closes what is idle at once, lets the running request finish, and then ends its connection."""
    gate = Gate()
    async with serving(gate) as running:
        busy, idle, half = [await running.connect() for _ in range(3)]
        async with busy, idle, half:
            await busy.send(GET + GET)
            await half.send(b"GET /k HTTP/1.1\r\n")
            await gate.entered.wait()
            await trio.testing.wait_all_tasks_blocked()
            running.server.stop(5)
            assert await idle.is_closed()
            assert await half.is_closed()
            with pytest.raises(OSError, match="onnect"):
                await trio.open_tcp_stream("127.0.0.1", running.port)
            assert not running.done.is_set()
            gate.open.set()
            answer = await busy.answer()
            assert (answer.status, answer.headers[b"connection"]) == (200, b"close")
            assert await busy.is_closed()
        with trio.fail_after(GIVE_UP_S):
            await running.done.wait()
        assert running.server.statistics().requests_total == 1
        assert gate.cancelled == 0


async def test_a_stop_between_two_requests_is_not_missed() -> None:
    """However a stop falls in with the end of a request, the connection does not stay for the grace period."""
    for _ in range(20):

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await plain_answer(send, 200, b"")
            if scope["raw_path"] == b"/last":
                nursery.start_soon(stop)

        async def stop() -> None:
            running.server.stop(60)

        limits = HttpLimits(drain_s=0.01)
        async with trio.open_nursery() as nursery, serving(app, limits) as running, await running.connect() as client:
            for path in (b"/k", b"/k", b"/last"):
                await client.send(GET.replace(b"/k", path))
                assert (await client.answer()).status == 200
            with trio.fail_after(GIVE_UP_S):
                await running.done.wait()


async def test_after_the_grace_requests_are_cancelled() -> None:
    """What still runs is cancelled when the grace period is over."""
    gate = Gate()
    async with serving(gate) as running, await running.connect() as client:
        await client.send(GET)
        await gate.entered.wait()
        started = trio.current_time()
        running.server.stop(0.2)
        await running.done.wait()
        assert 0.15 < trio.current_time() - started < 5
        assert gate.cancelled == 1
        assert await client.is_closed()


async def test_a_client_that_never_reads_does_not_hold_up_the_end(figure: Callable[[str], None]) -> None:
    """PROOF 22 for the engine: with 100 uploads under way and a reader that never reads, grace and no more."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            await endless(scope, receive, send)
        while True:
            await receive()

    async with serving(app) as running:
        clients = [await running.connect() for _ in range(101)]
        await clients[0].send(GET)
        for client in clients[1:]:
            await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc")
        await running.until(lambda: running.server.statistics().requests_in_flight == 101)
        started = trio.current_time()
        running.server.stop(0.3)
        await running.done.wait()
        seconds = trio.current_time() - started
        for client in clients:
            await trio.aclose_forcefully(client.stream)
    assert seconds < 0.3 + 2
    figure(f"stop with 100 uploads and a client that never reads, grace 0.3 s: over after {seconds:.2f} s")


async def test_a_second_stop_may_shorten_the_grace() -> None:
    """stop(0) after stop(60) ends at once; a longer grace after a shorter one changes nothing."""
    gate = Gate()
    async with serving(gate) as running, await running.connect() as client:
        await client.send(GET)
        await gate.entered.wait()
        running.server.stop(60)
        running.server.stop(0)
        running.server.stop(60)
        with trio.fail_after(1):
            await running.done.wait()


async def test_cancelling_serve_ends_everything_at_once() -> None:
    """No grace, and no socket left open."""
    gate = Gate()
    server = HttpServer(gate)
    listeners = await open_listeners("127.0.0.1", 0)
    port = listeners[0].address[1]
    with trio.fail_after(GIVE_UP_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(GET)
                await gate.entered.wait()
                nursery.cancel_scope.cancel()
    assert gate.cancelled == 1
    assert server.statistics().connections == 0
    assert listeners[0].sock.fileno() == -1


async def test_a_stop_while_accepting_is_paused_ends_the_server() -> None:
    """A server at its connection limit stops like any other."""
    gate = Gate()
    limits = HttpLimits(connections=1, drain_s=0.1)
    async with serving(gate, limits) as running, await running.connect() as client:
        await client.send(GET)
        await gate.entered.wait()
        async with await running.connect():
            await trio.testing.wait_all_tasks_blocked()
            running.server.stop(60)
            gate.open.set()
            assert (await client.answer()).status == 200
            with trio.fail_after(GIVE_UP_S):
                await running.done.wait()


async def test_statistics_follow_connections_and_requests() -> None:
    """The figures go up and come down again."""
    gate = Gate()
    async with serving(gate) as running, await running.connect() as client:
        await client.send(GET)
        await gate.entered.wait()
        busy = running.server.statistics()
        assert (busy.connections, busy.requests_in_flight, busy.requests_total) == (1, 1, 1)
        gate.open.set()
        await client.answer()
        await running.until(lambda: running.server.statistics().requests_in_flight == 0)


# Listeners


def _close_all(listeners: list[Listener]) -> None:
    for listener in listeners:
        listener.close()


async def test_a_taken_port_is_an_error() -> None:
    """A second server on the same port fails at start and names the address; the first goes on."""
    first = await open_listeners("127.0.0.1", 0)
    port = first[0].address[1]
    with pytest.raises(OSError, match=f"127.0.0.1 port {port}") as caught:
        await open_listeners("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    _close_all(first)


async def test_a_port_can_be_taken_again_at_once() -> None:
    """Connections in TIME_WAIT do not keep a restarted server from its port."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        await client.send(GET)
        await client.answer()
        running.server.stop(0)
        await running.done.wait()
        port = running.port
    _close_all(await open_listeners("127.0.0.1", port))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost"])
async def test_the_bound_address_is_known(host: str) -> None:
    """Port 0 becomes a real one, the same on every address of the host, and the URL works."""
    if ":" in host and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    listeners = await open_listeners(host, 0)
    ports = {listener.address[1] for listener in listeners}
    assert len(ports) == 1
    assert 0 not in ports
    for listener in listeners:
        with socket.create_connection(listener.address, 5):
            pass
        expected = "[::1]" if ":" in listener.address[0] else "127.0.0.1"
        assert listener.url == f"http://{expected}:{listener.address[1]}"
    _close_all(listeners)


class _TwoAddresses(trio.abc.HostnameResolver):
    """Resolves every name to two loopback addresses."""

    async def getaddrinfo(self, host: Any, port: Any, *more: Any, **others: Any) -> Any:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", int(port))), (*kind, ("127.0.0.2", int(port)))]

    async def getnameinfo(self, sockaddr: Any, flags: Any) -> Any:
        raise NotImplementedError


async def test_a_host_of_several_addresses_is_all_or_nothing() -> None:
    """All its addresses get the same port; when one of them is taken, none stays open."""
    trio.socket.set_custom_hostname_resolver(_TwoAddresses())
    listeners = await open_listeners("two.example", 0)
    port = listeners[0].address[1]
    assert [listener.address for listener in listeners] == [("127.0.0.1", port), ("127.0.0.2", port)]
    listeners[0].close()
    with pytest.raises(OSError, match=r"127\.0\.0\.2") as caught:
        await open_listeners("two.example", port)
    again = await open_listeners("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    _close_all([*listeners, *again])


@pytest.mark.parametrize("host", [None, "", "::"])
async def test_all_addresses_include_ipv4(host: str | None) -> None:
    """No host, or "::", takes IPv4 connections as well, on one port."""
    listeners = await open_listeners(host, 0)
    with socket.create_connection(("127.0.0.1", listeners[0].address[1]), 5):
        pass
    if _has_ipv6():
        with socket.create_connection(("::1", listeners[0].address[1]), 5):
            pass
    _close_all(listeners)


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
async def test_an_address_that_is_not_ours_is_an_error_that_names_it(host: str) -> None:
    """Unknown names and foreign addresses fail at start."""
    with pytest.raises(OSError, match=host):
        await open_listeners(host, 0)


async def test_requests_over_ipv6_are_served() -> None:
    """client and server in the scope are (host, port) there too."""
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await plain_answer(send, 200, b"")

    server = HttpServer(app)
    listeners = await open_listeners("::1", 0)
    with trio.fail_after(GIVE_UP_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            async with await trio.open_tcp_stream("::1", listeners[0].address[1]) as stream:
                await stream.send_all(GET)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK")
            server.stop(0)
    assert scopes[0]["client"][0] == "::1"
    assert scopes[0]["server"] == ("::1", listeners[0].address[1])


@pytest.mark.parametrize("name", ["header_bytes", "idle_s", "connections", "grace_s"])
def test_limits_must_be_positive(name: str) -> None:
    """A limit of 0 is a mistake, not "none"."""
    with pytest.raises(ValueError, match=name):
        HttpLimits(**{name: 0})
