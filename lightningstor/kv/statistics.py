"""What the metadata store counts about itself."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

__all__ = ["BatchReport", "KvStatistics", "OnBatch"]


@frozen
class BatchReport:
    """One group commit that reached stable storage.

    Args:
        transactions: how many were taken together, those that conflicted included.
        conflicts: how many of them conflicted.
        commit_seconds: the commit alone: appending to the log and flushing it.
        batch_seconds: all of the writer's work, the commit included.
        log_bytes: how long the write-ahead log is since.
    """

    transactions: int
    conflicts: int
    commit_seconds: float
    batch_seconds: float
    log_bytes: int


OnBatch = Callable[[BatchReport], None]
"""Called on the event loop's thread after each group commit; for histograms. Must not raise."""


@frozen
class KvStatistics:
    """Counts since the store was opened, and its state now.

    Args:
        queue_depth: transactions that wait for the writer, and those that wait for room in its queue.
        batches: group commits; `transactions` divided by this is the mean size of a batch.
        transactions: those that the writer settled: applied, conflicting, failed.
        applied, conflicts, undetermined: how they ended; the rest got StorageFull or StorageReadOnly.
        withdrawn: transactions whose callers were cancelled before the writer took them.
        commit_seconds: time in commits (appending to the log and flushing it), in seconds.
        checkpoints, checkpoint_seconds: how often the log was carried into the file, and how long that took.
        log_bytes: length of the write-ahead log after the last commit.
        cache_hits, cache_misses, cache_bytes, cache_rows: the cache of rows.
        snapshots: those open now.
        read_only_reason: why all writing has stopped; None while it has not.
    """

    queue_depth: int
    batches: int
    transactions: int
    applied: int
    conflicts: int
    undetermined: int
    withdrawn: int
    commit_seconds: float
    checkpoints: int
    checkpoint_seconds: float
    log_bytes: int
    cache_hits: int
    cache_misses: int
    cache_bytes: int
    cache_rows: int
    snapshots: int
    read_only_reason: str | None
