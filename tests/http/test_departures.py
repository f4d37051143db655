"""Answers that are held for a moment, to leave together with others."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import trio
import trio.testing

from lightningstor.http.departures import Departures
from lightningstor.http.limits import HttpLimits
from lightningstor.http.wire import SocketWire, Ticker

Pair = tuple[SocketWire, socket.socket]


class Wires:
    """Wires of one server, each with its client's socket."""

    def __init__(self) -> None:
        self.ticker = Ticker(0.0, 0)
        self.pairs: list[Pair] = []

    @property
    def departures(self) -> Departures:
        return self.ticker.departures

    def make(self) -> Pair:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.pairs.append((SocketWire(ours, self.ticker, HttpLimits()), theirs))
        return self.pairs[-1]

    def somebody_is_due(self) -> int:
        """A round has begun in which one connection is still to be resumed; gives its number."""
        first, second = self.departures.leave(), self.departures.leave()
        self.departures.resume(first)
        return second


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    made = Wires()
    yield made
    for wire, client in made.pairs:
        wire.close()
        client.close()


def arrived(client: socket.socket) -> bytes:
    """What has come; b"" where nothing has."""
    try:
        return client.recv(1 << 20)
    except BlockingIOError:
        return b""


async def test_an_answer_is_held_until_the_last_connection_of_the_round_runs(wires: Wires) -> None:
    """While another is due it stays, and leaves when that one is resumed."""
    wire, client = wires.make()
    number = wires.somebody_is_due()
    await wire.write_last(b"answer")
    assert arrived(client) == b""
    wires.departures.resume(number)
    assert arrived(client) == b"answer"


async def test_eight_are_held_at_most(wires: Wires) -> None:
    """The eighth answer takes the others with it."""
    wires.somebody_is_due()
    pairs = [wires.make() for _ in range(9)]
    for number, (wire, _) in enumerate(pairs):
        await wire.write_last(b"%d" % number)
    assert [arrived(client) for _, client in pairs] == [b"%d" % number for number in range(8)] + [b""]


async def test_with_nobody_due_an_answer_leaves_at_once(wires: Wires) -> None:
    """So a connection alone never waits, nor does the last one of a round, nor a large answer."""
    wire, client = wires.make()
    await wire.write_last(b"alone")
    assert arrived(client) == b"alone"
    wires.departures.resume(wires.somebody_is_due())
    await wire.write_last(b"last")
    assert arrived(client) == b"last"
    wires.somebody_is_due()
    await wire.write_last(bytes(20_000))
    assert len(arrived(client)) == 20_000


async def test_what_is_held_leaves_before_what_follows(wires: Wires) -> None:
    """Whatever its owner does next, the order of the bytes stays, and nothing is left behind."""
    for step in ("write", "write_last", "write_all", "finish", "close", "wait_read"):
        wire, client = wires.make()
        wires.somebody_is_due()
        await wire.write_last(b"first ")
        match step:
            case "write":
                await wire.write(b"second")
            case "write_last":
                await wire.write_last(b"second")
            case "write_all":
                await wire.write_all((b"sec", b"ond"))
            case "finish":
                await wire.finish()
            case "close":
                wire.close()
            case "wait_read":
                client.send(b"request")
                assert await wire.wait_read(100) == b"request"
        assert arrived(client) == (b"first second" if step.startswith("write") else b"first "), step


async def test_the_rest_of_a_held_answer_waits_for_its_client(wires: Wires) -> None:
    """What the socket does not take at the departure its owner sends before it reads on."""
    wire, client = wires.make()
    wire._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += wire._send(bytes(512))
    number = wires.somebody_is_due()
    await wire.write_last(b"x" * 10_000)
    wires.departures.resume(number)
    got = b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.wait_read, 100)
        with trio.fail_after(5):
            while len(got) < filled + 10_000:
                got += arrived(client)
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert got == bytes(filled) + b"x" * 10_000


async def test_a_client_that_left_while_its_answer_was_held(wires: Wires) -> None:
    """The departure goes on with the others, and the owner meets the end of its connection."""
    gone, client = wires.make()
    other, patient = wires.make()
    number = wires.somebody_is_due()
    await gone.write_last(b"answer")
    await other.write_last(b"answer")
    client.close()
    wires.departures.resume(number)
    assert arrived(patient) == b"answer"
    assert gone.broken
    assert await gone.wait_read(100) == b""


async def test_a_cancelled_connection_counts_as_resumed(wires: Wires) -> None:
    """Nobody's answer waits for one that will not come."""
    wire, client = wires.make()
    idle, _ = wires.make()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle.wait_read, 100)
        await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.cancel_scope.cancel()
    await wire.write_last(b"answer")
    assert arrived(client) == b"answer"
    with trio.CancelScope() as scope:
        scope.cancel()
        await wires.make()[0].wait_read(100)
    await wire.write_last(b"again")
    assert arrived(client) == b"again"


async def test_answers_of_several_at_work_leave_in_the_next_round(wires: Wires) -> None:
    """Whom one commit resumes together nobody counts as due; what they answer is held all the same, for a round."""
    departures = wires.departures
    pairs = [wires.make() for _ in range(3)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(departures.run)
        await trio.testing.wait_all_tasks_blocked()
        departures.at_work = 3
        for _ in range(2):  # the second time the task was asleep again
            for wire, _ in pairs:
                await wire.write_last(b"answer")
            assert [arrived(client) for _, client in pairs] == [b"", b"", b""]
            await trio.testing.wait_all_tasks_blocked()
            assert [arrived(client) for _, client in pairs] == [b"answer"] * 3
        departures.at_work = 1
        await pairs[0][0].write_last(b"alone")
        assert arrived(pairs[0][1]) == b"alone"
        nursery.cancel_scope.cancel()


async def test_with_the_task_ended_nothing_is_held(wires: Wires) -> None:
    """What it was to send leaves when it is cancelled, and from then on each answer at once."""
    wire, client = wires.make()
    wires.departures.at_work = 2
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wires.departures.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        await wire.write_last(b"answer")
        assert arrived(client) == b""
    assert arrived(client) == b"answer"
    await wire.write_last(b"again")
    assert arrived(client) == b"again"
