"""One request and its answer, as the application sees them: ASGI's `receive` and `send`, and a shorter way.

An application with a method `async answer(exchange)` is called by that, and no scope is made for it; every other finds
the same object in `scope["extensions"]["lightningstor.exchange"]`. What it may use of it:

`head`, `scheme`, `client`
    the request's head (`RequestHead`), "http" or "https", and the peer's (host, port).

`async receive_some(max_bytes: int = 1 MiB) -> bytes`
    the next piece of the request body, at most `max_bytes` long, b"" at its end. Raises `ClientGone` when the body
    will not be complete. `receive_now` and `wait_more` are the same for who receives into memory of his own, and
    `receive_whole` gives a small body that came with the head.

`async respond(status: int, headers, body: bytes-like = b"", more_body: bool = False, lines=b"", length=None)`
    the whole answer, or with `more_body` its start, in one call and one write. `headers` as in ASGI: pairs of bytes,
    names in lower case. `lines`: further header lines, each with its CRLF, that hold nothing of a client's and none of
    the fields that say how the answer is framed: they are sent as they are. `length`: of the body that an answer to
    HEAD leaves out. Raises `ClientGone`.

`async send_more(body, more_body: bool)`
    a further piece of an answer that was started with `more_body`.

They give and send exactly what `receive` and `send` would, without the dictionaries (a small GET spent a fifth of the
engine's time on those); an application must work over plain ASGI too, since other servers don't have them.
`ClientGone` is a `ConnectionError`, hence an `OSError`, as ASGI says of `send`.

How an answer is framed: by the application's own `content-length`; else by one that the engine adds, if the answer is
complete in one piece; else chunked; else (HTTP/1.0) by the end of the connection. `date` is added unless given. The
head waits for the first piece of the body and leaves with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
import trio

from lightningstor.http.chunked import ChunkedDecoder
from lightningstor.http.faults import ClientGone, Refused
from lightningstor.http.respond import head_bytes
from lightningstor.http.wire import Bytes, Waiting
from lightningstor.structs import mutable

if TYPE_CHECKING:
    from lightningstor.http.connection import Connection
    from lightningstor.http.head import RequestHead
    from lightningstor.http.wire import Wire

__all__ = ["Exchange", "exchange_of"]

MIB: Final = 1024 * 1024
_CHUNKED_READ: Final = 256 * 1024
_JOIN_BELOW: Final = 16 * 1024
_BODYLESS: Final = frozenset((204, 304))
_OURS: Final = frozenset((b"connection", b"date", b"transfer-encoding"))
_FRAMING: Final = _OURS | {b"content-length"}
_UNTIL_CLOSE: Final = -2
_CHUNKED: Final = -1


@mutable
class Exchange(msgspec.Struct, eq=False):
    """A request whose head has been read, until its answer is complete. Make one by `exchange_of`.

    A struct, since one is made for every request: C sets its defaults in 0.2 µs.

    Attributes:
        head, scheme, client: see the module's text.
        keep_alive: the connection may carry another request after this one.
        started: a part of the answer was sent, or is about to be.
        ended: the application has given the last of the answer.
        complete: and all that the head announced was sent.
        body_done: the application, or the engine in its stead, has taken the whole request body.
        fault: why the body will not be complete, once that is known.
    """

    _connection: Connection
    _wire: Wire
    head: RequestHead
    scheme: str
    client: tuple[str, int]
    keep_alive: bool
    body_done: bool
    _left: int
    _unasked: bool
    _decoder: ChunkedDecoder | None = None
    _start: tuple[int, Sequence[tuple[bytes, bytes]]] | None = None
    _owed: int = 0
    _bodyless: bool = False
    _told: bool = False
    _watch: trio.CancelScope | None = None
    started: bool = False
    ended: bool = False
    complete: bool = False
    fault: ClientGone | None = None

    # The request body

    async def receive_some(self, max_bytes: int = MIB) -> bytes:
        """The next piece of the request body, of 1 to `max_bytes` bytes; b"" once it has ended.

        Raises:
            ClientGone: the body will not be complete: the client left, was too slow, or broke its framing.
        """
        if self.body_done:
            return b""
        if self.fault is not None:
            raise self.fault
        if self._unasked:
            await self._ask()
        if self._left > 0 and self._connection.buffer:  # all of a small body comes with its head
            return self._take_buffered(max_bytes)
        base = self._connection.base
        if base.waiting is not Waiting.BODY:
            base.start_meter()
        try:
            return await (self._take(max_bytes) if self._left > 0 else self._take_chunked(max_bytes))
        except ClientGone as gone:
            self.fault = gone
            raise

    def receive_whole(self) -> bytes | None:
        """The whole body, where it came with the head, as a small one does; None: the other ways have it."""
        body = self._connection.buffer
        left = self._left
        if not 0 < left <= len(body):
            return None
        if left == len(body):
            self._connection.buffer = b""
        else:
            body, self._connection.buffer = body[:left], body[left:]
        self._left = 0
        self._unasked = False
        self.body_done = True
        return body

    def receive_now(self, buffer: memoryview) -> int:
        """Put what has come of the body into `buffer`, from its start; how many bytes. 0: `wait_more` first.

        Raises:
            ClientGone: as `receive_some` does.
        """
        if self._left <= 0 or self._unasked or self.fault is not None or self._wire is not self._connection.base:
            return 0
        buffer = buffer[: self._left]
        buffered, count = self._connection.buffer, 0
        if buffered:
            count = min(len(buffered), len(buffer))
            buffer[:count] = buffered[:count]
            self._connection.buffer = buffered[count:]
            buffer = buffer[count:]
        if buffer:
            try:
                found = self._connection.base.read_now(buffer)
                if found == 0:
                    raise _truncated()
                count += found or 0
            except ClientGone as gone:
                self.fault = gone
                if not count:  # else what came before goes first: `wait_more` says the rest
                    raise
        self._left -= count
        if not self._left:
            self._end_body()
        return count

    async def wait_more(self) -> bool:
        """Wait until `receive_now` may have something. False: it never will, and `receive_some` has the rest.

        That is so when the body has ended, and with one that is chunked or comes under TLS.

        Raises:
            ClientGone: as `receive_some` does.
        """
        base = self._connection.base
        if self._left <= 0 or self._wire is not base:
            return False
        if self.fault is not None:
            raise self.fault
        try:
            if self._unasked:
                await self._ask()
            if base.waiting is not Waiting.BODY:
                base.start_meter()
            if not self._connection.buffer:
                await base.wait_more()
        except ClientGone as gone:
            self.fault = gone
            raise
        return True

    async def _ask(self) -> None:
        """Let the body come, unless it is on its way already (RFC 9110 §10.1.1)."""
        self._unasked = False
        if not self._connection.buffer and not self.started:
            await self._wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take_buffered(self, max_bytes: int) -> bytes:
        """A piece of a body with Content-Length, out of what was read with the head."""
        limit = min(self._left, max_bytes)
        buffered = self._connection.buffer
        piece = buffered[:limit]
        self._connection.buffer = buffered[limit:]
        self._left -= len(piece)
        if not self._left:
            self._end_body()
        return piece

    async def _take(self, max_bytes: int) -> bytes:
        """A piece of a body with Content-Length, from the wire."""
        piece = await self._wire.read(min(self._left, max_bytes))
        if not piece:
            raise _truncated()
        self._left -= len(piece)
        if not self._left:
            self._end_body()
        return piece

    async def _take_chunked(self, max_bytes: int) -> bytes:
        """A piece of a chunked body."""
        decoder = self._decoder
        if decoder is None:
            decoder = self._decoder = ChunkedDecoder(self._connection.limits.header_bytes)
        limit = min(max_bytes, _CHUNKED_READ)
        while not self.body_done:
            buffered = self._connection.buffer
            if buffered:
                data = buffered[:limit]
                self._connection.buffer = buffered[limit:]
            else:
                data = await self._wire.read(limit)
                if not data:
                    raise ClientGone("truncated", "The request body ended before its last chunk.", 400)
            try:
                piece = decoder.decode(data)
            except Refused as refused:
                raise ClientGone("framing", refused.reason, refused.status) from None
            if decoder.done:
                self._connection.buffer = decoder.rest + self._connection.buffer
                self._end_body()
            if piece:
                return piece
        return b""

    def _end_body(self) -> None:
        self.body_done = True
        self._connection.base.end_meter()

    async def receive(self) -> dict[str, Any]:
        """ASGI's `receive`: the next piece of the body; after its end, or its failure, `http.disconnect`.

        After the end it returns only when the client has left or the answer is complete. A client that only
        finished sending has not left: it waits for its answer.
        """
        if not self._told:
            try:
                piece = await self.receive_some()
            except ClientGone:
                self._told = True
                return {"type": "http.disconnect"}
            self._told = self.body_done
            return {"type": "http.request", "body": piece, "more_body": not self._told}
        if self.fault is None and not self.ended and not self._connection.base.broken:
            with trio.CancelScope() as self._watch:
                await self._connection.watch()
            self._watch = None
        return {"type": "http.disconnect"}

    async def skip_body(self) -> None:
        """Read and drop what the application left of the request body. Raises ClientGone."""
        while not self.body_done:
            await self.receive_some()

    # The answer

    async def send(self, message: Mapping[str, Any]) -> None:
        """ASGI's `send`.

        Raises:
            ClientGone: the client left, or did not read for too long.
            RuntimeError: the message does not fit the state of the answer.
            ValueError: the answer breaks a rule of HTTP.
        """
        kind = message["type"]
        if kind == "http.response.body":
            body: Bytes = message.get("body", b"")
            more_body: bool = message.get("more_body", False)
            if self._start is not None:
                status, headers = self._start
                self._start = None
                await self.respond(status, headers, body, more_body)
            elif self.started and not self.ended:
                await self.send_more(body, more_body)
            else:
                raise RuntimeError("a piece of an answer that was not started, or has ended")
        elif kind == "http.response.start":
            if self.started or self._start is not None:
                raise RuntimeError("the answer was started already")
            self._start = (message["status"], list(message.get("headers", ())))
        else:
            raise RuntimeError(f"a message that does not belong to an HTTP answer: {kind}")

    async def respond(
        self,
        status: int,
        headers: Sequence[tuple[bytes, bytes]],
        body: Bytes = b"",
        more_body: bool = False,
        lines: bytes = b"",
        length: int | None = None,
    ) -> None:
        """The answer, or its start: see the module's text. Raises what `send` does."""
        if self.started:
            raise RuntimeError("the answer was started already")
        size = len(body)
        head, connection = self.head, self._connection
        if (
            more_body
            or size >= _JOIN_BELOW
            or not (self.keep_alive and self.body_done)
            or (length is None and head.method == "HEAD")
            or head.version != "1.1"
            or status in _BODYLESS
            or connection.server.stopping
            or (headers and not _FRAMING.isdisjoint([name for name, _ in headers]))
        ):
            if length is not None:
                headers = [*headers, (b"content-length", b"%d" % length)]
            await self._respond_planned(status, headers, body, more_body, lines)
            return
        # Most answers: nothing to decide.
        told = size if length is None else length
        lines = b"%b%bcontent-length: %d\r\n" % (lines, connection.ticker.date.line, told)
        block = head_bytes(status, headers, lines, body)
        self.started = True
        try:
            await self._wire.write_last(block)
        except ClientGone:
            self._stop_watching()
            raise
        self.ended = self.complete = True
        if self._watch is not None:
            self._stop_watching()

    async def _respond_planned(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: Bytes, more_body: bool, lines: bytes
    ) -> None:
        """`respond`, where it must be decided how the answer is framed, or what becomes of the connection."""
        size = len(body)
        self._bodyless = self.head.method == "HEAD" or status in _BODYLESS
        lines += self._plan(dict(headers), size, more_body)
        joined = self._owed >= size and size < _JOIN_BELOW
        block = head_bytes(status, headers, lines, body if joined and not self._bodyless else b"")
        self.started = True
        if joined or self._bodyless:
            if not self._bodyless:
                self._owed -= size
            try:
                if more_body or not self.keep_alive:
                    await self._wire.write(block)
                else:
                    await self._wire.write_last(block)
            except ClientGone:
                self._stop_watching()
                raise
        else:
            await self._put((block, *self._framed(body, more_body)))
        if not more_body:
            self._end()

    def _plan(self, fields: dict[bytes, bytes], size: int, more_body: bool) -> bytes:
        """Decide how the answer is framed and whether the connection goes on; gives the lines to add to its head."""
        declared = fields.get(b"content-length")
        lines = self._connection.ticker.date.line
        if not _OURS.isdisjoint(fields):
            if b"transfer-encoding" in fields:
                raise ValueError("how an answer is framed is the engine's to say")
            if b"date" in fields:
                lines = b""
            if b"close" in fields.get(b"connection", b"").lower():
                self.keep_alive = False
        if declared is not None:
            self._owed = int(declared)
            if size > self._owed and not self._bodyless:
                raise ValueError(f"the answer's first piece has {size} bytes, its content-length is {self._owed}")
        elif self._bodyless:
            self._owed = 0
        elif not more_body:
            self._owed = size
            lines += b"content-length: %d\r\n" % size
        elif self.head.version == "1.1":
            self._owed = _CHUNKED
            lines += b"transfer-encoding: chunked\r\n"
        else:
            self._owed = _UNTIL_CLOSE
            self.keep_alive = False
        if self.keep_alive and (not self.body_done or self._connection.server.stopping):
            self.keep_alive = self._reusable()
        if self.keep_alive and self.head.version == "1.1":
            return lines
        if b"connection" in fields:
            return lines
        return lines + (b"connection: keep-alive\r\n" if self.keep_alive else b"connection: close\r\n")

    async def send_more(self, body: Bytes, more_body: bool) -> None:
        """A further piece of an answer that was started with `more_body`. Raises what `send` does."""
        pieces = self._framed(body, more_body)
        if pieces:
            await self._put(pieces)
        if not more_body:
            self._end()

    def _framed(self, body: Bytes, more_body: bool) -> tuple[Bytes, ...]:
        """The buffers to send for one piece of the answer's body."""
        size = len(body)
        if self._bodyless:
            return ()
        if self._owed == _CHUNKED:
            end = b"" if more_body else b"0\r\n\r\n"
            if size:
                return (b"%x\r\n" % size, body, b"\r\n" + end)
            return (end,) if end else ()
        if self._owed != _UNTIL_CLOSE:
            if size > self._owed:
                raise ValueError(f"the answer has {size - self._owed} bytes more than its content-length")
            self._owed -= size
        return (body,) if size else ()

    async def _put(self, pieces: tuple[Bytes, ...]) -> None:
        try:
            if len(pieces) == 1:
                await self._wire.write(pieces[0])
            elif len(pieces[1]) < _JOIN_BELOW:
                await self._wire.write(b"".join(pieces))
            else:
                await self._wire.write_all(pieces)
        except ClientGone:
            self._stop_watching()
            raise

    def _stop_watching(self) -> None:
        """Let a `receive` that waits for the client's leaving return."""
        if self._watch is not None:
            self._watch.cancel()

    def _end(self) -> None:
        """The application has given the last of its answer."""
        self.ended = True
        self.complete = self._bodyless or self._owed <= 0
        if self._watch is not None:
            self._stop_watching()

    @property
    def ends_with_connection(self) -> bool:
        """Only the end of the connection tells the client that the answer is over (HTTP/1.0 without a length)."""
        return self._owed == _UNTIL_CLOSE

    def _reusable(self) -> bool:
        """Whether the connection can carry another request, as far as the rest of this one's body goes."""
        if self._connection.server.stopping:
            return False
        if self._unasked or self.fault is not None or self._left < 0:
            return False
        return self._left - len(self._connection.buffer) <= self._connection.limits.reuse_drain_bytes


def _truncated() -> ClientGone:
    return ClientGone("truncated", "The request body ended before its Content-Length.", 400)


def exchange_of(connection: Connection, head: RequestHead) -> Exchange:
    """The exchange that a request's head begins."""
    length = head.length
    return Exchange(
        connection,
        connection.wire,
        head,
        connection.scheme,
        connection.client,
        head.keep_alive,
        length == 0,
        length,
        head.expects_continue,
    )
