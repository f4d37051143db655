"""An application that fails, in every way it can: the client is not deceived and the server goes on."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.http.events import HttpEventKind
from lightningstor.http.faults import ClientGone
from tests.http.apps import plain_answer, plain_mirror
from tests.http.serving import serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"


class Planted(Exception):
    """Raised by an application on purpose."""


async def _read_to_the_end(receive_some: Any) -> None:
    while await receive_some():
        pass


async def _raise_before(scope: Any, receive: Any, send: Any) -> None:
    raise Planted("before the answer")


async def _raise_in_a_group(scope: Any, receive: Any, send: Any) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        raise Planted("in a nursery")


async def _raise_between(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise Planted("after the start, before a byte of it was sent")


async def _return_nothing(scope: Any, receive: Any, send: Any) -> None:
    pass


async def _start_only(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _too_much_at_once(scope: Any, receive: Any, send: Any) -> None:
    await plain_answer(send, 200, b"abcdef", (b"content-length", b"3"))


async def _bad_length(scope: Any, receive: Any, send: Any) -> None:
    await plain_answer(send, 200, b"abc", (b"content-length", b"three"))


async def _splits_the_head(scope: Any, receive: Any, send: Any) -> None:
    await plain_answer(send, 200, b"abc", (b"x-meta", b"a\r\nset-cookie: b"))


async def _frames_by_itself(scope: Any, receive: Any, send: Any) -> None:
    await plain_answer(send, 200, b"abc", (b"transfer-encoding", b"chunked"))


async def _text_for_bytes(scope: Any, receive: Any, send: Any) -> None:
    await plain_answer(send, 200, b"abc", ("x-a", "b"))  # type: ignore[arg-type]


async def _unknown_message(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


async def _body_before_start(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.body", "body": b"abc"})


async def _two_starts(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _own_timeout(scope: Any, receive: Any, send: Any) -> None:
    with trio.fail_after(0.01):
        await trio.sleep_forever()


@pytest.mark.parametrize(
    "app",
    [
        _raise_before,
        _raise_in_a_group,
        _raise_between,
        _return_nothing,
        _start_only,
        _too_much_at_once,
        _bad_length,
        _splits_the_head,
        _frames_by_itself,
        _text_for_bytes,
        _unknown_message,
        _body_before_start,
        _two_starts,
        _own_timeout,
    ],
)
async def test_a_failure_before_the_answer_is_a_500(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong before a byte was sent: 500, close, an event, a line in the log; nothing of it shown."""
    async with serving(app) as running, await running.connect() as client:
        await client.send(GET + GET)
        answer = await client.answer()
        assert await client.is_closed()
        assert (await running.ask(GET)).status == 500
    assert answer.status == 500
    assert answer.body == b"500 The server met an error of its own.\n"
    assert running.kinds().count(HttpEventKind.APP_FAILED) == 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert "GET b'/k'" in caplog.text


async def test_a_500_to_head_has_no_body() -> None:
    """Even then HEAD gets a head only."""
    async with serving(_raise_before) as running, await running.connect() as client:
        await client.send(GET.replace(b"GET", b"HEAD"))
        assert (await client.rest()).endswith(b"\r\n\r\n")


async def test_the_traceback_is_logged_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the exception, and the event has it too."""
    async with serving(_raise_before) as running:
        assert b"Planted" not in (await running.ask(GET)).body
    assert "Planted: before the answer" in caplog.text
    errors = [event.error for event in running.events if event.kind is HttpEventKind.APP_FAILED]
    assert [type(error) for error in errors] == [Planted]


@pytest.mark.parametrize("length", [[(b"content-length", b"10")], []])
@pytest.mark.parametrize("how", ["raises", "returns", "too much"])
async def test_a_failure_after_the_start_cuts_the_answer_short(length: Any, how: str) -> None:
    """The client can tell that the answer is not whole, and gets nothing that looks like a second answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        if how == "raises":
            raise Planted
        if how == "too much" and length:
            await send({"type": "http.response.body", "body": b"d" * 8})

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET + GET)
        answer = await client.answer()
        assert (answer.status, answer.body, answer.whole) == (200, b"abc", False)
        assert await client.is_closed()
        assert running.server.statistics().requests_total == 1


async def test_an_answer_shorter_than_its_length_ends_the_connection() -> None:
    """The application says it is done, its Content-Length says it is not."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"abc", (b"content-length", b"10"))

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET + GET)
        answer = await client.answer()
        assert (answer.body, answer.whole) == (b"abc", False)
        assert await client.is_closed()


async def test_a_cut_answer_that_only_the_end_would_frame_is_reset() -> None:
    """Under HTTP/1.0 an orderly end would make the part look whole, so there is none."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        raise Planted

    async with serving(app) as running, await running.connect() as client:
        await client.send(b"GET /k HTTP/1.0\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await _read_to_the_end(client.stream.receive_some)


async def test_a_failure_after_the_answer_does_not_hurt_it() -> None:
    """The answer was complete: the client keeps it; the failure is logged."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"abc")
        raise Planted

    async with serving(app) as running:
        answer = await running.ask(GET)
        await running.until(lambda: HttpEventKind.CLOSED in running.kinds())
    assert (answer.status, answer.body, answer.whole) == (200, b"abc", True)
    assert HttpEventKind.APP_FAILED in running.kinds()


async def test_send_after_the_end_is_an_error_of_the_application() -> None:
    """A complete answer takes no more."""
    errors: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 200, b"abc")
        for message in ({"type": "http.response.body"}, {"type": "http.response.start", "status": 200}):
            with pytest.raises(RuntimeError) as caught:
                await send(message)
            errors.append(caught.value)
        with pytest.raises(RuntimeError) as caught:
            await scope["extensions"]["lightningstor.exchange"].respond(200, [])
        errors.append(caught.value)

    async with serving(app) as running, await running.connect() as client:
        for _ in range(2):
            await client.send(GET)
            assert (await client.answer()).body == b"abc"
    assert len(errors) == 6


@pytest.mark.parametrize("grouped", [False, True])
async def test_the_client_s_leaving_is_no_failure(grouped: bool, caplog: pytest.LogCaptureFixture) -> None:
    """ClientGone may leave the application, in a group too, without an event or a line in the log."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = scope["extensions"]["lightningstor.exchange"]
        if not grouped:
            while True:
                await body.receive_some()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            while True:
                await body.receive_some()

    async with serving(app) as running:
        async with await running.connect() as client:
            await client.send(PUT + b"abc")
            await client.finish()
            assert (await client.answer()).status == 400
        await running.until(lambda: HttpEventKind.CLOSED in running.kinds())
    assert HttpEventKind.APP_FAILED not in running.kinds()
    assert not caplog.records


async def test_the_application_may_answer_a_broken_body_by_itself() -> None:
    """After ClientGone from the body an answer still goes out, and the connection ends with it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = scope["extensions"]["lightningstor.exchange"]
        for _ in range(2):
            with pytest.raises(ClientGone) as caught:
                await _read_to_the_end(body.receive_some)
            assert (caught.value.cause, caught.value.status) == ("truncated", 400)
        await plain_answer(send, 400, b"<Code>IncompleteBody</Code>")

    async with serving(app) as running, await running.connect() as client:
        await client.send(PUT + b"abc")
        await client.finish()
        answer = await client.answer()
        assert (answer.status, answer.body) == (400, b"<Code>IncompleteBody</Code>")
        assert answer.headers[b"connection"] == b"close"
        assert await client.is_closed()


async def test_what_came_of_a_broken_body_is_given_out_before_the_failure() -> None:
    """The start that came with the head counts as received, though the client's end is found right behind it."""
    left = trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = scope["extensions"]["lightningstor.exchange"]
        room = memoryview(bytearray(10))
        await left.wait()
        assert (body.receive_now(room), bytes(room[:3])) == (3, b"abc")
        assert body.receive_now(room) == 0
        with pytest.raises(ClientGone):
            await body.wait_more()
        await plain_answer(send, 400, b"short")

    async with serving(app) as running, await running.connect() as client:
        await client.send(PUT + b"abc")
        await client.finish()
        left.set()
        assert (await client.answer()).body == b"short"


async def test_an_answer_to_a_broken_body_survives_what_is_raised_after_it() -> None:
    """ClientGone that is raised after an early answer was complete does not destroy the answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await plain_answer(send, 403, b"no")
        raise ClientGone("body", "given up")

    async with serving(app) as running, await running.connect() as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n" + bytes(900_000))
        assert (await client.answer()).body == b"no"
        assert (await client.stream.receive_some()) == b""  # an orderly end: a reset would raise


async def test_a_bug_beside_the_client_s_leaving_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A group of both is a failure of the application's."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ExceptionGroup("both", [ClientGone("reset", "gone"), Planted("and a bug")])

    async with serving(app) as running:
        assert (await running.ask(GET)).status == 500
    assert "and a bug" in caplog.text


async def test_a_bug_while_being_cancelled_does_not_end_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Cancelled in one group with an exception: the exception is logged, the cancellation goes its way."""
    entered = trio.Event()

    async def fail_late() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise Planted("while being cancelled")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail_late)
            entered.set()
            await trio.sleep_forever()

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET)
        await entered.wait()
    assert "while being cancelled" in caplog.text


async def test_a_cancelled_send_breaks_the_connection() -> None:
    """After a write that was cancelled half-way nothing else is written into the middle of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100000001")]})
        with trio.move_on_after(0.05) as scope_:
            await send({"type": "http.response.body", "body": bytes(100_000_000), "more_body": True})
        assert scope_.cancelled_caught
        with pytest.raises(OSError, match="cut short"):
            await send({"type": "http.response.body", "body": b"x"})

    async with serving(app) as running, await running.connect() as client:
        await client.send(GET)
        await running.until(lambda: HttpEventKind.CLOSED in running.kinds())
    assert HttpEventKind.APP_FAILED not in running.kinds()


async def test_a_cancelled_receive_loses_nothing() -> None:
    """A receive that was given up can be asked again."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with trio.move_on_after(0.02):
            await scope["extensions"]["lightningstor.exchange"].receive_some()
        await plain_mirror(scope, receive, send)

    async with serving(app) as running, await running.connect() as client:
        await client.send(PUT)
        await trio.sleep(0.05)
        await client.send(b"0123456789")
        assert b"0123456789" in (await client.answer()).body


async def test_a_failing_refusal_function_costs_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of the function that words refusals does not end the server either."""

    def refusal(status: int, reason: str, request: object) -> tuple[list[tuple[bytes, bytes]], bytes]:
        raise Planted("in the refusal")

    async with serving(plain_mirror, refusal=refusal) as running:
        async with await running.connect() as client:
            await client.send(b"nonsense\r\n\r\n")
            assert await client.is_closed()
        assert (await running.ask(GET)).status == 200
    assert "in the refusal" in caplog.text
