"""CPU per PUT of a new 4 KiB object below S3: `Store.puts.put` on the durable store, at 32 concurrent writers.

Run: python -m tests.bench.store_put [puts] [writers]

Prints µs of CPU of the whole process (asynchrony, digests, SQLite, kernel, checkpoints) per PUT and how many shared
a commit, on one core, as the daemon has it in `tests.bench`; beside them what the metadata store's commit alone
costs in the same run, so that the difference is what the layers above it take.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import StoreError
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.model.records import Owner
from lightningstor.ports import production_world
from lightningstor.store.api import ExpectedDigest, ObjectDraft, WriteConditions
from lightningstor.store.sources import BytesSource
from lightningstor.store.store import Store, open_store
from tests.bench.kv_commit import commits, cpu_seconds

OWNER = Owner("root", "0" * 64, "root")
BODY = bytes(range(256)) * 16
DRAFT = ObjectDraft(OWNER, content_type="application/octet-stream")
UNCONDITIONAL = WriteConditions()


def mismatch(_: bytes) -> StoreError:
    """What the sender's side says of a digest that differs: it never does here."""
    raise AssertionError


async def writer(store: Store, numbers: Iterator[int]) -> None:
    """Put one new object after the other; each comes with the SHA-256 that its signature covers."""
    expected = [ExpectedDigest("sha256", hashlib.sha256(BODY).digest(), mismatch)]
    for number in numbers:
        await store.puts.put("bench", f"folder/{number:07d}", DRAFT, BytesSource(BODY, expected), UNCONDITIONAL)


async def puts(store: Store, numbers: Iterator[int], count: int, writers: int) -> float:
    """µs of CPU per PUT."""
    cpu = cpu_seconds()
    async with trio.open_nursery() as nursery:
        for _ in range(writers):
            nursery.start_soon(writer, store, numbers)
    return (cpu_seconds() - cpu) / count * 1e6


async def main(count: int, writers: int) -> None:
    """Both, each in a temporary folder below the current one."""
    os.sched_setaffinity(0, {0})
    world = production_world()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with open_sqlite_kv(Path(folder) / "kv.sqlite", world) as kv:
            await commits(kv, count, writers, scattered=False)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with (
            open_sqlite_kv(Path(folder) / "kv.sqlite", world) as kv,
            open_chunk_manager(MemoryChunkStore(), world=world) as chunks,
            open_store(kv, chunks, world) as store,
        ):
            await store.buckets.create("bench", OWNER, org_id="default", project_id=None, region="us-east-1")
            began = time.perf_counter()
            cpu = [
                await puts(store, iter(range(first, first + count // 5)), count // 5, writers)
                for first in range(0, count, count // 5)
            ]
            rate = count / (time.perf_counter() - began)
            seen = kv.statistics()
            print(
                f"PUT of 4 KiB: {min(cpu):.1f} to {max(cpu):.1f} µs CPU, median {statistics.median(cpu):.1f}; "
                f"{rate:.0f}/s, {seen.transactions / seen.batches:.1f} to a batch"
            )


if __name__ == "__main__":
    trio.run(main, *(int(argument) for argument in [*sys.argv[1:], "30000", "32"][:2]))
