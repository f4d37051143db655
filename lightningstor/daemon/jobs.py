"""What runs beside the requests: expiry of uploads, collection, leftovers of a crash, gauges.

A job that fails is logged and tried again at its next turn; it never ends the daemon. Each can be cancelled at any
checkpoint: what it does is made of steps that are whole.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import trio
from attrs import define, field

from lightningstor.errors import StoreError
from lightningstor.kv.api import Kv, Row
from lightningstor.model import keys
from lightningstor.observe.metrics import Metrics
from lightningstor.store.store import Store

__all__ = ["Job", "Usage", "run_job", "store_jobs"]

logger: Final = logging.getLogger("lightningstor.jobs")

_PAGE: Final = 1000


@define
class Job:
    """Something that is done again and again.

    Args:
        name: for the log and for `state`.
        work: one turn; gives how much it did.
        period_s: from the end of one turn to the next.
        first_s: from the start to the first turn.
        once: whether one turn that succeeds is all.
        state: what it does now, or what it did last.
        running: it is at work. failing: its last turn failed. turns, failures: how many it had.
    """

    name: str
    work: Callable[[], Awaitable[int]]
    period_s: float
    first_s: float = 0.0
    once: bool = False
    state: str = field(default="waiting for its first turn", init=False)
    running: bool = field(default=False, init=False)
    failing: bool = field(default=False, init=False)
    turns: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)


async def run_job(job: Job) -> None:
    """Run the job until cancelled, or until it is done."""
    await trio.sleep(job.first_s)
    while True:
        job.state, job.running, job.failing = "running", True, True
        try:
            done = await job.work()
        except (StoreError, OSError) as error:  # the device or a lost race: it may be better next time
            job.state = f"failed: {error}"
            logger.warning("%s failed, will be tried again: %s", job.name, error)
        except Exception:  # a bug of ours: the daemon goes on serving what it can
            job.state = "failed: see the log"
            logger.exception("%s failed, will be tried again", job.name)
        else:
            job.state, job.failing = f"did {done}", False
            if done:
                logger.info("%s: %d", job.name, done)
            if job.once:
                return
        finally:
            job.running = False
            job.turns += 1
            job.failures += job.failing
        await trio.sleep(job.period_s)


@define
class Usage:
    """What the whole store holds, counted in the background; the gauges show it."""

    objects: int = 0
    size: int = 0
    uploads: int = 0
    backlog: int = 0

    def show_in(self, metrics: Metrics) -> None:
        """Make the gauges of SPEC.md §10.2."""
        metrics.gauge("objects_total", "Objects in the store, all versions.", lambda: self.objects)
        metrics.gauge("storage_bytes", "Bytes of all versions and of the parts of open uploads.", lambda: self.size)
        metrics.gauge("multipart_uploads_active", "Open multipart uploads.", lambda: self.uploads)
        metrics.gauge(
            "collector_backlog", "Bodies that wait to be freed; no more are counted than 10,000.", lambda: self.backlog
        )

    async def count(self, store: Store) -> int:
        """Add up the usage counters, count open uploads and what waits to be freed; always 0: it changes nothing."""
        kv = store.ctx.kv
        objects = size = uploads = 0
        async for row in _rows(kv, keys.USAGE):
            if row.key.endswith(b"/objects"):
                objects += int(row.value)
            else:
                size += int(row.value)
        async for _ in _rows(kv, keys.UPLOADS_BY_BUCKET):
            uploads += 1
        self.objects, self.size, self.uploads = objects, size, uploads
        self.backlog = await store.collector.backlog()
        return 0


async def _rows(kv: Kv, prefix: bytes) -> AsyncGenerator[Row, None]:
    """All rows under the prefix, page by page and not at one moment: long snapshots hold up the store."""
    start, end = prefix, keys.end_of(prefix)
    while page := await kv.scan(start, end, _PAGE):
        for row in page:
            yield row
        start = page[-1].key + b"\0"


def store_jobs(store: Store, usage: Usage, *, gc_grace_s: float, upload_timeout_s: float) -> list[Job]:
    """The jobs of one store. They look as often as what they wait for can come due."""
    return [
        Job("collection", store.collector.run, period_s=min(30.0, max(1.0, gc_grace_s / 2)), first_s=1.0),
        Job("upload expiry", store.uploads.expire, period_s=min(3600.0, max(1.0, upload_timeout_s / 24)), first_s=5.0),
        Job("removal of leftovers", store.scrubber.remove_orphans, period_s=600.0, first_s=10.0, once=True),
        Job("usage count", lambda: usage.count(store), period_s=15.0),
    ]
