"""What the audit log and the metrics cost a small GET: with both on against with neither, interleaved.

    python -m tests.bench.observed [--daemons] [--pairs N]

In one process: two apps over one store, one with an observer that does nothing, one with audit log (to a file) and
metrics; the process's CPU time, the writer's thread included. With --daemons: two daemons, asked in turn by `wrk`, the
CPU time of the daemon per request. Prints the median of the pairs' ratios, and the interval that holds the true median
with 95 % (order statistics: distribution-free).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from math import comb
from pathlib import Path

import trio

from lightningstor.observe.audit import AuditLog
from lightningstor.observe.metrics import Metrics
from lightningstor.observe.record import OperationRecord
from lightningstor.observe.sinks import RotatingFile
from lightningstor.store.api import StoreLimits
from tests.bench.app_get import PAYLOAD, Request, signed_request
from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs
from tests.s3.client import Client
from tests.s3.conftest import Service, service_over
from tests.store.conftest import disk_store

_REQUESTS = 2000
_WARMTH = 500
_AGENT = "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.12.3 cfg/retry-mode#legacy"
_TICKS = os.sysconf("SC_CLK_TCK")
_OFF = """
import sys
from lightningstor.observe.metrics import Metrics
Metrics.operation_done = lambda self, record: None
from lightningstor.cli import server_main
sys.exit(server_main())
"""


class Silent:
    """An observer that does nothing."""

    closed = False

    async def admit(self) -> None: ...

    def operation_done(self, record: OperationRecord) -> None: ...


def summary(name: str, off: list[float], on: list[float]) -> str:
    """The pairs' ratios: their median and its interval of 95 %."""
    ratios = sorted(b / a for a, b in zip(off, on, strict=True))
    n = len(ratios)
    rank = max((k for k in range(n // 2 + 1) if 2 * sum(comb(n, i) for i in range(k)) / 2**n <= 0.05), default=0)
    low, high = (ratios[rank - 1], ratios[n - rank]) if rank else (ratios[0], ratios[-1])
    percent = [100 * (value - 1) for value in (statistics.median(ratios), low, high)]
    return (
        f"{name}: off {statistics.median(off):.2f} µs, on {statistics.median(on):.2f} µs a request;"
        f" {percent[0]:+.1f} % (95 %: {percent[1]:+.1f} … {percent[2]:+.1f} %), {n} pairs"
    )


async def _round(request: Request) -> float:
    started = time.process_time()
    for number in range(_REQUESTS):
        await request()
        if not number % 50:
            await trio.lowlevel.checkpoint()  # as the engine does; the writer gets its turn
    return (time.process_time() - started) / _REQUESTS * 1e6


async def in_process(pairs: int) -> None:
    """Both apps in one process."""
    with tempfile.TemporaryDirectory() as root:
        async with disk_store(Path(root), StoreLimits()) as store, trio.open_nursery() as nursery:
            sink = RotatingFile(Path(root) / "audit.log", 100 << 20, 2)
            sink.open()
            quiet = service_over(store, observer=Silent())
            log = AuditLog(Metrics(), sink, quiet.world.clock, quiet.world.blocking)
            nursery.start_soon(log.run)
            services: list[Service] = [quiet, service_over(store, observer=log)]
            assert (await services[0].client().put("/bench")).status == 200
            assert (await services[0].client().put("/bench/object", PAYLOAD)).status == 200
            requests = [
                signed_request(service.client(), "GET", "/bench/object", **{"user-agent": _AGENT})
                for service in services
            ]
            for request in requests:
                for _ in range(_WARMTH):
                    await request()
            times: list[list[float]] = [[], []]
            for pair in range(pairs):
                for which in (0, 1) if pair % 2 else (1, 0):
                    times[which].append(await _round(requests[which]))
                    await trio.sleep(0.1)  # what the log gathered is written
            log.stop()
        assert log.lines == pairs * _REQUESTS + _WARMTH
        print(summary("GET 4 KiB in process", *times))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _measured(daemon: RunningDaemon, seconds: int) -> float:
    """CPU µs of the daemon per GET, asked by wrk over 8 connections."""
    host = daemon.addresses["s3"]
    client = Client(None, daemon.access_key, daemon.secret_key, lambda: time.time_ns() // 1_000_000, host=host)  # type: ignore[arg-type]
    headers = {"host": host, "user-agent": _AGENT}
    headers |= client.sign("GET", "/bench/object", "", headers, hashlib.sha256(b"").hexdigest())
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://{host}/bench/object"]
    for name, value in headers.items():
        if name != "host":  # which wrk sends by itself
            command += ["-H", f"{name}: {value}"]
    before = _cpu_s(daemon.pid)
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    spent = _cpu_s(daemon.pid) - before
    assert "Non-2xx" not in told, told
    match = re.search(r"(\d+) requests in", told)
    assert match is not None, told
    return spent / int(match[1]) * 1e6


def daemons(pairs: int, seconds: int) -> None:
    """One daemon with both, one with neither."""
    if shutil.which("wrk") is None:
        sys.exit("this needs wrk")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        running: list[RunningDaemon] = []
        outputs = DaemonOutputs(root)
        commands: list[Callable[[Path], RunningDaemon]] = [
            lambda folder: start_daemon(folder, outputs, command=(sys.executable, "-c", _OFF), log_level="warn"),
            lambda folder: start_daemon(folder, outputs, config="[audit]\nenabled = true\n", log_level="warn"),
        ]
        try:
            for number, start in enumerate(commands):
                folder = root / str(number)
                folder.mkdir()
                running.append(start(folder))
                _fill(running[-1])
            times: list[list[float]] = [[], []]
            for daemon in running:
                _measured(daemon, 1)
            for pair in range(pairs):
                for which in (0, 1) if pair % 2 else (1, 0):
                    times[which].append(_measured(running[which], seconds))
            print(summary("GET 4 KiB over two daemons, CPU", *times))
        finally:
            for daemon in running:
                daemon.stop()


def _fill(daemon: RunningDaemon) -> None:
    from tests.harness.signed_http import SignedHttp

    client = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    assert client.request("PUT", "/bench").status == 200
    assert client.request("PUT", "/bench/object", PAYLOAD).status == 200
    client.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--daemons", action="store_true", help="two daemons and wrk instead of one process")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement of a daemon")
    options = parser.parse_args()
    if options.daemons:
        daemons(options.pairs, options.seconds)
    else:
        trio.run(in_process, options.pairs)
