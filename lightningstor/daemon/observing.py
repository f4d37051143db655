"""Who hears of the operations of a daemon: the metrics, and the audit log where the configuration has one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import trio
from attrs import field, frozen

from lightningstor.config import AuditSettings, Config
from lightningstor.daemon.datadir import DataDirectory
from lightningstor.observe.audit import AuditLimits, AuditLog
from lightningstor.observe.metrics import Metrics
from lightningstor.observe.record import Observer
from lightningstor.observe.sinks import LineSink, RotatingFile, StandardOutput
from lightningstor.ports import ThreadBlocking, World

__all__ = ["AuditUnusable", "Observing", "observing"]

logger: Final = logging.getLogger("lightningstor.daemon")


class AuditUnusable(Exception):
    """The audit log cannot be written when the daemon starts. The message names its file and what is wrong."""


@frozen
class Observing:
    """What the protocols tell of their operations, and whether that works.

    Args:
        observer: to be told.
        health: by part, why requests are refused, or None.
    """

    observer: Observer
    health: dict[str, Callable[[], str | None]] = field(factory=dict)


@asynccontextmanager
async def observing(
    config: Config, world: World, metrics: Metrics, directory: DataDirectory | None
) -> AsyncIterator[Observing]:
    """The daemon's observer. When the context ends, every line of the audit log has been written.

    Raises:
        AuditUnusable: see there.
    """
    settings = config.audit
    if not settings.enabled:
        yield Observing(metrics)
        return
    # A thread of its own, and not the watched ones: who reads our standard output may stop reading for a while, which
    # holds requests up, but is no device that hangs.
    blocking = ThreadBlocking(1)
    sink, where = _sink(settings, directory)
    try:
        await blocking.run(sink.open)
    except OSError as error:
        raise AuditUnusable(f"the audit log {where} cannot be written: {error.strerror or error}") from error
    log = AuditLog(metrics, sink, world.clock, blocking, _limits(settings))
    _show(metrics, log)
    logger.info("audit log: %s", where)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.run)
            try:
                yield Observing(log, {"audit": log.reason})
            finally:
                log.stop()
    finally:
        with trio.CancelScope(shield=True):
            await blocking.run(sink.close)


def _sink(settings: AuditSettings, directory: DataDirectory | None) -> tuple[LineSink, str]:
    """Where the lines go, and its name."""
    if settings.output == "stdout":
        return StandardOutput(), "on standard output"
    path: Path | None = settings.path
    if path is None:
        assert directory is not None  # `check` refuses a store in memory without a path
        path = directory.root / "audit" / "audit.log"
    return RotatingFile(path, settings.rotate_bytes, settings.keep, sync=settings.sync), str(path)


def _limits(settings: AuditSettings) -> AuditLimits:
    return AuditLimits(
        queue_records=settings.queue_records,
        batch_s=settings.batch_milliseconds / 1000,
        wait_s=settings.wait_seconds,
    )


def _show(metrics: Metrics, log: AuditLog) -> None:
    metrics.gauge("audit_queue_records", "Audit lines that wait to be written.", lambda: log.waiting)
    metrics.gauge("audit_refusing", "1 while requests are refused because of the audit log.", lambda: log.closed)
    metrics.counter("audit_lines", "Audit lines written.", lambda: log.lines)
    metrics.counter("audit_write_failures", "Attempts to write audit lines that failed.", lambda: log.failures)
    metrics.counter(
        "audit_unrecorded_requests", "Requests refused without a line of their own.", lambda: log.unrecorded
    )
