"""The three doors to the outside world: time, randomness, blocking calls.

Everything that cannot be replayed from a seed passes through here, so that the whole store runs in a
simulated world as well (DESIGN.md §11). Production code takes a `World`; nothing else in the package calls
`time.time`, `os.urandom`, `uuid4` or makes a thread.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, NoReturn, Protocol, TypeVar, TypeVarTuple

import trio
from attrs import field, frozen

__all__ = ["Blocking", "Clock", "Entropy", "World", "production_world"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Clock(Protocol):
    """Two clocks: the wall's, which may jump, and a monotonic one, which deadlines use."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class Entropy(Protocol):
    """Unpredictable bytes."""

    def token_bytes(self, count: int) -> bytes:
        """`count` random bytes, fit for secrets."""
        ...


class Blocking(Protocol):
    """Runs functions that block (disk, hashing) away from the event loop."""

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call `function(*args)` in a thread and give back what it returns or raises.

        A thread cannot be cancelled: a caller that is cancelled meanwhile still waits for the call to end,
        gets its result, and meets its cancellation at its next checkpoint. So whatever the function made
        (a file, a descriptor) always reaches the caller, who can clean it up.
        """
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)


class SystemEntropy:
    """The kernel's random number generator."""

    def token_bytes(self, count: int) -> bytes:
        return os.urandom(count)


_IDLE_S: Final = 10.0
"""How long a thread waits for another call before it ends."""

_idle: list[_Worker] = []
"""Threads without a call, the one that had the last call at the end; shared by all event loops of the process."""


class _Worker:
    """A thread that makes one call after the other. It ends by itself, and holds up nobody's exit."""

    def __init__(self) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._make_calls, name="blocking call", daemon=True).start()

    def _make_calls(self) -> None:
        _become_batch_work()
        while True:
            try:
                call = self.calls.get(timeout=_IDLE_S)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # it was taken just now, so a call is on its way
                    continue
                return
            call()
            del call  # or what it holds would live until the next one


def _become_batch_work() -> None:
    """Have this thread not interrupt another when it wakes, where the scheduler knows that as batch work.

    One that is woken for a call, or by the disk, would take the core from the event loop, only to wait for the
    interpreter's lock that the loop holds: 18 switches a PUT of 1 MiB on one core instead of 15, and 100 to 190 µs. On
    an idle core it runs at once as before.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):  # forbidden, or a C library without it
            if os.sched_getscheduler(0) == os.SCHED_OTHER:  # else somebody has set another policy for the process
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class ThreadBlocking:
    """At most `threads` calls at once, each in a thread.

    Not by `trio.to_thread`, whose hop costs 76 µs of CPU, this one 31 µs: there is nothing to cancel here, no context
    to carry over and no name to give to the thread. A group commit is one hop, a PUT of 1 MiB several.
    """

    def __init__(self, threads: int) -> None:
        self._slots = trio.Semaphore(threads)

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            with trio.CancelScope(shield=True):
                await self._slots.acquire()
        task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
        results: list[T] = []
        errors: list[BaseException] = []
        try:
            worker = _idle.pop()
        except IndexError:
            worker = _Worker()

        def call() -> None:
            try:
                results.append(function(*args))
            except BaseException as error:  # the caller's to handle, whatever it is
                errors.append(error)
            try:
                token.run_sync_soon(done)
            except trio.RunFinishedError:  # the event loop broke down, and nobody waits any more
                _idle.append(worker)

        def done() -> None:
            _idle.append(worker)
            self._slots.release()
            trio.lowlevel.reschedule(task)

        worker.calls.put(call)
        await trio.lowlevel.wait_task_rescheduled(_cannot_be_cancelled)
        if errors:
            raise errors.pop()
        return results.pop()


def _cannot_be_cancelled(_: Callable[[], NoReturn]) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


@frozen
class World:
    """The doors that one store uses."""

    clock: Clock = field(factory=SystemClock)
    entropy: Entropy = field(factory=SystemEntropy)
    blocking: Blocking = field(factory=lambda: ThreadBlocking(32))


def production_world(threads: int = 32) -> World:
    """The real world, with at most `threads` blocking calls at once."""
    return World(blocking=ThreadBlocking(threads))
