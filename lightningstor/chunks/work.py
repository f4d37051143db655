"""The chunk I/O workers: tasks of the daemon's own that run hops beside the requests they belong to.

A request hands a job over and goes on receiving. Jobs run to their end whatever happens to the request, which must
wait for them before it cleans up; so a job never outlives what it works on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from lightningstor.errors import StoreClosed

__all__ = ["Job", "Workers", "open_workers"]


class Job:
    """One piece of work. `error` is what it raised, once it is `done`; None if it went well.

    Args:
        work: what to do.
        ended: called when it is done; must not raise.
    """

    __slots__ = ("_ended", "_over", "_work", "done", "error")

    def __init__(self, work: Callable[[], Awaitable[object]], ended: Callable[[], None]) -> None:
        self._work = work
        self._ended = ended
        self._over: trio.Event | None = None
        self.done = False
        self.error: BaseException | None = None

    async def run(self) -> None:
        """Do the work here. An Exception is kept for `check`; what is none ends the worker as well."""
        try:
            await self._work()
        except Exception as error:  # whatever it is, it belongs to the request, not to the worker
            self.error = error
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.done = True
            self._ended()
            if self._over is not None:
                self._over.set()

    def give_up(self) -> None:
        """It will not be run after all."""
        self.done = True
        self._ended()

    async def wait_done(self) -> None:
        """Wait until it is done, well or not."""
        if not self.done:
            if self._over is None:
                self._over = trio.Event()
            await self._over.wait()


class Workers:
    """The tasks, fed by a bounded channel. Open them with `open_workers`."""

    def __init__(self, send: trio.MemorySendChannel[Job]) -> None:
        self._send: Final = send

    def submit_nowait(self, job: Job) -> bool:
        """Hand over a job; False if all workers are busy and the queue is full.

        Raises:
            StoreClosed: the workers have been told to end.
        """
        try:
            self._send.send_nowait(job)
        except trio.WouldBlock:
            return False
        except trio.ClosedResourceError:
            raise StoreClosed from None
        return True

    async def submit(self, job: Job) -> None:
        """Hand over a job, waiting for room in the queue if need be. If cancelled, the job is not handed over.

        Raises:
            StoreClosed: the workers have been told to end.
        """
        if not self.submit_nowait(job):
            try:
                await self._send.send(job)
            except trio.ClosedResourceError:
                raise StoreClosed from None

    def has_room(self, jobs: int) -> bool:
        """Whether so many jobs can be handed over now without waiting."""
        found = self._send.statistics()
        return found.open_send_channels > 0 and found.current_buffer_used + jobs <= found.max_buffer_size

    @property
    def queued(self) -> int:
        """How many jobs wait for a worker, and requests for room in the queue."""
        found = self._send.statistics()
        return found.current_buffer_used + found.tasks_waiting_send


@asynccontextmanager
async def open_workers(count: int) -> AsyncIterator[Workers]:
    """Run `count` workers; on leaving they do what is queued and end."""
    send, receive = trio.open_memory_channel[Job](count)
    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(_work, receive, name=f"chunk I/O worker {number}")
        with send:
            yield Workers(send)


async def _work(jobs: trio.MemoryReceiveChannel[Job]) -> None:
    # Shielded: a request that is cancelled counts on its jobs to end. The closed channel ends the worker.
    with trio.CancelScope(shield=True):
        async for job in jobs:
            await job.run()
