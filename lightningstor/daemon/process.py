"""A daemon as a process: logs, signals, the ready file, the watchdog, exit codes."""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import trio

from lightningstor import __version__
from lightningstor.config import Loaded
from lightningstor.config.load import DEFAULT
from lightningstor.daemon.datadir import DataDirectoryUnusable
from lightningstor.daemon.groups import leaves
from lightningstor.daemon.identity import NoRootCredentials
from lightningstor.daemon.notify import (
    ReadyFileFailed,
    clear_ready_file,
    remove_ready_file,
    sd_notify,
    write_ready_file,
)
from lightningstor.daemon.storage import data_root, in_memory
from lightningstor.daemon.supervisor import (
    AegisUnusable,
    AuditUnusable,
    Bound,
    BucketNotCreated,
    ListenFailed,
    Stop,
    serve,
)
from lightningstor.daemon.tls import Reload
from lightningstor.errors import StoreError
from lightningstor.observe import logs

__all__ = ["EXIT_FAILED", "WATCHDOG_S", "run_daemon"]

EXIT_FAILED: Final = 1
WATCHDOG_S: Final = 1.8
"""After the grace period, how long the orderly end may take until the process ends itself: exit ≤ grace + 2 s."""

_EXPECTED: Final = (
    ReadyFileFailed,
    ListenFailed,
    DataDirectoryUnusable,
    NoRootCredentials,
    BucketNotCreated,
    AuditUnusable,
    AegisUnusable,
    StoreError,
)
"""Errors that a message explains; anything else is shown with its traceback."""

_GC_THRESHOLD: Final = 20_000
"""New objects between two looks of Python's collector at the youngest: a request makes few that form cycles."""

_SWITCH_INTERVAL_S: Final = 0.001
"""How long a thread that has hashed or written a batch waits for a busy event loop to let it go on. With Python's 5 ms
a PUT of 4 MiB beside a busy loop took 321 ms, with this one 181 ms."""

logger: Final = logging.getLogger("lightningstor.daemon")


def run_daemon(loaded: Loaded) -> int:
    """Run a daemon until a signal stops it; the exit code of the process."""
    config = loaded.config
    os.umask(0o077)  # whatever is stored is for this user alone
    _take_all_descriptors()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    logs.configure(config.logging.level, config.logging.format)
    logger.info("LightningStor %s", __version__)
    if loaded.origins["server.data_dir"] == DEFAULT and not in_memory(config):
        logger.info("nobody named a data directory: using %s", data_root(config))
    try:
        if config.server.ready_file is not None:
            clear_ready_file(config.server.ready_file)
        trio.run(_main, loaded)
    except KeyboardInterrupt:  # before the signals were ours
        return EXIT_FAILED
    except (Exception, BaseExceptionGroup) as error:
        for leaf in leaves(error):
            if isinstance(leaf, _EXPECTED):
                logger.error("cannot go on: %s", leaf)
            elif not isinstance(leaf, trio.Cancelled):
                logger.critical("the daemon failed", exc_info=leaf)
        return EXIT_FAILED
    finally:
        if config.server.ready_file is not None:
            remove_ready_file(config.server.ready_file)
    return 0


def _take_all_descriptors() -> None:
    """Have as many files and connections open as the system allows us, not the 1,024 that programs with select need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a limit beyond its own limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _main(loaded: Loaded) -> None:
    config = loaded.config
    stop, reload = Stop(), Reload()
    wanted = [signal.SIGTERM, signal.SIGINT]
    if config.server.tls.cert_file is not None:
        wanted.append(signal.SIGHUP)  # without anything to read again it stays what ends a terminal's programs
    with trio.open_signal_receiver(*wanted) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey_signals, signals, stop, reload, config.limits.stop_grace_seconds)
            async with trio.open_nursery() as running:
                bound = await running.start(_serve, loaded, stop, reload)
                _announce(loaded, bound)
            nursery.cancel_scope.cancel()


async def _serve(loaded: Loaded, stop: Stop, reload: Reload, *, task_status: trio.TaskStatus[Bound]) -> None:
    await serve(loaded.config, stop=stop, reload=reload, on_hang=_leave, task_status=task_status)


def _announce(loaded: Loaded, bound: Bound) -> None:
    """Tell whoever waits for it that the daemon is ready."""
    # What the start has made stays to the end: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 50, 100)
    gc.enable()
    if loaded.config.server.ready_file is not None:
        write_ready_file(loaded.config.server.ready_file, bound.as_dict())
    sd_notify("READY=1")


async def _obey_signals(signals: AsyncIterator[int], stop: Stop, reload: Reload, grace_s: float) -> None:
    """SIGHUP has the certificates read again. Of the others the first one stops in order, a second one at once."""
    async for number in signals:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            reload.ask()
        elif not stop.asked:
            logger.info("got %s: stopping, requests have %g s", name, grace_s)
            sd_notify("STOPPING=1")
            _start_watchdog(grace_s + WATCHDOG_S)
            stop.ask()
        else:
            logger.info("got %s again: stopping now", name)
            stop.force()


def _start_watchdog(deadline_s: float) -> None:
    """End the process when the orderly end takes too long, say because a disk hangs. The store survives crashes."""

    def bark() -> None:
        os.write(2, b'{"level": "critical", "message": "the end took too long: leaving at once"}\n')
        _leave()

    timer = threading.Timer(deadline_s, bark)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    """End the process without another word: a thread that hangs in a system call would keep any other end waiting."""
    os._exit(EXIT_FAILED)
