"""One call on a connection, as its handler sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio

from lightningstor.rpc.framing import MessageReader, prefix
from lightningstor.rpc.status import RpcFailed, StatusCode

if TYPE_CHECKING:
    from lightningstor.iam.principal import Principal
    from lightningstor.model.records import Bucket
    from lightningstor.rpc.connection import RpcConnection

__all__ = ["Encoded", "RpcCall"]

Buffer: TypeAlias = bytes | bytearray | memoryview

UNMATCHED: Final = "Unmatched"
"""The name of an operation before it is found, for metrics and the audit log."""


class Encoded:
    """A message that is written already: its bytes in pieces, which must stay as they are until it was sent."""

    __slots__ = ("parts", "size")

    def __init__(self, parts: Sequence[Buffer]) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))


class RpcCall:
    """A call. Handlers get it as `request`.

    Attributes:
        name: "/package.Service/Method". metadata: the headers that came, by lower-case name.
        peer: the client's address, with its port. encrypted: over TLS. certificate_names: those of its certificate, if
            it showed one.
        request_id: 16 capital hex digits, in the headers of the answer.
        scope: cancelled when the client gives the call up, or is gone.
        answered: the end of its answer was handed to the socket.
        is_open: the method is one that anybody may call.
        operation: the row of the operation table; action: its action. Set as they are found, like what follows.
        principal, authentication: on whose behalf, and how that is known. access_key: the id of the API key.
        found: the bucket's record, once the caller may know that there is one.
        named: the name of that bucket as the store takes it.
        bucket, key, version_id: what the call is about. object_size: of the object written or read, in bytes.
        bytes_in, bytes_out: of its messages.
    """

    answered: bool = False
    is_open: bool = False
    principal: Principal | None = None
    authentication: str | None = None
    access_key: str | None = None
    action: str | None = None
    found: Bucket | None = None
    named: str = ""
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    object_size: int | None = None

    def __init__(self, connection: RpcConnection, stream_id: int, metadata: dict[str, str], request_id: str) -> None:
        self.name = metadata.get(":path", "")
        self.metadata = metadata
        self.peer = connection.peer
        self.encrypted = connection.encrypted
        self.certificate_names = connection.certificate_names
        self.request_id = request_id
        self.operation = UNMATCHED
        self.started = trio.current_time()
        self.scope = trio.CancelScope()
        self.stream_id = stream_id
        self.window_opened = trio.Event()
        self.headers_sent = False
        self.bytes_in = 0
        self.bytes_out = 0
        self._connection = connection
        self._reader = MessageReader(connection.limits.message_bytes)
        self._messages: deque[bytes] = deque()
        self._owed = 0
        self._room = 0
        self._reading = False
        self._ended = False
        self._fault: RpcFailed | None = None
        self._arrived = trio.Event()

    # From the connection

    def take_data(self, data: bytes, flow_controlled: int) -> bool:
        """Data of the client's; says whether its room in the windows may be given back at once.

        It may only while the handler waits for a message, and has room for it: so one larger than the window comes
        through, and a handler that does not read holds its client up.
        """
        self.bytes_in += len(data)
        if self._fault is None:
            try:
                self._messages += self._reader.feed(data)
            except RpcFailed as failed:
                self._fault = failed
                self._messages.clear()
        self._arrived.set()
        if self._reading and not self._messages and self._reader.announced <= self._least_room:
            return True
        self._owed += flow_controlled
        return False

    def take_end(self) -> None:
        """The client has sent its last message."""
        self._ended = True
        self._arrived.set()

    def release(self) -> int:
        """The call is over: give back what it holds; what it owes the connection's window, in bytes."""
        self._give_back_room()
        owed, self._owed = self._owed, 0
        return owed

    # For the handler

    @property
    def _least_room(self) -> int:
        """The size up to which a message may come in at present."""
        return max(self._room, self._connection.limits.window_bytes)

    async def receive(self) -> bytes | None:
        """The client's next message; None after its last.

        Raises:
            RpcFailed: it sent what cannot be taken, or nothing for too long.
        """
        self._give_back_room()
        deadline = trio.current_time() + self._connection.limits.message_s
        while not self._messages:
            if self._over:
                return None
            self._arrived = trio.Event()
            if await self._let_in():
                deadline = trio.current_time() + self._connection.limits.message_s
            self._reading = True
            try:
                await self._wait_for_data(deadline)
            finally:
                self._reading = False
        return self._messages.popleft()

    @property
    def _over(self) -> bool:
        """Nothing more comes.

        Raises:
            RpcFailed: what came cannot be taken.
        """
        if self._fault is not None:
            raise self._fault
        if self._ended and self._reader.partial:
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call ended inside a message")
        return self._ended

    async def _wait_for_data(self, deadline: float) -> None:
        """Wait until something comes; `_arrived` was made before anything was waited for.

        Who has said that it is there, and who began a message, must go on; an open stream of anybody's need not.
        """
        with trio.move_on_at(deadline) as waiting:
            await self._arrived.wait()
        if waiting.cancelled_caught and (self.principal is not None or self._reader.partial):
            seconds = self._connection.limits.message_s
            raise RpcFailed(
                StatusCode.DEADLINE_EXCEEDED, f"no whole message has come for {seconds:g} seconds", "RequestTimeout"
            )

    async def _let_in(self) -> bool:
        """Let the client send the message that the handler is about to wait for, whatever its size.

        Says whether room had to be found for it, which is not the client's fault if it takes long.
        """
        size = self._reader.announced
        large = size > self._least_room
        if large:
            await self._connection.room.take(size)
            self._room = size
        if self._owed:
            owed, self._owed = self._owed, 0
            await self._connection.give_room(self.stream_id, owed)
        return large

    def _give_back_room(self) -> None:
        if self._room:
            self._connection.room.give_back(self._room)
            self._room = 0

    def messages(self, kind: Any) -> AsyncIterator[Any]:
        """The client's messages, parsed as `kind`."""
        return _Messages(self, kind)

    async def one_message(self, kind: Any) -> Any:
        """The one message of a unary request. Its room is held until the call's end.

        Raises:
            RpcFailed: none came, or more than one.
        """
        raw = await self.receive()
        if raw is None:
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call has no message")
        deadline = trio.current_time() + self._connection.limits.message_s
        while not self._messages and not self._over:
            self._arrived = trio.Event()
            await self._wait_for_data(deadline)
        if self._messages:
            raise RpcFailed(StatusCode.INVALID_ARGUMENT, "the call has more than one message")
        return parse(kind, raw)

    async def send(self, message: Any, *, last: bool = False) -> None:
        """Send a message; waits for the client's window.

        Args:
            message: of Protocol Buffers, or `Encoded`.
            last: the call's end follows at once; both leave together, if the message is small.
        """
        if isinstance(message, Encoded):
            self.bytes_out += message.size
            await self._connection.send_message(self, [prefix(message.size), *message.parts], last)
        else:
            data = message.SerializeToString()
            self.bytes_out += len(data)
            await self._connection.send_message(self, [prefix(len(data)) + data], last)


class _Messages:
    """A call's messages. No generator: nobody has to close it."""

    def __init__(self, call: RpcCall, kind: Any) -> None:
        self._call = call
        self._kind = kind

    def __aiter__(self) -> _Messages:
        return self

    async def __anext__(self) -> Any:
        raw = await self._call.receive()
        if raw is None:
            raise StopAsyncIteration
        return parse(self._kind, raw)


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
