"""The doors of `lightningstor.ports` in a simulated world: virtual time, randomness and interleavings from a seed.

    async def scenario(world: World) -> None: …
    run_sim(scenario, seed=7)

The same seed gives the same run, to the step. Hours of virtual time cost nothing, since nothing really waits.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, TypeVarTuple

import trio
import trio.testing
from trio._core import _run

from lightningstor.ports import World

__all__ = ["SimBlocking", "SimClock", "SimEntropy", "run_sim", "sim_world"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_START_MS: Final = 1_700_000_000_000
_DETERMINISTIC: Final = "_ALLOW_DETERMINISTIC_SCHEDULING"


class SimClock:
    """Trio's own time, which a MockClock makes virtual, and a wall clock that a test may set."""

    def __init__(self, start_ms: int = _START_MS) -> None:
        self._wall_ms = start_ms

    def now_ms(self) -> int:
        return self._wall_ms + int(self.monotonic() * 1000)

    def monotonic(self) -> float:
        return trio.current_time()

    def step_wall(self, by_ms: int) -> None:
        """Somebody sets the machine's clock, forwards or back."""
        self._wall_ms += by_ms


class SimEntropy:
    """Bytes that only look unpredictable."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def token_bytes(self, count: int) -> bytes:
        return self._rng.randbytes(count)


class SimBlocking:
    """Calls run in place, one at a time, after a delay that the seed picks; so the seed picks who comes first.

    Args:
        mean_delay_s: virtual seconds that a call takes on average.
    """

    def __init__(self, seed: int, mean_delay_s: float = 0.001) -> None:
        self._rng = random.Random(seed)
        self._mean_delay_s = mean_delay_s

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        with trio.CancelScope(shield=True):
            await trio.sleep(self._rng.expovariate(1 / self._mean_delay_s))
        return function(*args)


def sim_world(seed: int) -> World:
    """A world that a seed determines. Use it under a MockClock; `run_sim` sees to that."""
    return World(clock=SimClock(), entropy=SimEntropy(seed), blocking=SimBlocking(seed))


def run_sim(scenario: Callable[[World], Awaitable[T]], *, seed: int) -> T:
    """Run a scenario in its own Trio loop, in virtual time and with tasks scheduled in an order that the seed picks."""
    # Trio keeps this for testing tools, without a public name.
    deterministic, state = _run._ALLOW_DETERMINISTIC_SCHEDULING, _run._r.getstate()
    setattr(_run, _DETERMINISTIC, True)
    _run._r.seed(seed)
    try:
        return trio.run(
            scenario,
            sim_world(seed),
            clock=trio.testing.MockClock(autojump_threshold=0),
        )
    finally:
        setattr(_run, _DETERMINISTIC, deterministic)
        _run._r.setstate(state)
