"""What a daemon, or a program that embeds one, stands on: the data directory, the metadata store, the byte store."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from attrs import frozen

from lightningstor.chunks.api import ChunkStore
from lightningstor.chunks.budget import BufferBudget
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.config import Config, LimitsSettings
from lightningstor.daemon.datadir import DataDirectory, default_root, open_data_directory
from lightningstor.daemon.gauges import commit_meter, show_buffers, show_metadata
from lightningstor.kv.api import Kv
from lightningstor.kv.statistics import OnBatch
from lightningstor.observe.metrics import Metrics
from lightningstor.ports import World
from lightningstor.store.api import StoreLimits
from lightningstor.store.store import Store, open_store

__all__ = ["Storage", "data_root", "in_memory", "open_storage", "store_limits"]


@frozen
class Storage:
    """An open store and what lies below it.

    Args:
        directory: None for a store in memory.
        health: by part, why it takes no writes, or None.
    """

    store: Store
    kv: Kv
    directory: DataDirectory | None
    health: dict[str, Callable[[], str | None]]


def in_memory(config: Config) -> bool:
    """Whether the store keeps nothing."""
    return config.storage.backend == "memory"


def data_root(config: Config) -> Path:
    """The data directory of the configuration, or the default."""
    return config.server.data_dir or default_root(os.environ)


def store_limits(limits: LimitsSettings) -> StoreLimits:
    """The store's part of the limits."""
    return StoreLimits(
        max_object_size_bytes=limits.max_object_size_bytes,
        max_put_size_bytes=limits.max_put_size_bytes,
        min_part_size_bytes=limits.min_part_size_bytes,
        max_part_size_bytes=limits.max_part_size_bytes,
        max_parts=limits.max_multipart_parts,
        max_key_bytes=limits.max_key_bytes,
        max_metadata_bytes=limits.max_metadata_bytes,
        max_object_tags=limits.max_object_tags,
        max_bucket_tags=limits.max_bucket_tags,
        max_keys_per_list=limits.max_keys_per_list,
        max_inline_bytes=limits.max_inline_bytes,
        max_buckets=limits.max_buckets,
        upload_timeout_ms=limits.multipart_upload_timeout_hours * 3_600_000,
        gc_grace_ms=int(limits.gc_grace_seconds * 1000),
        commit_deadline_ms=int(limits.commit_deadline_seconds * 1000),
    )


@asynccontextmanager
async def open_storage(config: Config, world: World, metrics: Metrics | None = None) -> AsyncIterator[Storage]:
    """Open everything that holds data; it is closed, with all commits drained, when the context ends.

    Args:
        metrics: show its figures.

    Raises:
        StoreLocked, FormatTooNew, DataDirectoryUnusable, BytesCorrupt: the directory cannot be used.
    """
    async with AsyncExitStack() as stack:
        directory = None
        if not in_memory(config):
            opening = open_data_directory(data_root(config))
            directory = await world.blocking.run(opening.__enter__)
            stack.push(opening)
        kv = await _open_kv(stack, config, directory, world, None if metrics is None else commit_meter(metrics))
        chunks, chunk_health = await _open_chunks(stack, config, directory, world)
        budget = BufferBudget(config.storage.buffer_budget_bytes)
        manager = await stack.enter_async_context(
            open_chunk_manager(
                chunks,
                world=world,
                chunk_size=config.storage.chunk_size_bytes,
                budget=budget,
                workers=config.storage.threads,
            )
        )
        if metrics is not None:
            show_metadata(metrics, kv)
            show_buffers(metrics, budget, lambda: manager.workers.queued)
        scoped = config.s3.bucket_names == "scoped"
        limits = store_limits(config.limits)
        store = await stack.enter_async_context(open_store(kv, manager, world, limits, scoped_names=scoped))
        yield Storage(store, kv, directory, {"metadata": lambda: kv.read_only_reason, "storage": chunk_health})


async def _open_kv(
    stack: AsyncExitStack, config: Config, directory: DataDirectory | None, world: World, on_batch: OnBatch | None
) -> Kv:
    if directory is None:
        from lightningstor.kv.memory import MemoryKv

        return MemoryKv()
    from lightningstor.kv.sqlite import open_sqlite_kv

    file = directory.metadata / "lightningstor.db"
    return await stack.enter_async_context(
        open_sqlite_kv(file, world, cache_bytes=config.metadata.cache_bytes, on_batch=on_batch)
    )


async def _open_chunks(
    stack: AsyncExitStack, config: Config, directory: DataDirectory | None, world: World
) -> tuple[ChunkStore, Callable[[], str | None]]:
    if directory is None:
        from lightningstor.chunks.memory import MemoryChunkStore

        return MemoryChunkStore(), lambda: None
    from lightningstor.chunks.local import open_local_chunks

    base = config.storage.data_dir or directory.chunks
    depth = config.storage.shard_depth
    await world.blocking.run(directory.claim_chunks, base, depth, world.entropy)
    chunks = await stack.enter_async_context(open_local_chunks(base, world, depth))
    return chunks, lambda: chunks.read_only_reason
