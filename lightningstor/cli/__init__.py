"""The commands: `lightningstor-server` runs a daemon, `lightningstor` looks after one.

Exit codes: 0 success, 1 the command failed, 2 it was called or configured wrongly.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence

__all__ = ["main", "server_main"]


def server_main(arguments: Sequence[str] | None = None) -> int:
    """`lightningstor-server`; its exit code."""
    # The imports make thousands of objects and hardly any garbage: looking for it takes a tenth of the start.
    # `daemon.process` turns the collector on again when the daemon is ready.
    gc.disable()
    from lightningstor.cli.server import run

    return run(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """`lightningstor`; its exit code."""
    from lightningstor.cli.commands import run

    return run(arguments)
