"""A server on a free port inside the test, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from attrs import define, field, frozen

from lightningstor.http.connection import AsgiApp
from lightningstor.http.engine import HttpLimits, HttpServer, open_listeners
from lightningstor.http.events import HttpEvent, HttpEventKind

Scope = Mapping[str, Any]

GIVE_UP_S = 10.0
"""No step of these tests takes a tenth of it; a hang fails the test with the step's traceback."""


@define
class Running:
    """A server that runs."""

    server: HttpServer
    port: int
    events: list[HttpEvent]
    done: trio.Event = field(factory=trio.Event)

    def kinds(self) -> list[HttpEventKind]:
        """The kinds of the events so far."""
        return [event.kind for event in self.events]

    async def connect(self, tls: ssl.SSLContext | None = None) -> Client:
        """A new connection."""
        with trio.fail_after(GIVE_UP_S):
            stream: trio.abc.HalfCloseableStream = await trio.open_tcp_stream("127.0.0.1", self.port)
            if tls is not None:
                secured = trio.SSLStream(stream, tls, server_hostname="localhost")
                try:
                    await secured.do_handshake()
                except trio.BrokenResourceError:
                    await trio.aclose_forcefully(stream)
                    raise
                return Client(secured)
        return Client(stream)

    async def ask(self, request: bytes) -> Answer:
        """Send one request on a connection of its own and give the answer to it."""
        client = await self.connect()
        async with client:
            await client.send(request)
            return await client.answer(head_only=request.startswith(b"HEAD "))

    async def until(self, condition: Any) -> None:
        """Return when `condition()` holds; what it looks at is changed by other tasks only."""
        with trio.fail_after(GIVE_UP_S):
            while not condition():
                await trio.testing.wait_all_tasks_blocked(0.001)


@asynccontextmanager
async def serving(
    app: AsgiApp, limits: HttpLimits | None = None, *, tls: ssl.SSLContext | None = None, **more: Any
) -> AsyncIterator[Running]:
    """Serve `app` for the block; then stop without grace, and fail if that does not end everything."""
    events: list[HttpEvent] = []
    server = HttpServer(app, limits, on_event=events.append, **more)
    listeners = await open_listeners("127.0.0.1", 0, tls=tls)
    running = Running(server, listeners[0].address[1], events)

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await server.serve(listeners, task_status=task_status)
        running.done.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(serve)
        yield running
        server.stop(0)
        with trio.fail_after(GIVE_UP_S):
            await running.done.wait()
    assert server.statistics().connections == 0
    assert server.statistics().requests_in_flight == 0


@frozen
class Answer:
    """One answer, as it came."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    whole: bool = True


@define
class Client:
    """The client's end of a connection."""

    stream: Any
    unread: bytes = b""

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        with trio.fail_after(GIVE_UP_S):
            await self.stream.send_all(data)

    async def send_until_refused(self, data: bytes) -> None:
        """Send `data` over and over until the server takes no more."""
        with trio.fail_after(GIVE_UP_S):
            try:
                while True:
                    await self.stream.send_all(data)
            except trio.BrokenResourceError:
                return

    async def finish(self) -> None:
        """Send no more."""
        await self.stream.send_eof()

    async def more(self) -> bytes:
        """The next bytes; b"" at the end, or after a reset."""
        with trio.fail_after(GIVE_UP_S):
            try:
                return bytes(await self.stream.receive_some(65536))
            except trio.BrokenResourceError:
                return b""

    async def is_closed(self) -> bool:
        """Wait for the server's end of the connection; False if bytes come instead."""
        return not self.unread and not await self.more()

    async def rest(self) -> bytes:
        """All that comes until the server ends the connection."""
        pieces = [self.unread]
        self.unread = b""
        while piece := await self.more():
            pieces.append(piece)
        return b"".join(pieces)

    async def _until(self, mark: bytes) -> bytes | None:
        while mark not in self.unread:
            piece = await self.more()
            if not piece:
                return None
            self.unread += piece
        before, _, self.unread = self.unread.partition(mark)
        return before

    async def _exactly(self, size: int) -> bytes:
        while len(self.unread) < size:
            piece = await self.more()
            if not piece:
                break
            self.unread += piece
        data, self.unread = self.unread[:size], self.unread[size:]
        return data

    async def interim(self) -> int:
        """The status of an interim answer, which has a head only."""
        head = await self._until(b"\r\n\r\n")
        assert head is not None, "the connection ended instead"
        return int(head.split(b" ")[1])

    async def answer(self, *, head_only: bool = False) -> Answer:
        """The next answer, its body as its own framing says."""
        head = await self._until(b"\r\n\r\n")
        assert head is not None, f"the connection ended before an answer: {self.unread!r}"
        first, *lines = head.split(b"\r\n")
        version, code, _ = first.split(b" ", 2)
        assert version == b"HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
        assert len(headers) == len(lines), f"a field came twice: {lines}"
        status = int(code)
        if head_only or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get(b"transfer-encoding") == b"chunked":
            return await self._chunked(status, headers)
        if b"content-length" in headers:
            size = int(headers[b"content-length"])
            body = await self._exactly(size)
            return Answer(status, headers, body, len(body) == size)
        return Answer(status, headers, await self.rest())

    async def _chunked(self, status: int, headers: dict[bytes, bytes]) -> Answer:
        pieces: list[bytes] = []
        while True:
            size = await self._until(b"\r\n")
            if size is None:
                return Answer(status, headers, b"".join(pieces), False)
            piece = await self._exactly(int(size, 16))
            pieces.append(piece)
            if await self._exactly(2) != b"\r\n":
                return Answer(status, headers, b"".join(pieces), False)
            if not int(size, 16):
                return Answer(status, headers, b"".join(pieces))
