"""Reading an object's bytes: verified piece by piece, the first before anything is said about success."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence

import trio
from attrs import define
from msgspec import Struct

from lightningstor.chunks.api import Buffer, ChunkRef
from lightningstor.chunks.object_stream import ObjectStream
from lightningstor.errors import BytesCorrupt, BytesMissing, InvalidPartNumber
from lightningstor.kv.api import Row
from lightningstor.model import keys
from lightningstor.model.codec import MANIFEST, PART_LIST
from lightningstor.model.records import BodyRef, ObjectVersion, PartEntry
from lightningstor.store.api import Page, PartSlice, ReadPlan
from lightningstor.store.catalog import Located
from lightningstor.store.context import StoreContext
from lightningstor.store.find import Finder, Found
from lightningstor.store.inline import inline_crc

__all__ = ["OpenObject", "Reads"]


class OpenObject(Struct, eq=False):
    """An object being read.

    Args:
        first: the first verified piece; at most 1 MiB.
        complete: `first` is everything that was planned; there is nothing to iterate and nothing to close.

    Iterate for the verified pieces behind the first; a piece is good until the next is asked for. Close it in any case.
    """

    found: Found
    plan: ReadPlan
    first: Buffer
    complete: bool
    _reads: Reads | None = None
    _pieces: _BodyPieces | None = None

    async def __aiter__(self) -> AsyncIterator[Buffer]:
        pieces = self._pieces
        while pieces is not None and (piece := await pieces.next()) is not None:
            yield piece

    async def next(self) -> Buffer | None:
        """The next verified piece; None behind the last.

        Raises:
            BytesCorrupt, BytesMissing: what was given out so far is right, the rest cannot be had.
        """
        return None if self._pieces is None else await self._pieces.next()

    async def aclose(self) -> None:
        """Let go of files and of the pin that keeps the collector away. May be called twice."""
        if self._pieces is not None:
            await self._pieces.aclose()
            self._pieces = None
        if self._reads is not None:
            assert self.found.version.body is not None
            self._reads.ctx.pins.release(self.found.version.body.data_id)
            self._reads = None


@define
class Reads:
    """GetObject of one store."""

    ctx: StoreContext
    finder: Finder

    async def open(
        self,
        bucket: str | Located,
        key: str,
        version_id: str | None,
        plan: Callable[[Found], ReadPlan | None] | None = None,
    ) -> OpenObject:
        """Open an object for reading and read its first piece.

        Args:
            bucket: as in `Finder.find`.
            plan: looks at what was found and says which bytes to read (None: all), or raises: conditions, ranges.
                It may be asked again when the object is replaced and collected in between. None: read all.

        Raises:
            What `Finder.find` and `plan` raise; BytesCorrupt, BytesMissing.
        """
        found = await self.finder.find(bucket, key, version_id)
        while True:
            version = found.version
            body, size = version.body, version.size
            wanted = (None if plan is None else plan(found)) or ReadPlan(0, size)
            if body is None or not wanted.length:
                return OpenObject(found, wanted, b"", True)
            try:
                if body.layout != "inline":
                    return await self._open_large(found, wanted, body)
                data = await read_inline(self.ctx, body, size)
            except BytesMissing:
                again = await self.finder.find(bucket, key, version_id)
                if again.version.body == body:
                    raise
                found = again
                continue
            if wanted.length != size:
                data = data[wanted.offset : wanted.offset + wanted.length]
            return OpenObject(found, wanted, data, True)

    async def _open_large(self, found: Found, plan: ReadPlan, body: BodyRef) -> OpenObject:
        """One whose bytes lie in chunks, or in parts."""
        self.ctx.pins.hold(body.data_id)
        pieces = _BodyPieces(self.ctx, body, plan.offset, plan.length)
        opened = OpenObject(found, plan, b"", complete=False, _reads=self, _pieces=pieces)
        try:
            first = await pieces.next()
        except BaseException:
            await opened.aclose()
            raise
        opened.first = first or b""
        return opened

    async def part_slice(self, version: ObjectVersion, number: int) -> PartSlice:
        """Where part `number` lies, counted from 1 as S3's partNumber does: the n-th of those that the object has.

        Raises:
            InvalidPartNumber
        """
        body, count = version.body, version.parts_count
        if count is None or body is None:
            if number != 1:
                raise InvalidPartNumber(number, 1)
            return PartSlice(1, 0, version.size, 1, version.checksum)
        for entry in await self._entries(body):
            if entry.number == number:
                return PartSlice(number, entry.offset, entry.size, count, entry.checksum)
        raise InvalidPartNumber(number, count)

    async def parts(self, version: ObjectVersion, *, after: int, limit: int) -> Page[PartEntry]:
        """The parts of a multipart object with numbers greater than `after`, ascending."""
        if version.body is None or version.parts_count is None:
            return Page((), truncated=False)
        entries = [entry for entry in await self._entries(version.body) if entry.number > after]
        return Page(entries[:limit], len(entries) > limit)

    async def _entries(self, body: BodyRef) -> list[PartEntry]:
        return [
            entry
            for row in await _segments(self.ctx, body, 0, len(body.starts))
            for entry in PART_LIST.decode(row.value, row.key).parts
        ]


async def read_inline(ctx: StoreContext, body: BodyRef, size: int) -> bytes:
    """A small body, verified.

    Raises:
        BytesMissing, BytesCorrupt
    """
    data_id = body.data_id
    data = await ctx.kv.get_body(int(data_id, 16))
    if data is None:
        raise BytesMissing(f"{keys.DATA.decode()}{data_id}")
    if len(data) != size or inline_crc(data_id, data) != body.crc:
        raise BytesCorrupt(f"{keys.DATA.decode()}{data_id}", "the bytes are not those that were written")
    return data


async def _segments(ctx: StoreContext, body: BodyRef, first: int, end: int) -> Sequence[Row]:
    """The body's manifest segments number `first` up to `end`.

    Raises:
        BytesMissing
    """
    data_id = int(body.data_id, 16)
    wanted = [keys.manifest(data_id, segment) for segment in range(first, end)]
    rows: list[Row] = []
    for row_key, row in zip(wanted, await ctx.kv.get_many(wanted), strict=True):
        if row is None:
            raise BytesMissing(row_key.decode())
        rows.append(row)
    return rows


class _BodyPieces:
    """The verified pieces of a range of a body, whatever its layout; nested for the parts of a multipart object."""

    def __init__(self, ctx: StoreContext, body: BodyRef, offset: int, length: int) -> None:
        self._ctx = ctx
        self._body = body
        self._offset = offset
        self._end = offset + length
        self._segment = max(bisect_right(body.starts, offset) - 1, 0)
        self._stream: ObjectStream | None = None
        self._entries: list[PartEntry] = []
        self._part: _BodyPieces | None = None

    async def next(self) -> Buffer | None:
        """The next piece; None behind the last. Notices a cancellation, even if nothing has to be waited for."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while self._offset < self._end:
            piece = await (self._from_chunks() if self._body.layout == "chunks" else self._from_parts())
            if piece is not None:
                self._offset += len(piece)
                return piece
        return None

    async def aclose(self) -> None:
        await self._close_stream()
        if self._part is not None:
            await self._part.aclose()
            self._part = None

    async def _close_stream(self) -> None:
        if self._stream is not None:
            await self._stream.__aexit__(None, None, None)
            self._stream = None

    async def _next_segment(self) -> Row:
        if self._segment >= len(self._body.starts):
            raise BytesCorrupt(self._body.data_id, "the manifest ends before the object does")
        (row,) = await _segments(self._ctx, self._body, self._segment, self._segment + 1)
        self._segment += 1
        return row

    async def _from_chunks(self) -> Buffer | None:
        if self._stream is None:
            row = await self._next_segment()
            chunks: Sequence[ChunkRef] = MANIFEST.decode(row.value, row.key).chunks
            last = chunks[-1]
            length = min(self._end, last.offset + last.size) - self._offset
            self._stream = self._ctx.chunks.stream(chunks, self._offset - chunks[0].offset, length)
        piece = await self._stream.read()
        if not piece:
            await self._close_stream()
            return None
        return piece

    async def _from_parts(self) -> Buffer | None:
        if self._part is None:
            if not self._entries:
                row = await self._next_segment()
                listed = PART_LIST.decode(row.value, row.key).parts
                self._entries = [entry for entry in listed if entry.offset + entry.size > self._offset]
                self._entries.reverse()
                if not self._entries:
                    return None
            entry = self._entries.pop()
            if entry.body is None:
                return None
            skip = self._offset - entry.offset
            length = min(self._end, entry.offset + entry.size) - self._offset
            if entry.body.layout == "inline":
                data = await read_inline(self._ctx, entry.body, entry.size)
                return data[skip : skip + length]
            self._part = _BodyPieces(self._ctx, entry.body, skip, length)
        piece = await self._part.next()
        if piece is None:
            await self._part.aclose()
            self._part = None
        return piece
