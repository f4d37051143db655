"""What is refused before the application hears of it: PROOF 28, and what the design adds to it."""

from __future__ import annotations

from typing import Any

import pytest

from lightningstor.http.limits import HttpLimits
from tests.http.apps import plain_answer, plain_mirror
from tests.http.serving import serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n"
PUT = b"PUT /k HTTP/1.1\r\nHost: a\r\n"
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

# name: (bytes, status)
REFUSED = {
    "content-length and transfer-encoding": (
        PUT + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "transfer-encoding and content-length": (
        PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two content-lengths": (PUT + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "two equal content-lengths": (PUT + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "content-lengths in one field": (PUT + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "negative content-length": (PUT + b"Content-Length: -1\r\n\r\n", 400),
    "content-length with a plus": (PUT + b"Content-Length: +3\r\n\r\nabc", 400),
    "content-length in hexadecimal": (PUT + b"Content-Length: 0x3\r\n\r\nabc", 400),
    "empty content-length": (PUT + b"Content-Length: \r\n\r\n", 400),
    "content-length with a space": (PUT + b"Content-Length: 1 2\r\n\r\n", 400),
    "content-length of 2^64": (PUT + b"Content-Length: 18446744073709551616\r\n\r\n", 400),
    "content-length of 2^63": (PUT + b"Content-Length: 9223372036854775808\r\n\r\n", 400),
    "content-length of 40 digits": (PUT + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
    "content-length in other digits": (PUT + "Content-Length: ٣\r\n\r\nabc".encode(), 400),
    "two hosts": (GET + b"Host: b\r\n\r\n", 400),
    "two equal hosts": (GET + b"Host: a\r\n\r\n", 400),
    "no host": (b"GET /k HTTP/1.1\r\nAccept: */*\r\n\r\n", 400),
    "no header field at all": (b"GET /k HTTP/1.1\r\n\r\n", 400),
    "a host with a path": (b"GET /k HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a host with a space": (b"GET /k HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a host with an at sign": (b"GET /k HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "bare LF everywhere": (b"GET /k HTTP/1.1\nHost: a\n\n", 400),
    "bare LF after the request line": (b"GET /k HTTP/1.1\nHost: a\r\n\r\n", 400),
    "bare LF after a field": (GET + b"Accept: */*\nX: y\r\n\r\n", 400),
    "bare LF for the empty line": (GET + b"\n", 400),
    "bare CR in a value": (GET + b"X: a\rb\r\n\r\n", 400),
    "bare CR for the empty line": (GET + b"\r\r\n\r\n", 400),
    "a folded line": (GET + b"X: a\r\n b\r\n\r\n", 400),
    "a folded line with a tab": (GET + b"X: a\r\n\tb\r\n\r\n", 400),
    "a first line of fields that is folded": (b"GET /k HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "white space before a colon": (GET + b"Content-Length : 3\r\n\r\nabc", 400),
    "a tab before a colon": (GET + b"X\t: 3\r\n\r\n", 400),
    "no colon": (GET + b"nonsense\r\n\r\n", 400),
    "no name": (GET + b": value\r\n\r\n", 400),
    "NUL in a value": (GET + b"X: a\0b\r\n\r\n", 400),
    "NUL in a name": (GET + b"X\0: ab\r\n\r\n", 400),
    "DEL in a value": (GET + b"X: a\x7fb\r\n\r\n", 400),
    "a control character in a value": (GET + b"X: a\x01b\r\n\r\n", 400),
    "a vertical tab after a value": (GET + b"X: a\x0b\r\n\r\n", 400),
    "bytes above ASCII in a name": (GET + b"X\xe9: ab\r\n\r\n", 400),
    "a bracket in a name": (GET + b"X(: ab\r\n\r\n", 400),
    "an absolute URI": (b"GET http://a/k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "an absolute URI of https": (b"GET https://a/k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "CONNECT to a path": (b"CONNECT /k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a target without a slash": (b"GET k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a query alone": (b"GET ?list-type=2 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "GET of *": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a fragment": (b"GET /k#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bytes above ASCII in the target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "bytes above ASCII in the query": (b"GET /k?\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a NUL in the target": (b"GET /k\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a tab in the target": (b"GET /k\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space in the target": (b"GET /k x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces": (b"GET  /k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two spaces before the version": (b"GET /k  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a space after the version": (b"GET /k HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
    "a space before the method": (b" GET /k HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "tabs instead of spaces": (b"GET\t/k\tHTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no version": (b"GET /k\r\nHost: a\r\n\r\n", 400),
    "a version in small letters": (b"GET /k http/1.1\r\nHost: a\r\n\r\n", 400),
    "a version of another protocol": (b"GET /k ICE/1.0\r\nHost: a\r\n\r\n", 400),
    "RTSP": (b"SETUP /k RTSP/1.0\r\nHost: a\r\n\r\n", 400),
    "version 0.9": (b"GET /k HTTP/0.9\r\nHost: a\r\n\r\n", 400),
    "version 1.2": (b"GET /k HTTP/1.2\r\nHost: a\r\n\r\n", 400),
    "version 1.10": (b"GET /k HTTP/1.10\r\nHost: a\r\n\r\n", 400),
    "version 2.0": (b"GET /k HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "version 3.0": (b"GET /k HTTP/3.0\r\nHost: a\r\n\r\n", 505),
    "an unknown method": (b"FETCH /k HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method in small letters": (b"get /k HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "an upgrade to h2c": (
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        400,
    ),
    "an upgrade to h2c among others": (GET + b"Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n\r\n", 400),
    "an upgrade to h2c in a second field": (
        GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
        400,
    ),
    "the coding gzip": (PUT + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "the codings gzip, chunked": (PUT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "the codings chunked, gzip": (PUT + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501),
    "the coding identity": (PUT + b"Transfer-Encoding: identity\r\n\r\n", 501),
    "the coding xchunked": (PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "chunked twice": (PUT + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    "an empty transfer-encoding": (PUT + b"Transfer-Encoding: \r\n\r\n", 501),
    "two transfer-encodings": (PUT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked under HTTP/1.0": (b"PUT /k HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "an unknown expectation": (PUT + b"Content-Length: 3\r\nExpect: 200-maybe\r\n\r\nabc", 417),
    "two empty lines before the request": (b"\r\n\r\n" + GET + b"\r\n", 400),
    "TLS where there is none": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60 + b"\r\n\r\n", 400),
    "chunk size: not hexadecimal": (CHUNKED + b"g\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: none": (CHUNKED + b"\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: negative": (CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: with a plus": (CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: with 0x": (CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: with an underscore": (CHUNKED + b"1_0\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: after a space": (CHUNKED + b" 3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: before a space": (CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: of 2^64": (CHUNKED + b"10000000000000000\r\nabc\r\n0\r\n\r\n", 400),
    "chunk size: of 40 digits": (CHUNKED + b"0" * 39 + b"3\r\nabc\r\n0\r\n\r\n", 400),
    "chunk: a size line of 300 bytes": (CHUNKED + b"3;" + b"x" * 300 + b"\r\nabc\r\n0\r\n\r\n", 400),
    "chunk: longer than its size": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "chunk: shorter than its size": (CHUNKED + b"3\r\nab\r\n0\r\n\r\n", 400),
    "chunk: bare LF after the size": (CHUNKED + b"3\nabc\r\n0\r\n\r\n", 400),
    "chunk: bare LF after the data": (CHUNKED + b"3\r\nabc\n0\r\n\r\n", 400),
    "chunk: bare LF for the last line": (CHUNKED + b"3\r\nabc\r\n0\r\n\n", 400),
    "chunk: CR in an extension": (CHUNKED + b"3;a=\rb\r\nabc\r\n0\r\n\r\n", 400),
    "trailer: no colon": (CHUNKED + b"0\r\nnonsense\r\n\r\n", 400),
    "trailer: a folded line": (CHUNKED + b"0\r\nX: y\r\n z\r\n\r\n", 400),
    "trailer: too long": (CHUNKED + b"0\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    "trailer: too many": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 4_000 + b"\r\n", 431),
    "a header block of more than 16 KiB": (GET + b"X: " + b"y" * 16_384 + b"\r\n\r\n", 431),
    "many fields of more than 16 KiB": (GET + b"X: y\r\n" * 3_000 + b"\r\n", 431),
    "a target of more than 16 KiB": (b"GET /" + b"k" * 16_384 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
}


async def test_every_refusal_answers_and_closes() -> None:
    """Each of these gets its status and the end of the connection; nothing after it is taken for a request."""
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["raw_path"])
        await plain_mirror(scope, receive, send)

    wrong = {}
    async with serving(app) as running:
        for name, (request, status) in REFUSED.items():
            async with await running.connect() as client:
                await client.send(request + SMUGGLED)
                answer = await client.answer()
                closed = await client.is_closed()
            as_it_should = answer.status == status and closed and answer.headers.get(b"connection") == b"close"
            if not as_it_should or b"/smuggled" in seen or (seen and not request.startswith(CHUNKED)):
                wrong[name] = (answer, closed, list(seen))
            seen.clear()
    assert not wrong, "\n".join(f"{name}: {was}" for name, was in wrong.items())
    assert running.server.statistics().refused_total == len(REFUSED)


async def test_header_blocks_up_to_the_limit_pass() -> None:
    """A header block of exactly the limit is served, one byte more is not."""
    async with serving(plain_mirror, HttpLimits(header_bytes=1000)) as running:
        fill = 1000 - len(GET) - len(b"X: \r\n\r\n")
        assert (await running.ask(GET + b"X: " + b"y" * fill + b"\r\n\r\n")).status == 200
        assert (await running.ask(GET + b"X: " + b"y" * (fill + 1) + b"\r\n\r\n")).status == 431


async def test_a_header_block_without_end_is_refused_at_the_limit() -> None:
    """The engine does not wait for the end of a block that is too long already."""
    async with serving(plain_mirror) as running, await running.connect() as client:
        await client.send(GET + b"X: " + b"y" * 20_000)
        assert (await client.answer()).status == 431


async def test_a_request_in_bare_lf_is_refused_without_waiting_for_more() -> None:
    """Its end would never come, since it is no CRLF."""
    async with serving(plain_mirror) as running:
        assert (await running.ask(b"GET /k HTTP/1.1\nHost: a\n\n")).status == 400


async def test_refusals_are_worded_by_the_refusal_function() -> None:
    """Fields and body of the engine's own answers come from the function that the server was given."""

    def refusal(status: int, reason: str, request: object) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return [(b"content-type", b"application/xml"), (b"x-status", b"%d" % status)], f"<Why>{reason}</Why>".encode()

    async with serving(plain_mirror, refusal=refusal) as running:
        answer = await running.ask(b"GET /k HTTP/1.1\r\n\r\n")
    assert answer.status == 400
    assert answer.headers[b"x-status"] == b"400"
    assert answer.headers[b"content-type"] == b"application/xml"
    assert answer.body == b"<Why>The Host header field is missing.</Why>"
    assert b"date" in answer.headers


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /k HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /k HTTP/1.1\r\nhOsT:a\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost: [::1]:9000\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost: a\r\nX: \xe2\x82\xac\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost: a\r\nX:\t a \t\r\n\r\n",
        b"GET /k HTTP/1.1\r\nHost: a\r\nX: a\r\nX: b\r\n\r\n",
        b"\r\nGET /k HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /k HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc",
        b"GET /k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        b"GET //a/../b%2Fc%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_what_looks_odd_but_is_allowed_is_served(request_bytes: bytes) -> None:
    """Strictness ends where RFC 9112 allows something."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"fine")

    async with serving(app) as running:
        assert (await running.ask(request_bytes)).status == 200
