"""One call on a connection, as its handler sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import trio

from lightningstor.rpc.framing import MessageReader, frame
from lightningstor.rpc.status import RpcFailed, StatusCode

if TYPE_CHECKING:
    from lightningstor.rpc.connection import RpcConnection

__all__ = ["RpcCall"]


class RpcCall:
    """A call. Handlers get it as `request`.

    Attributes:
        name: "/package.Service/Method". metadata: the headers that came, by lower-case name.
        peer: the client's address. scope: cancelled when the client gives the call up, or is gone.
    """

    def __init__(self, connection: RpcConnection, stream_id: int, name: str, metadata: dict[str, str]) -> None:
        self.name = name
        self.metadata = metadata
        self.peer = connection.peer
        self.scope = trio.CancelScope()
        self.stream_id = stream_id
        self.window_opened = trio.Event()
        self.headers_sent = False
        self._connection = connection
        self._reader = MessageReader(connection.limits.message_bytes)
        self._messages: deque[bytes] = deque()
        self._owed = 0
        self._ended = False
        self._fault: RpcFailed | None = None
        self._arrived = trio.Event()

    # From the connection

    def take_data(self, data: bytes, flow_controlled: int) -> bool:
        """Data of the client's; says whether its room may be given back at once.

        It may while no whole message waits: so a message larger than the window comes through, and a handler that
        does not read holds its client up.
        """
        if self._fault is None:
            try:
                self._messages += self._reader.feed(data)
            except RpcFailed as failed:
                self._fault = failed
                self._messages.clear()
        self._arrived.set()
        if self._messages:
            self._owed += flow_controlled
            return False
        return True

    def take_end(self) -> None:
        """The client has sent its last message."""
        self._ended = True
        self._arrived.set()

    # For the handler

    async def receive(self) -> bytes | None:
        """The client's next message; None after its last.

        Raises:
            RpcFailed: it sent what cannot be taken.
        """
        while not self._messages:
            if self._fault is not None:
                raise self._fault
            if self._ended:
                if self._reader.partial:
                    raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call ended inside a message")
                return None
            self._arrived = trio.Event()
            await self._arrived.wait()
        message = self._messages.popleft()
        if not self._messages and self._owed:
            owed, self._owed = self._owed, 0
            await self._connection.give_room(self.stream_id, owed)
        return message

    async def messages(self, kind: Any) -> AsyncIterator[Any]:
        """The client's messages, parsed as `kind`."""
        while (raw := await self.receive()) is not None:
            yield parse(kind, raw)

    async def one_message(self, kind: Any) -> Any:
        """The one message of a unary request.

        Raises:
            RpcFailed: none came, or more than one.
        """
        raw = await self.receive()
        if raw is None:
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call has no message")
        if await self.receive() is not None:
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call has more than one message")
        return parse(kind, raw)

    async def send(self, message: Any) -> None:
        """Send a message; waits for the client's window."""
        await self._connection.send_message(self, frame(message.SerializeToString()))


def parse(kind: Any, raw: bytes) -> Any:
    """A message of that kind.

    Raises:
        RpcFailed: INVALID_ARGUMENT.
    """
    from google.protobuf.message import DecodeError

    message = kind()
    try:
        message.ParseFromString(raw)
    except DecodeError:
        raise RpcFailed(StatusCode.INVALID_ARGUMENT, f"the message is no {kind.DESCRIPTOR.full_name}") from None
    return message
