"""An object of any size from any source, in parts: all of it, or nothing.

Memory: at most `parallel` parts and what is on the wire; the source is read as parts leave. Whatever ends an upload
before its object is published, cancellation included, aborts it; where the server cannot be reached then, it expires.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import Final, Protocol, runtime_checkable

import trio
from attrs import define, field

from lightningstor.client.errors import RpcError
from lightningstor.client.objects import Content, ObjectCalls
from lightningstor.rpc.gen.object_service_pb2 import (
    AbortMultipartUploadRequest,
    CompletedPart,
    CompleteMultipartUploadRequest,
    CompleteMultipartUploadResponse,
    CreateMultipartUploadRequest,
)

__all__ = ["PARTS_MAX", "PartSource", "Readable", "Upload"]

PARTS_MAX: Final = 10_000


@runtime_checkable
class Readable(Protocol):
    """What reads like a file that `trio.open_file` opened for bytes."""

    async def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


PartSource = Content | Readable | AsyncIterable[bytes]


class _Parts:
    """Cuts a source into parts; all but the last have the full size."""

    def __init__(self, source: PartSource, part_size: int) -> None:
        self.part_size = part_size
        self._rest = bytearray()
        self._pieces: AsyncIterator[Content]
        if isinstance(source, bytes | bytearray | memoryview):
            view = memoryview(source).cast("B")
            self.part_size = max(part_size, -(-len(view) // PARTS_MAX))
            self._pieces = _Slices(view, self.part_size)
        elif isinstance(source, Readable):  # before AsyncIterable: files are that too, by lines
            self._pieces = _Reads(source, part_size)
        elif isinstance(source, AsyncIterable):
            self._pieces = aiter(source)
        else:
            raise TypeError(f"{type(source).__name__} is no source: not bytes, without read() and not iterable")

    async def take(self) -> Content:
        """The next part; one that is shorter than `part_size` is the last, and may be empty."""
        part = self._rest
        while len(part) < self.part_size:
            piece = await anext(self._pieces, b"")
            if not part and len(piece) == self.part_size:
                return piece
            if not piece:
                break
            part += piece
        self._rest = part[self.part_size :]
        return memoryview(part)[: self.part_size]


class _Slices:
    """Of bytes that are there. No generator: a cancelled upload would leave one that nobody closes."""

    def __init__(self, view: memoryview, size: int) -> None:
        self._rest = view
        self._size = size

    def __aiter__(self) -> _Slices:
        return self

    async def __anext__(self) -> Content:
        if not self._rest:
            raise StopAsyncIteration
        piece, self._rest = self._rest[: self._size], self._rest[self._size :]
        return piece


class _Reads:
    """Of a file."""

    def __init__(self, file: Readable, size: int) -> None:
        self._file = file
        self._size = size

    def __aiter__(self) -> _Reads:
        return self

    async def __anext__(self) -> Content:
        piece = await self._file.read(self._size)
        if not piece:
            raise StopAsyncIteration
        return piece


@define(eq=False)
class Upload:
    """One upload, for one run.

    Args:
        draft: bucket, key, and everything else of the object to be.
        part_size: in bytes.
        parallel: parts on their way at once.
        abort_s: that beginning and aborting may take each, which cancellation waits for.
    """

    client: ObjectCalls
    draft: CreateMultipartUploadRequest
    source: PartSource
    part_size: int
    parallel: int
    abort_s: float
    _done: dict[int, CompletedPart] = field(factory=dict, init=False)
    _failed: list[Exception] = field(factory=list, init=False)

    async def run(self) -> CompleteMultipartUploadResponse:
        """Upload everything and publish the object.

        Raises:
            RpcError: of the first call that failed.
            ValueError: the source has more parts than an upload may.
        """
        parts = _Parts(self.source, self.part_size)
        with trio.CancelScope(shield=True):
            # Cancelled here, nobody would know the id of the upload that the server has begun.
            begun = await self.client.create_multipart_upload(self.draft, timeout_s=self.abort_s)
        try:
            await self._send(begun.upload_id, parts)
            return await self.client.complete_multipart_upload(
                CompleteMultipartUploadRequest(
                    bucket=self.draft.bucket,
                    key=self.draft.key,
                    upload_id=begun.upload_id,
                    parts=[self._done[number] for number in sorted(self._done)],
                )
            )
        except BaseException:
            await self._abort(begun.upload_id)
            raise

    async def _send(self, upload_id: str, parts: _Parts) -> None:
        slots = trio.Semaphore(self.parallel)
        async with trio.open_nursery() as nursery:
            try:
                for number in range(1, PARTS_MAX + 2):
                    await slots.acquire()
                    part = await parts.take()
                    if number > 1 and not len(part):
                        break
                    if number > PARTS_MAX:
                        raise ValueError(f"the source has more than {PARTS_MAX} parts of {parts.part_size} bytes")
                    nursery.start_soon(self._send_part, nursery.cancel_scope, slots, upload_id, number, part)
                    if len(part) < parts.part_size:
                        break
            except Exception as error:  # the source's, whatever it is; raised below
                self._failed.append(error)
                nursery.cancel_scope.cancel()
        if self._failed:
            raise self._failed[0]

    async def _send_part(
        self, scope: trio.CancelScope, slots: trio.Semaphore, upload_id: str, number: int, part: Content
    ) -> None:
        try:
            self._done[number] = await self.client.upload_part(upload_id, number, part)
        except Exception as error:  # the first of them is what the caller gets, by itself and not in a group
            self._failed.append(error)
            scope.cancel()
        finally:
            slots.release()

    async def _abort(self, upload_id: str) -> None:
        request = AbortMultipartUploadRequest(bucket=self.draft.bucket, key=self.draft.key, upload_id=upload_id)
        with trio.CancelScope(shield=True), suppress(RpcError):
            await self.client.abort_multipart_upload(request, timeout_s=self.abort_s)
