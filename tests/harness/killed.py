"""Scripts on a directory, each in a process of its own that a fuse kills; what it has said is kept.

The processes are forked off a server that has everything imported, so that one takes milliseconds.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
from attrs import define

from tests.harness.fuse import Fuse, Point

__all__ = ["Journal", "Outcome", "Script", "run_script"]

_CONTEXT = multiprocessing.get_context("forkserver")
_TIMEOUT_S = 60


@define
class Journal:
    """A file of lines, each there once `say` has returned, whatever becomes of the process."""

    path: Path

    def say(self, **what: Any) -> None:
        """Add a line."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, json.dumps(what).encode() + b"\n")
        finally:
            os.close(descriptor)

    def lines(self) -> list[dict[str, Any]]:
        """All that was said."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]


Script = Callable[[Path, Journal, Fuse], Awaitable[None]]
"""Works in the directory, lights the fuse when it counts, and tells what it has done."""


@define
class Outcome:
    """What became of one run: did it die, and, if it did not, how much the fuse counted."""

    died: bool
    counts: dict[str, int]


async def run_script(script: Script, root: Path, journal: Journal, point: Point, preload: list[str]) -> Outcome:
    """Run it to its end, or to the point. Not for two threads at a time: `multiprocessing` looks after all its children
    in each call.

    Args:
        script: a function of a module, which the other process imports.
        preload: modules that are imported once for all runs.
    """
    _CONTEXT.set_forkserver_preload(preload)
    counts_file = journal.path.with_suffix(".counts")
    process = _CONTEXT.Process(target=_run, args=(script, root, journal, point, counts_file))
    process.start()
    with trio.move_on_after(_TIMEOUT_S) as waiting:
        await trio.lowlevel.wait_readable(process.sentinel)
    if waiting.cancelled_caught:
        process.kill()
    process.join()
    code = process.exitcode
    process.close()
    assert not waiting.cancelled_caught, f"the script hung before {point}"
    assert code in (0, -signal.SIGKILL), f"the script ended with {code} before {point}"
    died = code != 0
    return Outcome(died, {} if died else json.loads(counts_file.read_text(encoding="utf-8")))


def _run(script: Script, root: Path, journal: Journal, point: Point, counts_file: Path) -> None:
    fuse = Fuse(point)
    trio.run(script, root, journal, fuse, instruments=[fuse])
    counts_file.write_text(json.dumps(fuse.counts), encoding="utf-8")
