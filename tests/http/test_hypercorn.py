"""The same applications under hypercorn, with the guard before them."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.http.engine import HttpLimits, HttpServer, open_listeners
from lightningstor.http.hypercorn import Guard, HypercornServer
from lightningstor.http.tls import server_context
from tests.harness.certificates import CertificateAuthority
from tests.http.apps import Gate, early, endless, plain_answer, plain_mirror
from tests.http.serving import GIVE_UP_S, Answer, Client

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def _serving(
    app: Any, limits: HttpLimits | None = None, kind: Any = HypercornServer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve `app` for the block and give the port; then stop without grace, and fail if that does not end it."""
    server = kind(app, limits)
    listeners = await open_listeners("127.0.0.1", 0, tls=tls)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, listeners)
        yield listeners[0].address[1]
        server.stop(0)
        nursery.cancel_scope.deadline = trio.current_time() + GIVE_UP_S
    assert not nursery.cancel_scope.cancelled_caught


async def _connect(port: int, tls: ssl.SSLContext | None = None) -> Client:
    stream: Any = await trio.open_tcp_stream("127.0.0.1", port)
    if tls is not None:
        stream = trio.SSLStream(stream, tls, server_hostname="localhost")
    return Client(stream)


async def _ask(port: int, request: bytes) -> Answer:
    async with await _connect(port) as client:
        await client.send(request)
        return await client.answer(head_only=request.startswith(b"HEAD "))


@pytest.mark.parametrize(
    "request_bytes",
    [
        GET,
        GET.replace(b"GET", b"HEAD"),
        b"GET //a/../b%2Fc%00+?x=%20&x&&= HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a:  2 \r\n\r\n",
        b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
        b"PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x\r\n \r\n0\r\nX: y\r\n\r\n",
    ],
)
async def test_an_application_sees_and_says_the_same_under_both(request_bytes: bytes) -> None:
    """Method, raw path, query, fields, body and answer do not depend on the server."""
    answers = []
    for kind in (HttpServer, HypercornServer):
        async with _serving(plain_mirror, kind=kind) as port:
            answers.append(await _ask(port, request_bytes))
    ours, theirs = answers
    assert (ours.status, ours.whole) == (theirs.status, theirs.whole) == (200, True)
    if not request_bytes.startswith(b"HEAD"):
        assert json.loads(ours.body) == json.loads(theirs.body)


async def test_the_way_to_http_2_is_closed() -> None:
    """The preface and the upgrade of HTTP/2 get 400 and the end of the connection; no 101, no frame."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    async with _serving(plain_mirror) as port:
        for request in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", GET[:-2] + upgrade):
            async with await _connect(port) as client:
                await client.send(request)
                assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert (await _ask(port, GET)).status == 200


async def test_tls_offers_http_1_1_only(certificate_authority: CertificateAuthority) -> None:
    """ALPN leaves a client that prefers h2 with http/1.1."""
    issued = certificate_authority.issue_server()
    trust = ssl.create_default_context(cafile=str(certificate_authority.ca_file))
    trust.set_alpn_protocols(["h2", "http/1.1"])
    tls = server_context(issued.cert_file, issued.key_file)
    async with _serving(plain_mirror, tls=tls) as port, await _connect(port, trust) as client:
        await client.send(GET)
        assert json.loads((await client.answer()).body)["scheme"] == "https"
        assert client.stream.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET http://a/k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (GET[:-2] + b"X: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_the_guard_refuses_what_hypercorn_lets_through(request_bytes: bytes, status: int) -> None:
    """These end in the same refusal as under our engine, and with the connection."""
    async with _serving(plain_mirror) as port, await _connect(port) as client:
        await client.send(request_bytes)
        assert (await client.answer()).status == status
        assert await client.is_closed()


@pytest.mark.parametrize("framing", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
async def test_an_early_answer_announces_the_end(framing: bytes) -> None:
    """Where the body has not come when the answer begins, the connection ends and the answer says so."""
    async with _serving(early) as port, await _connect(port) as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.headers.get(b"connection")) == (403, b"close")
        assert await client.is_closed()


async def test_an_answer_after_the_body_leaves_the_connection_open() -> None:
    """So it does not after a request that was received whole, or that has no body."""
    put = b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    async with _serving(plain_mirror) as port, await _connect(port) as client:
        for request in (put, GET, put.replace(b"3\r\n\r\nabc", b"0\r\n\r\n"), put):
            await client.send(request)
            answer = await client.answer()
            assert (answer.status, answer.headers.get(b"connection")) == (200, None)


async def test_the_guard_limits_requests_in_flight() -> None:
    """Past the limit the answer is 503 with Retry-After."""
    gate = Gate()
    limits = HttpLimits(requests_in_flight=1, retry_after_s=3)
    async with _serving(gate, limits) as port, await _connect(port) as client:
        await client.send(GET)
        await gate.entered.wait()
        refused = await _ask(port, GET)
        assert (refused.status, refused.headers[b"retry-after"]) == (503, b"3")
        gate.open.set()
        assert (await client.answer()).status == 200


async def test_the_guard_knows_no_other_protocols() -> None:
    """Lifespan and websocket scopes are not passed on."""
    with pytest.raises(NotImplementedError):
        await Guard(plain_mirror, HttpLimits())({"type": "lifespan"}, None, None)


async def test_no_more_connections_than_allowed() -> None:
    """At the limit a new client waits for a place, and gets it."""
    gate = Gate()
    async with _serving(gate, HttpLimits(connections=1)) as port, await _connect(port) as first:
        await first.send(GET)
        await gate.entered.wait()
        async with await _connect(port) as second:
            await second.send(GET)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert gate.inside == 1
            gate.open.set()
            assert (await first.answer()).status == 200
            await first.stream.aclose()
            assert (await second.answer()).status == 200


async def test_a_connection_without_a_request_gives_its_place_back() -> None:
    """A client that connects and leaves is forgotten at once, not when its idle time is over."""
    async with _serving(plain_mirror, HttpLimits(connections=1)) as port:
        for _ in range(3):
            async with await _connect(port):
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert (await _ask(port, GET)).status == 200


async def test_a_client_that_never_reads_is_dropped() -> None:
    """hypercorn's sends are shielded, yet a stalled one ends when its limit is over."""
    async with _serving(endless, HttpLimits(write_stall_s=0.1)) as port, await _connect(port) as client:
        await client.send(GET)
        await client.more()
        await trio.sleep(0.3)
        with trio.fail_after(GIVE_UP_S):
            while await client.more():
                pass


async def test_a_client_that_never_reads_does_not_hold_up_the_end() -> None:
    """A stop ends a stalled send long before its limit would."""
    started = trio.current_time()
    async with _serving(endless, HttpLimits(write_stall_s=60)) as port:
        client = await _connect(port)
        await client.send(GET)
        await trio.testing.wait_all_tasks_blocked(0.01)
    await trio.aclose_forcefully(client.stream)
    assert trio.current_time() - started < 5


async def test_stop_waits_for_running_requests() -> None:
    """Within the grace a request under way gets its answer."""
    gate = Gate()
    server = HypercornServer(gate)
    listeners = await open_listeners("127.0.0.1", 0)
    with trio.fail_after(GIVE_UP_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            async with await _connect(listeners[0].address[1]) as client:
                await client.send(GET)
                await gate.entered.wait()
                server.stop(5)
                await trio.testing.wait_all_tasks_blocked(0.01)
                gate.open.set()
                assert (await client.answer()).body == b"at last"
    assert listeners[0].sock.fileno() == -1


async def test_an_application_that_raises_costs_a_500() -> None:
    """The server goes on."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["raw_path"] == b"/bad":
            raise RuntimeError("planted")
        await plain_answer(send, 200, b"fine")

    async with _serving(app) as port:
        assert (await _ask(port, GET.replace(b"/k", b"/bad"))).status == 500
        assert (await _ask(port, GET)).status == 200


def test_the_engine_does_not_import_hypercorn() -> None:
    """Neither the engine nor this module imports hypercorn, TLS wires or quart at start."""
    script = (
        "import sys, lightningstor.http.engine, lightningstor.http.hypercorn;"
        "print([name for name in sys.modules if name.split('.')[0] in ('hypercorn', 'h11', 'h2', 'quart')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"
