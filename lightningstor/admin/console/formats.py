"""Numbers as people read them; the filters of the templates."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["count_text", "size_text", "time_text"]

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(size: int) -> str:
    """Bytes in the unit that leaves at most four digits: `1,023 bytes`, `1.0 KiB`, `5.3 GiB`."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    if unit == 0:
        return "1 byte" if size == 1 else f"{size:,} bytes"
    return f"{amount:,.1f} {_UNITS[unit]}"


def count_text(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def time_text(moment_ms: int) -> str:
    """A moment, UTC, to the second: `2026-01-02 03:04:05`."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
