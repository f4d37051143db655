"""What object bytes cost: CPU of the whole process and wall time, per object, for writing and reading.

    python -m tests.bench.chunk_io [--dir DIRECTORY] [--repeat N]

Pin it to one core (taskset -c 0) to compare with the bars of a server core. Figures are medians.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable

import trio

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import ChunkManager, open_chunk_manager
from lightningstor.ports import World, production_world

MIB = 1 << 20


async def _measure(name: str, repeat: int, work: Callable[[], Awaitable[object]]) -> None:
    cpu, wall = [], []
    for _ in range(repeat):
        started, cpu_started = time.perf_counter(), time.process_time()
        await work()
        cpu.append(time.process_time() - cpu_started)
        wall.append(time.perf_counter() - started)
    print(f"{name:<44} cpu {statistics.median(cpu) * 1e6:>9,.0f} µs   wall {statistics.median(wall) * 1e6:>9,.0f} µs")


async def _put(
    manager: ChunkManager, world: World, data_id: int, body: bytes, algorithms: tuple[str, ...]
) -> list[ChunkRef]:
    digests = DigestPipeline(algorithms, world)
    async with manager.writer(data_id, size=len(body), digests=digests) as writer:
        view = memoryview(body)
        for start in range(0, len(body), MIB):
            await writer.append(view[start : start + MIB])
        refs = await writer.finish()
        digests.digests()
        writer.keep()
    return refs


async def _get(manager: ChunkManager, refs: list[ChunkRef], offset: int, length: int) -> None:
    async with manager.stream(refs, offset, length) as stream:
        async for _ in stream:
            pass


def _hash_alone(name: str, body: bytes) -> None:
    started = time.process_time()
    hashlib.new(name, body)
    print(f"{name} of {len(body) // MIB} MiB alone{'':<24} cpu {(time.process_time() - started) * 1e6:>9,.0f} µs")


async def _main(directory: str, repeat: int) -> None:
    world = production_world()
    big, one = os.urandom(64 * MIB), os.urandom(MIB)
    for name in ("md5", "sha256"):
        _hash_alone(name, big)
    numbers = iter(range(1, 1 << 30))
    async with open_local_chunks(directory, world) as chunks, open_chunk_manager(chunks, world=world) as manager:
        written: list[list[ChunkRef]] = []

        async def write(body: bytes, *algorithms: str) -> None:
            written.append(await _put(manager, world, next(numbers), body, algorithms))

        for label, body, count in (("64 MiB", big, repeat), ("1 MiB", one, 20 * repeat)):
            for algorithms in ((), ("md5", "crc64nvme"), ("md5", "sha256", "crc64nvme")):

                async def put(body: bytes = body, algorithms: tuple[str, ...] = algorithms) -> None:
                    await write(body, *algorithms)

                await _measure(f"PUT {label} {'+'.join(algorithms) or 'no digests'}", count, put)

                async def delete() -> None:
                    await manager.delete_object(written.pop())

                await _measure(f"DELETE {label}", count, delete)
            refs = await _put(manager, world, next(numbers), body, ())

            async def get(refs: list[ChunkRef] = refs, length: int = len(body)) -> None:
                await _get(manager, refs, 0, length)

            async def get_range(refs: list[ChunkRef] = refs, length: int = len(body)) -> None:
                await _get(manager, refs, length // 2 + 1000, 4096)

            await _measure(f"GET {label}", count, get)
            await _measure(f"GET 4 KiB from the middle of {label}", 20 * repeat, get_range)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", help="a directory on the disk to measure; a temporary one by default")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:
        trio.run(_main, scratch, options.repeat)
