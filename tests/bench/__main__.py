"""The speed table: `python -m tests.bench [--duration S] [--reps N] [WORKLOAD …]`, or `make bench`.

The daemon runs on core 0 with its default, durable settings and metrics on; the load tool on core 1. The tool is
s3load.py, which is not part of this project: $S3LOAD says where it is, by default ../shared/bench/s3load.py; its small
requests are sent by `wrk`. What counts is the server's CPU time per request.

How fast the machine is at that moment is printed beside: MD5 of 64 MiB, and, where $REFERENCE_PYTHON names a Python
that has trio, httptools, msgspec and lmdb, GET and PUT of 4 KiB by the bare prototype signed_s3.py ($REFERENCE, by
default ../shared/prototypes/signed_s3.py), before the daemon and after it. On a slower day than that on which the bars
were set, figures are scaled by these as well.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import frozen

_ROOT = Path(__file__).resolve().parents[2]
_BARS_US = {
    "get4k": 70,
    "get4kfresh": 70,
    "head4k": 62,
    "put4k": 155,
    "list10k": 4_000,
    "get1m": 800,
    "put1m": 3_600,
    "get64m": 48_000,
    "put64m": 230_000,
    "put64mu": 190_000,
}
"""What the project allows itself, CPU µs per request of the server, on a machine whose MD5 of 64 MiB takes 109 ms."""

_MD5_MS = 109.0
_REFERENCE_US = {"get4k": 48.0, "put4k": 87.0}
"""What the prototype took where the bars were set."""
_REFERENCE_SECRET = "secretsecretsecret"
_REFERENCE_PORT = 7003
ACCESS, SECRET = "BENCHACCESSKEY000001", "bench-secret-key-of-forty-characters-000"


def machine_md5_ms() -> float:
    """MD5 of 64 MiB, ms of CPU, the least of three: how fast the machine is today."""
    data = os.urandom(64 << 20)
    times = []
    for _ in range(3):
        started = time.process_time()
        hashlib.md5(data, usedforsecurity=False).digest()
        times.append((time.process_time() - started) * 1e3)
    return min(times)


@contextmanager
def daemon(folder: Path) -> Iterator[dict[str, Any]]:
    """A daemon on core 0; gives what its ready file holds."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "lightningstor", "--data-dir", str(folder / "data"), "--ready-file", str(ready)]
    command += ["--s3-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"]
    environment = {**os.environ, "LIGHTNINGSTOR_ROOT_ACCESS_KEY": ACCESS, "LIGHTNINGSTOR_ROOT_SECRET_KEY": SECRET}
    process = subprocess.Popen(["taskset", "-c", "0", *command], cwd=_ROOT, env=environment)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit(f"the daemon ended with {process.returncode} before it was ready")
            time.sleep(0.01)
        yield json.loads(ready.read_text())
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def prototype(python: str, program: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """The bare prototype on core 0, in a folder for its data; gives the same."""
    with subprocess.Popen(["taskset", "-c", "0", python, str(program)], cwd=folder) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", _REFERENCE_PORT), 1):
                    break
                time.sleep(0.05)
            else:
                raise SystemExit(f"{program} ended with {process.returncode}")
            yield {"s3": f"127.0.0.1:{_REFERENCE_PORT}", "pid": process.pid}
        finally:
            process.terminate()


@frozen
class Load:
    """The load tool, and how long it loads.

    Args:
        duration: seconds of each run. reps: runs of each workload.
    """

    tool: Path
    duration: int
    reps: int

    def run(self, server: dict[str, Any], secret: str, workloads: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Each workload's runs, as the load tool reports them."""
        found: dict[str, list[dict[str, Any]]] = {}
        command = [sys.executable, str(self.tool), "--endpoint", f"http://{server['s3']}", "--pid", str(server["pid"])]
        command += ["--access", ACCESS, "--secret", secret, "--name", "lightningstor", "--client-core", "1"]
        command += ["--duration", str(self.duration), "--reps", str(self.reps), "--big-reps", str(self.reps)]
        command += ["--workloads", ",".join(workloads), "--warm", "1"]
        with subprocess.Popen(["taskset", "-c", "1", *command], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):
                    outcome = json.loads(line)
                    found.setdefault(outcome["workload"], []).append(outcome)
        return found

    def of_daemon(self, workloads: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """The workloads' runs with a new daemon."""
        with tempfile.TemporaryDirectory() as name, daemon(Path(name)) as ready:
            return self.run(ready, SECRET, workloads)

    def of_prototype(self, python: str, program: Path) -> dict[str, float]:
        """The prototype's CPU µs by workload."""
        with tempfile.TemporaryDirectory() as name, prototype(python, program, Path(name)) as server:
            found = self.run(server, _REFERENCE_SECRET, _REFERENCE_US)
        return {workload: statistics.median(run["cpu_us_req"] for run in runs) for workload, runs in found.items()}


def slowness(md5_ms: float, prototype_us: list[dict[str, float]]) -> dict[str, float]:
    """By workload, how much slower the machine is than that on which the bars were set; 1 where it is not.

    Args:
        prototype_us: the prototype's figures, if there are some: their mean counts.
    """
    scales = dict.fromkeys(_BARS_US, max(md5_ms / _MD5_MS, 1.0))
    if prototype_us:
        get, put = (
            max(statistics.mean(figures[workload] for figures in prototype_us) / _REFERENCE_US[workload], 1.0)
            for workload in ("get4k", "put4k")
        )
        scales |= {"get4k": get, "get4kfresh": get, "head4k": get, "list10k": get, "put4k": put}
    return scales


def row(workload: str, runs: list[dict[str, Any]], scale: float) -> str:
    """One line of the table."""
    failed = [outcome["failed"] for outcome in runs if "failed" in outcome]
    if failed:
        return f"| {workload} | failed: {failed[0]} | | | | |"
    void = " VOID" if any(outcome["void"] for outcome in runs) else ""
    cpu = statistics.median(outcome["cpu_us_req"] for outcome in runs)
    bar = _BARS_US.get(workload)
    verdict = "" if bar is None else ("met" if cpu <= bar else "met, scaled" if cpu / scale <= bar else "missed")
    rate = statistics.median(outcome["rps"] for outcome in runs)
    volume = statistics.median(outcome["MBps"] for outcome in runs)
    others = max(outcome["other_cpu_s"] / outcome["secs"] for outcome in runs)
    return (
        f"| {workload}{void} | {cpu:,.0f} | {cpu / scale:,.0f} | {bar or '-':,} | {verdict} "
        f"| {rate:,.0f}/s, {volume:,.0f} MB/s | {others:.0%} |"
    )


def main() -> int:
    """Run the workloads and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=list(_BARS_US))
    parser.add_argument("--duration", type=int, default=10, help="seconds of each run")
    parser.add_argument("--reps", type=int, default=3, help="runs of each workload")
    options = parser.parse_args()
    tool = Path(os.environ.get("S3LOAD", _ROOT.parent / "shared" / "bench" / "s3load.py"))
    if not tool.exists():
        raise SystemExit(f"the load tool is not at {tool}; set S3LOAD to where s3load.py is")
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    load = Load(tool, options.duration, options.reps)
    python = os.environ.get("REFERENCE_PYTHON")
    program = Path(os.environ.get("REFERENCE", _ROOT.parent / "shared" / "prototypes" / "signed_s3.py"))
    references = [] if python is None else [load.of_prototype(python, program)]
    md5 = machine_md5_ms()
    found = load.of_daemon(options.workloads)
    if python is not None:
        references.append(load.of_prototype(python, program))
    print(f"MD5 of 64 MiB: {md5:.0f} ms of CPU ({_MD5_MS:.0f} where the bars were set)")
    for moment, figures in zip(("before", "after"), references, strict=False):
        words = ", ".join(f"{name} {us:.0f} µs ({_REFERENCE_US[name]:.0f})" for name, us in figures.items())
        print(f"{program.name} {moment}: {words}")
    scales = slowness(md5, references)
    print("\n| workload | CPU µs per request | scaled | bar | | rate | others' share of a core |")
    print("|" + "---|" * 7)
    for workload, runs in found.items():
        print(row(workload, runs, scales.get(workload, 1.0)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
