"""Requests and answers that keep to the rules: what the application is told, and what leaves the socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.http.engine import HttpLimits
from lightningstor.http.events import HttpEventKind
from tests.http.apps import early, mirror, plain_answer, plain_mirror, read_body
from tests.http.serving import Client, serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"
MIRRORS = pytest.mark.parametrize("app", [plain_mirror, mirror])


def _seen(body: bytes) -> dict[str, Any]:
    return dict(json.loads(body))


@MIRRORS
async def test_path_and_query_come_as_on_the_wire(app: Any) -> None:
    """raw_path and query_string are the bytes of the request line; nothing is decoded, merged or resolved in them."""
    async with serving(app) as running:
        answer = await running.ask(b"GET //a/../b%2Fc%00+%zz//?x=%20&x&&=? HTTP/1.1\r\nHost: a\r\n\r\n")
    seen = _seen(answer.body)
    assert seen["raw_path"] == "//a/../b%2Fc%00+%zz//"
    assert seen["query"] == "x=%20&x&&=?"
    assert seen["path"] == "//a/../b/c\0+%zz//"


@MIRRORS
async def test_header_names_are_lowered_and_values_trimmed(app: Any) -> None:
    """Fields come in the order they were sent, repeated ones too."""
    async with serving(app) as running:
        answer = await running.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-B: \t 1 2 \t\r\nx-a:\r\nX-b: \xff\r\n\r\n")
    assert _seen(answer.body)["headers"] == [["host", "a"], ["x-b", "1 2"], ["x-a", ""], ["x-b", "\xff"]]


async def test_scope_names_both_ends() -> None:
    """client and server are the addresses of the connection, scheme and version what they should be."""
    scopes: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await plain_answer(send, 200, b"")

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET)
        await client.answer()
        own = client.stream.socket.getsockname()
    scope = scopes[0]
    assert scope["client"] == own
    assert scope["server"] == ("127.0.0.1", running.port)
    assert (scope["type"], scope["scheme"], scope["http_version"]) == ("http", "http", "1.1")
    assert scope["asgi"]["version"] == "3.0"


@MIRRORS
@pytest.mark.parametrize("size", [0, 1, 4096, 65_536, 3_000_000])
async def test_bodies_with_a_length_arrive_whole(app: Any, size: int) -> None:
    """A body with Content-Length comes whole, and the next request on the connection is read where it ends."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]

    async def digest(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    async with serving(digest) as running, await running.connect() as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + body)
            first = await client.answer()
        await client.send(GET)
        second = await client.answer()
    assert _seen(first.body)["body"].encode("latin-1") == body
    assert _seen(second.body)["method"] == "GET"


@MIRRORS
async def test_chunked_bodies_arrive_decoded(app: Any) -> None:
    """Chunks are joined, extensions and trailer fields dropped, and the next request is read after the trailer."""
    chunked = b'5;ext="a b"\r\nhello\r\n1\r\n \r\n00A\r\nwonderful!\r\n0;x\r\nX-Trailer: 1\r\nY: 2\r\n\r\n'
    async with serving(app) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + GET)
        first = await client.answer()
        second = await client.answer()
    assert _seen(first.body)["body"] == "hello wonderful!"
    assert _seen(second.body)["method"] == "GET"


async def test_pieces_are_no_longer_than_asked_for() -> None:
    """receive_some keeps to max_bytes, with bytes that are buffered, and with chunked bodies."""
    sizes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while piece := await scope["extensions"]["lightningstor.exchange"].receive_some(10):
            sizes.append(len(piece))
        await plain_answer(send, 200, b"")

    body = b"x" * 95
    async with serving(app) as running:
        await running.ask(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 95\r\n\r\n" + body)
        assert (sum(sizes), max(sizes)) == (95, 10)
        sizes.clear()
        chunked = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5f\r\n" + body + b"\r\n0\r\n\r\n"
        async with await running.connect() as client:
            await client.send(chunked * 3)
            for _ in range(3):
                assert (await client.answer()).status == 200
        assert (sum(sizes), max(sizes)) == (95 * 3, 10)


@MIRRORS
async def test_pipelined_requests_wait_their_turn(app: Any) -> None:
    """Requests sent ahead are answered one after another, in their order, bodies included."""
    put = b"PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    chunked = b"PUT /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    get = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
    kinds = [put, get, chunked, get, get, put, chunked, chunked] * 20
    async with serving(app) as running, await running.connect() as client:
        await client.send(b"".join(kind % n for n, kind in enumerate(kinds)))
        answers = [_seen((await client.answer()).body) for _ in kinds]
    assert [seen["raw_path"] for seen in answers] == [f"/{n}" for n in range(len(kinds))]
    assert [seen["body"] for seen in answers] == ["" if kind is get else "abc" for kind in kinds]


@MIRRORS
async def test_a_request_may_come_byte_by_byte(app: Any) -> None:
    """Where the network cuts a request does not matter."""
    request = b"PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n" + GET
    async with serving(app) as running, await running.connect() as client:
        for at in range(len(request)):
            await client.send(request[at : at + 1])
            await trio.testing.wait_all_tasks_blocked()
        assert _seen((await client.answer()).body)["body"] == "abc"
        assert _seen((await client.answer()).body)["method"] == "GET"


# Expect: 100-continue

EXPECTING = b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


@MIRRORS
async def test_continue_is_sent_when_the_body_is_asked_for(app: Any) -> None:
    """An application that reads the body lets it come; the connection goes on afterwards."""
    async with serving(app) as running, await running.connect() as client:
        await client.send(EXPECTING)
        assert await client.interim() == 100
        await client.send(b"hello")
        assert _seen((await client.answer()).body)["body"] == "hello"
        await client.send(GET)
        assert (await client.answer()).status == 200


async def test_no_continue_before_the_body_is_asked_for() -> None:
    """A refusal is the first thing that the client gets; it may keep its body, so the connection ends."""
    async with serving(early) as running, await running.connect() as client:
        await client.send(EXPECTING)
        answer = await client.answer()
        assert answer.status == 403
        assert answer.headers[b"connection"] == b"close"
        assert await client.is_closed()


@MIRRORS
async def test_no_continue_for_a_body_that_is_here(app: Any) -> None:
    """A client that did not wait gets no interim answer."""
    async with serving(app) as running:
        answer = await running.ask(EXPECTING + b"hello")
    assert answer.status == 200


async def test_http_1_0_gets_no_continue() -> None:
    """HTTP/1.0 does not know interim answers."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        await client.send(EXPECTING.replace(b"1.1", b"1.0"))
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"hello")
        assert (await client.answer()).status == 200


# Early answers


async def test_a_short_rest_of_the_body_is_dropped_and_the_connection_goes_on() -> None:
    """An answer that comes before the body was read does not end the connection if the rest is small."""
    async with serving(early, HttpLimits(reuse_drain_bytes=1000)) as running, await running.connect() as client:
        for sent in (1000, 0):
            await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * sent)
            answer = await client.answer()
            assert answer.status == 403
            assert b"connection" not in answer.headers
            await client.send(b"x" * (1000 - sent))
        await client.send(GET)
        assert (await client.answer()).status == 403


async def test_a_short_rest_that_never_comes_gets_no_second_answer() -> None:
    """Who was answered early and then sends less than it announced just loses the connection."""
    async with serving(early, HttpLimits(drain_s=0.1)) as running:
        for finishes in (True, False):
            async with await running.connect() as client:
                await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
                assert (await client.answer()).status == 403
                if finishes:
                    await client.finish()
                assert await client.is_closed()


async def test_a_long_rest_of_the_body_ends_the_connection_gently() -> None:
    """The answer arrives although the client is still sending, and no byte of the body is taken for a request."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n" * 10_000
    async with serving(early) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        await client.send(body)
        answer = await client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (403, b"close")
        assert await client.is_closed()
        assert running.server.statistics().requests_total == 1


async def test_the_drain_after_an_early_answer_is_bounded_in_bytes() -> None:
    """A client that goes on sending for ever is cut off."""
    async with serving(early, HttpLimits(drain_bytes=300_000)) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
        assert (await client.answer()).status == 403
        await client.send_until_refused(bytes(65_536))
        await running.until(lambda: running.server.statistics().connections == 0)


async def test_the_drain_after_an_early_answer_is_bounded_in_time() -> None:
    """A client that neither sends nor closes is cut off."""
    async with serving(early, HttpLimits(drain_s=0.05)) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert (await client.answer()).status == 403
        await running.until(lambda: running.server.statistics().connections == 0)


async def test_an_unread_chunked_body_ends_the_connection() -> None:
    """How much of a chunked body is to come nobody knows, so none of it is waited for."""
    request = b"PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(early) as running, await running.connect() as client:
        await client.send(request + b"5\r\nhello\r\n0\r\n\r\n" + GET)
        assert (await client.answer()).headers[b"connection"] == b"close"
        assert await client.is_closed()


# Answers


async def _one_answer(app: Any, request: bytes = GET) -> bytes:
    """Every byte that comes back for a request that asks to close."""
    async with serving(app) as running, await running.connect() as client:
        await client.send(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return await client.rest()


async def test_the_engine_adds_what_is_missing() -> None:
    """date and content-length are added; status lines carry their phrase."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 404, b"no", (b"x-a", b"1"))

    raw = await _one_answer(app)
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[:2] == [b"HTTP/1.1 404 Not Found", b"x-a: 1"]
    assert [line.split(b":")[0] for line in lines[2:]] == [b"date", b"content-length", b"connection"]
    assert body == b"no"


async def test_the_application_s_own_fields_stand() -> None:
    """A date or length that the application gives is not given twice."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"abc", (b"date", b"today"), (b"content-length", b"3"), (b"connection", b"close"))

    raw = await _one_answer(app)
    assert raw == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc"


@pytest.mark.parametrize("piece", [b"x" * 10, b"x" * 100_000])
async def test_an_answer_of_unknown_length_goes_out_chunked(piece: bytes) -> None:
    """Pieces without a Content-Length are chunks; empty ones send nothing; the end is the last chunk."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"", piece, b"", piece):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async with serving(app) as running, await running.connect() as client:
        for _ in range(2):
            await client.send(GET)
            answer = await client.answer()
            assert answer.headers[b"transfer-encoding"] == b"chunked"
            assert (answer.body, answer.whole) == (piece * 2, True)


async def test_under_http_1_0_an_answer_of_unknown_length_ends_with_the_connection() -> None:
    """HTTP/1.0 knows no chunks."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        await send({"type": "http.response.body", "body": b"def"})

    async with serving(app) as running:
        answer = await running.ask(b"GET /k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert answer.body == b"abcdef"
    assert answer.headers.keys() == {b"date", b"connection"}
    assert answer.headers[b"connection"] == b"close"


async def test_http_1_0_closes_unless_asked_not_to() -> None:
    """Without keep-alive the connection ends, with it it goes on."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        for _ in range(2):
            await client.send(b"GET /k HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert (await client.answer()).headers[b"connection"] == b"keep-alive"
        await client.send(b"GET /k HTTP/1.0\r\n\r\n")
        assert (await client.answer()).headers[b"connection"] == b"close"
        assert await client.is_closed()


@pytest.mark.parametrize("field", [b"close", b"Close", b"x, close", b"keep-alive\r\nConnection: close"])
async def test_a_client_that_asks_to_close_is_obeyed(field: bytes) -> None:
    """Connection: close, however written, ends the connection after the answer."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        await client.send(b"GET /k HTTP/1.1\r\nHost: a\r\nConnection: " + field + b"\r\n\r\n" + GET)
        assert (await client.answer()).headers[b"connection"] == b"close"
        assert await client.is_closed()


@pytest.mark.parametrize(
    ("method", "status", "headers"),
    [
        (b"HEAD", 200, [(b"content-length", b"5")]),
        (b"HEAD", 200, []),
        (b"GET", 204, []),
        (b"GET", 304, [(b"content-length", b"5")]),
    ],
)
async def test_answers_without_body_send_none(method: bytes, status: int, headers: Any) -> None:
    """HEAD, 204 and 304 send a head and nothing else, whatever the application gives; the length stands."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"he", "more_body": True})
        await send({"type": "http.response.body", "body": b"llo"})

    raw = await _one_answer(app, GET.replace(b"GET", method))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b""
    assert b"transfer-encoding" not in head
    assert head.count(b"content-length: 5") == len(headers)


@pytest.mark.parametrize("usual", [True, False])
@pytest.mark.parametrize("way", ["field", "length"])
async def test_head_without_an_object_s_body(way: str, usual: bool) -> None:
    """respond() on HEAD takes the length from a header field, or by itself, and keeps the connection."""
    more = [] if usual else [(b"date", b"today")]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        respond = scope["extensions"]["lightningstor.exchange"].respond
        if way == "field":
            await respond(200, [(b"content-length", b"4096"), *more])
        else:
            await respond(200, more, length=4096)

    async with serving(app) as running, await running.connect() as client:
        for _ in range(3):
            await client.send(GET.replace(b"GET", b"HEAD"))
            answer = await client.answer(head_only=True)
            assert answer.headers[b"content-length"] == b"4096"
            assert b"connection" not in answer.headers


@pytest.mark.parametrize("size", [0, 1, 100, 16_383, 16_384, 5_000_000])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_respond_and_send_give_the_same_bytes(size: int, kind: Any) -> None:
    """Through the extension or through ASGI, whole or in pieces, the same bytes leave."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    headers = [(b"date", b"today"), (b"content-length", b"%d" % size)]

    async def by_send(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, body, *headers)

    async def by_respond(scope: Any, receive: Any, send: Any) -> None:
        await scope["extensions"]["lightningstor.exchange"].respond(200, headers, kind(body))

    async def in_pieces(scope: Any, receive: Any, send: Any) -> None:
        cut = size // 3
        await scope["extensions"]["lightningstor.exchange"].respond(200, headers, kind(body[:cut]), True)
        await send({"type": "http.response.body", "body": body[cut:], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    first = await _one_answer(by_send)
    assert first == await _one_answer(by_respond) == await _one_answer(in_pieces)
    assert first.endswith(b"\r\n\r\n" + body)


async def test_the_head_leaves_with_the_first_piece() -> None:
    """A small answer is one segment, or the client's delayed acknowledgement could cost 40 ms."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"x" * 4096)

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET)
        assert (await client.more()).endswith(b"\r\n\r\n" + b"x" * 4096)


async def test_small_pieces_are_not_held_back() -> None:
    """Nagle's algorithm is off on every connection, or a second small piece would wait for an acknowledgement."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        await client.send(GET)
        await client.answer()
        [connection] = running.server._connections
        assert connection.base._sock.getsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY)


async def test_a_status_without_a_phrase_is_sent() -> None:
    """A status that Python has no phrase for goes out with an empty one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 599, b"")

    assert (await _one_answer(app)).startswith(b"HTTP/1.1 599 \r\n")


# Clients that leave


async def test_a_half_closed_client_gets_its_answer() -> None:
    """A client that has finished sending has not left; receive() does not say so either."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        with trio.move_on_after(0.05):
            await receive()
            await plain_answer(send, 500, b"taken for gone")
            return
        await plain_answer(send, 200, b"here you are")

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET)
        await client.finish()
        assert (await client.answer()).body == b"here you are"
        assert await client.is_closed()


async def test_requests_sent_ahead_survive_a_watch_for_the_client() -> None:
    """An application that watches for the client's leaving does not eat the next requests."""
    watching = trio.Semaphore(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            watching.release()
            await trio.testing.wait_all_tasks_blocked(0.02)
            await plain_answer(send, 200, scope["raw_path"])

    async with serving(app) as running, await running.connect() as client:
        for n in range(4):
            await client.send(GET.replace(b"/k", b"/%d" % n))
            await watching.acquire()
        assert [(await client.answer()).body for _ in range(4)] == [b"/%d" % n for n in range(4)]


async def test_a_client_that_resets_is_noticed() -> None:
    """receive() after the body returns http.disconnect when the client is certainly gone."""
    noticed = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await read_body(receive)
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        noticed.set()

    async with serving(app) as running:
        async with await running.connect() as client:
            await client.send(GET)
            await running.until(lambda: running.server.statistics().requests_in_flight == 1)
            _reset(client)
        with trio.fail_after(5):
            await noticed.wait()
    assert HttpEventKind.APP_FAILED not in running.kinds()


def _reset(client: Client) -> None:
    """Have the socket reset when it is closed."""
    client.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def test_receive_returns_when_the_answer_is_complete() -> None:
    """A watcher that still waits is told at the answer's end."""
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def watch() -> None:
            told.append((await receive())["type"])

        await receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.testing.wait_all_tasks_blocked()
            await plain_answer(send, 200, b"")
        told.append((await receive())["type"])

    async with serving(app) as running:
        assert (await running.ask(GET)).status == 200
        await running.until(lambda: told == ["http.disconnect", "http.disconnect"])


@pytest.mark.parametrize("framing", [b"Content-Length: 10", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("part", [b"", b"5\r\nhel", b"5\r\nhello\r\n"])
async def test_a_body_that_ends_early_is_never_whole(framing: bytes, part: bytes) -> None:
    """The application is told of the disconnect; the client, if it still listens, of the 400."""
    wholes: list[bytes | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        wholes.append(await read_body(receive))

    if framing.startswith(b"Content"):
        part = part[3:]
    async with serving(app) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + part)
        await client.finish()
        assert (await client.answer()).status == 400
        assert await client.is_closed()
    assert wholes == [None]
    assert HttpEventKind.APP_FAILED not in running.kinds()


async def test_a_connection_without_a_request_ends_quietly() -> None:
    """Connecting and leaving is no error."""
    async with serving(plain_mirror) as running:
        async with await running.connect():
            pass
        await running.until(lambda: HttpEventKind.CLOSED in running.kinds())
    assert running.kinds() == [HttpEventKind.OPENED, HttpEventKind.CLOSED]
