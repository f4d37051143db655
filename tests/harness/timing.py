"""Times on a machine that others use too: their work must not fail a test."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

__all__ = ["least_of", "slowness"]

_TRIO_IMPORT_S: Final = 0.14
"""How long a Python that imports Trio takes on an idle machine of the kind that the limits were set on."""


def least_of(measure: Callable[[], float], enough: float, tries: int = 20) -> float:
    """The least of several measurements: no more of them once one is `enough`.

    A neighbour slows some of them down; what is slow by itself is slow in all.
    """
    least = measure()
    for _ in range(tries - 1):
        if least <= enough:
            break
        least = min(least, measure())
    return least


def slowness() -> float:
    """How many times slower than idle the machine is now; at least 1."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import trio"], check=True, timeout=30)
    return max(1.0, (time.monotonic() - started) / _TRIO_IMPORT_S)
