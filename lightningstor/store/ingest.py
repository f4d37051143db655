"""Receiving a body: to its end, hashed beside its writing, checked against what its sender announced, sealed.

A small body stays in memory and goes into the metadata transaction; a larger one becomes chunks and a manifest.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence

from lightningstor.chunks.digest import INLINE_MAX, DigestPipeline, digest_inline
from lightningstor.chunks.object_writer import ObjectWriter
from lightningstor.errors import EntityTooLarge
from lightningstor.kv.api import Put
from lightningstor.model import keys
from lightningstor.model.chunk_ref import ChunkRef
from lightningstor.model.codec import RECORD_FORMAT, encode
from lightningstor.model.records import BodyRef, Manifest, ObjectChecksum
from lightningstor.store.api import BodySource, DirectSource
from lightningstor.store.context import StoreContext
from lightningstor.store.inline import inline_crc
from lightningstor.store.staging import Staged

__all__ = ["ingest"]

_SEGMENT_CHUNKS = 1000
"""References in one manifest segment: about 100 KB, and 8 GiB of an object."""


async def ingest(ctx: StoreContext, body: BodySource, checksum_algorithm: str, limit: int) -> Staged:
    """Receive a body. What it returns is sealed and verified; what it raises leaves nothing behind.

    Args:
        checksum_algorithm: the S3 name of the checksum to compute and keep.
        limit: the largest size, in bytes.

    Raises:
        EntityTooLarge; what the body raises; the errors of its `expected` digests; StorageFull, StorageReadOnly
    """
    wanted = {"md5", checksum_algorithm.lower(), *body.algorithms}
    pieces: list[bytes] = []
    announced, inline_max = body.size, ctx.inline_max
    if announced is None or announced <= inline_max:
        data = None
        if announced is not None and isinstance(body, DirectSource):
            data = body.receive_whole()
        if data is None:
            data = await _receive_small(body, inline_max, limit, pieces)
        if data is not None:
            if len(data) > limit:
                raise EntityTooLarge(len(data), limit)
            small = len(data) <= INLINE_MAX
            digests = digest_inline(wanted, data) if small else await _digests_of(ctx, data, wanted)
            _check(body, digests)
            return _staged_inline(ctx, data, digests, checksum_algorithm)
    pipeline = DigestPipeline(wanted, ctx.world)
    data_id = ctx.data_ids.draw()
    writer = ctx.chunks.writer(data_id, size=announced, digests=pipeline)
    try:
        refs = await _receive_chunks(writer, body, pieces, limit)
        digests = pipeline.digests()
        _check(body, digests)
    except BaseException:
        await writer.abort()
        raise
    return _staged_chunks(writer, data_id, refs, digests, checksum_algorithm)


async def _receive_small(body: BodySource, most: int, limit: int, pieces: list[bytes]) -> bytes | None:
    """The content; None if it has more than `most` bytes: then `pieces` hold what was received."""
    held = 0
    while held <= most:
        piece = await body.receive()
        if not piece:
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)
        # A view is good only until the next call, and this piece may have to wait for many.
        pieces.append(bytes(piece))
        held += len(piece)
        if held > limit:
            raise EntityTooLarge(held, limit)
    return None


async def _digests_of(ctx: StoreContext, data: bytes, wanted: set[str]) -> dict[str, bytes]:
    pipeline = DigestPipeline(wanted, ctx.world)
    await pipeline.update([data])
    return pipeline.digests()


async def _receive_chunks(
    writer: ObjectWriter, body: BodySource, pieces: list[bytes], limit: int
) -> Sequence[ChunkRef]:
    held = 0
    for first in pieces:
        held += len(first)
        await writer.append(first)
    pieces.clear()
    if body.size is not None and isinstance(body, DirectSource):
        await _receive_directly(writer, body, body.size, limit)
        held = writer.received
    while piece := await body.receive():
        held += len(piece)
        if held > limit:
            raise EntityTooLarge(held, limit)
        await writer.append(piece)
    return await writer.finish()


async def _receive_directly(writer: ObjectWriter, body: DirectSource, size: int, limit: int) -> None:
    """Receive what can be received into the writer's own memory, at most the `size` bytes that are announced."""
    while writer.received < size:
        count = body.receive_now(await writer.room())
        if count:
            writer.filled(count)
            if writer.received > limit:
                raise EntityTooLarge(writer.received, limit)
        else:
            writer.leave_room()
            if not await body.wait_more():
                return


def _check(body: BodySource, digests: dict[str, bytes]) -> None:
    """Raises what the sender's side made of a digest that differs."""
    for expected in body.expected():
        computed = digests[expected.algorithm]
        if computed != expected.digest:
            raise expected.mismatch(computed)


def _checksum(algorithm: str, digests: dict[str, bytes]) -> ObjectChecksum:
    return ObjectChecksum(algorithm, b2a_base64(digests[algorithm.lower()], newline=False).decode())


def _staged_inline(ctx: StoreContext, data: bytes, digests: dict[str, bytes], algorithm: str) -> Staged:
    checksum = _checksum(algorithm, digests)
    if not data:
        return Staged(None, 0, digests["md5"].hex(), checksum)
    number = ctx.data_ids.draw()
    data_id = f"{number:016x}"
    body = BodyRef(data_id, "inline", inline_crc(data_id, data))
    return Staged(body, len(data), digests["md5"].hex(), checksum, [Put(keys.data(number), data)])


def _staged_chunks(
    writer: ObjectWriter, data_id: int, refs: Sequence[ChunkRef], digests: dict[str, bytes], algorithm: str
) -> Staged:
    puts: list[Put] = []
    starts: list[int] = []
    for segment, first in enumerate(range(0, len(refs), _SEGMENT_CHUNKS)):
        piece = tuple(refs[first : first + _SEGMENT_CHUNKS])
        starts.append(piece[0].offset)
        puts.append(Put(keys.manifest(data_id, segment), encode(Manifest(RECORD_FORMAT, piece))))
    size = refs[-1].offset + refs[-1].size
    body = BodyRef(f"{data_id:016x}", "chunks", starts=tuple(starts))
    return Staged(body, size, digests["md5"].hex(), _checksum(algorithm, digests), puts, writer)
