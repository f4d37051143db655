"""Bodies that come with the head of their request, taken in one piece: `Exchange.receive_whole`."""

from __future__ import annotations

from typing import Any

from lightningstor.http.exchange import Exchange
from tests.http.serving import serving


class Echo:
    """Answers with what `receive_whole` gave, or with "later: " and the body as it came."""

    async def __call__(self, *_: Any) -> None:
        raise NotImplementedError

    async def answer(self, exchange: Exchange) -> None:
        body = exchange.receive_whole()
        if body is None:
            body = b"later: "
            while piece := await exchange.receive_some():
                body += piece
        assert exchange.body_done
        assert exchange.receive_whole() is None
        assert await exchange.receive_some() == b""
        await exchange.respond(200, [], body)


async def test_a_body_that_came_with_the_head() -> None:
    """It is given whole, and the request that was sent ahead behind it is answered next."""
    async with serving(Echo()) as running, await running.connect() as client:
        request = b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbody"
        await client.send(request + request.replace(b"body", b"next"))
        assert (await client.answer()).body == b"body"
        assert (await client.answer()).body == b"next"
        await client.send(request)
        assert (await client.answer()).body == b"body"


async def test_a_body_that_has_not_come_whole() -> None:
    """A part of it is no reason to give it, nor is a body without a length, or none."""
    async with serving(Echo()) as running, await running.connect() as client:
        await client.send(b"PUT / HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\n\r\nbo")
        await running.until(lambda: running.server.statistics().requests_in_flight == 1)
        await client.send(b"dy")
        assert (await client.answer()).body == b"later: body"
        await client.send(
            b"PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
        )
        assert (await client.answer()).body == b"later: body"
        assert (await client.answer()).body == b"later: "


async def test_a_client_that_does_not_wait_to_be_asked_is_not_asked() -> None:
    """With the body there, `Expect: 100-continue` gets the final answer alone (RFC 9110 §10.1.1)."""
    async with serving(Echo()) as running, await running.connect() as client:
        await client.send(b"PUT / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody")
        answer = await client.answer()
        assert (answer.status, answer.body) == (200, b"body")
