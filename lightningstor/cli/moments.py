"""Moments on the command line: ISO 8601, or how long from now."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from lightningstor.ports import SystemClock

__all__ = ["moment_option"]

F = TypeVar("F", bound=Callable[..., Any])

_SPAN = re.compile(r"(\d+)([smhd])\Z")
_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class _Moment(click.ParamType[int]):
    """Milliseconds since the Unix epoch."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        span = _SPAN.match(value)
        if span is not None:
            return SystemClock().now_ms() + int(span[1]) * _UNITS_MS[span[2]]
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a span (30d, 12h) nor a time (2027-01-31T12:00Z)", param, ctx)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)


def moment_option(flag: str, what: str) -> Callable[[F], F]:
    """An option that takes a moment: `30d`, `12h`, or ISO 8601 (UTC where it names no zone)."""
    words = f"{what}: from now (30d, 12h) or at a time (2027-01-31T12:00Z)."
    return click.option(flag, type=_Moment(), metavar="WHEN", help=words)
