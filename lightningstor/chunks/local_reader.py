"""One chunk being read from its file.

What the kernel has in memory is read in place (openat2 with RESOLVE_CACHED, preadv with RWF_NOWAIT), which saves a hop
a piece. Where it hasn't, the hop also tells the kernel what comes next, so that the device reads ahead while the caller
sends. Verifying stays out of the threads: a call per block would hand the interpreter's lock to and fro.
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

import trio

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.disk import Disk
from lightningstor.chunks.errors import OUT_OF_DESCRIPTORS, OutOfDescriptors
from lightningstor.chunks.footer import BLOCK_SIZE, check_footer, footer_length, verify_blocks
from lightningstor.errors import BytesCorrupt, BytesMissing
from lightningstor.ports import Blocking

__all__ = ["LocalChunkReader"]

_READ_AHEAD: Final = 1 << 20


class LocalChunkReader:
    """A ChunkReader, and the context that closes its file; made by `LocalFsBackend.open_reader`."""

    __slots__ = ("_block_crcs", "_blocking", "_descriptor", "_disk", "_path", "_ref")

    def __init__(self, disk: Disk, blocking: Blocking, path: str, ref: ChunkRef) -> None:
        self._disk = disk
        self._blocking = blocking
        self._path = path
        self._ref = ref
        self._descriptor: int | None = None
        self._block_crcs: tuple[int, ...] | None = None

    async def __aenter__(self) -> LocalChunkReader:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._disk.close(descriptor)

    async def read(self, offset: int, length: int, buffer: memoryview) -> memoryview:
        ref = self._ref
        end = offset + length
        if offset < 0 or length < 0 or end > ref.size:
            raise ValueError(f"{length} bytes from {offset} are outside a chunk of {ref.size}")
        first = offset // BLOCK_SIZE
        start = first * BLOCK_SIZE
        blocks = buffer[: min(-(-end // BLOCK_SIZE) * BLOCK_SIZE, ref.size) - start]
        try:
            if self._descriptor is None or self._block_crcs is None:
                # No checkpoint where all is in memory: sending the bytes is one.
                footer = self._take_cached(blocks, start)
                if footer is None:
                    footer = await self._blocking.run(self._open_and_read, blocks, start)
                self._block_crcs = check_footer(footer, ref)
            else:
                await self._read_blocks(self._descriptor, blocks, start)
        except FileNotFoundError:
            raise BytesMissing(ref.chunk_id) from None
        except OSError as error:
            if error.errno in OUT_OF_DESCRIPTORS:
                raise OutOfDescriptors(error.strerror or str(error)) from error
            raise BytesCorrupt(ref.chunk_id, f"the device cannot read it: {error.strerror or error}") from error
        verify_blocks(blocks, self._block_crcs, first, ref.chunk_id)
        return blocks[offset - start : end - start]

    def _take_cached(self, blocks: memoryview, start: int) -> bytearray | None:
        """What `_open_and_read` does, if nothing has to come from the device and nothing is wrong; else None."""
        ref, disk = self._ref, self._disk
        if self._descriptor is None:
            self._descriptor = disk.open_cached(self._path)
        descriptor = self._descriptor
        if descriptor is None:
            return None
        footer = bytearray(footer_length(ref.size, ref.chunk_id))
        wanted = len(footer)
        if disk.size(descriptor) != ref.size + wanted:
            return None
        if start + len(blocks) == ref.size:
            wanted += len(blocks)
            found = disk.read_cached(descriptor, (blocks, memoryview(footer)), start)
        else:
            found = disk.read_cached(descriptor, (memoryview(footer),), ref.size)
            if found == wanted:
                wanted += len(blocks)
                found += disk.read_cached(descriptor, (blocks,), start)
        return footer if found == wanted else None

    async def _read_blocks(self, descriptor: int, blocks: memoryview, start: int) -> None:
        found = self._disk.read_cached(descriptor, (blocks,), start)
        if found == len(blocks):
            await trio.lowlevel.checkpoint()
        else:
            await self._blocking.run(self._read_rest, descriptor, blocks[found:], start + found)

    # What follows runs in a thread.

    def _read_rest(self, descriptor: int, rest: memoryview, start: int) -> None:
        if self._disk.read(descriptor, (rest,), start) != len(rest):
            raise BytesCorrupt(self._ref.chunk_id, "the file ends too early")
        self._advise(descriptor, start + len(rest))

    def _open_and_read(self, blocks: memoryview, start: int) -> bytearray:
        """Open the file, read the footer and the first blocks wanted; the footer."""
        ref, disk = self._ref, self._disk
        footer = bytearray(footer_length(ref.size, ref.chunk_id))
        if self._descriptor is None:
            self._descriptor = disk.open(self._path)
        descriptor = self._descriptor
        size = disk.size(descriptor)
        if size != ref.size + len(footer):
            raise BytesCorrupt(ref.chunk_id, f"the file has {size} bytes, not {ref.size + len(footer)}")
        end = start + len(blocks)
        if end == ref.size:
            found = disk.read(descriptor, (blocks, memoryview(footer)), start)
        else:
            found = disk.read(descriptor, (memoryview(footer),), ref.size)
            found += disk.read(descriptor, (blocks,), start)
            self._advise(descriptor, end)
        if found != len(blocks) + len(footer):
            raise BytesCorrupt(ref.chunk_id, "the file ends too early")
        return footer

    def _advise(self, descriptor: int, start: int) -> None:
        if start < self._ref.size:
            self._disk.will_need(descriptor, start, min(_READ_AHEAD, self._ref.size - start))
