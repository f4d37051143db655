"""One client's HTTP/2 connection: calls read, handed to their handlers, answered; over h2, in one nursery.

purerpc's own transport is not used: it never enforces a deadline, ignores resets, answers exceptions with their text
and leaves handlers of vanished clients running. Its services, stubs and code generator are; `dispatch` runs them.

Back-pressure: the windows are opened again only as a handler reads (`RpcCall.take_data`). What is sent waits for the
client's windows, and a client that takes nothing for `write_stall_s` is dropped; until then a batch at most lies here.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import h2.config
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio
from h2.stream import StreamInputs
from hyperframe.frame import GoAwayFrame

from lightningstor.observe.logs import REQUEST_ID
from lightningstor.rpc.call import Buffer, RpcCall
from lightningstor.rpc.framing import parse_timeout
from lightningstor.rpc.head import DATA, END_HEADERS, END_STREAM, HEADERS, OK_TRAILERS, frame_head, literals, opening
from lightningstor.rpc.http2 import Http2Connection
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.room import MessageRoom
from lightningstor.rpc.status import Ending, Explain, RpcFailed, StatusCode, ending_of, trailers

__all__ = ["Began", "Dispatch", "Done", "RpcConnection"]

logger = logging.getLogger("lightningstor.rpc")

Dispatch: TypeAlias = Callable[[RpcCall], Awaitable[None]]
Began: TypeAlias = Callable[[RpcCall], None]
Done: TypeAlias = Callable[[RpcCall, Ending | None], None]

_READ: Final = 256 << 10
_BATCH: Final = 256 << 10
"""Bytes of a message that are handed to the socket at once, and so lie here while a client takes nothing."""
_SMALL: Final = 16 << 10
_BACKLOG: Final = 64 << 10
"""Control frames that may wait behind a batch before nothing more is read."""
_DEFAULT_WINDOW: Final = 65535
_FORBIDDEN: Final = frozenset("\0\r\n")
_ENHANCE_YOUR_CALM: Final = h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


class _Ended(Exception):
    """The connection is over: the client is gone, broke the protocol or a limit, or both sides have finished."""


class RpcConnection:
    """A client's connection.

    Args:
        stream: the socket, or TLS over it.
        dispatch: runs a call's handler: reads its messages, sends its answers, raises what goes wrong.
        peer: the client's address. certificate_names: of its certificate, if it showed one.
        room: for large messages, shared by all connections.
        explain: the one map of errors.
        next_request_id: draws the ids of calls.
        done: hears how each call ended; None: the client did not learn.
        began: told of each call, in the task that serves it.
    """

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream | trio.SSLStream[Any],
        dispatch: Dispatch,
        limits: RpcLimits,
        *,
        peer: str,
        certificate_names: Sequence[str],
        room: MessageRoom,
        explain: Explain,
        next_request_id: Callable[[], str],
        done: Done,
        began: Began | None = None,
    ) -> None:
        self.limits = limits
        self.peer = peer
        self.encrypted = isinstance(stream, trio.SSLStream)
        self.certificate_names = certificate_names
        self.room = room
        self._stream = stream
        self._dispatch = dispatch
        self._explain = explain
        self._next_request_id = next_request_id
        self._began = began
        self._done = done
        self._calls: dict[int, RpcCall] = {}
        self._write_lock = trio.Lock()
        self._outbox: list[Buffer] = []
        self._leaving: list[RpcCall] = []  # whose ends are in it
        self._resets: deque[float] = deque()
        self._closing = False
        self._nursery: trio.Nursery
        self._scope = trio.CancelScope()
        self._h2 = Http2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: limits.window_bytes,
                h2.settings.SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
            },
        )
        self._h2.max_inbound_frame_size = limits.frame_bytes

    async def run(self) -> None:
        """Serve the client until either side ends the connection. Raises nothing of the client's making."""
        with self._scope:
            try:
                async with trio.open_nursery() as self._nursery:
                    self._h2.initiate_connection()
                    self._h2.increment_flow_control_window(self.limits.connection_window_bytes - _DEFAULT_WINDOW)
                    await self._flush()
                    await self._read_all()
                    for call in self._calls.values():
                        call.scope.cancel()
            except* _Ended:
                pass

    async def goodbye(self) -> None:
        """Take no further calls, and tell the client; the connection ends when the calls under way have.

        The GOAWAY is written past h2, which would take it for the end and refuse to send what those calls answer.
        """
        if self._closing:
            return
        self._closing = True
        with suppress(_Ended):
            self._drain()
            self._outbox.append(GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id).serialize())
            await self._flush()
        if not self._calls:
            self._scope.cancel()

    def abandon(self) -> None:
        """End the connection and every call on it."""
        self._scope.cancel()

    # Reading

    async def _read_all(self) -> None:
        patience = self.limits.first_frame_s
        while True:
            # One scope for many reads: a scope for each would cost more than the read.
            with trio.move_on_after(patience) as waiting:
                while data := await self._read():
                    patience = self.limits.idle_s
                    await self._take_all(data)
                    waiting.deadline = trio.current_time() + patience
                return
            if not self._calls:
                raise _Ended
            await self._flush_soon()  # time was up just when something came: what is to be said to that waits still

    async def _read(self) -> bytes:
        """What comes next; empty at the end."""
        try:
            return bytes(await self._stream.receive_some(_READ))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise _Ended from None

    async def _take_all(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except (h2.exceptions.ProtocolError, UnicodeDecodeError, ValueError) as error:
            # h2 has queued the GOAWAY that says so (ValueError: hpack's and hyperframe's of malformed frames)
            logger.info("client %s broke HTTP/2: %s", self.peer, error)
            await self._flush()
            raise _Ended from None
        try:
            for event in events:
                self._take(event)
        finally:
            await self._flush_soon()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event)
        elif isinstance(event, h2.events.DataReceived):
            self._take_data(event)
        elif isinstance(event, h2.events.StreamEnded):
            if event.stream_id in self._calls:
                self._calls[event.stream_id].take_end()
        elif isinstance(event, h2.events.StreamReset):
            self._take_reset(event.stream_id)
        elif isinstance(event, h2.events.WindowUpdated):
            self._window_opened(event.stream_id)
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self._window_opened(0)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._closing = True

    def _begin(self, event: h2.events.RequestReceived) -> None:
        metadata: dict[str, str] = {}
        for name, value in event.headers:
            if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
                self._count_reset()
                self._reset(event.stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
                return
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
        if self._closing:
            self._reset(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        call = RpcCall(self, event.stream_id, metadata, self._next_request_id())
        self._calls[event.stream_id] = call
        self._nursery.start_soon(self._serve, call)

    def _take_data(self, event: h2.events.DataReceived) -> None:
        room = event.flow_controlled_length
        call = self._calls.get(event.stream_id)
        if (call is None or call.take_data(event.data, room)) and room:
            self._give_room_now(event.stream_id, room)

    def _take_reset(self, stream_id: int) -> None:
        call = self._calls.get(stream_id)
        if call is not None:
            call.scope.cancel()
        self._count_reset()

    def _count_reset(self) -> None:
        now = trio.current_time()
        self._resets.append(now)
        while self._resets[0] < now - self.limits.resets_window_s:
            self._resets.popleft()
        if len(self._resets) > self.limits.resets:
            logger.warning("client %s reset %d calls in a row: connection ended", self.peer, len(self._resets))
            self._h2.close_connection(_ENHANCE_YOUR_CALM)
            raise _Ended

    def _window_opened(self, stream_id: int) -> None:
        if stream_id:
            call = self._calls.get(stream_id)
            if call is not None:
                call.window_opened.set()
            return
        for call in self._calls.values():
            call.window_opened.set()

    def _give_room_now(self, stream_id: int, room: int) -> None:
        # The call is over on the wire; h2 has forgotten it (KeyError) if a later one has begun.
        with suppress(h2.exceptions.ProtocolError, KeyError):
            self._h2.acknowledge_received_data(room, stream_id)

    async def give_room(self, stream_id: int, room: int) -> None:
        """A handler reads: let its client send as much again."""
        self._give_room_now(stream_id, room)
        await self._flush_soon()

    # Serving

    async def _serve(self, call: RpcCall) -> None:
        ending: Ending | None = None
        REQUEST_ID.set(call.request_id)
        if self._began is not None:
            self._began(call)
        try:
            with call.scope:
                ending = await self._outcome(call)
                await self._finish(call, ending)
        finally:
            del self._calls[call.stream_id]
            owed = call.release()
            if owed:
                self._give_room_now(call.stream_id, owed)
                self._nursery.start_soon(self._flush)
            self._done(call, ending if call.answered else None)
            if self._closing and not self._calls:
                self._scope.cancel()

    async def _outcome(self, call: RpcCall) -> Ending:
        """Run the handler within its deadline; how the call ends."""
        try:
            self._check(call)
            timeout = call.metadata.get("grpc-timeout")
            if timeout is None:
                await self._dispatch(call)
            else:
                with trio.move_on_after(parse_timeout(timeout)) as limit:
                    await self._dispatch(call)
                if limit.cancelled_caught:
                    raise RpcFailed(StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")
        except Exception as error:  # the boundary: what went wrong in a call is its answer, not the connection's end
            cause = _cause(error)
            if isinstance(cause, _Ended):
                raise cause from None
            return ending_of(cause, call.name, self._explain)
        return Ending(StatusCode.OK)

    def _check(self, call: RpcCall) -> None:
        if call.metadata.get(":method") != "POST":
            raise RpcFailed(StatusCode.UNIMPLEMENTED, "gRPC calls are POSTs")
        kind = call.metadata.get("content-type", "")
        if kind != "application/grpc" and not kind.startswith(("application/grpc+", "application/grpc;")):
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, f"the content type is {kind!r}, not application/grpc")

    async def _finish(self, call: RpcCall, ending: Ending) -> None:
        well = ending.code is StatusCode.OK
        closing = OK_TRAILERS if well else literals(trailers(ending, call.request_id))
        try:
            self._queue_headers(call, closing if call.headers_sent else opening(call.request_id) + closing, END_STREAM)
            if not well and not self._h2.streams[call.stream_id].closed:
                # The client may still be sending: what it sends is not wanted (RFC 9113 §8.1).
                self._h2.reset_stream(call.stream_id, h2.errors.ErrorCodes.NO_ERROR)
        except (h2.exceptions.ProtocolError, KeyError):
            return  # the call is over on the wire
        self._leaving.append(call)
        await self._flush()

    def _queue_headers(self, call: RpcCall, block: bytes, flags: int = 0) -> None:
        """Put headers behind what h2 has to say. Its automaton of the stream is told; it has no say in the bytes.

        Raises:
            ProtocolError, KeyError: the call is over on the wire.
        """
        automaton = self._h2.streams[call.stream_id].state_machine
        automaton.process_input(StreamInputs.SEND_HEADERS)
        if flags & END_STREAM:
            automaton.process_input(StreamInputs.SEND_END_STREAM)
        self._drain()
        self._outbox.append(frame_head(len(block), HEADERS, flags | END_HEADERS, call.stream_id) + block)

    # Writing

    async def send_message(self, call: RpcCall, parts: Sequence[Buffer], last: bool) -> None:
        """Send a message of a call, with its prefix, as the client's windows allow.

        Args:
            last: the call ends with it, so that it need not leave before the trailers.
        """
        if not call.headers_sent:
            call.headers_sent = True
            try:
                self._queue_headers(call, opening(call.request_id))
            except (h2.exceptions.ProtocolError, KeyError):
                raise _given_up() from None
        pending = deque(memoryview(part) for part in parts if len(part))
        size = sum(map(len, pending))
        if last and size <= min(_SMALL, self._window(call)):
            self._queue(call, pending, size)
            return
        while pending:
            if self._window(call) <= 0:
                await self._wait_for_window(call)
                continue
            async with self._write_lock:
                # Queued only when it can leave: what waits here is never more than one batch.
                try:
                    self._queue(call, pending, min(self._window(call), _BATCH))
                finally:  # others rely on whoever holds the lock
                    await self._write_out()

    def _window(self, call: RpcCall) -> int:
        """How much the client takes at present.

        Raises:
            RpcFailed: it gave the call up.
        """
        try:
            room: int = self._h2.local_flow_control_window(call.stream_id)
        except (h2.exceptions.ProtocolError, KeyError):
            raise _given_up() from None
        return room

    async def _wait_for_window(self, call: RpcCall) -> None:
        call.window_opened = trio.Event()
        await self._flush()
        with trio.move_on_after(self.limits.write_stall_s) as waiting:
            await call.window_opened.wait()
        if waiting.cancelled_caught:
            logger.info("client %s takes nothing of %s: connection ended", self.peer, call.name)
            raise _Ended

    def _queue(self, call: RpcCall, pending: deque[memoryview], room: int) -> None:
        """Cut up to `room` bytes into DATA frames behind what h2 has to say.

        Written past h2, which takes 30 µs for a frame: its windows are counted down here, and its automaton is in the
        state for data, since the call's headers are out and its end is not.
        """
        self._drain()
        largest = self._h2.max_outbound_frame_size
        stream = self._h2.streams[call.stream_id]
        while room > 0 and pending:
            size, pieces = 0, []
            while pending and size < min(largest, room):
                part = pending.popleft()
                fits = min(largest, room) - size
                if len(part) > fits:
                    pending.appendleft(part[fits:])
                    part = part[:fits]
                pieces.append(part)
                size += len(part)
            self._outbox.append(frame_head(size, DATA, 0, call.stream_id))
            self._outbox += pieces
            room -= size
            stream.outbound_flow_control_window -= size
            self._h2.outbound_flow_control_window -= size

    def _reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        with suppress(h2.exceptions.ProtocolError):  # it is over already
            self._h2.reset_stream(stream_id, code)

    def _drain(self) -> None:
        """Put what h2 has to say behind what waits already."""
        data = self._h2.data_to_send()
        if data:
            self._outbox.append(data)

    async def _flush(self) -> None:
        """Write what there is to say. One writer at a time, and none that waits for ever."""
        async with self._write_lock:
            await self._write_out()

    async def _flush_soon(self) -> None:
        """Have what h2 says written: by whoever writes just now, if somebody does.

        So reading goes on while the client takes nothing, as it may wait for that itself; but not so long that
        answers to its control frames pile up.
        """
        if self._write_lock.locked():
            self._drain()
            if sum(map(len, self._outbox)) <= _BACKLOG:
                return
        await self._flush()

    async def _write_out(self) -> None:
        while True:
            self._drain()
            if not self._outbox:
                return
            data, self._outbox = b"".join(self._outbox), []
            leaving, self._leaving = self._leaving, []
            # Not cut short by the end of one call: half a frame would spoil the others'.
            with trio.CancelScope(shield=True), trio.move_on_after(self.limits.write_stall_s) as writing:
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    raise _Ended from None
            if writing.cancelled_caught:
                logger.info("client %s takes nothing: connection ended", self.peer)
                raise _Ended
            # Whoever wrote it: the call itself may be cancelled while it waits for its turn, as its client has read
            # the answer and is gone.
            for call in leaving:
                call.answered = True


def _given_up() -> RpcFailed:
    return RpcFailed(StatusCode.CANCELLED, "the client gave the call up")


def _cause(error: Exception) -> Exception:
    """The one error that a nursery of the store's wrapped, if it is one."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
