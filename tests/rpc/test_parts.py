"""What calls are made of: HPACK of answers, and room for messages."""

from __future__ import annotations

import hpack
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.rpc.head import OK_TRAILERS, literals, opening
from lightningstor.rpc.room import MessageRoom

ASCII = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40_000)


def decoded(block: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in hpack.Decoder().decode(block)]


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z-]{1,200}\Z"), ASCII), max_size=5))
def test_headers_are_what_a_decoder_reads(headers: list[tuple[str, str]]) -> None:
    """Names and values of any length, in order."""
    assert decoded(literals(headers)) == headers


def test_the_headers_of_an_answer() -> None:
    """The block that is written once is that of an answer's headers and trailers."""
    assert decoded(opening("0123456789ABCDEF") + OK_TRAILERS) == [
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("x-request-id", "0123456789ABCDEF"),
        ("grpc-status", "0"),
    ]


async def test_room_is_given_in_turn() -> None:
    """Who waits for much is not passed by those who want little; who gives up takes nothing."""
    room, served = MessageRoom(10), []

    async def want(name: str, size: int) -> None:
        await room.take(size)
        served.append(name)

    await want("first", 6)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(want, "large", 8)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(want, "small", 2)
        await trio.testing.wait_all_tasks_blocked()
        assert served == ["first"]
        room.give_back(6)
    assert (set(served), room.taken) == ({"first", "large", "small"}, 10)
    with trio.move_on_after(0.01):
        await want("never", 1)
    room.give_back(10)
    assert ("never" in served, room.taken) == (False, 0)


@pytest.mark.parametrize("granted", [False, True])
async def test_room_of_a_waiter_that_is_cancelled(granted: bool) -> None:
    """Before it was granted room it gets none; in the same moment it has it, and must give it back."""
    room = MessageRoom(10)
    await room.take(10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(room.take, 4)
        await trio.testing.wait_all_tasks_blocked()
        if granted:
            room.give_back(10)
        nursery.cancel_scope.cancel()
    if not granted:
        room.give_back(10)
    assert room.taken == (4 if granted else 0)
