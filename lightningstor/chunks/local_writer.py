"""One chunk being written to a file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from lightningstor.chunks.api import Buffer, ChunkRef
from lightningstor.chunks.footer import BlockChecksums

if TYPE_CHECKING:
    from lightningstor.chunks.group_sync import DirectoryGroup
    from lightningstor.chunks.local import LocalFsBackend

__all__ = ["LocalChunkWriter"]


class LocalChunkWriter:
    """A ChunkWriter; made by `LocalFsBackend.begin`. The file is created with the first bytes."""

    __slots__ = ("_chunk_id", "_created", "_descriptor", "_directory", "_ended", "_store", "_sums")

    def __init__(self, store: LocalFsBackend, directory: str, chunk_id: str) -> None:
        self._store = store
        self._directory = directory
        self._chunk_id = chunk_id
        self._sums = BlockChecksums()
        self._descriptor: int | None = None
        self._created = False
        self._ended = False

    async def append(self, pieces: Sequence[Buffer]) -> None:
        """As the contract says. A refused write removes the file at once, so that its room is free again."""
        self._check_open()
        try:
            await self._store.blocking.run(self._write, pieces)
        except OSError as error:
            await self._give_up(error)

    async def seal(self, offset: int, last: Sequence[Buffer] = (), also: Callable[[], None] | None = None) -> ChunkRef:
        self._check_open()
        store = self._store
        try:
            with store.syncs.member(self._directory) as group:
                checksum = await store.blocking.run(self._finish, last, also, group)
        except OSError as error:
            await self._give_up(error)
        self._ended = True
        return ChunkRef(self._chunk_id, offset, self._sums.size, checksum)

    async def abort(self) -> None:
        if self._ended:
            return
        self._ended = True
        await self._store.blocking.run(self._remove)

    def _check_open(self) -> None:
        if self._ended:
            raise ValueError(f"chunk {self._chunk_id} has ended")
        self._store.check_writable()

    async def _give_up(self, error: OSError) -> NoReturn:
        fault = self._store.judge(error)
        await self.abort()
        raise fault from error

    # What follows runs in a thread, one call at a time.

    def _path(self) -> str:
        return f"{self._directory}/{self._chunk_id}"

    def _write(self, pieces: Sequence[Buffer]) -> None:
        descriptor = self._open()
        start = self._sums.size
        for piece in pieces:
            self._sums.update(piece)
        self._store.disk.write(descriptor, pieces, start)

    def _finish(self, last: Sequence[Buffer], also: Callable[[], None] | None, group: DirectoryGroup) -> str:
        descriptor = self._open()
        disk = self._store.disk
        start = self._sums.size
        if also is not None:
            # First the digests, which have time to fetch the bytes into the core's cache; the sums find them there.
            also()
        for piece in last:
            self._sums.update(piece)
        footer, checksum = self._sums.footer(self._chunk_id)
        disk.write(descriptor, (*last, footer), start)
        disk.sync(descriptor)
        self._descriptor = None
        disk.close(descriptor)
        group.sync(self._sync_directory)
        return checksum

    def _sync_directory(self) -> None:
        self._store.disk.sync_directory(self._directory)

    def _open(self) -> int:
        if self._descriptor is None:
            self._descriptor = self._store.disk.create(self._path())
            self._created = True
        return self._descriptor

    def _remove(self) -> None:
        # What cannot be removed now is unreferenced; the scrubber takes it.
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                self._store.disk.close(descriptor)
        if self._created:
            with contextlib.suppress(OSError):
                self._store.disk.unlink(self._path())
