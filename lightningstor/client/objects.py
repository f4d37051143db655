"""The calls of ObjectService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self, Unpack

from lightningstor.client import methods
from lightningstor.client.channel import CallOptions, Channel
from lightningstor.client.errors import InternalError
from lightningstor.rpc.gen.object_service_pb2 import (
    AbortMultipartUploadRequest,
    AbortMultipartUploadResponse,
    CompletedPart,
    CompleteMultipartUploadRequest,
    CompleteMultipartUploadResponse,
    ContentRange,
    CopyObjectRequest,
    CopyObjectResponse,
    CreateMultipartUploadRequest,
    CreateMultipartUploadResponse,
    DeleteObjectRequest,
    DeleteObjectResponse,
    DeleteObjectsRequest,
    DeleteObjectsResponse,
    GetObjectRequest,
    GetObjectResponse,
    HeadObjectRequest,
    HeadObjectResponse,
    ListMultipartUploadsRequest,
    ListMultipartUploadsResponse,
    ListObjectsRequest,
    ListObjectsResponse,
    ListObjectVersionsRequest,
    ListObjectVersionsResponse,
    ListPartsRequest,
    ListPartsResponse,
    PutObjectRequest,
    PutObjectResponse,
    UploadPartRequest,
)
from lightningstor.rpc.gen.types_pb2 import ChecksumAlgorithm, ObjectMetadata

__all__ = ["Content", "ObjectCalls", "ObjectStream"]

Content = bytes | bytearray | memoryview

_PIECE: Final = 1 << 20


class ObjectStream:
    """An object as it comes; iterate over it, once.

    Attributes:
        metadata: everything of the object but its bytes.
        content_range: which of its bytes come, where a range or a part was asked for; None: all.
    """

    def __init__(self, first: GetObjectResponse, answers: AsyncGenerator[GetObjectResponse, None]) -> None:
        self.metadata: ObjectMetadata = first.metadata
        self.content_range: ContentRange | None = first.content_range if first.HasField("content_range") else None
        self._first: GetObjectResponse | None = first
        self._answers = answers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> GetObjectResponse:
        """The next piece, in its `content`.

        Raises:
            RpcError: the rest does not come; what came before is what the object holds.
        """
        if self._first is not None:
            first, self._first = self._first, None
            if first.content:
                return first
        return await anext(self._answers)

    async def read(self) -> bytes:
        """All that has not been read, in memory."""
        return b"".join([piece.content async for piece in self])


class ObjectCalls:
    """What can be done to objects. Every call takes the options of `CallOptions` and raises `RpcError`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def put_object(self, request: PutObjectRequest, **options: Unpack[CallOptions]) -> PutObjectResponse:
        """Store an object that fits in a message; ResourceExhausted for a larger one, which `upload` takes."""
        return await self._channel.unary(methods.PUT_OBJECT, request, **options)

    @asynccontextmanager
    async def get_object(
        self, request: GetObjectRequest, **options: Unpack[CallOptions]
    ) -> AsyncIterator[ObjectStream]:
        """Read an object, for the time of the block; there is no deadline unless one is given.

        The server sends ahead of the reader by at most `ClientLimits.window_bytes`.
        """
        async with self._channel.streaming_down(methods.GET_OBJECT, request, **options) as answers:
            first = await anext(answers, None)
            if first is None or not first.HasField("metadata"):
                raise InternalError("the answer does not begin with metadata", call=methods.GET_OBJECT.name)
            yield ObjectStream(first, answers)

    async def head_object(self, request: HeadObjectRequest, **options: Unpack[CallOptions]) -> HeadObjectResponse:
        """Everything of an object but its bytes."""
        return await self._channel.unary(methods.HEAD_OBJECT, request, **options)

    async def delete_object(self, request: DeleteObjectRequest, **options: Unpack[CallOptions]) -> DeleteObjectResponse:
        """Delete an object, or one version of it."""
        return await self._channel.unary(methods.DELETE_OBJECT, request, **options)

    async def delete_objects(
        self, request: DeleteObjectsRequest, **options: Unpack[CallOptions]
    ) -> DeleteObjectsResponse:
        """Delete up to 1,000 objects or versions; the answer tells which failed."""
        return await self._channel.unary(methods.DELETE_OBJECTS, request, **options)

    async def copy_object(self, request: CopyObjectRequest, **options: Unpack[CallOptions]) -> CopyObjectResponse:
        """Copy an object within the store."""
        return await self._channel.unary(methods.COPY_OBJECT, request, **options)

    async def list_objects(self, request: ListObjectsRequest, **options: Unpack[CallOptions]) -> ListObjectsResponse:
        """A page of current objects and common prefixes."""
        return await self._channel.unary(methods.LIST_OBJECTS, request, **options)

    async def list_object_versions(
        self, request: ListObjectVersionsRequest, **options: Unpack[CallOptions]
    ) -> ListObjectVersionsResponse:
        """A page of all versions and delete markers."""
        return await self._channel.unary(methods.LIST_OBJECT_VERSIONS, request, **options)

    async def create_multipart_upload(
        self, request: CreateMultipartUploadRequest, **options: Unpack[CallOptions]
    ) -> CreateMultipartUploadResponse:
        """Begin an upload in parts. `upload` does all of it."""
        return await self._channel.unary(methods.CREATE_MULTIPART_UPLOAD, request, **options)

    async def upload_part(
        self,
        upload_id: str,
        part_number: int,
        content: Content,
        *,
        checksum_algorithm: ChecksumAlgorithm | None = None,
        checksum_value: str = "",
        **options: Unpack[CallOptions],
    ) -> CompletedPart:
        """Upload one part; a part of the same number is replaced.

        Args:
            part_number: 1 to 10,000.
            content: 5 MiB at least, but for the last part.
            checksum_value: what the content must hash to by that algorithm, in base64.

        Returns:
            What CompleteMultipartUpload wants to hear of the part.
        """
        pieces = _pieces(upload_id, part_number, memoryview(content).cast("B"), checksum_algorithm, checksum_value)
        options.setdefault("repeatable", True)
        answer = await self._channel.streaming_up(methods.UPLOAD_PART, pieces, **options)
        part = CompletedPart(part_number=part_number, etag=answer.etag)
        if answer.HasField("checksum"):
            part.checksum.CopyFrom(answer.checksum)
        return part

    async def complete_multipart_upload(
        self, request: CompleteMultipartUploadRequest, **options: Unpack[CallOptions]
    ) -> CompleteMultipartUploadResponse:
        """Make the parts one object."""
        return await self._channel.unary(methods.COMPLETE_MULTIPART_UPLOAD, request, **options)

    async def abort_multipart_upload(
        self, request: AbortMultipartUploadRequest, **options: Unpack[CallOptions]
    ) -> AbortMultipartUploadResponse:
        """Give an upload up, and what was uploaded."""
        return await self._channel.unary(methods.ABORT_MULTIPART_UPLOAD, request, **options)

    async def list_multipart_uploads(
        self, request: ListMultipartUploadsRequest, **options: Unpack[CallOptions]
    ) -> ListMultipartUploadsResponse:
        """A page of the open uploads."""
        return await self._channel.unary(methods.LIST_MULTIPART_UPLOADS, request, **options)

    async def list_parts(self, request: ListPartsRequest, **options: Unpack[CallOptions]) -> ListPartsResponse:
        """A page of the parts of an open upload."""
        return await self._channel.unary(methods.LIST_PARTS, request, **options)


def _pieces(
    upload_id: str, part_number: int, content: memoryview, algorithm: ChecksumAlgorithm | None, checksum: str
) -> Callable[[], AsyncGenerator[UploadPartRequest, None]]:
    """What makes a part's messages."""

    async def make() -> AsyncGenerator[UploadPartRequest, None]:
        yield UploadPartRequest(
            upload_id=upload_id,
            part_number=part_number,
            content=bytes(content[:_PIECE]),
            checksum_algorithm=algorithm,
            checksum_value=checksum,
            size=len(content),
        )
        for at in range(_PIECE, len(content), _PIECE):
            yield UploadPartRequest(content=bytes(content[at : at + _PIECE]))

    return make
