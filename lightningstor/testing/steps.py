"""Cancelling at every step: what a call leaves behind wherever it is cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

__all__ = ["CancelAtStep"]


class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope just before the n-th step within it, to try every place where it can be cancelled.

    for step in itertools.count(1):
        sweep = CancelAtStep(step)
        with sweep.watch():
            await the_call()
        …
        if not sweep.reached: break

    Args:
        step: a task makes one from each wait to the next; counted from 1. 0: before the scope is entered.
        every_task: count the steps of all tasks, of helpers and of a server in the same loop too; and not only those
            of the task that watches.

    Attributes:
        scope: what is cancelled.
        cancelled: set when it is.
    """

    def __init__(self, step: int, *, every_task: bool = False) -> None:
        self.scope = trio.CancelScope()
        self.cancelled = trio.Event()
        self._step = step
        self._steps = 0
        self._every_task = every_task
        self._task: trio.lowlevel.Task | None = None

    @property
    def reached(self) -> bool:
        """Whether as many steps were made."""
        return self._steps >= self._step

    @contextmanager
    def watch(self) -> Iterator[trio.CancelScope]:
        """Count the steps within the context, in the scope."""
        self._task = trio.lowlevel.current_task()
        if not self._step:
            self._cancel()
        trio.lowlevel.add_instrument(self)
        try:
            with self.scope:
                yield self.scope
        finally:
            trio.lowlevel.remove_instrument(self)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._every_task or task is self._task:
            self._steps += 1
            if self._steps == self._step:
                self._cancel()

    def _cancel(self) -> None:
        self.scope.cancel()
        self.cancelled.set()
