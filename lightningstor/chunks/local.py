"""Chunks as files of the local file system (SPEC.md §5.2, DESIGN.md §6).

A chunk lies in `{base}/{ab}/{cd}/{chunk_id}`, data and footer (lightningstor.chunks.footer). Nobody refers to a chunk
before its object is published and no id is used twice, so the file is written under its final name; it needs no
rename. Sealed is what has been synced, together with its directory entry and every directory up to the base. What a
crash leaves unsealed nobody refers to, and the scrubber takes it.

A device that fails a write or a sync may have lost what it took before: from then on the store takes no writes and
nothing is tried again. A full device refuses one chunk, which is removed at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from lightningstor.chunks.api import BackendCapabilities, Buffer, ChunkRef, DurabilityLevel
from lightningstor.chunks.buffers import new_buffer
from lightningstor.chunks.disk import Disk, OsDisk
from lightningstor.chunks.errors import FULL, OUT_OF_DESCRIPTORS, OutOfDescriptors
from lightningstor.chunks.footer import BLOCK_SIZE
from lightningstor.chunks.group_sync import GroupSync
from lightningstor.chunks.local_reader import LocalChunkReader
from lightningstor.chunks.local_writer import LocalChunkWriter
from lightningstor.chunks.names import MAX_SHARD_DEPTH, check_chunk_id, shard_directory
from lightningstor.errors import StorageFull, StorageReadOnly
from lightningstor.ports import Blocking, World

__all__ = ["LocalFsBackend", "open_local_chunks"]

_CAPABILITIES: Final = BackendCapabilities(
    max_chunk_size=64 << 20,
    supports_range_reads=True,
    supports_streaming=True,
    durability=DurabilityLevel.LOCAL,
)


@asynccontextmanager
async def open_local_chunks(
    base: str | os.PathLike[str], world: World, shard_depth: int = 2, disk: Disk | None = None
) -> AsyncIterator[LocalFsBackend]:
    """Open the chunks under the directory `base`, which is made if it isn't there.

    Args:
        base: the directory.
        world: its Blocking runs the disk's calls.
        shard_depth: levels of directories above a chunk, 0 to 4, two digits of its id each. It belongs to the data:
            chunks written with another depth are not found.
        disk: the file system; the operating system's by default.

    Raises:
        OSError: the directory cannot be made or synced.
    """
    if not 0 <= shard_depth <= MAX_SHARD_DEPTH:
        raise ValueError(f"shard_depth is 0 to {MAX_SHARD_DEPTH}, not {shard_depth}")
    store = LocalFsBackend(base, world, shard_depth, OsDisk() if disk is None else disk)
    await world.blocking.run(store.make_base)
    yield store


class LocalFsBackend:
    """The ChunkStore over a directory. Open it with `open_local_chunks`."""

    def __init__(self, base: str | os.PathLike[str], world: World, shard_depth: int, disk: Disk) -> None:
        self.base: Final = os.path.abspath(base)
        self.disk: Final[Disk] = disk
        self.blocking: Final[Blocking] = world.blocking
        self.syncs: Final = GroupSync()
        self._shard_depth = shard_depth
        self._durable_directories: set[str] = set()
        self._latches: dict[str, trio.Lock] = {}
        self._read_only_reason: str | None = None

    @property
    def read_only_reason(self) -> str | None:
        """Why the store takes no writes; None while it does."""
        return self._read_only_reason

    def capabilities(self) -> BackendCapabilities:
        return _CAPABILITIES

    async def begin(self, chunk_id: str) -> LocalChunkWriter:
        check_chunk_id(chunk_id, self._shard_depth)
        self.check_writable()
        directory = self.directory_of(chunk_id)
        if directory not in self._durable_directories:
            await self._make_durable(directory, chunk_id)
        return LocalChunkWriter(self, directory, chunk_id)

    async def put_chunk(self, chunk_id: str, data: Buffer) -> ChunkRef:
        writer = await self.begin(chunk_id)
        try:
            return await writer.seal(0, (data,))
        except BaseException:
            await writer.abort()
            raise

    def open_reader(self, ref: ChunkRef) -> LocalChunkReader:
        check_chunk_id(ref.chunk_id, self._shard_depth)
        path = f"{self.directory_of(ref.chunk_id)}/{ref.chunk_id}"
        return LocalChunkReader(self.disk, self.blocking, path, ref)

    async def get_chunk(self, ref: ChunkRef) -> bytes:
        return await self.get_chunk_range(ref, 0, ref.size)

    async def get_chunk_range(self, ref: ChunkRef, offset: int, length: int) -> bytes:
        first = offset // BLOCK_SIZE * BLOCK_SIZE
        async with self.open_reader(ref) as reader:
            buffer = new_buffer(max(0, min(offset + length + BLOCK_SIZE, ref.size) - first))
            return bytes(await reader.read(offset, length, buffer))

    async def delete_chunk(self, chunk_id: str) -> bool:
        """As the contract says. Not synced: a chunk that a power cut brings back is one the scrubber finds."""
        check_chunk_id(chunk_id, self._shard_depth)
        try:
            await self.blocking.run(self.disk.unlink, f"{self.directory_of(chunk_id)}/{chunk_id}")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.judge(error) from error
        return True

    async def chunk_exists(self, chunk_id: str) -> bool:
        check_chunk_id(chunk_id, self._shard_depth)
        return await self.blocking.run(self.disk.exists, f"{self.directory_of(chunk_id)}/{chunk_id}")

    async def list_chunks(self, after: str, limit: int) -> list[str]:
        """As the contract says, ascending by bytes. Files that are no chunks are passed over."""
        found: list[str] = []
        await self.blocking.run(self._collect, self.base, "", after, limit, found)
        return found

    def directory_of(self, chunk_id: str) -> str:
        """Where a chunk of that id lies."""
        return shard_directory(self.base, chunk_id, self._shard_depth)

    def check_writable(self) -> None:
        """Raise StorageReadOnly once the device has refused a write."""
        if self._read_only_reason is not None:
            raise StorageReadOnly(self._read_only_reason)

    def judge(self, error: OSError) -> Exception:
        """What a failed write, sync or removal means; a failing device makes the store read-only."""
        if error.errno in FULL:
            return StorageFull(self.base)
        if error.errno in OUT_OF_DESCRIPTORS:
            return OutOfDescriptors(error.strerror or str(error))
        if error.errno == errno.EEXIST:  # the caller was wrong
            return error
        if self._read_only_reason is None:
            self._read_only_reason = f"writing below {self.base} failed: {error.strerror or error}"
        return StorageReadOnly(self._read_only_reason)

    def make_base(self) -> None:
        """Make the base and what is missing above it, durably. Synchronous."""
        missing = [self.base]
        while not self.disk.exists(parent := os.path.dirname(missing[-1])):
            missing.append(parent)
        # The base's own entry is synced even if it is there: whoever made it may not have come to that.
        for path in reversed(missing):
            self.disk.make_directory(path)
            self.disk.sync_directory(os.path.dirname(path))

    async def _make_durable(self, directory: str, chunk_id: str) -> None:
        """Make the shard directories of a chunk, one caller per directory at a time."""
        latch = self._latches.setdefault(directory, trio.Lock())
        try:
            async with latch:
                if directory not in self._durable_directories:
                    self.check_writable()
                    made = await self.blocking.run(self._make_shards, chunk_id)
                    self._durable_directories.update(made)
        except OSError as error:
            raise self.judge(error) from error
        finally:
            if not latch.statistics().tasks_waiting:
                self._latches.pop(directory, None)

    def _make_shards(self, chunk_id: str) -> list[str]:
        """Make each level and sync the one above it; the paths that are durable now.

        A directory that is there already is synced all the same: a process that was killed may have made it.
        """
        made: list[str] = []
        path = self.base
        for level in range(self._shard_depth):
            parent, path = path, f"{path}/{chunk_id[2 * level : 2 * level + 2]}"
            if path not in self._durable_directories:
                self.disk.make_directory(path)
                self.disk.sync_directory(parent)
                made.append(path)
        return made or [path]

    def _collect(self, path: str, prefix: str, after: str, limit: int, found: list[str]) -> None:
        """Add the chunk ids beneath `path` that are greater than `after` to `found`, in order, up to `limit`."""
        level = len(prefix) // 2
        for name in sorted(self._names(path)):
            if len(found) >= limit:
                return
            if level == self._shard_depth:
                if name > after and name.startswith(prefix) and _is_chunk_id(name, self._shard_depth):
                    found.append(name)
            elif len(name) == 2 and prefix + name >= after[: len(prefix) + 2]:
                self._collect(f"{path}/{name}", prefix + name, after, limit, found)

    def _names(self, path: str) -> list[str]:
        try:
            return self.disk.list_directory(path)
        except (FileNotFoundError, NotADirectoryError):
            return []


def _is_chunk_id(name: str, shard_depth: int) -> bool:
    try:
        check_chunk_id(name, shard_depth)
    except ValueError:
        return False
    return True
