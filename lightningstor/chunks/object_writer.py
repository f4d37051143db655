"""One object's bytes on their way into chunks.

    append ─▶ batch being gathered ─▶ batch in flight: write hop ∥ digest hops ─▶ chunk sealed beside the next one

A batch is 1 MiB at first and up to 4 MiB in a long body, so that a hop's 100 µs weigh little; it never crosses the
end of a chunk. While one batch is in flight the next is gathered. The last batch of a chunk and its sealing are one
hop, and the next chunk is written meanwhile. The bytes lie in buffers of the daemon's one budget from the moment that
they are received: `room` says where.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final

import trio

from lightningstor.chunks.api import Buffer, ChunkRef, ChunkWriter
from lightningstor.chunks.batch import Batch
from lightningstor.chunks.buffers import LEAST_BUFFER, PIECE_SIZE, buffer_size
from lightningstor.chunks.digest import DigestLane, DigestPipeline
from lightningstor.chunks.work import Job
from lightningstor.errors import StoreError
from lightningstor.model.keys import chunk_id

if TYPE_CHECKING:
    from lightningstor.chunks.manager import ChunkManager

__all__ = ["ObjectWriter"]

_FIRST_BATCH: Final = 1 << 20
# From so many bytes of the body on, batches of that size.
_LONG_BODY, _LONG_BATCH = 4 << 20, 2 << 20
_LONGEST_BODY, _LONGEST_BATCH = 16 << 20, 4 << 20
_SEALS_AT_ONCE: Final = 2


class _Chunk:
    """A chunk that has been begun, or will be with its first batch."""

    __slots__ = ("filled", "index", "ref", "start", "writer")

    def __init__(self, index: int, start: int) -> None:
        self.index = index
        self.start = start
        self.filled = 0
        self.writer: ChunkWriter | None = None
        self.ref: ChunkRef | None = None


class ObjectWriter:
    """Writes one object. Use it as a context, which removes everything at its end unless `keep` was called:

        async with manager.writer(data_id, size=length, digests=pipeline) as writer:
            async for piece in body:
                await writer.append(piece)      # or receive into `room` and say `filled`
            refs = await writer.finish()
            …                               # the bytes are durable; publish them
            writer.keep()

    Call it from one task at a time.
    """

    def __init__(
        self, manager: ChunkManager, data_id: int, size: int | None = None, digests: DigestPipeline | None = None
    ) -> None:
        self._manager = manager
        self._budget = manager.budget
        self._data_id = data_id
        self._size = size
        self._lanes: tuple[DigestLane, ...] = () if digests is None else digests.lanes
        self.received = 0
        """Bytes appended so far."""
        self._gathered = self._new_batch()
        self._chunk = _Chunk(0, 0)
        self._in_flight: list[Job] = []
        self._sealing: deque[tuple[_Chunk, Job]] = deque()
        self._sealed: list[ChunkRef] = []
        self._error: BaseException | None = None
        self._ended = False
        self._kept = False

    async def __aenter__(self) -> ObjectWriter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._kept:
            await self.abort()

    async def room(self) -> memoryview:
        """Where the next bytes of the body are to be put: fill it from its start and call `filled`, or `leave_room`.

        Waits as `append` does. The room is good until the next checkpoint.

        Raises:
            StorageFull, StorageReadOnly, StoreClosed: the store refused an earlier batch.
        """
        self._check_usable()
        while not self._gathered.free:
            size = self._next_buffer()
            if not size:
                await self._send_batch()
            elif self._budget.take_nowait(size):
                self._add_buffer(size)
            else:
                # Whoever waits for room must hold none.
                await self._send_batch()
                await self._settle_all()
                size = self._next_buffer()
                await self._budget.take(size)
                self._add_buffer(size)
        return self._gathered.free

    def filled(self, count: int) -> None:
        """The next `count` bytes of the body have been put in the room."""
        if not self._gathered.size:
            self._budget.add_collector(self._write_now)
        self._gathered.filled(count)
        self.received += count

    def leave_room(self) -> None:
        """Nothing comes for now: don't keep room that is empty from others."""
        self._gathered.drop_unused()

    async def append(self, piece: Buffer) -> None:
        """Take a copy of the next piece of the body. It returns when there was room, not when the piece is written.

        Raises:
            StorageFull, StorageReadOnly, StoreClosed: the store refused an earlier piece or this one.
        """
        self._check_usable()
        rest = memoryview(piece)
        while rest:
            room = await self.room()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.filled(count)
            rest = rest[count:]
        if self._size is not None and self.received < self._size and not (self._gathered.free or self._next_buffer()):
            await self._send_batch()

    def take_sealed(self) -> list[ChunkRef]:
        """The references of chunks sealed since the last call, in order; those taken `finish` doesn't repeat.

        So an object of a million chunks needs no list of them: write its manifest segment by segment.
        """
        self._collect_sealed()
        taken, self._sealed = self._sealed, []
        return taken

    async def finish(self) -> list[ChunkRef]:
        """Write what is left and seal the last chunk; all of the object is durable then.

        Returns:
            The references that `take_sealed` has not given out yet, in order. An empty object has none.

        Raises:
            StorageFull, StorageReadOnly, StoreClosed: the store refused a piece.
        """
        self._check_usable()
        await self._send_batch(last=True)
        if self._in_flight or self._sealing:
            await self._settle_all()
        return self.take_sealed()

    def keep(self) -> None:
        """Leave the chunks: from here on a record may refer to them, so that only the collector may remove them.

        Call it before the commit that publishes them, whose outcome can stay unknown; after a commit that certainly
        did not happen, call `abort`.
        """
        self._kept = True

    async def abort(self) -> None:
        """Remove every chunk of this object, sealed ones too. Shielded; a second call does nothing more."""
        self._ended = True
        with trio.CancelScope(shield=True):
            await self._wait_all()
            self._take_gathered().release()
            chunks = [chunk for chunk, _ in self._sealing]
            self._sealing.clear()
            for chunk in [*chunks, self._chunk]:
                if chunk.writer is not None and chunk.ref is None:
                    await chunk.writer.abort()
            for index in range(self._chunk.index):
                # What a failing device keeps is unreferenced; the scrubber takes it.
                with contextlib.suppress(StoreError, OSError):
                    await self._manager.store.delete_chunk(chunk_id(self._data_id, index))
            self._chunk = _Chunk(0, 0)

    # Gathering

    def _new_batch(self) -> Batch:
        return Batch(self._manager.pool, self._budget)

    def _next_buffer(self) -> int:
        """The size of a further buffer for the batch being gathered, in bytes; 0: it has enough."""
        if self.received < _LONG_BODY:
            most = _FIRST_BATCH
        else:
            most = _LONG_BATCH if self.received < _LONGEST_BODY else _LONGEST_BATCH
        gathered = self._gathered.size
        share = self._budget.share(most) - gathered
        left = self._left_in_chunk()
        if not left or (gathered and share < LEAST_BUFFER):
            return 0
        if self._size is not None and self.received < self._size:
            left = min(left, self._size - self.received)
        fitting = 1 << (min(max(share, LEAST_BUFFER), PIECE_SIZE).bit_length() - 1)
        return min(buffer_size(left), fitting)

    def _left_in_chunk(self) -> int:
        return self._manager.chunk_size - self._chunk.filled - self._gathered.size

    def _add_buffer(self, size: int) -> None:
        self._gathered.add_buffer(size, min(size, self._left_in_chunk()))

    def _take_gathered(self) -> Batch:
        """The batch that was being gathered; the next one begins."""
        batch, self._gathered = self._gathered, self._new_batch()
        self._budget.remove_collector(self._write_now)
        return batch

    # Sending

    def _make_jobs(self, last: bool) -> list[Job]:
        """Turn what is gathered into the jobs of one batch. The ones before must be done: digests go in order."""
        batch = self._take_gathered()
        batch.drop_unused()
        pieces = batch.pieces()
        chunk = self._chunk
        chunk.filled += batch.size
        ends_chunk = last or chunk.filled == self._manager.chunk_size
        ended = partial(self._job_ended, batch)
        run = self._manager.world.blocking.run
        hops: list[tuple[DigestLane, ...]] = [(lane,) for lane in self._lanes] if batch.size else []
        if last and batch.size <= _FIRST_BATCH and hops:
            hops = [self._lanes]
        write = Job(partial(self._write, chunk, pieces, ends_chunk), ended)
        jobs = [write, *(Job(partial(run, _update, lanes, pieces), ended) for lanes in hops)]
        batch.jobs_left = len(jobs)
        self._manager.batches_under_way += 1
        if ends_chunk:
            self._sealing.append((chunk, write))
            self._in_flight = jobs[1:]
            self._chunk = _Chunk(chunk.index + 1, chunk.start + chunk.filled)
        else:
            self._in_flight = jobs
        return jobs

    async def _send_batch(self, last: bool = False) -> None:
        """Hand the gathered batch to the workers, once the one before is through.

        Args:
            last: the chunk ends here, however little it holds.
        """
        if self._in_flight or self._sealing:
            await self._settle()
        if not self._gathered.size and not (last and self._chunk.filled):
            return
        if last and self._manager.batches_under_way and self._gathered.size <= _FIRST_BATCH and not self._sealing:
            await self._write_last()
            return
        write, *digests = self._make_jobs(last)
        # Nothing but digests runs beside the last write: it needs no worker, once they are on their way.
        waiting = digests if last else [*digests, write]
        for number, job in enumerate(waiting):
            try:
                await self._manager.workers.submit(job)
            except BaseException:
                # Jobs that nobody will run must not be waited for.
                self._ended = True
                for lost in {*waiting[number:], write}:
                    lost.give_up()
                raise
        if last:
            await write.run()

    async def _write_last(self) -> None:
        """Write, hash and seal what is gathered, the last chunk's end, in one hop and without a worker.

        Others keep the cores busy: a hop less is worth more than writing and hashing side by side.
        """
        batch, chunk = self._gathered, self._chunk
        self._budget.remove_collector(self._write_now)
        batch.drop_unused()
        pieces = batch.pieces()
        self._manager.batches_under_way += 1
        try:
            await self._write(chunk, pieces, ends_chunk=True, also=partial(_update, self._lanes, pieces))
        except Exception as error:
            self._error = error
            raise
        except BaseException:
            self._ended = True  # what was gathered is lost: no later call may take the object for whole
            raise
        finally:
            self._manager.batches_under_way -= 1
            batch.release()
        assert chunk.ref is not None
        self._sealed.append(chunk.ref)
        self._chunk = _Chunk(chunk.index + 1, chunk.start + chunk.ref.size)

    def _write_now(self) -> None:
        """Somebody waits for room: write the batch as it is, if nothing is in flight. See `BufferBudget`."""
        if not self._gathered.size or not all(job.done for job in self._in_flight):
            return
        if any(job.error for job in (*self._in_flight, *(job for _, job in self._sealing))):
            # It will never be written: the next call of the owner raises why.
            self._take_gathered().release()
        elif self._manager.workers.has_room(1 + len(self._lanes)):
            for job in self._make_jobs(last=False):
                self._manager.workers.submit_nowait(job)

    async def _write(
        self, chunk: _Chunk, pieces: list[memoryview], ends_chunk: bool, also: Callable[[], None] | None = None
    ) -> None:
        """Write a batch, and seal the chunk behind its last one."""
        if chunk.writer is None:
            chunk.writer = await self._manager.store.begin(chunk_id(self._data_id, chunk.index))
        if ends_chunk:
            chunk.ref = await chunk.writer.seal(chunk.start, pieces, also)
        else:
            await chunk.writer.append(pieces)

    def _job_ended(self, batch: Batch) -> None:
        batch.jobs_left -= 1
        if not batch.jobs_left:
            self._manager.batches_under_way -= 1
            batch.release()

    # Waiting

    def _check_usable(self) -> None:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise ValueError(f"the writer of {self._data_id:x} has ended")

    async def _settle(self) -> None:
        """Wait for the batch in flight, and for the oldest seal if too many run; raise what failed."""
        # `_write_now` may send a batch while we wait, so look again after every wait.
        while pending := self._next_to_wait_for():
            await pending.wait_done()
            self._raise_failure([pending])
        self._raise_failure(self._in_flight)

    def _next_to_wait_for(self) -> Job | None:
        pending = next((job for job in self._in_flight if not job.done), None)
        if pending is None and len(self._sealing) >= _SEALS_AT_ONCE:
            self._collect_sealed()
            if len(self._sealing) >= _SEALS_AT_ONCE:
                return self._sealing[0][1]
        return pending

    async def _settle_all(self) -> None:
        await self._wait_all()
        self._raise_failure([*self._in_flight, *(job for _, job in self._sealing)])

    async def _wait_all(self) -> None:
        while pending := [job for job in (*self._in_flight, *(job for _, job in self._sealing)) if not job.done]:
            for job in pending:
                await job.wait_done()

    def _collect_sealed(self) -> None:
        """Take over what is sealed, in order. A chunk whose sealing failed stays, to be raised and removed."""
        while self._sealing and (ref := self._sealing[0][0].ref) is not None:
            self._sealing.popleft()
            self._sealed.append(ref)

    def _raise_failure(self, jobs: list[Job]) -> None:
        for job in jobs:
            if job.error is not None:
                self._error = job.error
                raise job.error


def _update(lanes: tuple[DigestLane, ...], pieces: list[memoryview]) -> None:
    for lane in lanes:
        lane.update(pieces)
