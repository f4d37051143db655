"""Calls over real sockets: how they go, how they end, and what they leave of the connection."""

from __future__ import annotations

from typing import Any

import h2.errors
import h2.events
import pytest
import trio
from hyperframe.frame import GoAwayFrame

from lightningstor.client.channel import Channel, Method, open_channel
from lightningstor.client.errors import (
    DeadlineExceeded,
    InternalError,
    ResourceExhausted,
    RpcError,
    Unavailable,
    Unimplemented,
    UnknownError,
)
from lightningstor.client.limits import ClientLimits, RetryPolicy
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.framing import frame
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.status import RpcFailed, StatusCode
from tests.client.peers import ECHO, OK, ONCE, OPENING, Answer, Asked, Peer, answer_all, echo, our_server, scripted
from tests.conftest import StartDaemon

AT_ONCE = RetryPolicy(first_s=0.001)


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


async def ask(channel: Channel, text: str = "x", **options: Any) -> str:
    answer = await channel.unary(ECHO, Asked(service=text), **options)
    return str(answer.service)


async def read_all(channel: Channel, method: Method[Any, Any], into: list[str] | None = None, **options: Any) -> None:
    async with channel.streaming_down(method, Asked(), **options) as answers:
        async for answer in answers:
            if into is not None:
                into.append(answer.service)


async def test_many_calls_share_a_connection() -> None:
    """Calls at once, more than the server takes at a time, are all answered; each gets its own answer."""
    at_once = most = 0

    async def slow_echo(call: RpcCall) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await trio.sleep(0.01)
        await echo(call)
        at_once -= 1

    answers: dict[str, str] = {}

    async def one(channel: Channel, text: str) -> None:
        answers[text] = await ask(channel, text)

    async with (
        our_server(slow_echo, RpcLimits(streams=3)) as port,
        open_channel(url(port)) as channel,
        trio.open_nursery() as nursery,
    ):
        for number in range(20):
            nursery.start_soon(one, channel, str(number))
    assert answers == {str(number): str(number) for number in range(20)}
    assert most == 3


async def test_metadata_and_deadline_go_with_the_call() -> None:
    """The handler sees the channel's metadata and the call's, and the deadline as grpc-timeout."""
    seen: dict[str, str] = {}

    async def note(call: RpcCall) -> None:
        seen.update(call.metadata)
        await echo(call)

    async with (
        our_server(note) as port,
        open_channel(url(port), metadata=lambda: {"authorization": "Bearer t"}) as channel,
    ):
        await ask(channel, timeout_s=5, metadata={"x-more": "1"})
    assert seen["authorization"] == "Bearer t"
    assert seen["x-more"] == "1"
    assert seen["grpc-timeout"].endswith("u")
    assert 4_000_000 < int(seen["grpc-timeout"][:-1]) <= 5_000_000


@pytest.mark.parametrize(
    "metadata",
    [
        {"x": "a\r\ny: b"},
        {"X-Upper": "a"},
        {"x y": "a"},
        {"grpc-timeout": "1S"},
        {":path": "/"},
        {"x": "\0"},
        {"x": ""},
    ],
)
async def test_metadata_that_is_no_header_is_refused(metadata: dict[str, str]) -> None:
    """Line ends, control characters, reserved and malformed names never reach the wire; the channel stays usable."""
    async with our_server(echo) as port, open_channel(url(port)) as channel:
        with pytest.raises(ValueError, match=r"cannot be a metadata name|is empty, or not"):
            await ask(channel, metadata=metadata)
        assert await ask(channel) == "x"


async def test_a_message_larger_than_the_window_comes_through() -> None:
    """Both ways, with windows of 16 KiB and messages of 1 MiB."""
    text = "y" * (1 << 20)
    async with (
        our_server(echo, RpcLimits(window_bytes=16 << 10)) as port,
        open_channel(url(port), limits=ClientLimits(window_bytes=16 << 10)) as channel,
    ):
        assert await ask(channel, text) == text


async def test_an_unread_stream_holds_its_window_at_most() -> None:
    """A reader that stops holds the server up at the window; other calls go on, and the stream goes on when read."""
    window, pieces = 64 << 10, 200
    sent = 0
    piece = Asked(service="z" * 4096)

    async def pour(call: RpcCall) -> None:
        nonlocal sent
        if call.name.endswith("Echo"):
            await echo(call)
            return
        await call.receive()
        for _ in range(pieces):
            await call.send(piece)
            sent += len(frame(piece.SerializeToString()))

    async with (
        our_server(pour) as port,
        open_channel(url(port), limits=ClientLimits(window_bytes=window)) as channel,
        channel.streaming_down(ONCE, Asked()) as answers,
    ):
        await anext(answers)
        for _ in range(20):
            await ask(channel)
        # one piece was taken; what the handler has sent beyond is what the client holds
        assert window - 2 * 4200 < sent <= window + 4200
        assert [answer async for answer in answers] == [piece] * (pieces - 1)


async def test_a_cancelled_call_tells_the_server() -> None:
    """Cancelling sends RST_STREAM with CANCEL, and the connection goes on."""
    reset: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        reset.append(await peer.wait_for(h2.events.StreamReset))
        await answer_all(peer)

    async with scripted(script) as port, open_channel(url(port)) as channel:
        with trio.move_on_after(0.05) as scope:
            await ask(channel, timeout_s=None)
        assert scope.cancelled_caught
        assert await ask(channel) == "good"
    assert [event.error_code for event in reset] == [h2.errors.ErrorCodes.CANCEL]


async def test_leaving_a_stream_early_tells_the_server() -> None:
    """The block's end resets a stream that is not over."""
    ended = trio.Event()

    async def pour(call: RpcCall) -> None:
        await call.receive()
        try:
            while True:
                await call.send(Asked(service="more"))
        finally:
            ended.set()

    async with our_server(pour) as port, open_channel(url(port)) as channel:
        async with channel.streaming_down(ONCE, Asked()) as answers:
            await anext(answers)
        with trio.fail_after(5):
            await ended.wait()


async def test_a_deadline_is_kept_on_this_side() -> None:
    """A server that never answers: DEADLINE_EXCEEDED, for unary calls and for streams, and the stream is reset."""
    resets: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        resets.append(await peer.wait_for(h2.events.StreamReset))
        stream = await peer.request()
        peer.h2.send_headers(stream, OPENING)
        peer.h2.send_data(stream, frame(b""))
        await peer.flush()
        resets.append(await peer.wait_for(h2.events.StreamReset))
        await answer_all(peer)

    async with scripted(script) as port, open_channel(url(port)) as channel:
        with pytest.raises(DeadlineExceeded):
            await ask(channel, timeout_s=0.05)
        with pytest.raises(DeadlineExceeded):
            await read_all(channel, ECHO, timeout_s=0.05)
        assert await ask(channel) == "good"
    assert len(resets) == 2


async def test_messages_over_the_limit() -> None:
    """Too large a message is not sent; one that comes ends the call; RESOURCE_EXHAUSTED both, and calls go on."""
    limits = ClientLimits(send_message_bytes=2000, receive_message_bytes=1000)
    async with our_server(echo) as port, open_channel(url(port), limits=limits) as channel:
        with pytest.raises(ResourceExhausted, match="upload"):
            await ask(channel, "x" * 3000)
        with pytest.raises(ResourceExhausted, match="the limit is 1000"):
            await ask(channel, "x" * 1500)
        assert await ask(channel) == "x"


async def test_a_handlers_error_is_typed() -> None:
    """Status and sentence of a handler's error arrive, any characters included."""

    async def fail(call: RpcCall) -> None:
        raise RpcFailed(StatusCode.UNIMPLEMENTED, "not yet: 100% größer\n")

    async with our_server(fail) as port, open_channel(url(port)) as channel:
        with pytest.raises(Unimplemented) as raised:
            await ask(channel)
    assert raised.value.message == "not yet: 100% größer\n"
    assert raised.value.call == "test.Service/Echo"


ANSWERS: dict[str, tuple[list[tuple[str, str]], bytes, list[tuple[str, str]], type[RpcError]]] = {
    "a header with a line end": ([*OPENING, ("x", "a\r\nb")], frame(b""), OK, InternalError),
    "a trailer with a NUL": (OPENING, frame(b""), [*OK, ("x", "\0")], InternalError),
    "HTTP 503": ([(":status", "503"), ("content-type", "text/html")], b"<html>", [], Unavailable),
    "HTTP 404": ([(":status", "404")], b"", [], Unimplemented),
    "another content type": ([(":status", "200"), ("content-type", "text/html")], b"<html>", [], InternalError),
    "no status": (OPENING, frame(b""), [("x", "y")], InternalError),
    "a status that gRPC does not know": (OPENING, frame(b""), [("grpc-status", "99")], UnknownError),
    "a status that is no number": (OPENING, frame(b""), [("grpc-status", "²")], UnknownError),
    "no message": (OPENING, b"", OK, InternalError),
    "two messages": (OPENING, frame(b"") * 2, OK, InternalError),
    "a message cut short": (OPENING, frame(b"")[:3], OK, InternalError),
    "a message of another kind": (OPENING, frame(b"\xff\xff"), OK, InternalError),
    "a compressed message": (OPENING, b"\x01" + frame(b"")[1:], OK, InternalError),
}


@pytest.mark.parametrize("which", ANSWERS)
async def test_answers_that_break_the_protocol(which: str) -> None:
    """Each ends its call with a clear status; the connection goes on."""
    opening, data, trailers, error = ANSWERS[which]

    async def script(peer: Peer) -> None:
        stream = await peer.request()
        peer.h2.send_headers(stream, opening)
        peer.h2.send_data(stream, data, end_stream=not trailers)
        if trailers:
            peer.h2.send_headers(stream, trailers, end_stream=True)
        await answer_all(peer)

    async with scripted(script) as port, open_channel(url(port)) as channel:
        with pytest.raises(error) as raised:
            await ask(channel, repeatable=False)
        assert type(raised.value) is error
        assert await ask(channel) == "good"


async def test_too_large_headers_end_the_connection() -> None:
    """An answer's headers beyond the limit: UNAVAILABLE; the next call has a new connection."""

    async def script(peer: Peer) -> None:
        stream = await peer.request()
        peer.h2.send_headers(stream, [*OPENING, ("x", "y" * 5000)])
        await peer.flush()
        await trio.sleep_forever()

    limits = ClientLimits(header_bytes=4096)
    async with scripted(script, answer_all) as port, open_channel(url(port), limits=limits) as channel:
        with pytest.raises(Unavailable, match="HTTP/2"):
            await ask(channel, repeatable=False)
        assert await ask(channel) == "good"


async def test_messages_before_a_failure_are_received() -> None:
    """A stream gives what came whole, then the error."""

    async def fail_late(call: RpcCall) -> None:
        await call.receive()
        for _ in range(3):
            await call.send(Asked(service="part"))
        raise RpcFailed(StatusCode.INTERNAL, "a bad block")

    got: list[str] = []
    async with our_server(fail_late) as port, open_channel(url(port)) as channel:
        with pytest.raises(InternalError, match="a bad block"):
            await read_all(channel, ONCE, into=got)
    assert got == ["part"] * 3


# Peers that are lost


async def test_a_killed_server_is_noticed_at_once(launch_daemon: StartDaemon) -> None:
    """kill -9 with a stream open: UNAVAILABLE, without waiting for any deadline."""
    daemon = launch_daemon()
    watch: Method[Any, Any] = Method("grpc.health.v1.Health/Watch", Answer, lambda request: False)
    with trio.fail_after(20):
        async with open_channel(f"http://{daemon.addresses['grpc']}") as channel:
            async with channel.streaming_down(watch, Asked()) as answers:
                await anext(answers)
                daemon.kill()
                with pytest.raises(Unavailable):
                    await anext(answers)
            with pytest.raises(Unavailable, match="cannot connect"):
                await channel.unary(watch, Asked())


async def test_a_lost_connection_fails_all_its_calls() -> None:
    """Ten calls under way when the peer closes: ten times UNAVAILABLE; the next call has a new connection."""

    async def script(peer: Peer) -> None:
        for _ in range(10):
            await peer.request()

    failed = 0

    async def one(channel: Channel) -> None:
        nonlocal failed
        with pytest.raises(Unavailable, match="closed the connection"):
            await ask(channel, repeatable=False)
        failed += 1

    async with scripted(script, answer_all) as port, open_channel(url(port)) as channel:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(one, channel)
        assert await ask(channel) == "good"
    assert failed == 10


async def test_a_silent_server_is_found_out() -> None:
    """A peer that answers neither calls nor pings is given up after the limits; one that answers pings is not."""
    answered = 0

    async def deaf(peer: Peer) -> None:
        await peer.request()
        await trio.sleep_forever()

    async def slow(peer: Peer) -> None:
        nonlocal answered
        stream = await peer.request()
        while answered < 3:
            await peer.wait_for(h2.events.PingReceived)
            answered += 1
        await peer.answer(stream, "late")

    limits = ClientLimits(ping_after_s=0.05, ping_wait_s=0.2)
    async with scripted(deaf, slow) as port, open_channel(url(port), limits=limits) as channel:
        with trio.fail_after(10):
            with pytest.raises(Unavailable, match="has not answered"):
                await ask(channel, repeatable=False)
            assert await ask(channel) == "late"
    assert answered == 3


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, b""])
async def test_what_speaks_no_http2_is_told(greeting: bytes) -> None:
    """Another protocol, garbage or silence: UNAVAILABLE, within the limit for connecting."""

    async def script(peer: Peer) -> None:
        if greeting:
            await peer.stream.send_all(greeting)
        await trio.sleep_forever()

    limits = ClientLimits(connect_s=0.1)
    async with scripted(script) as port, open_channel(url(port), limits=limits, retry=AT_ONCE) as channel:
        with trio.fail_after(5), pytest.raises(Unavailable, match=r"HTTP/2|did not answer within"):
            await ask(channel)


# Trying again, and moving on


async def refuse(peer: Peer) -> None:
    while True:
        stream = await peer.request()
        peer.h2.send_headers(stream, [*OPENING, ("grpc-status", "14"), ("grpc-message", "later")], end_stream=True)


async def test_only_repeatable_calls_are_tried_again() -> None:
    """UNAVAILABLE: a repeatable call is tried as often as allowed, another one never."""
    calls = 0

    async def refuse_twice(call: RpcCall) -> None:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise RpcFailed(StatusCode.UNAVAILABLE, "later")
        await echo(call)

    async with our_server(refuse_twice) as port, open_channel(url(port), retry=AT_ONCE) as channel:
        assert await ask(channel) == "x"
        assert calls == 3
        with pytest.raises(Unavailable, match="later"):
            await channel.unary(ONCE, Asked())
        assert calls == 4
    async with scripted(refuse) as port, open_channel(url(port), retry=AT_ONCE) as channel:
        with pytest.raises(Unavailable, match="later"):
            await ask(channel)


async def test_the_deadline_covers_repetitions() -> None:
    """Pauses between attempts end with the deadline."""
    async with scripted(refuse) as port, open_channel(url(port), retry=RetryPolicy(first_s=60)) as channel:
        with trio.fail_after(5), pytest.raises(DeadlineExceeded):
            await ask(channel, timeout_s=0.1)


def test_pauses_grow_and_differ() -> None:
    """The pause doubles up to the longest, and half of it is random."""
    least, most = RetryPolicy(draw=lambda: 1.0), RetryPolicy(draw=lambda: 0.0)
    assert [most.pause_s(attempt) for attempt in (1, 2, 3, 20)] == [0.1, 0.2, 0.4, 5]
    assert [least.pause_s(attempt) for attempt in (1, 20)] == [0.05, 2.5]


def goaway(last_stream: int) -> bytes:
    return bytes(GoAwayFrame(0, last_stream_id=last_stream).serialize())


async def test_goaway_drains_and_moves_on() -> None:
    """Calls under way are answered after GOAWAY; new ones, and those it excludes, go to a new connection."""
    excluded = trio.Event()

    async def leave(peer: Peer) -> None:
        first = await peer.request()
        second = await peer.request()
        await peer.flush(goaway(first))
        excluded.set()
        assert second > first
        await trio.sleep(0.1)
        await peer.answer(first, "from the old")

    answers: list[str] = []

    async def one(channel: Channel) -> None:
        # not repeatable: the server has said that it never saw the second
        answers.append((await channel.unary(ONCE, Asked())).service)

    async with (
        scripted(leave, answer_all) as port,
        open_channel(url(port)) as channel,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(one, channel)
        nursery.start_soon(one, channel)
        await excluded.wait()
        assert await ask(channel) == "good"
    assert sorted(answers) == ["from the old", "good"]


async def test_a_refused_stream_is_tried_again() -> None:
    """RST_STREAM with REFUSED_STREAM says that nothing was done: even calls that are not repeatable go again."""
    refused = 0

    async def script(peer: Peer) -> None:
        nonlocal refused
        stream = await peer.request()
        peer.h2.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
        refused += 1
        await answer_all(peer)

    async with scripted(script) as port, open_channel(url(port)) as channel:
        answer = await channel.unary(ONCE, Asked())
    assert (answer.service, refused) == ("good", 1)


async def test_a_restarted_server_is_found_again() -> None:
    """The channel connects anew by itself; a repeatable call waits out a short absence."""
    async with our_server(echo) as port:
        pass

    answered = trio.Event()

    async def one(channel: Channel) -> None:
        await ask(channel)
        answered.set()

    async with open_channel(url(port), retry=RetryPolicy(attempts=50, first_s=0.02, longest_s=0.02)) as channel:
        with pytest.raises(Unavailable, match="cannot connect"):
            await channel.unary(ONCE, Asked())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one, channel)
            await trio.sleep(0.05)
            async with our_server(echo, port=port):
                with trio.fail_after(5):
                    await answered.wait()
