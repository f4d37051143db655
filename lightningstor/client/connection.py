"""One HTTP/2 connection to a server, for any number of calls at once: over h2, in three tasks.

One task reads, one writes, one asks a silent server whether it is there. Callers only put frames into a queue and wait
for what comes, so a caller may be cancelled at any moment: no frame is ever cut short by it. Whatever ends the
connection ends every call on it at once, with UNAVAILABLE.

`draining` is the state after the server's GOAWAY, or when stream ids run out: calls under way go on, further ones need
another connection.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

import h2.config
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import trio

from lightningstor.client.call import ClientCall
from lightningstor.client.errors import InternalError, RpcError, Unavailable, error_of_reset
from lightningstor.client.limits import ClientLimits
from lightningstor.client.metadata import Headers
from lightningstor.rpc.http2 import Http2Connection

__all__ = ["Connection"]

_READ: Final = 128 << 10
_SOME: Final = 256
"""Bytes of what has come that are taken at once while several calls wait: two or three small answers."""
_SMALL_READ: Final = 8 << 10
_SEVERAL: Final = 4
_CONNECTION_WINDOW: Final = 16 << 20
_LAST_STREAM: Final = (1 << 31) - 1
_PING: Final = b"are-u-up"
_FORBIDDEN: Final = frozenset("\0\r\n")


class Connection:
    """A connection. Its owner runs `run` in a nursery, and calls `open` once `established` says so.

    Args:
        stream: the socket, or TLS over it.
        peer: what the server is called in errors.
    """

    def __init__(self, stream: trio.abc.Stream, limits: ClientLimits, peer: str) -> None:
        self.limits = limits
        self.draining = False
        self.failure: RpcError | None = None
        self._closing = False
        self._peer = peer
        self._stream = stream
        self._calls: dict[int, ClientCall] = {}
        self._next_id = 1
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._work = trio.Event()
        self._room = trio.lowlevel.ParkingLot()
        self._settled = trio.Event()
        self._heard = trio.current_time()
        self._scope = trio.CancelScope()
        config = h2.config.H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._h2 = Http2Connection(config)
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                h2.settings.SettingCodes.ENABLE_PUSH: 0,
                h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: limits.window_bytes,
                h2.settings.SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
            },
        )
        # h2 would follow its own settings only once they change
        self._h2.max_inbound_frame_size = limits.frame_bytes
        self._h2.decoder.max_header_list_size = limits.header_bytes

    async def run(self) -> None:
        """Keep the connection until it ends; then its calls have, and the socket is closed. Raises nothing."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._h2.initiate_connection()
                    self._h2.increment_flow_control_window(_CONNECTION_WINDOW)
                    self._collect()
                    nursery.start_soon(self._write_all)
                    nursery.start_soon(self._watch)
                    await self._read_all()
        finally:
            self.abandon(Unavailable("the connection was closed on this side"))
            await trio.aclose_forcefully(self._stream)

    async def established(self) -> None:
        """Until the server has sent its settings.

        Raises:
            Unavailable: it is gone, or speaks no HTTP/2.
        """
        await self._settled.wait()
        if self.failure is not None:
            raise self.failure

    @property
    def usable(self) -> bool:
        """Further calls may be opened."""
        return self.failure is None and not self.draining

    async def open(self, name: str, headers: Headers) -> ClientCall:
        """Begin a call; waits while the server allows no more at once.

        Raises:
            Unavailable: the connection is not usable; the call was not seen.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while self.usable and len(self._calls) >= self._h2.remote_settings.max_concurrent_streams:
            await self._room.park()
        if not self.usable:
            reason = self.failure.message if self.failure is not None else "the server takes no further calls"
            lasting = self.failure is not None and self.failure.lasting
            raise Unavailable(reason, call=name, unseen=True, lasting=lasting)
        call = ClientCall(self, self._next_id, name)
        self._next_id += 2
        self.draining = self._next_id >= _LAST_STREAM
        self._h2.send_headers(call.stream_id, headers)
        self._calls[call.stream_id] = call
        self._collect()
        return call

    async def send(self, call: ClientCall, data: bytes, *, end: bool) -> bool:
        """See `ClientCall.send`."""
        view, at = memoryview(data), 0
        while not call.over:
            size = min(self._window(call), self._h2.max_outbound_frame_size, len(view) - at)
            if size <= 0 or self._outgoing_bytes >= self.limits.outgoing_bytes:
                await self._room.park()
                continue
            at += size
            done = at == len(view)
            self._h2.send_data(call.stream_id, bytes(view[at - size : at]), end_stream=end and done)
            self._collect()
            if done:
                await trio.lowlevel.checkpoint_if_cancelled()
                return True
        await trio.lowlevel.checkpoint_if_cancelled()
        return False

    def end_sending(self, call: ClientCall) -> None:
        """See `ClientCall.end`."""
        if not call.over:
            with suppress(h2.exceptions.ProtocolError, KeyError):
                self._h2.end_stream(call.stream_id)
            self._collect()

    def give_room(self, call: ClientCall, room: int) -> None:
        """Let the server send as much again on that call."""
        if room > 0 and not call.over:
            # The call is over on the wire; h2 has forgotten it (KeyError) if a later one has begun.
            with suppress(h2.exceptions.ProtocolError, KeyError):
                self._h2.increment_flow_control_window(room, call.stream_id)
            self._collect()

    def close_call(self, call: ClientCall) -> None:
        """See `ClientCall.close`."""
        self._forget(call.stream_id)
        stream = self._h2.streams.get(call.stream_id)
        if self.failure is None and stream is not None and not stream.closed:
            with suppress(h2.exceptions.ProtocolError):
                self._h2.reset_stream(call.stream_id, h2.errors.ErrorCodes.CANCEL)
            self._collect()
        self._end_if_drained()

    async def aclose(self) -> None:
        """Give up the calls under way, say goodbye within `close_s`, and close."""
        self.draining = self._closing = True
        for call in list(self._calls.values()):
            call.fail(Unavailable("the client was closed", call=call.name))
            self.close_call(call)
        if self.failure is None:
            with suppress(h2.exceptions.ProtocolError):
                self._h2.close_connection()
            self._collect()
            with trio.move_on_after(self.limits.close_s):
                while self.failure is None and self._outgoing_bytes:
                    await self._room.park()
        self.abandon(Unavailable("the client was closed"))

    def abandon(self, error: RpcError) -> None:
        """End the connection and every call on it, with that error, now."""
        if self.failure is None:
            self.failure = error
        for call in list(self._calls.values()):
            call.fail(self.failure.of_call(call.name))
        self._calls.clear()
        self._settled.set()
        self._room.unpark_all()
        self._scope.cancel()

    # The three tasks

    async def _read_all(self) -> None:
        while self.failure is None:
            try:
                data = bytes(await self._stream.receive_some(_READ))
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self.abandon(self._lost(error.__cause__))
                return
            if not data:
                self.abandon(self._closed())
                return
            self._heard = trio.current_time()
            if data.startswith(b"HTTP/1") and not self._settled.is_set():
                self.abandon(Unavailable(f"{self._peer} speaks HTTP/1, not HTTP/2", lasting=True))
                return
            # Answers to several calls are taken a few at a time: the calls that follow on the first leave while the
            # others are read, and the server is not idle meanwhile. (32 callers: 3,300 calls a second, and 2,150 where
            # all answers were taken in one go.)
            several = len(self._calls) >= _SEVERAL and len(data) < _SMALL_READ
            size = _SOME if several else len(data)
            for at in range(0, len(data), size):
                if at:
                    await trio.lowlevel.checkpoint()
                if not self._take_data(data[at : at + size]):
                    return

    def _take_data(self, data: bytes) -> bool:
        """Take what came; False: it was the end of the connection."""
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
            self._restore_window()
        except (h2.exceptions.ProtocolError, ValueError) as error:
            # ValueError: hpack's and hyperframe's of malformed frames
            broken = f"{self._peer} does not speak HTTP/2 as it should: {error}"
            self.abandon(Unavailable(broken, lasting=not self._settled.is_set()))
            return False
        self._collect()
        self._end_if_drained()
        return True

    async def _write_all(self) -> None:
        while True:
            if not self._outgoing:
                self._work = trio.Event()
                await self._work.wait()
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            try:
                await self._stream.send_all(data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.draining = True  # the reader tells why: there may be an answer to be read, or an alert of TLS
                self._room.unpark_all()
                return
            self._outgoing_bytes -= len(data)
            self._room.unpark_all()

    async def _watch(self) -> None:
        while True:
            await trio.sleep(self.limits.ping_after_s)
            if not self._calls or trio.current_time() - self._heard < self.limits.ping_after_s:
                continue
            asked = trio.current_time()
            self._h2.ping(_PING)
            self._collect()
            await trio.sleep(self.limits.ping_wait_s)
            if self._heard < asked:
                silence = trio.current_time() - self._heard
                self.abandon(Unavailable(f"{self._peer} has not answered for {silence:.0f} s"))

    # What comes

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            call = self._calls.get(event.stream_id)
            if call is not None:
                self.give_room(call, call.take_data(event.data, event.flow_controlled_length))
        elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self._take_headers(event)
        elif isinstance(event, h2.events.StreamEnded):
            call = self._forget(event.stream_id)
            if call is not None:
                call.take_end()
                self.close_call(call)
                self._room.unpark_all()
        elif isinstance(event, h2.events.StreamReset):
            call = self._forget(event.stream_id)
            if call is not None:
                call.fail(error_of_reset(event.error_code, call.name))
        elif isinstance(event, h2.events.WindowUpdated):
            self._room.unpark_all()
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self._settled.set()
            self._room.unpark_all()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self._take_goodbye(event)

    def _take_headers(self, event: h2.events.ResponseReceived | h2.events.TrailersReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        headers: dict[str, str] = {}
        for raw_name, raw_value in event.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
                call.fail(InternalError("a header of the answer has characters that none may have", call=call.name))
                self.close_call(call)
                return
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        if isinstance(event, h2.events.ResponseReceived):
            call.take_headers(headers)
        else:
            call.take_trailers(headers)

    def _take_goodbye(self, event: h2.events.ConnectionTerminated) -> None:
        self.draining = True
        for call in list(self._calls.values()):
            if call.stream_id > event.last_stream_id:
                self._forget(call.stream_id)
                call.fail(Unavailable(f"{self._peer} takes no further calls here", call=call.name, unseen=True))
        self._room.unpark_all()

    def _forget(self, stream_id: int) -> ClientCall | None:
        call = self._calls.pop(stream_id, None)
        if call is not None:
            self._room.unpark_all()
        return call

    def _restore_window(self) -> None:
        """The connection's own window is given back as data comes; what bounds memory is each call's."""
        missing = _CONNECTION_WINDOW - self._h2.inbound_flow_control_window
        if missing * 2 >= _CONNECTION_WINDOW:
            self._h2.increment_flow_control_window(missing)

    def _end_if_drained(self) -> None:
        if self.draining and not self._closing and not self._calls:
            self.abandon(Unavailable(f"{self._peer} takes no further calls here", unseen=True))

    # What goes

    def _window(self, call: ClientCall) -> int:
        try:
            window: int = self._h2.local_flow_control_window(call.stream_id)
        except h2.exceptions.ProtocolError:  # the call is over on the wire
            return 0
        return window

    def _collect(self) -> None:
        """Hand what h2 has to say to the writer."""
        data = self._h2.data_to_send()
        if data:
            self._outgoing.append(data)
            self._outgoing_bytes += len(data)
            self._work.set()

    def _closed(self) -> Unavailable:
        if self._settled.is_set() or not isinstance(self._stream, trio.SSLStream):
            return Unavailable(f"{self._peer} closed the connection")
        # Under TLS 1.3 the client is done before the server has looked at its certificate; not all say what they miss.
        return Unavailable(
            f"{self._peer} closed the connection after the TLS handshake: a client certificate is lacking?"
        )

    def _lost(self, cause: BaseException | None) -> Unavailable:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            reason = (cause.reason or str(cause)).replace("_", " ").lower()
            return Unavailable(f"TLS with {self._peer} failed: {reason}", lasting=True)
        return Unavailable(f"the connection to {self._peer} broke" + (f": {cause}" if cause else ""))
