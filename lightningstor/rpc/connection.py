"""One client's HTTP/2 connection: calls read, handed to their handlers, answered; over h2, in one nursery.

purerpc's own transport is not used: it never enforces a deadline, ignores resets, answers exceptions with their text
and leaves handlers of vanished clients running. Its services, stubs and code generator are; `dispatch` runs them.

Back-pressure: the connection's window is given back as data comes, a call's own only as its handler reads
(`RpcCall.take_data`). What is sent waits for the client's windows, and a client that takes nothing for
`write_stall_s` is dropped.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import h2.config
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio
from hyperframe.frame import GoAwayFrame

from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.framing import parse_timeout
from lightningstor.rpc.http2 import Http2Connection
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.status import Explain, RpcFailed, StatusCode, status_of, trailers

__all__ = ["Dispatch", "RpcConnection"]

logger = logging.getLogger("lightningstor.rpc")

Dispatch: TypeAlias = Callable[[RpcCall], Awaitable[None]]

_READ: Final = 64 << 10
_CONNECTION_WINDOW: Final = 16 << 20
_FORBIDDEN: Final = frozenset("\0\r\n")
_ENHANCE_YOUR_CALM: Final = h2.errors.ErrorCodes.ENHANCE_YOUR_CALM


class _Ended(Exception):
    """The connection is over: the client is gone, broke the protocol or a limit, or both sides have finished."""


class RpcConnection:
    """A client's connection.

    Args:
        stream: the socket, or TLS over it.
        dispatch: runs a call's handler: reads its messages, sends its answers, raises what goes wrong.
        peer: the client's address.
        explain: as `status_of` takes it.
    """

    def __init__(
        self,
        stream: trio.abc.HalfCloseableStream | trio.SSLStream[Any],
        dispatch: Dispatch,
        limits: RpcLimits,
        peer: str,
        explain: Explain,
    ) -> None:
        self.limits = limits
        self.peer = peer
        self._stream = stream
        self._dispatch = dispatch
        self._explain = explain
        self._calls: dict[int, RpcCall] = {}
        self._write_lock = trio.Lock()
        self._resets: deque[float] = deque()
        self._closing = False
        self._scope = trio.CancelScope()
        self._h2 = Http2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: limits.window_bytes,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
            },
        )

    async def run(self) -> None:
        """Serve the client until either side ends the connection. Raises nothing of the client's making."""
        with self._scope:
            try:
                async with trio.open_nursery() as nursery:
                    self._h2.initiate_connection()
                    self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
                    await self._flush()
                    await self._read_all(nursery)
                    for call in self._calls.values():
                        call.scope.cancel()
            except* (_Ended, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                pass

    async def goodbye(self) -> None:
        """Take no further calls, and tell the client; the connection ends when the calls under way have.

        The GOAWAY is written past h2, which would take it for the end and refuse to send what those calls answer.
        """
        if self._closing:
            return
        self._closing = True
        frame = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id)
        await self._flush(frame.serialize())
        if not self._calls:
            self._scope.cancel()

    def abandon(self) -> None:
        """End the connection and every call on it."""
        self._scope.cancel()

    # Reading

    async def _read_all(self, nursery: trio.Nursery) -> None:
        patience = self.limits.first_frame_s
        while True:
            with trio.move_on_after(patience) as waiting:
                data = bytes(await self._stream.receive_some(_READ))
            if waiting.cancelled_caught:
                if not self._calls:
                    raise _Ended
                continue
            if not data:
                return
            patience = self.limits.idle_s
            try:
                events = self._h2.receive_data(data)
            except (h2.exceptions.ProtocolError, UnicodeDecodeError, ValueError) as error:
                # h2 has queued the GOAWAY that says so (ValueError: hpack's and hyperframe's of malformed frames)
                logger.info("client %s broke HTTP/2: %s", self.peer, error)
                await self._flush()
                raise _Ended from None
            try:
                for event in events:
                    self._take(event, nursery)
            finally:
                await self._flush()

    def _take(self, event: h2.events.Event, nursery: trio.Nursery) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._begin(event, nursery)
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

    def _begin(self, event: h2.events.RequestReceived, nursery: trio.Nursery) -> None:
        metadata: dict[str, str] = {}
        for name, value in event.headers:
            if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
                self._reset(event.stream_id, h2.errors.ErrorCodes.PROTOCOL_ERROR)
                return
            metadata[name] = f"{metadata[name]},{value}" if name in metadata else value
        if self._closing:
            self._reset(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        call = RpcCall(self, event.stream_id, metadata.get(":path", ""), metadata)
        self._calls[event.stream_id] = call
        nursery.start_soon(self._serve, call)

    def _take_data(self, event: h2.events.DataReceived) -> None:
        room = event.flow_controlled_length
        if room:
            self._h2.increment_flow_control_window(room)
        call = self._calls.get(event.stream_id)
        if call is not None and call.take_data(event.data, room) and room:
            self._give_room_now(event.stream_id, room)

    def _take_reset(self, stream_id: int) -> None:
        call = self._calls.get(stream_id)
        if call is not None:
            call.scope.cancel()
        now = trio.current_time()
        self._resets.append(now)
        while self._resets[0] < now - self.limits.resets_window_s:
            self._resets.popleft()
        if len(self._resets) > self.limits.resets:
            logger.warning("client %s reset %d calls in a row: connection ended", self.peer, len(self._resets))
            self._h2.close_connection(_ENHANCE_YOUR_CALM)
            raise _Ended

    def _window_opened(self, stream_id: int) -> None:
        for call in self._calls.values():
            if not stream_id or call.stream_id == stream_id:
                call.window_opened.set()

    def _give_room_now(self, stream_id: int, room: int) -> None:
        # The call is over on the wire; h2 has forgotten it (KeyError) if a later one has begun.
        with suppress(h2.exceptions.ProtocolError, KeyError):
            self._h2.increment_flow_control_window(room, stream_id)

    async def give_room(self, stream_id: int, room: int) -> None:
        """A handler has read: let its client send as much again."""
        self._give_room_now(stream_id, room)
        await self._flush()

    # Serving

    async def _serve(self, call: RpcCall) -> None:
        try:
            with call.scope:
                code, message = await self._outcome(call)
                await self._finish(call, code, message)
        finally:
            del self._calls[call.stream_id]
            if self._closing and not self._calls:
                self._scope.cancel()

    async def _outcome(self, call: RpcCall) -> tuple[StatusCode, str]:
        """Run the handler within its deadline; how the call ends."""
        try:
            self._check(call)
            timeout = call.metadata.get("grpc-timeout")
            with trio.move_on_after(parse_timeout(timeout)) if timeout is not None else trio.CancelScope() as limit:
                await self._dispatch(call)
            if limit.cancelled_caught:
                raise RpcFailed(StatusCode.DEADLINE_EXCEEDED, "the deadline has passed")
        except Exception as error:
            # The boundary between calls: what went wrong in this one is its answer, never the connection's end.
            if isinstance(error, trio.BrokenResourceError | trio.ClosedResourceError | trio.TooSlowError | _Ended):
                raise
            failed = status_of(error, call.name, self._explain)
            return failed.code, failed.message
        return StatusCode.OK, ""

    def _check(self, call: RpcCall) -> None:
        if call.metadata.get(":method") != "POST":
            raise RpcFailed(StatusCode.UNIMPLEMENTED, "gRPC calls are POSTs")
        kind = call.metadata.get("content-type", "")
        if kind != "application/grpc" and not kind.startswith(("application/grpc+", "application/grpc;")):
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, f"the content type is {kind!r}, not application/grpc")

    async def send_message(self, call: RpcCall, data: bytes) -> None:
        """Send a framed message of a call, as its client's windows allow."""
        self._send_headers(call)
        view, at = memoryview(data), 0
        while at < len(view):
            try:
                room = self._h2.local_flow_control_window(call.stream_id)
            except h2.exceptions.ProtocolError:
                raise RpcFailed(StatusCode.CANCELLED, "the client gave the call up") from None
            size = min(room, self._h2.max_outbound_frame_size, len(view) - at)
            if size <= 0:
                call.window_opened = trio.Event()
                await self._flush()
                with trio.fail_after(self.limits.write_stall_s):
                    await call.window_opened.wait()
                continue
            self._h2.send_data(call.stream_id, bytes(view[at : at + size]))
            at += size
        await self._flush()

    def _send_headers(self, call: RpcCall) -> None:
        if not call.headers_sent:
            call.headers_sent = True
            self._h2.send_headers(call.stream_id, [(":status", "200"), ("content-type", "application/grpc")])

    async def _finish(self, call: RpcCall, code: StatusCode, message: str) -> None:
        ending = trailers(code, message)
        try:
            if call.headers_sent:
                self._h2.send_headers(call.stream_id, ending, end_stream=True)
            else:
                opening = [(":status", "200"), ("content-type", "application/grpc")]
                self._h2.send_headers(call.stream_id, opening + ending, end_stream=True)
            if code is not StatusCode.OK and not self._h2.streams[call.stream_id].closed:
                # The client may still be sending: what it sends is not wanted (RFC 9113 §8.1).
                self._h2.reset_stream(call.stream_id, h2.errors.ErrorCodes.NO_ERROR)
        except (h2.exceptions.ProtocolError, KeyError):
            return  # the call is over on the wire
        await self._flush()

    def _reset(self, stream_id: int, code: h2.errors.ErrorCodes) -> None:
        with suppress(h2.exceptions.ProtocolError):  # it is over already
            self._h2.reset_stream(stream_id, code)

    async def _flush(self, last: bytes = b"") -> None:
        """Write what h2 has to say, and `last`. One writer at a time, and none that waits for ever."""
        async with self._write_lock:
            while data := (self._h2.data_to_send(_READ) or last):
                last = b"" if data is last else last
                # Not cut short by the end of one call: half a frame would spoil the others'.
                with trio.CancelScope(shield=True), trio.fail_after(self.limits.write_stall_s):
                    await self._stream.send_all(data)
