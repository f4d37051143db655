"""The audit log: one JSON line for every operation, by a thread, in batches (SPEC.md §9.4).

    operation_done ─▶ lines ──every 200 ms─▶ one hop to a thread: write ─▶ file or standard output
                       │                                    │
                       └─ full ─▶ closed: requests wait ◀── fails: closed at once, tried again each second
                                  a moment, then 503         (the lines are kept, and written once it works again)

A record costs the event loop about a microsecond: no lock, no date to format, no hop. What waits when the process is
killed is lost, which is the last 200 ms; a stop in order writes everything first.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from math import inf
from typing import Final

import msgspec
import trio
from attrs import frozen

from lightningstor.errors import AuditUnavailable
from lightningstor.observe.logs import redactor
from lightningstor.observe.record import HEALTH_PROBE, Observer, OperationRecord
from lightningstor.observe.sinks import LineSink
from lightningstor.ports import Blocking, Clock

__all__ = ["AuditGap", "AuditLimits", "AuditLog"]

logger: Final = logging.getLogger("lightningstor.audit")

_AGENTS_KEPT: Final = 1024
_NEWLINE: Final = b"\n"
_PAUSE_S: Final = 20e-6
_BETWEEN_PAUSES_S: Final = 0.0003
_REFUSED: Final = "ServiceUnavailable"


@frozen
class AuditLimits:
    """How the audit log deals with time and room.

    Args:
        queue_records: that wait to be written before requests are held up.
        batch_s: how long records are gathered before they are written together.
        wait_s: how long a request waits for room in the queue before it is refused.
        retry_s: between one failed write and the next attempt.
        end_s: at the daemon's end, how long lines that cannot be written are tried again.
    """

    queue_records: int = 10_000
    batch_s: float = 0.2
    wait_s: float = 1.0
    retry_s: float = 1.0
    end_s: float = 1.0


class AuditGap(msgspec.Struct, gc=False):
    """A line about requests that were refused while no line could be written, and were too many to keep one of each.

    They did nothing and told nothing: each was answered 503 before it was known who asks.
    """

    protocol: str
    operation: str
    time: str
    until: str
    requests: int
    reason: str


class AuditLog:
    """The observer that writes an audit line for every operation; what it hears, it passes on to another first.

    Args:
        inner: hears everything too: the metrics.
        sink: where lines go; open.
        clock: for the lines' times.
        blocking: runs the writing.
    """

    def __init__(
        self, inner: Observer, sink: LineSink, clock: Clock, blocking: Blocking, limits: AuditLimits | None = None
    ) -> None:
        self.closed = False
        self.lines = 0
        self.unrecorded = 0
        self.failures = 0
        self._inner = inner
        self._sink = sink
        self._clock = clock
        self._blocking = blocking
        self._limits = limits or AuditLimits()
        self._most = self._limits.queue_records
        self._lines = bytearray()
        self._count = 0
        self._writing = 0
        self._reason: str | None = None
        self._gap: AuditGap | None = None
        self._wake = trio.Event()
        self._opened = trio.Event()
        self._stopping = trio.Event()
        self._shown_ms = -1
        self._shown = ""
        self._agents: dict[str, str] = {}
        encoder = msgspec.json.Encoder()
        self._encode = encoder.encode
        self._encode_into = encoder.encode_into

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return self._count + self._writing

    def reason(self) -> str | None:
        """Why requests are refused; None while they are not."""
        if self._reason is not None:
            return f"the audit log cannot be written: {self._reason}"
        return "the audit log is written too slowly" if self.closed else None

    def operation_done(self, record: OperationRecord) -> None:
        """See `Observer`."""
        self._inner.operation_done(record)
        now_ms = self._clock.now_ms()
        began_ms = now_ms - int(record.seconds * 1000)
        record.time = self._shown if began_ms == self._shown_ms else self._show(began_ms)
        agent = record.user_agent
        if agent is not None:
            record.user_agent = self._agents.get(agent) or self._cleaned(agent)
        key = record.key
        if key is not None and ("X-Amz-" in key or "Signature=" in key):
            self._hide_query(record, key)
        if record.principal is None:
            if record.operation == HEALTH_PROBE:
                return
            if record.access_key is not None:
                record.access_key = redactor.clean(record.access_key)  # a secret may stand in its id's place
        count = self._count
        if not count:
            self._wake.set()
        elif count >= self._most:
            self.closed = True
            if count >= 2 * self._most and record.code == _REFUSED:
                self._leave_out(record)
                return
        # At once, and not in the thread: a record that is kept costs more, in cache misses, than its line does here.
        self._encode_into(record, self._lines, -1)
        self._lines += _NEWLINE
        self._count = count + 1

    async def admit(self) -> None:
        """See `Observer`."""
        if self._reason is None:
            with trio.move_on_after(self._limits.wait_s):
                while self.closed and self._reason is None:
                    await self._opened.wait()
        if self.closed:
            raise AuditUnavailable(self.reason() or "")
        await self._inner.admit()

    def stop(self) -> None:
        """No further records will come: `run` writes what is there, and returns."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Write the records until `stop`, and then until none is left, or none can be written."""
        while True:
            await self._wake.wait()
            with trio.move_on_after(self._limits.batch_s):
                await self._stopping.wait()
            if not self._stopping.is_set():
                self._wake = trio.Event()
            if not await self._write_batch():
                logger.error("%d audit lines are lost: %s", self.waiting, self.reason())
                return
            if self._stopping.is_set() and not self._count:
                return

    async def _write_batch(self) -> bool:
        """Write what has gathered, trying until it is written; False: it cannot be, and the daemon ends."""
        lines, self._lines = self._lines, bytearray()
        self._writing, self._count = self._count, 0
        deadline = inf
        while True:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_let_the_thread_run)
                error = await self._blocking.run(self._write, lines)
                nursery.cancel_scope.cancel()
            if error is None:
                self.lines += self._writing
                self._writing = 0
                self._succeeded()
                return True
            self._failed(error.strerror or str(error))
            if not self._stopping.is_set():
                with trio.move_on_after(self._limits.retry_s):
                    await self._stopping.wait()
            elif trio.current_time() < deadline:
                deadline = min(deadline, trio.current_time() + self._limits.end_s)
                await trio.sleep(self._limits.end_s / 10)
            else:
                return False

    def _write(self, lines: bytearray) -> OSError | None:
        """In a thread. An error is given back, since raised it would leave the nursery in a group."""
        try:
            self._sink.write(lines)
        except OSError as error:
            return error
        return None

    def _failed(self, reason: str) -> None:
        self.failures += 1
        if self._reason is None:
            logger.error("the audit log cannot be written, so requests are refused: %s", reason)
        self._reason = reason
        self.closed = True
        self._open_gate()  # who waits for room hears of it

    def _succeeded(self) -> None:
        if self._reason is not None:
            logger.warning("the audit log can be written again")
            self._reason = None
        if self.closed and self._count < self._most:
            self.closed = False
            self._open_gate()
        if self._gap is not None:
            self._lines += self._encode(self._gap) + _NEWLINE
            self._count += 1
            self._gap = None
            self._wake.set()

    def _open_gate(self) -> None:
        self._opened.set()
        self._opened = trio.Event()

    def _leave_out(self, record: OperationRecord) -> None:
        """Count a refused request that there is no room to keep."""
        self.unrecorded += 1
        gap = self._gap
        if gap is None:
            self._gap = AuditGap(
                record.protocol, "RequestsNotRecorded", record.time, record.time, 1, self.reason() or ""
            )
        else:
            gap.until = record.time
            gap.requests += 1

    def _show(self, at_ms: int) -> str:
        self._shown_ms = at_ms
        self._shown = f"{_second_text(at_ms // 1000)}.{at_ms % 1000:03d}Z"
        return self._shown

    def _cleaned(self, agent: str) -> str:
        """What a client calls itself, once secrets are hidden; few clients come, so the answers are kept."""
        clean = redactor.clean(agent)
        if len(self._agents) >= _AGENTS_KEPT:
            self._agents.clear()
        self._agents[agent] = clean
        return clean

    def _hide_query(self, record: OperationRecord, key: str) -> None:
        """A client that encoded the `?` of a presigned URL made its signature a part of the key."""
        clean = redactor.clean(key)
        if record.resource is not None:
            record.resource = record.resource.replace(key, clean)
        record.key = clean


async def _let_the_thread_run() -> None:
    """Give the interpreter to the writer's thread while it waits for it; until cancelled.

    A busy event loop lets go of the interpreter many times a millisecond, but takes it back before another thread has
    woken up. Waking it in vain made each request dearer by 12 µs for the 40 ms until the thread came through; a pause
    lets it in at once. What is left of that is why batches are written no more than five times a second.
    """
    while True:
        time.sleep(_PAUSE_S)  # noqa: ASYNC251  # it is the whole point
        await trio.sleep(_BETWEEN_PAUSES_S)


@lru_cache(maxsize=4)
def _second_text(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
