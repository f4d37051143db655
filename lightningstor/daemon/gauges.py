"""What an operator watches beside the requests: queues, commits, caches, buffers, jobs, ports (SPEC.md §10.2 and more).

Figures are read when somebody scrapes; only commits are counted as they happen, once for each group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from lightningstor.chunks.budget import BufferBudget
from lightningstor.daemon.jobs import Job
from lightningstor.kv.api import Kv
from lightningstor.kv.statistics import BatchReport, KvStatistics, OnBatch
from lightningstor.observe.metrics import Metrics

__all__ = ["commit_meter", "show_buffers", "show_jobs", "show_metadata"]

_BATCH_BOUNDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_COMMIT_BOUNDS: Final = (
    *(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0),
)


def commit_meter(metrics: Metrics) -> OnBatch:
    """Counts group commits: how many transactions share one, and how long it takes to reach stable storage."""
    sizes = metrics.histogram("commit_batch_transactions", "Transactions in one group commit.", _BATCH_BOUNDS)
    seconds = metrics.histogram(
        "commit_seconds", "A group commit: appending to the log and the fsync of it.", _COMMIT_BOUNDS
    )

    def count(report: BatchReport) -> None:
        sizes.observe(report.transactions)
        seconds.observe(report.commit_seconds)

    return count


_GAUGES: Final[tuple[tuple[str, str, Callable[[KvStatistics], float]], ...]] = (
    ("commit_queue_depth", "Transactions that wait to be committed.", lambda kv: kv.queue_depth),
    ("metadata_log_bytes", "Length of the write-ahead log.", lambda kv: kv.log_bytes),
    ("row_cache_bytes", "Memory that cached rows take.", lambda kv: kv.cache_bytes),
    ("row_cache_rows", "Rows in the cache.", lambda kv: kv.cache_rows),
    ("metadata_snapshots", "Snapshots that are open.", lambda kv: kv.snapshots),
    ("metadata_read_only", "1 when no writes are taken any more.", lambda kv: kv.read_only_reason is not None),
)

_COUNTERS: Final[tuple[tuple[str, str, Callable[[KvStatistics], float]], ...]] = (
    ("transactions_applied", "Transactions that were applied.", lambda kv: kv.applied),
    ("transactions_conflicting", "Transactions that met another change.", lambda kv: kv.conflicts),
    ("transactions_undetermined", "Transactions of which nobody can tell.", lambda kv: kv.undetermined),
    ("checkpoints", "Times that the log was carried into the file.", lambda kv: kv.checkpoints),
    ("checkpoint_seconds", "Time that took.", lambda kv: kv.checkpoint_seconds),
    ("row_cache_hits", "Reads that the cache of rows answered.", lambda kv: kv.cache_hits),
    ("row_cache_misses", "Reads that it did not.", lambda kv: kv.cache_misses),
)  # fmt: skip


def show_metadata(metrics: Metrics, kv: Kv) -> None:
    """The metadata store's own figures, where it keeps any."""
    statistics: Callable[[], KvStatistics] | None = getattr(kv, "statistics", None)
    if statistics is None:
        return
    for name, meaning, read in _GAUGES:
        metrics.gauge(name, meaning, lambda read=read: read(statistics()))  # type: ignore[misc]
    for name, meaning, read in _COUNTERS:
        metrics.counter(name, meaning, lambda read=read: read(statistics()))  # type: ignore[misc]


def show_buffers(metrics: Metrics, budget: BufferBudget, queued: Callable[[], int]) -> None:
    """The body buffers.

    Args:
        queued: how many batches wait for a thread.
    """
    meaning = "Body buffers in use, by what for."
    metrics.gauge("buffer_bytes", meaning, lambda: budget.statistics().read_bytes, use="read")
    metrics.gauge("buffer_bytes", meaning, lambda: budget.statistics().write_bytes, use="write")
    metrics.gauge("buffer_limit_bytes", "Body buffers that there may be.", lambda: budget.limit)
    metrics.gauge("buffer_waiting", "Requests that wait for a buffer.", lambda: budget.statistics().waiting)
    metrics.gauge("chunk_queue_depth", "Batches of object bytes that wait for a thread.", queued)


def show_jobs(metrics: Metrics, jobs: Iterable[Job]) -> None:
    """The background jobs, each by its name."""
    for job in jobs:
        name = job.name
        metrics.gauge("job_running", "1 while the job is at work.", lambda job=job: job.running, job=name)  # type: ignore[misc]
        metrics.gauge("job_failing", "1 when its last turn failed.", lambda job=job: job.failing, job=name)  # type: ignore[misc]
        metrics.counter("job_turns", "Turns that were done.", lambda job=job: job.turns, job=name)  # type: ignore[misc]
        metrics.counter("job_failures", "Turns that failed.", lambda job=job: job.failures, job=name)  # type: ignore[misc]
