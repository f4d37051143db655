"""A client's call, cancelled at every step: the connection is usable or gone, and nothing is left."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from lightningstor.client.channel import Channel, open_channel
from lightningstor.client.errors import Unavailable
from lightningstor.client.limits import ClientLimits
from lightningstor.rpc.call import RpcCall
from lightningstor.testing.steps import CancelAtStep
from tests.client.peers import ECHO, ONCE, Asked, echo, our_server, scripted
from tests.conftest import Figure

_STEPS_MAX = 400
LARGE = "y" * 300_000


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


async def echo_or_pour(call: RpcCall) -> None:
    if call.name.endswith("Echo"):
        await echo(call)
        return
    await call.receive()
    for _ in range(3):
        await call.send(Asked(service=LARGE))


async def do_unary(channel: Channel) -> None:
    assert (await channel.unary(ECHO, Asked(service=LARGE))).service == LARGE


async def do_stream(channel: Channel) -> None:
    async with channel.streaming_down(ONCE, Asked()) as answers:
        assert [answer.service async for answer in answers] == [LARGE] * 3


Work = Callable[[Channel], Awaitable[None]]


@pytest.mark.parametrize("work", [do_unary, do_stream])
@pytest.mark.parametrize("fresh", [True, False], ids=["connecting", "connected"])
async def test_cancelled_at_every_step(work: Work, fresh: bool, figure: Figure) -> None:
    """After each, the channel answers the next call, and closing it leaves no task and no descriptor."""
    limits = ClientLimits(window_bytes=64 << 10)
    async with our_server(echo_or_pour) as port:
        for step in range(_STEPS_MAX):
            before = tasks(), descriptors()
            cancel = CancelAtStep(step, every_task=True)
            with trio.fail_after(10):
                async with open_channel(f"http://127.0.0.1:{port}", limits=limits) as channel:
                    if not fresh:
                        await channel.unary(ECHO, Asked())
                    with cancel.watch():
                        await work(channel)
                    await channel.unary(ECHO, Asked(service="after"))
                await settled(before)
            if not cancel.reached:
                break
        else:
            raise AssertionError("it takes more steps than expected")
    figure(f"cancelled at {step} steps")


async def settled(expected: tuple[int, int]) -> None:
    """Until the server has noticed too that the client has gone."""
    while (tasks(), descriptors()) != expected:
        await trio.testing.wait_all_tasks_blocked(0.002)


async def test_closing_ends_what_is_open() -> None:
    """Twenty calls and streams open when the block ends: all end, the server is told, no task or descriptor is left."""
    before = tasks(), descriptors()
    ended = 0

    async def hold(call: RpcCall) -> None:
        nonlocal ended
        try:
            await trio.sleep_forever()
        finally:
            ended += 1

    async def one(channel: Channel) -> None:
        with pytest.raises(Unavailable, match="the client was closed"):
            await channel.unary(ONCE, Asked())

    async with our_server(hold) as port:
        async with trio.open_nursery() as nursery, open_channel(f"http://127.0.0.1:{port}") as channel:
            for _ in range(20):
                nursery.start_soon(one, channel)
            await trio.testing.wait_all_tasks_blocked(0.05)
        with trio.fail_after(5):
            while ended < 20:
                await trio.testing.wait_all_tasks_blocked(0.002)
    assert (tasks(), descriptors()) == before
    with pytest.raises(Unavailable, match="closed"):
        await channel.unary(ONCE, Asked())


async def test_closing_does_not_wait_for_a_server_that_does_not_read() -> None:
    """A peer with a full socket: a deadline holds, and closing takes the limit for it at most."""

    async def deaf(peer: object) -> None:
        await peer.flush()  # type: ignore[attr-defined]
        await peer.wait_for(object)  # type: ignore[attr-defined]
        peer.h2.increment_flow_control_window(1 << 30)  # type: ignore[attr-defined]
        await peer.flush()  # type: ignore[attr-defined]
        await trio.sleep_forever()

    limits = ClientLimits(close_s=0.2, send_message_bytes=64 << 20)
    async with scripted(deaf) as port:
        with trio.fail_after(5):
            async with open_channel(f"http://127.0.0.1:{port}", limits=limits) as channel:
                with pytest.raises(Exception, match="deadline"):
                    await channel.unary(ONCE, Asked(service="x" * (32 << 20)), timeout_s=0.2)


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    """The nursery behind a channel wraps nothing."""

    async def fail(port: int) -> None:
        async with open_channel(f"http://127.0.0.1:{port}") as channel:
            await channel.unary(ECHO, Asked())
            raise KeyError("mine")

    async with our_server(echo) as port:
        with pytest.raises(KeyError):
            await fail(port)
