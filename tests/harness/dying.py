"""A daemon that dies by SIGKILL as it is about to make a given system call. strace sees to it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import define

from tests.harness.daemon import DaemonFailed, RunningDaemon

__all__ = ["Dying", "points"]


@define
class Dying:
    """Starts daemons on copies of one data directory.

    Args:
        launch: the fixture `launch_daemon`.
        folder: where the copies go.
        template: the folder of a daemon that was stopped; None: every daemon is at its first start.
    """

    launch: Callable[..., RunningDaemon]
    folder: Path
    credentials: tuple[str, str]
    config: str = ""
    template: Path | None = None

    def prepare(self, fill: Callable[[RunningDaemon], Any] = lambda daemon: None) -> None:
        """Make the template: a first start, and what `fill` does."""
        self.template = self.folder / "template"
        self.template.mkdir()
        daemon = self.launch(folder=self.template, config=self.config, credentials=self.credentials)
        fill(daemon)
        daemon.stop()

    def run(
        self,
        call: str,
        number: int,
        work: Callable[[RunningDaemon], int],
        check: Callable[[RunningDaemon], None],
        inspect: Callable[[Path], None] = lambda data_dir: None,
    ) -> tuple[int, bool]:
        """Let `work` use a daemon that dies at the n-th such call of one of its threads, and `check` the one that finds
        what is left.

        `inspect` gets the data directory when that one has stopped. Gives what `work` gave, 0 when the daemon died
        before it was ready; and whether it died.
        """
        assert self.template is not None
        place = self.folder / f"{call}-{number}"
        shutil.copytree(self.template, place)
        given = 0
        dying = self.launch(
            folder=place,
            config=self.config,
            credentials=self.credentials,
            command=_dies_at(call, number),
            ready=False,
        )
        try:
            dying.wait_ready()
        except DaemonFailed:
            died = True  # at its start: that is a point as good as any
        else:
            given = work(dying)
            died = _ended(dying)
        if not died:
            os.kill(dying.addresses["pid"], signal.SIGTERM)  # the daemon, and not strace
            dying.wait()
        again = self.launch(folder=place, config=self.config, credentials=self.credentials)
        check(again)
        again.stop()
        inspect(again.data_dir)
        shutil.rmtree(place)
        return given, died


def _dies_at(call: str, number: int) -> tuple[str, ...]:
    strace = shutil.which("strace")
    assert strace
    traced = (
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:signal=KILL:when={number}",
    )
    return (strace, *traced, sys.executable, "-m", "lightningstor")


def _ended(daemon: RunningDaemon) -> bool:
    """Whether the traced daemon is gone; strace itself ends a moment later."""
    try:
        daemon.process.wait(0.5)
    except subprocess.TimeoutExpired:
        return False
    return True


def points(*, every: bool) -> Iterator[int]:
    """At which call to die: each of the first 40 and then every eleventh; or the 1st, 9th, 73rd and so on."""
    number = 1
    while number < 5000:
        yield number
        if every:
            number += 1 if number < 40 else 11
        else:
            number = number * 8 + 1
