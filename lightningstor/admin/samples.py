"""What the last minutes were like: the overview's plots are drawn from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field, frozen

from lightningstor.observe.metrics import DURATION_BOUNDS, Totals
from lightningstor.ports import Clock

__all__ = ["Sample", "Samples", "quantile_ms"]

PERIOD_S: Final = 2.0
_KEPT: Final = 150


@frozen
class Sample:
    """One period.

    Args:
        at_ms: its end, milliseconds since the Unix epoch.
        rate, errors: requests and S3 errors a second. p50, p99: of the requests' durations, ms.
        bytes: stored at its end.
    """

    at_ms: int
    rate: float
    errors: float
    p50: float
    p99: float
    bytes: int


def quantile_ms(counts: Sequence[int], share: float) -> float:
    """The upper bound, in ms, of the duration bucket in which that share of the requests is reached; 0 without any."""
    wanted = sum(counts) * share
    if wanted <= 0:
        return 0.0
    reached = 0
    for bound, count in zip(DURATION_BOUNDS, counts, strict=False):
        reached += count
        if reached >= wanted:
            return bound * 1000
    return DURATION_BOUNDS[-1] * 1000


@define
class Samples:
    """The samples of the last five minutes.

    Args:
        totals: what has been counted since the start. stored_bytes: what the store holds.
    """

    clock: Clock
    totals: Callable[[], Totals]
    stored_bytes: Callable[[], int]
    _kept: deque[Sample] = field(factory=lambda: deque(maxlen=_KEPT), init=False)
    _before: Totals | None = field(default=None, init=False)
    _before_s: float = field(default=0.0, init=False)

    @property
    def kept(self) -> list[Sample]:
        """Oldest first."""
        return list(self._kept)

    async def take(self) -> int:
        """Add the sample of the time since the last call; always 0, for it changes nothing (a job's turn)."""
        now_s, totals, before = self.clock.monotonic(), self.totals(), self._before
        if before is not None and now_s > self._before_s:
            seconds = now_s - self._before_s
            counts = [after - earlier for after, earlier in zip(totals.durations, before.durations, strict=True)]
            self._kept.append(
                Sample(
                    self.clock.now_ms(),
                    (totals.requests - before.requests) / seconds,
                    (totals.errors - before.errors) / seconds,
                    quantile_ms(counts, 0.5),
                    quantile_ms(counts, 0.99),
                    self.stored_bytes(),
                )
            )
        self._before, self._before_s = totals, now_s
        return 0
