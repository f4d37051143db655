"""One client's socket: reads and writes that watch their own progress, and that a sweep can interrupt.

A cancel scope per read or write costs more than the read; so who blocks here only leaves a note (`blocked`, the
deadlines), and one task per server reads the notes (`SocketWire.sweep`). Who has waited too long is woken by
`notify_closing`, which does not close anything: the way out of it, a word to the client say, stays open.

Both ends first try without waiting. Who never had to wait yields to other tasks every 256 KiB: before the system
call, so that a cancelled call has moved no byte. A write that is cancelled half-way leaves the wire `broken`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from enum import Enum
from math import inf
from typing import Final, Protocol, TypeAlias

import trio

from lightningstor.http.departures import Departures
from lightningstor.http.faults import ClientGone
from lightningstor.http.limits import HttpLimits
from lightningstor.http.respond import HttpDate

__all__ = ["Bytes", "SocketWire", "Ticker", "Waiting", "Wire"]

Bytes: TypeAlias = bytes | bytearray | memoryview

_YIELD_EVERY: Final = 256 * 1024
_HELD_MAX: Final = 16 * 1024
# Under load a client's next bytes are here by the time the other tasks have had their turn: a yield and a read then
# spare the two system calls of a wait (52 → 42 µs a request at 32 connections). Where they are not, both are wasted:
# after so many failures in a row no eager read is made, but for one in so many to see whether that has changed.
_EAGER: Final = 4
_EAGER_PAUSE: Final = 16
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Ticker:
    """What the connections of a server share: the time as of the last sweep, so that nothing on a request's path asks
    the clock; and the answers that leave together.

    Attributes:
        now: monotonic seconds.
        date: the Date field.
        departures: see there.
    """

    __slots__ = ("date", "departures", "now")

    def __init__(self, now: float, now_ms: int) -> None:
        self.now = now
        self.departures = Departures()
        self.date = HttpDate(now_ms)


class Waiting(Enum):
    """What a connection waits for from its client, and why it may be interrupted."""

    HANDSHAKE = "handshake"
    IDLE = "idle"
    HEADER = "header"
    BODY = "body"
    NOTHING = "nothing"
    WRITE = "write"
    STOP = "stop"


class Wire(Protocol):
    """What a connection asks of its socket, in the clear or under TLS."""

    async def wait_read(self, limit: int) -> bytes:
        """Wait until there is something to read; up to `limit` bytes of it, b"" at the end."""
        ...

    async def read(self, limit: int) -> bytes:
        """Up to `limit` bytes, b"" at the end; waits only if there are none yet."""
        ...

    async def write(self, data: Bytes) -> None:
        """Send all of `data`."""
        ...

    async def write_last(self, data: bytes) -> None:
        """Send the end of an answer; it may leave a moment later, together with others (see `departures`)."""
        ...

    async def write_all(self, pieces: Sequence[Bytes]) -> None:
        """Send the pieces one after another, in as few packets as may be."""
        ...

    async def finish(self) -> None:
        """Tell the client that nothing more will come; it may still send."""
        ...


class SocketWire:
    """A connected, non-blocking TCP socket.

    Attributes:
        waiting: what the reading side waits for (for `sweep`).
        read_deadline: in ticker time; inf when there is none.
        received: bytes read so far.
        departures: of its server.
        broken: a write was cut short, or the client has reset the connection: nothing more can be sent.
    """

    __slots__ = (
        "_blocked",
        "_eager",
        "_fd",
        "_held",
        "_interrupted",
        "_limits",
        "_meter_mark",
        "_meter_s",
        "_recv",
        "_send",
        "_sock",
        "_ticker",
        "_unyielded",
        "_write_deadline",
        "broken",
        "departures",
        "read_deadline",
        "received",
        "waiting",
    )

    def __init__(self, sock: socket.socket, ticker: Ticker, limits: HttpLimits) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._recv = sock.recv
        self._send = sock.send
        self._ticker = ticker
        self.departures = ticker.departures
        self._held: Bytes | None = None
        self._limits = limits
        self._blocked = False
        self._eager = 1
        self._interrupted = Waiting.NOTHING
        self._meter_mark = 0
        self._meter_s = 0.0
        self._unyielded = 0
        self._write_deadline = inf
        self.broken = False
        self.read_deadline = inf
        self.received = 0
        self.waiting = Waiting.IDLE

    async def wait_read(self, limit: int) -> bytes:
        """See `Wire.wait_read`. Always a checkpoint."""
        self._unyielded = 0
        recv = self._recv  # a callable in a slot is called quicker through a name: it is no method to look up
        if self._eager > 0 or self._held is not None:
            departures = self.departures
            round_number = departures.leave()
            try:
                await trio.lowlevel.checkpoint()
            finally:
                departures.resume(round_number)
            if self._held is not None:
                await self._write_held()
            try:
                data = recv(limit)
            except BlockingIOError:
                self._eager -= 1
            except OSError as error:
                raise self._lost(error) from None
            else:
                self._eager = _EAGER
                self.received += len(data)
                return data
        else:
            self._eager -= 1
            if self._eager < -_EAGER_PAUSE:
                self._eager = 1
        while True:
            await self._wait_readable()
            try:
                data = recv(limit)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost(error) from None
            self.received += len(data)
            return data

    async def _wait_readable(self) -> None:
        if self._interrupted is Waiting.STOP:
            raise self._gone()  # it came while nobody waited
        self._blocked = True
        try:
            await trio.lowlevel.wait_readable(self._fd)
        except trio.ClosedResourceError:
            raise self._gone() from None
        finally:
            self._blocked = False

    async def read(self, limit: int) -> bytes:
        """See `Wire.read`."""
        if self._unyielded >= _YIELD_EVERY:
            self._unyielded = 0
            await trio.lowlevel.checkpoint()
        try:
            data = self._recv(limit)
        except BlockingIOError:
            return await self.wait_read(limit)
        except OSError as error:
            raise self._lost(error) from None
        self.received += len(data)
        self._unyielded += len(data)
        return data

    def read_now(self, buffer: memoryview) -> int | None:
        """Put what has come into `buffer`: how many bytes, 0 at the end; None: `wait_more` first."""
        if self._unyielded >= _YIELD_EVERY:
            return None
        try:
            count = self._sock.recv_into(buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._lost(error) from None
        self.received += count
        self._unyielded += count
        return count

    async def wait_more(self) -> None:
        """Wait until `read_now` may have something. Always a checkpoint."""
        yields = self._unyielded >= _YIELD_EVERY
        self._unyielded = 0
        if yields:
            await trio.lowlevel.checkpoint()
        else:
            await self._wait_readable()

    async def write_last(self, data: bytes) -> None:
        """See `Wire.write_last`. What is held leaves before anything else is written, or waited for, on this wire."""
        departures = self.departures
        if departures.open and self._held is None and not self.broken and len(data) <= _HELD_MAX:
            self._held = data
            departures.hold(self)
        else:
            await self.write(data)

    def depart(self) -> None:
        """Send what is held, as far as it can go without waiting; the rest stays held."""
        held = self._held
        if held is None:
            return
        send = self._send
        try:
            sent = send(held)
        except BlockingIOError:
            return
        except OSError:
            self.broken = True
            sent = len(held)
        self._held = memoryview(held)[sent:] if sent < len(held) else None

    async def _write_held(self) -> None:
        """Send all that is held."""
        self.depart()
        if self._held is not None:
            rest, self._held = memoryview(self._held), None
            await self._write_rest(rest)

    async def write(self, data: Bytes) -> None:
        """See `Wire.write`."""
        if self._held is not None:
            await self._write_held()
        if self.broken:
            raise ClientGone("closed", "An earlier write was cut short.")
        if self._unyielded >= _YIELD_EVERY:
            self._unyielded = 0
            await trio.lowlevel.checkpoint()
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._lost(error) from None
        if sent != len(data):
            await self._write_rest(memoryview(data)[sent:])
        else:
            self._unyielded += sent

    async def write_all(self, pieces: Sequence[Bytes]) -> None:
        """See `Wire.write_all`."""
        if self._held is not None:
            await self._write_held()
        if self.broken:
            raise ClientGone("closed", "An earlier write was cut short.")
        if self._unyielded >= _YIELD_EVERY:
            self._unyielded = 0
            await trio.lowlevel.checkpoint()
        try:
            sent = self._sock.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise self._lost(error) from None
        for piece in pieces:
            if sent >= len(piece):
                sent -= len(piece)
            else:
                await self._write_rest(memoryview(piece)[sent:])
                sent = 0
        self._unyielded += len(pieces[-1])

    async def _write_rest(self, rest: memoryview) -> None:
        whole = False
        self._unyielded = 0
        try:
            while rest:
                self._write_deadline = self._ticker.now + self._limits.write_stall_s
                await trio.lowlevel.wait_writable(self._fd)
                try:
                    rest = rest[self._send(rest) :]
                except BlockingIOError:
                    continue
            whole = True
        except trio.ClosedResourceError:
            raise self._gone() from None
        except OSError as error:
            raise self._lost(error) from None
        finally:
            self._write_deadline = inf
            self.broken = self.broken or not whole

    async def finish(self) -> None:
        """See `Wire.finish`."""
        if self._held is not None:
            await self._write_held()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._lost(error) from None

    def start_meter(self) -> None:
        """Begin to hold the reading side to the least rate for bodies."""
        self.waiting = Waiting.BODY
        self._meter_mark = self.received
        self._meter_s = 0.0

    def end_meter(self) -> None:
        """The body is there. What comes next is a short answer, and another task's turn comes when it was sent."""
        self.waiting = Waiting.NOTHING
        self._unyielded = 0

    def sweep(self, elapsed_s: float) -> Waiting | None:
        """Wake whoever waits here past a limit, `elapsed_s` after the last sweep; says for what it waited."""
        now = self._ticker.now
        if self._write_deadline <= now:
            return self._interrupt(Waiting.WRITE)
        if self.read_deadline <= now and self._blocked:
            return self._interrupt(self.waiting)
        if self.waiting is Waiting.BODY and self._blocked:
            self._meter_s += elapsed_s
            if self._meter_s >= self._limits.body_window_s:
                if self.received - self._meter_mark < self._limits.body_rate * self._meter_s:
                    return self._interrupt(Waiting.BODY)
                self.start_meter()
        return None

    @property
    def idle(self) -> bool:
        """The connection waits for its next request."""
        return self.waiting is Waiting.IDLE and self._blocked

    def stop_idle(self) -> None:
        """Wake a connection that waits for its next request, so that it ends."""
        if self.waiting is Waiting.IDLE or self.waiting is Waiting.HEADER or self.waiting is Waiting.HANDSHAKE:
            self._interrupt(Waiting.STOP)

    def _interrupt(self, why: Waiting) -> Waiting:
        self._interrupted = why
        trio.lowlevel.notify_closing(self._fd)
        return why

    def _gone(self) -> ClientGone:
        """What somebody who was interrupted raises."""
        why = self._interrupted
        if why is Waiting.BODY:
            return ClientGone(why.value, "The request body came too slowly.", 408)
        if why is Waiting.HEADER:
            return ClientGone(why.value, "The request header did not come in time.", 408)
        self.broken = self.broken or why is Waiting.WRITE
        return ClientGone(why.value, f"The connection was ended while it waited ({why.value}).")

    def _lost(self, error: OSError) -> ClientGone:
        self.broken = True
        return ClientGone("reset", f"The client reset the connection ({error}).")

    def close(self, *, reset: bool = False) -> None:
        """Close the socket; with `reset` at once and for both sides, dropping what is not sent yet."""
        if not reset:
            self.depart()
        trio.lowlevel.notify_closing(self._fd)
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._sock.close()
