"""CPU per transaction of the metadata store on SQLite, at 32 concurrent committers.

Run: python -m tests.bench.kv_commit [transactions] [committers]

A transaction is what a PUT of a new 4 KiB object commits: its bucket's row and the object's absence read and checked, a
record of 600 bytes and the body written, two counters added to. Prints µs of CPU of the whole process (asynchrony,
SQLite, kernel, checkpoints) per transaction, and what point reads cost; beside them MD5 of 64 MiB, 109 ms on a quiet
machine of the kind that the bars were set on.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Put, Txn
from lightningstor.kv.sqlite import SqliteKv, open_sqlite_kv
from lightningstor.ports import production_world

BUCKET = b"lightningstor/buckets/default/bench"
RECORD = bytes(600)
BODY = bytes(range(256)) * 16
KEY = b"lightningstor/objects/default/0000000001/%08x/object-%07d"


def cpu_seconds() -> float:
    """CPU that this process has used so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def object_key(number: int, scattered: bool) -> bytes:
    """The key of an object: in the order of numbers, or anywhere."""
    return KEY % (number * 2_654_435_761 % 2**32 if scattered else 0, number)


async def committer(kv: SqliteKv, numbers: Iterator[int], scattered: bool, bucket_revision: int) -> None:
    """Put one new object after the other; ids of bodies come from the one counter, as in the store."""
    for number in numbers:
        key = object_key(number, scattered)
        assert await kv.get(BUCKET) is not None
        assert await kv.get(key) is None
        txn = Txn(
            checks=[Check(BUCKET, bucket_revision), Check(key, ABSENT)],
            puts=[Put(key, RECORD), Put(b"lightningstor/data/%016x" % number, BODY)],
            adds=[
                Add(b"lightningstor/usage/default/0000000001/objects", 1),
                Add(b"lightningstor/usage/default/0000000001/bytes", len(BODY)),
            ],
        )
        outcome = await kv.commit(txn)
        assert isinstance(outcome, Applied)


async def commits(kv: SqliteKv, count: int, committers: int, scattered: bool) -> None:
    """Measure commits."""
    outcome = await kv.commit(Txn(puts=[Put(BUCKET, RECORD)]))
    assert isinstance(outcome, Applied)
    numbers = iter(range(count))
    began, cpu = time.perf_counter(), cpu_seconds()
    async with trio.open_nursery() as nursery:
        for _ in range(committers):
            nursery.start_soon(committer, kv, numbers, scattered, outcome.revision)
    cpu, took = cpu_seconds() - cpu, time.perf_counter() - began
    seen = kv.statistics()
    order = "anywhere" if scattered else "in order"
    print(f"{committers} committers, keys {order}: {cpu / count * 1e6:.1f} µs CPU a transaction, {count / took:.0f}/s")
    print(
        f"    {count / seen.batches:.1f} to a batch; {seen.commit_seconds / took:.0%} of the time in commits, "
        f"{seen.checkpoint_seconds / took:.0%} in {seen.checkpoints} checkpoints beside them"
    )


async def reads(kv: SqliteKv, count: int) -> None:
    """Measure point reads: of a cached record, of an uncached one, of a body."""
    records = [object_key(number, scattered=True) for number in range(count)]
    bodies = [b"lightningstor/data/%016x" % number for number in range(count)]
    hot = records[:1] * count
    for name, keys in (("record, new to the cache", records), ("record, cached", hot), ("body", bodies)):
        cpu = cpu_seconds()
        for key in keys:
            assert await kv.get(key) is not None
        print(f"get {name}: {(cpu_seconds() - cpu) / count * 1e6:.2f} µs")


async def main(count: int, committers: int) -> None:
    """All of it, in a temporary folder below the current one."""
    cpu = cpu_seconds()
    hashlib.md5(bytes(64 << 20), usedforsecurity=False).digest()
    print(f"MD5 of 64 MiB: {(cpu_seconds() - cpu) * 1e3:.0f} ms")
    for scattered in (False, True):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            async with open_sqlite_kv(Path(folder) / "kv.sqlite", production_world()) as kv:
                await commits(kv, count, committers, scattered)
            if scattered:
                async with open_sqlite_kv(Path(folder) / "kv.sqlite", production_world()) as kv:
                    await reads(kv, count // 4)


if __name__ == "__main__":
    trio.run(main, *(int(argument) for argument in [*sys.argv[1:], "20000", "32"][:2]))
