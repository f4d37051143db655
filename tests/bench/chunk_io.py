"""What object bytes cost: CPU of the whole process and wall time, per object, for writing and reading.

    python -m tests.bench.chunk_io [--dir DIRECTORY] [--repeat N]

Pin it to one core (taskset -c 0) to compare with the bars of a server core. Figures are medians and least ones.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import ChunkManager, open_chunk_manager
from lightningstor.ports import World, production_world

MIB = 1 << 20


async def _measure(
    name: str, repeat: int, work: Callable[[], Awaitable[object]], after: Callable[[], Awaitable[object]] | None = None
) -> None:
    cpu, wall = [], []
    for _ in range(repeat):
        started, cpu_started = time.perf_counter(), time.process_time()
        await work()
        cpu.append(time.process_time() - cpu_started)
        wall.append(time.perf_counter() - started)
        if after is not None:
            await after()  # not measured
    print(f"{name:<42} cpu {_figures(cpu)}   wall {_figures(wall)}")


def _figures(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e6:>8,.0f} µs (least {min(seconds) * 1e6:>8,.0f})"


async def _put(
    manager: ChunkManager, world: World, data_id: int, body: bytes, size: int, algorithms: tuple[str, ...]
) -> list[ChunkRef]:
    digests = DigestPipeline(algorithms, world)
    async with manager.writer(data_id, size=size, digests=digests) as writer:
        view = memoryview(body)
        for start in range(0, size, MIB):
            # What has just been received is warm in the cache: the same few MiB again and again.
            at = start % len(body)
            await writer.append(view[at : at + MIB])
        refs = await writer.finish()
        digests.digests()
        writer.keep()
    return refs


async def _get(manager: ChunkManager, refs: list[ChunkRef], offset: int, length: int) -> None:
    async with manager.stream(refs, offset, length) as stream:
        async for _ in stream:
            pass


def _hash_alone(name: str, body: bytes, size: int) -> None:
    started = time.process_time()
    state = hashlib.new(name)
    for _ in range(size // len(body)):
        state.update(body)
    print(f"{f'{name} of {size // MIB} MiB alone':<42} cpu {(time.process_time() - started) * 1e6:>8,.0f} µs")


async def _main(directory: str, repeat: int) -> None:
    world = production_world()
    body = os.urandom(4 * MIB)
    for name in ("md5", "sha256"):
        _hash_alone(name, body, 64 * MIB)
    numbers = iter(range(1, 1 << 30))
    async with open_local_chunks(directory, world) as chunks, open_chunk_manager(chunks, world=world) as manager:
        await _put(manager, world, next(numbers), body, MIB, ("md5", "crc64nvme"))  # imports
        for size, count in ((64 * MIB, repeat), (MIB, 20 * repeat)):
            label = f"{size // MIB} MiB"
            written: list[list[ChunkRef]] = []

            async def put(*algorithms: str, size: int = size, written: list[list[ChunkRef]] = written) -> None:
                written.append(await _put(manager, world, next(numbers), body, size, algorithms))

            async def delete(written: list[list[ChunkRef]] = written) -> None:
                await manager.delete_object(written.pop())

            for algorithms in ((), ("md5", "crc64nvme"), ("md5", "sha256", "crc64nvme")):
                await _measure(
                    f"PUT {label} {'+'.join(algorithms) or 'no digests'}", count, partial(put, *algorithms), delete
                )
            await put()
            refs = written.pop()
            await _measure(f"GET {label}", count, partial(_get, manager, refs, 0, size))
            middle = partial(_get, manager, refs, size // 2 + 1000, 4096)
            await _measure(f"GET 4 KiB from the middle of {label}", 20 * repeat, middle)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", help="a directory on the disk to measure; a temporary one by default")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as scratch:
        trio.run(_main, scratch, options.repeat)
