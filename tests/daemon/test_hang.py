"""A disk that does not answer: not ready first, then the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import pytest
import trio
import trio.testing

from lightningstor.daemon.hang import SLOW_S, WatchedBlocking, watch, watched
from lightningstor.ports import World, production_world

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TrioClock:
    """The virtual time of the test."""

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)

    def monotonic(self) -> float:
        return trio.current_time()


class SlowBlocking:
    """Runs a function after as many virtual seconds as it returns."""

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        result = function(*args)
        with trio.CancelScope(shield=True):
            await trio.sleep(float(str(result)))
        return result


async def test_oldest_call_is_known(autojump_clock: trio.testing.MockClock) -> None:
    """The age is that of the oldest call that still runs, 0 when none does, also after calls that failed."""
    blocking = WatchedBlocking(SlowBlocking(), TrioClock())
    assert blocking.oldest_s() == 0
    with pytest.raises(ZeroDivisionError):
        await blocking.run(lambda: 1 // 0)
    assert blocking.oldest_s() == 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blocking.run, lambda: 5)
        await trio.sleep(1)
        nursery.start_soon(blocking.run, lambda: 20)
        await trio.sleep(3)
        assert blocking.oldest_s() == 4
        await trio.sleep(2)
        assert blocking.oldest_s() == 5
    assert blocking.oldest_s() == 0


async def test_slow_disk_is_not_ready(autojump_clock: trio.testing.MockClock) -> None:
    """While a call takes longer than 10 s there is a reason not to be ready, and none again afterwards."""
    blocking = WatchedBlocking(SlowBlocking(), TrioClock())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(blocking.run, lambda: 15)
        await trio.sleep(SLOW_S - 1)
        assert blocking.reason() is None
        await trio.sleep(2)
        assert blocking.reason() == "a disk operation has been running for 11 s"
    assert blocking.reason() is None


@pytest.mark.parametrize(("takes_s", "hangs"), [(25, False), (40, True)])
async def test_hanging_disk_is_told_once(autojump_clock: trio.testing.MockClock, takes_s: float, hangs: bool) -> None:
    """A call that reaches the deadline is a hang; one that returns before is none."""
    world, blocking = watched(World(clock=TrioClock(), blocking=SlowBlocking()))
    told: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch, blocking, 30.0, lambda: told.append(trio.current_time()))
        start = trio.current_time()
        await world.blocking.run(lambda: takes_s)
        nursery.cancel_scope.cancel()
    assert [30 <= at - start <= 31 for at in told] == [True] * hangs


async def test_watching_changes_nothing() -> None:
    """A watched world runs its calls as before, cancelled callers waiting for them."""
    world, _ = watched(production_world())
    assert await world.blocking.run(divmod, 7, 2) == (3, 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await world.blocking.run(divmod, 7, 2) == (3, 1)


def test_daemon_on_a_hanging_disk_ends_itself() -> None:
    """A daemon whose disk hangs leaves after the deadline, non-zero, although the thread never returns."""
    script = (
        "import time, trio\n"
        "from lightningstor.daemon.hang import watch, watched\n"
        "from lightningstor.daemon.process import _leave\n"
        "from lightningstor.ports import production_world\n"
        "async def main():\n"
        "    world, blocking = watched(production_world())\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        nursery.start_soon(watch, blocking, 0.2, _leave)\n"
        "        await world.blocking.run(time.sleep, 60)\n"
        "trio.run(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=20)
    assert done.returncode == 1
    assert b"the device hangs" in done.stderr
