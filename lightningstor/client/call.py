"""One call on a connection, as its caller sees it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from lightningstor.client.errors import InternalError, ResourceExhausted, RpcError, error_of_http, error_of_trailers
from lightningstor.rpc.framing import MessageReader
from lightningstor.rpc.status import RpcFailed

if TYPE_CHECKING:
    from lightningstor.client.connection import Connection

__all__ = ["ClientCall"]

_PREFIX: Final = 5
_GIVE_SHARE: Final = 4


class ClientCall:
    """A call under way. `close` must follow, whatever happens.

    What the server may send ahead is its window: a call that is not read holds that much and no more. Room is given
    back as messages are taken; only for a message that a reader waits for and that is larger than the window, before.

    Attributes:
        name: "package.Service/Method".
        metadata: the answer's headers, by lower-case name, from its first message on; the trailers join them.
    """

    def __init__(self, connection: Connection, stream_id: int, name: str) -> None:
        self.name = name
        self.stream_id = stream_id
        self.metadata: dict[str, str] = {}
        self._connection = connection
        self._window = connection.limits.window_bytes
        self._reader = MessageReader(connection.limits.receive_message_bytes)
        self._messages: deque[bytes] = deque()
        self._partial = 0
        self._owed = 0
        self._lent = 0
        self._receiving = False
        self._ended = False
        self._error: RpcError | None = None
        self._arrived = trio.Event()

    # From the connection

    def take_headers(self, headers: dict[str, str]) -> None:
        """The answer begins; an answer that is not gRPC's fails the call."""
        self.metadata = headers
        status = headers.get(":status", "")
        if status != "200":
            self._give_up(error_of_http(status, self.name))
        elif not headers.get("content-type", "").startswith("application/grpc"):
            kind = headers.get("content-type")
            self._give_up(InternalError(f"the answer's content type is {kind!r}, not application/grpc", call=self.name))

    def take_data(self, data: bytes, room: int) -> int:
        """Data of the server's, that took `room` of the window; how much of it may be given back at once."""
        if self.over:
            return 0
        try:
            messages = self._reader.feed(data)
        except RpcFailed as failed:
            kind = ResourceExhausted if failed.code == ResourceExhausted.code else InternalError
            self._give_up(kind(failed.message, call=self.name))
            return 0
        self._partial += len(data) - sum(len(message) + _PREFIX for message in messages)
        self._owed += room - len(data)
        self._messages += messages
        if self._messages:
            self._arrived.set()
            return 0
        return self._room_to_give() if self._receiving else 0

    def take_trailers(self, trailers: dict[str, str]) -> None:
        """The answer's end."""
        self.metadata |= trailers

    def take_end(self) -> None:
        """The server sends nothing more."""
        if self.over:
            return
        if "grpc-status" not in self.metadata:
            self.fail(InternalError("the server ended the call without a status", call=self.name))
            return
        error = error_of_trailers(self.metadata, self.name)
        if error is None and self._partial:
            error = InternalError("the server ended the call inside a message", call=self.name)
        if error is not None:
            self.fail(error)
        self._ended = True
        self._arrived.set()

    def fail(self, error: RpcError) -> None:
        """The call ends with that; messages that came whole are still received."""
        if not self.over:
            self._error = error
            self._arrived.set()

    @property
    def over(self) -> bool:
        """How the call ends is known."""
        return self._ended or self._error is not None

    # For the caller

    async def send(self, data: bytes, *, end: bool = False) -> bool:
        """Send a framed message, as the server's window allows; `end`: it is the last.

        Returns:
            False when the call is over already: `receive` tells how.
        """
        return await self._connection.send(self, data, end=end)

    def end(self) -> None:
        """Send nothing more. For a call whose last message did not say that it is."""
        self._connection.end_sending(self)

    async def receive(self) -> bytes | None:
        """The server's next message; None after its last.

        Raises:
            RpcError: the call failed.
        """
        if self._messages:
            await trio.lowlevel.checkpoint()
        while not self._messages:
            if self._error is not None:
                raise self._error
            if self._ended:
                await trio.lowlevel.checkpoint()
                return None
            self._connection.give_room(self, self._room_to_give())
            self._arrived = trio.Event()
            self._receiving = True
            try:
                await self._arrived.wait()
            finally:
                self._receiving = False
        message = self._messages.popleft()
        size = len(message) + _PREFIX
        self._owed += max(size - self._lent, 0)
        self._lent = max(self._lent - size, 0)
        if self._owed * _GIVE_SHARE >= self._window:
            self._connection.give_room(self, self._owed)
            self._owed = 0
        return message

    def close(self) -> None:
        """The caller is done: if the call is not over, the server is told to stop (RST_STREAM). Never waits."""
        self._connection.close_call(self)
        self._messages.clear()

    def _give_up(self, error: RpcError) -> None:
        self.fail(error)
        self._connection.close_call(self)

    def _room_to_give(self) -> int:
        """What of the window is given back while the reader waits: all, and not before it is worth a frame."""
        room = self._owed + self._partial - self._lent
        if room * _GIVE_SHARE < self._window:
            return 0
        self._owed, self._lent = 0, self._partial
        return room
