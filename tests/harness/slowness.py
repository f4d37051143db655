"""How slow the machine is now, for limits on times: other work on it must not fail a test."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

__all__ = ["slowness"]

_TRIO_IMPORT_S: Final = 0.14
"""How long a Python that imports Trio takes on an idle machine of the kind that the limits were set on."""


def slowness() -> float:
    """How many times slower than idle the machine is now; at least 1."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import trio"], check=True, timeout=30)
    return max(1.0, (time.monotonic() - started) / _TRIO_IMPORT_S)
