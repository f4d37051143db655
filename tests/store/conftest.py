"""Stores to test: in memory, and on a real directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lightningstor.chunks.disk import Disk
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.kv.memory import MemoryKv
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.ports import World
from lightningstor.store.api import StoreLimits
from lightningstor.store.store import Store, open_store

SMALL_LIMITS = StoreLimits(min_part_size_bytes=100 << 10, max_inline_bytes=4 << 10, gc_grace_ms=0)
"""Parts of 100 KiB and chunked bodies from 4 KiB on, so that tests of every layout are quick."""


@asynccontextmanager
async def memory_store(limits: StoreLimits = SMALL_LIMITS, *, scoped_names: bool = False) -> AsyncIterator[Store]:
    """An ephemeral store."""
    world = World()
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(MemoryKv(), chunks, world, limits, scoped_names=scoped_names) as store,
    ):
        yield store


@asynccontextmanager
async def disk_store(
    root: Path, limits: StoreLimits = SMALL_LIMITS, *, disk: Disk | None = None, vfs: str | None = None
) -> AsyncIterator[Store]:
    """A durable store in `root`; opening it again finds what was there."""
    world = World()
    async with (
        open_sqlite_kv(root / "metadata.db", world, vfs=vfs) as kv,
        open_local_chunks(root / "chunks", world, disk=disk) as local,
        open_chunk_manager(local, world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, limits) as store,
    ):
        yield store


@pytest.fixture(params=["memory", "disk"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store, on each kind of ground."""
    opened = memory_store() if request.param == "memory" else disk_store(tmp_path)
    async with opened as ready:
        yield ready
