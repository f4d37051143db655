"""Answers on their way out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio
from msgspec import Struct

from lightningstor.chunks.api import Buffer
from lightningstor.errors import BytesMissing
from lightningstor.s3.call import Call, Headers
from lightningstor.s3.wire.xml import DECLARATION
from lightningstor.store.reading import OpenObject

__all__ = ["Answer", "Reply", "Streamed", "send", "send_reply", "send_when_done"]

_XML: Final = (b"content-type", b"application/xml")


class Reply(Struct, eq=False):
    """A whole answer.

    Args:
        lines: further headers, each with its CRLF, that hold nothing of a client's.
        length: of the body that an answer to HEAD leaves out; None: it is `body`'s, or not told.
    """

    status: int
    headers: Headers
    body: Buffer = b""
    lines: bytes = b""
    length: int | None = None


class Streamed(Struct, eq=False):
    """An answer whose body is an object, or a range of one; `headers` hold its Content-Length. `lines`: as above."""

    status: int
    headers: Headers
    content: OpenObject
    lines: bytes = b""


Answer: TypeAlias = Reply | Streamed
Work: TypeAlias = Callable[[Call], Awaitable[Answer]]
Failure: TypeAlias = Callable[[Call, Exception], Awaitable[Reply]]


def _respond(
    call: Call,
    status: int,
    headers: Headers,
    body: Buffer,
    more_body: bool,
    lines: bytes = b"",
    length: int | None = None,
) -> Awaitable[None]:
    """Send an answer, or its start, with the headers that every answer has."""
    call.status = status
    call.bytes_out += len(body)
    # On buckets only, as in S3: s3cmd, copying an object, sends back whatever a HEAD of it told.
    if call.key is None and call.found is not None:
        headers = [*headers, (b"x-amz-bucket-region", call.found.region.encode())]
    lines = b"%bx-amz-request-id: %b\r\n%b" % (lines, call.request_id.encode(), call.endpoint.server_lines)
    return call.exchange.respond(status, headers, body, more_body, lines, length)


async def send(call: Call, answer: Answer) -> None:
    """Send an answer, and let go of the object that it reads from."""
    if isinstance(answer, Reply):
        await send_reply(call, answer)
        return
    try:
        await _send_stream(call, answer)
    finally:
        await answer.content.aclose()


def send_reply(call: Call, reply: Reply) -> Awaitable[None]:
    """Send a whole answer, head and body in one write where the server can."""
    body = b"" if call.method == "HEAD" else reply.body
    return _respond(call, reply.status, reply.headers, body, False, reply.lines, reply.length)


async def _send_stream(call: Call, answer: Streamed) -> None:
    """Send an object. Its first piece, verified already, goes with the head.

    When a later piece turns out bad the error leaves here with the body short of its Content-Length: the server
    closes the connection, and the client sees that the object is not whole.
    """
    content = answer.content
    left = content.plan.length - len(content.first)
    await _respond(call, answer.status, answer.headers, content.first, left > 0, answer.lines)
    while left > 0:
        piece = await content.next()
        if piece is None:
            raise BytesMissing(f"{left} bytes at the end of {call.bucket}/{call.key}")
        left -= len(piece)
        call.bytes_out += len(piece)
        await call.exchange.send_more(piece, left > 0)


async def send_when_done(call: Call, work: Work, failure: Failure) -> None:
    """Answer with what `work` gives, keeping the connection alive while it takes long.

    As S3's CompleteMultipartUpload and CopyObject: up to `keepalive_after_s` nothing is sent, so a quick answer has
    its own status. Then a 200 begins, with the XML declaration and a blank at each further interval; what comes of
    the work follows in the same body. A failure is then an `<Error>` under a 200, which clients know.

    Args:
        work: does the work; an error that it raises is answered by `failure`, never raised.
    """
    pulse = _Pulse(call)
    answer: Answer
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.run)
        try:
            answer = await work(call)
        except ConnectionError:
            raise  # nobody is left to answer
        except Exception as error:  # everything else is an answer; outside this nursery it would come in a group
            answer = await failure(call, error)
        nursery.cancel_scope.cancel()
    if not pulse.begun:
        await send(call, answer)
        return
    assert isinstance(answer, Reply)  # what takes long answers with a document
    await pulse.finish(answer)


class _Pulse:
    """Blanks in the body of an answer whose content is not known yet."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.begun = False

    async def run(self) -> None:
        """Send the start after the first interval and a blank after each further one; raises when the client left."""
        interval = self._call.endpoint.settings.keepalive_after_s
        await trio.sleep(interval)
        self.begun = True
        # A write that has begun is not cut short when the work ends: half a piece would spoil what follows.
        with trio.CancelScope(shield=True):
            await _respond(self._call, 200, [_XML], DECLARATION, True)
        while True:
            await trio.sleep(interval)
            with trio.CancelScope(shield=True):
                await self._call.exchange.send_more(b" ", True)

    async def finish(self, reply: Reply) -> None:
        body = bytes(reply.body).removeprefix(DECLARATION)
        await self._call.exchange.send_more(body, False)
