"""A server as its client sees it: one connection at a time, made anew when it ends; calls with deadlines and retries.

Used by `LightningStorClient`, and for any other service of gRPC.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Generic, TypedDict, TypeVar

import trio
from attrs import define, field, frozen
from hpack import NeverIndexedHeaderTuple

from lightningstor.client.call import ClientCall
from lightningstor.client.connection import Connection
from lightningstor.client.errors import DeadlineExceeded, InternalError, ResourceExhausted, RpcError, Unavailable
from lightningstor.client.limits import ClientLimits, RetryPolicy
from lightningstor.client.metadata import Headers, encode_metadata, encode_timeout
from lightningstor.client.target import Target, dial
from lightningstor.rpc.framing import frame

__all__ = ["CallOptions", "Channel", "Method", "open_channel"]

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
_Result = TypeVar("_Result")

_USER_AGENT: Final = b"lightningstor-python"
_UNSEEN_ATTEMPTS: Final = 3


@frozen(eq=False)
class Method(Generic[_Request, _Answer]):
    """A method of a service.

    Args:
        name: "package.Service/Method".
        answer: the class of its answers.
        repeatable: whether it does no harm to repeat the call with that request, when nobody knows if the server has
            carried it out.
    """

    name: str
    answer: type[_Answer]
    repeatable: Callable[[_Request], bool]


class CallOptions(TypedDict, total=False):
    """What may be said of a single call; see `Channel.unary`."""

    timeout_s: float | None
    metadata: Mapping[str, str] | None
    repeatable: bool | None


@define(eq=False)
class _Dialling:
    """An attempt to connect that any number of calls wait for."""

    done: trio.Event = field(factory=trio.Event)
    outcome: Connection | RpcError | None = None


class Channel:
    """See `open_channel`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        target: Target,
        ssl_context: ssl.SSLContext | None,
        limits: ClientLimits,
        retry: RetryPolicy,
        metadata: Callable[[], Mapping[str, str]],
    ) -> None:
        self.limits = limits
        self.retry = retry
        self._nursery = nursery
        self._target = target
        self._ssl_context = ssl_context
        self._metadata = metadata
        self._connection: Connection | None = None
        self._draining: set[Connection] = set()
        self._dialling: _Dialling | None = None
        self._closed = False
        self._headers: dict[str, Headers] = {}

    async def connected(self) -> Connection:
        """The connection for a further call: the one there is, or a new one.

        Raises:
            Unavailable: there is none to be had.
        """
        connection = self._connection
        if connection is not None and connection.usable:
            return connection
        if self._closed:
            raise Unavailable("the client is closed", unseen=True, lasting=True)
        dialling = self._dialling
        if dialling is None:
            # In the channel's own nursery: a caller that is cancelled takes nobody's connection away.
            dialling = self._dialling = _Dialling()
            self._nursery.start_soon(self._dial, dialling)
        await dialling.done.wait()
        if isinstance(dialling.outcome, Connection):
            return dialling.outcome
        assert dialling.outcome is not None
        raise dialling.outcome.of_call("")

    async def unary(
        self,
        method: Method[_Request, _Answer],
        request: _Request,
        *,
        timeout_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> _Answer:
        """Call a method that takes one message and gives one.

        Args:
            timeout_s: in seconds, repetitions included; None: `ClientLimits.call_s`.
            repeatable: overrides what the method's table says of repeating this call.

        Raises:
            RpcError: see its classes.
        """
        data = self._framed(method, request)
        may_repeat = method.repeatable(request) if repeatable is None else repeatable

        async def attempt(deadline: float) -> _Answer:
            call = await self._open(method.name, metadata, deadline)
            try:
                await call.send(data, end=True)
                return await _only(method, call)
            finally:
                call.close()

        return await self._until(method.name, self._deadline(timeout_s), attempt, may_repeat)

    async def streaming_up(
        self,
        method: Method[_Request, _Answer],
        requests: Callable[[], AsyncGenerator[_Request, None]],
        *,
        timeout_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
        repeatable: bool | None = False,
    ) -> _Answer:
        """Call a method that takes many messages and gives one.

        Args:
            requests: makes the messages, anew for each attempt.
            timeout_s, repeatable: as in `unary`.

        Raises:
            RpcError: see its classes.
        """

        async def attempt(deadline: float) -> _Answer:
            call = await self._open(method.name, metadata, deadline)
            try:
                async with aclosing(requests()) as messages:
                    async for message in messages:
                        if not await call.send(self._framed(method, message)):
                            break  # the server has answered already
                call.end()
                return await _only(method, call)
            finally:
                call.close()

        return await self._until(method.name, self._deadline(timeout_s), attempt, bool(repeatable))

    @asynccontextmanager
    async def streaming_down(
        self,
        method: Method[_Request, _Answer],
        request: _Request,
        *,
        timeout_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> AsyncIterator[AsyncGenerator[_Answer, None]]:
        """Call a method that takes one message and gives many; the call ends with the block.

        It is tried again only until its first message has come.

        Args:
            timeout_s: of the whole, in seconds; None: none.

        Raises:
            RpcError: see its classes; from the answers' iterator too.
        """
        data = self._framed(method, request)
        may_repeat = method.repeatable(request) if repeatable is None else repeatable
        deadline = trio.current_time() + timeout_s if timeout_s is not None else float("inf")

        async def attempt(deadline: float) -> tuple[ClientCall, bytes | None]:
            call = await self._open(method.name, metadata, deadline)
            try:
                await call.send(data, end=True)
                return call, await call.receive()
            except BaseException:
                call.close()
                raise

        call, first = await self._until(method.name, deadline, attempt, may_repeat)
        try:
            async with aclosing(_answers(method, call, first, deadline)) as answers:
                yield answers
        finally:
            call.close()

    async def aclose(self) -> None:
        """End all calls and the connection; bounded by `ClientLimits.close_s`."""
        self._closed = True
        connections = {*self._draining, *([self._connection] if self._connection else [])}
        async with trio.open_nursery() as nursery:
            for connection in connections:
                nursery.start_soon(connection.aclose)

    # Attempts

    async def _until(
        self, name: str, deadline: float, attempt: Callable[[float], Awaitable[_Result]], may_repeat: bool
    ) -> _Result:
        """Try until it succeeds, fails for good, or the deadline passes."""
        with trio.CancelScope(deadline=deadline) as scope:
            number = 1
            while True:
                try:
                    return await attempt(deadline)
                except Unavailable as error:
                    # What the server never saw may be repeated whatever it is, as gRPC's own clients do ("transparent
                    # retries", proposal A6), and at once: it refused this connection, not the call.
                    refused = error.unseen and bool(error.call) and number < _UNSEEN_ATTEMPTS
                    if not refused and (not may_repeat or error.lasting or number >= self.retry.attempts):
                        raise error if error.call else error.of_call(name) from None
                    if not refused:
                        await trio.sleep(self.retry.pause_s(number))
                number += 1
        assert scope.cancelled_caught
        raise DeadlineExceeded("the deadline has passed", call=name)

    async def _open(self, name: str, metadata: Mapping[str, str] | None, deadline: float) -> ClientCall:
        connection = await self.connected()
        headers = [*(self._headers.get(name) or self._method_headers(name))]
        if deadline != float("inf"):
            # Differs with every call: not for HPACK's table, which it would fill and make slow to search.
            timeout = encode_timeout(deadline - trio.current_time())
            headers.append(NeverIndexedHeaderTuple(b"grpc-timeout", timeout))
        headers += encode_metadata(self._metadata())
        if metadata:
            headers += encode_metadata(metadata)
        return await connection.open(name, headers)

    def _method_headers(self, name: str) -> Headers:
        headers = self._headers[name] = [
            (b":method", b"POST"),
            (b":scheme", b"https" if self._target.tls else b"http"),
            (b":path", b"/" + name.encode()),
            (b":authority", self._target.authority.encode()),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            (b"user-agent", _USER_AGENT),
        ]
        return headers

    def _deadline(self, timeout_s: float | None) -> float:
        timeout_s = self.limits.call_s if timeout_s is None else timeout_s
        return float("inf") if timeout_s is None else trio.current_time() + timeout_s

    def _framed(self, method: Method[Any, Any], message: Any) -> bytes:
        data: bytes = message.SerializeToString()
        if len(data) > self.limits.send_message_bytes:
            raise ResourceExhausted(
                f"the message has {len(data)} bytes, the limit is {self.limits.send_message_bytes};"
                " large objects go by `upload`, in parts",
                call=method.name,
            )
        return frame(data)

    # Connections

    async def _dial(self, dialling: _Dialling) -> None:
        try:
            dialling.outcome = await self._connect()
        except RpcError as error:
            dialling.outcome = error
        finally:
            if dialling.outcome is None:
                dialling.outcome = Unavailable("the client was closed", unseen=True, lasting=True)
            self._dialling = None
            dialling.done.set()

    async def _connect(self) -> Connection:
        if self._connection is not None:
            self._draining.add(self._connection)
            self._connection = None
        limits = self.limits
        with trio.move_on_after(limits.connect_s):
            stream = await dial(self._target, self._ssl_context)
            connection = Connection(stream, limits, self._target.authority)
            self._nursery.start_soon(self._keep, connection)
            try:
                await connection.established()
            except BaseException:
                connection.abandon(Unavailable("the connection was given up"))
                raise
            self._connection = connection
            return connection
        raise Unavailable(f"{self._target.authority} did not answer within {limits.connect_s:g} s", unseen=True)

    async def _keep(self, connection: Connection) -> None:
        try:
            await connection.run()
        finally:
            self._draining.discard(connection)
            if self._connection is connection:
                self._connection = None


async def _only(method: Method[Any, _Answer], call: ClientCall) -> _Answer:
    """The one answer of a call."""
    raw = await call.receive()
    if raw is None or await call.receive() is not None:
        raise InternalError(
            "the server gave not one message but " + ("none" if raw is None else "more"), call=call.name
        )
    return _parse(method, raw)


async def _answers(
    method: Method[Any, _Answer], call: ClientCall, raw: bytes | None, deadline: float
) -> AsyncGenerator[_Answer, None]:
    while raw is not None:
        yield _parse(method, raw)
        if deadline == float("inf"):
            raw = await call.receive()
            continue
        with trio.CancelScope(deadline=deadline) as scope:
            raw = await call.receive()
        if scope.cancelled_caught:
            raise DeadlineExceeded("the deadline has passed", call=call.name)


def _parse(method: Method[Any, _Answer], raw: bytes) -> _Answer:
    from google.protobuf.message import DecodeError

    kind: Any = method.answer
    try:
        answer: _Answer = kind.FromString(raw)
    except DecodeError:
        raise InternalError(f"the answer is no {kind.DESCRIPTOR.full_name}", call=method.name) from None
    return answer


@asynccontextmanager
async def open_channel(
    url: str,
    *,
    ssl_context: ssl.SSLContext | None = None,
    limits: ClientLimits | None = None,
    retry: RetryPolicy | None = None,
    metadata: Callable[[], Mapping[str, str]] = dict,
) -> AsyncIterator[Channel]:
    """A channel, for the time of the block. It connects with the first call.

    Args:
        url: as `Target.parse` takes it.
        ssl_context: as `dial` takes it; without, `https` servers are checked against the system's authorities.
        metadata: gives what goes with every call; asked for each, so that a token may change.

    Raises:
        ValueError: the URL is none of these, or goes with no ssl_context.
    """
    target = Target.parse(url)
    if ssl_context is not None and not target.tls:
        raise ValueError(f"{url} is without TLS: an ssl_context is for https")
    raised: Exception | None = None
    async with trio.open_nursery() as nursery:
        channel = Channel(nursery, target, ssl_context, limits or ClientLimits(), retry or RetryPolicy(), metadata)
        try:
            yield channel
            await channel.aclose()
        except Exception as error:  # raised below: the nursery, our affair, would wrap the program's own in a group
            raised = error
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised
