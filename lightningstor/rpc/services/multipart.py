"""Multipart uploads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from lightningstor.chunks.api import Buffer
from lightningstor.errors import (
    AccessDenied,
    IncompleteBody,
    InvalidArgument,
    InvalidPartNumber,
    InvalidRequest,
    NoSuchBucket,
    NoSuchUpload,
)
from lightningstor.model.records import MultipartUpload
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.gen import object_service_pb2 as pb
from lightningstor.rpc.services.context import ServiceContext
from lightningstor.rpc.services.convert import (
    algorithm_of,
    checksum_message,
    checksum_of,
    checksum_type_of,
    expected_digests,
    optional,
    part_message,
    shown_version,
    upload_message,
)
from lightningstor.rpc.services.paging import page_limit, pair_of_token, token_of_pair
from lightningstor.rpc.services.writing import draft_of
from lightningstor.store.api import CompletePart, ExpectedDigest, UploadDraft
from lightningstor.store.checksums import check_multipart_type
from lightningstor.store.conditions import write_conditions
from lightningstor.store.tokens import decode_token, encode_token

__all__ = ["Multipart"]

_MAX_ENTRIES = 1000


class Multipart:
    """The part of ObjectService that is about multipart uploads."""

    _context: ServiceContext

    async def CreateMultipartUpload(
        self, input_message: pb.CreateMultipartUploadRequest, request: RpcCall
    ) -> pb.CreateMultipartUploadResponse:
        """Begin an upload."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, message.key)
        algorithm, kind = algorithm_of(message.checksum_algorithm), checksum_type_of(message.checksum_type)
        if algorithm is not None:
            check_multipart_type(algorithm, kind)
        elif kind is not None:
            raise InvalidRequest("checksum_type can only be used with checksum_algorithm.")
        upload = await self._context.store.uploads.create(
            request.named, message.key, UploadDraft(draft_of(request, message, algorithm), kind)
        )
        shown = upload_message(upload)
        return pb.CreateMultipartUploadResponse(
            upload_id=upload.upload_id,
            bucket=upload.bucket,
            key=upload.key,
            checksum_algorithm=shown.checksum_algorithm,
            checksum_type=shown.checksum_type,
        )

    async def UploadPart(
        self, input_messages: AsyncIterator[pb.UploadPartRequest], request: RpcCall
    ) -> pb.UploadPartResponse:
        """Take one part. Its upload's bucket and key are those that are authorised."""
        first = await anext(input_messages, None)
        if first is None:
            raise InvalidRequest("UploadPart has no message.")
        store, number = self._context.store, first.part_number
        upload = await self._enter_upload(request, first.upload_id)
        if not 1 <= number <= store.limits.max_parts:
            raise InvalidPartNumber(number, store.limits.max_parts)
        algorithm = algorithm_of(first.checksum_algorithm)
        if algorithm is not None and upload.checksum_algorithm not in (None, algorithm):
            raise InvalidRequest(
                f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm},"
                f" actual checksum Type: {algorithm}"
            )
        body = _PartBody(first, input_messages, algorithm)
        part = await store.uploads.put_part(request.named, upload.key, upload.upload_id, number, body)
        request.object_size = part.size
        # Whoever did not ask for checksums when the upload began is not told the one that is kept all the same.
        shown = part.checksum if upload.checksum_algorithm is not None else None
        return pb.UploadPartResponse(etag=part.etag, checksum=checksum_message(shown), size=part.size)

    async def _enter_upload(self, call: RpcCall, upload_id: str) -> MultipartUpload:
        """The open upload of that id, if the caller may write to its bucket.

        Raises:
            NoSuchUpload: there is none, or it is not the caller's: nobody learns of others' uploads.
        """
        upload = await self._context.store.uploads.finder.by_id(upload_id)
        try:
            await self._context.gate.enter(call, upload.bucket, upload.key)
            _, current, _ = await self._context.store.uploads.finder.open_upload(call.named, upload.key, upload_id)
        except (AccessDenied, NoSuchBucket):
            call.bucket = call.key = call.found = None
            raise NoSuchUpload(upload_id) from None
        return current

    async def CompleteMultipartUpload(
        self, input_message: pb.CompleteMultipartUploadRequest, request: RpcCall
    ) -> pb.CompleteMultipartUploadResponse:
        """Make the parts one object."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, message.key)
        if not message.parts:
            raise InvalidArgument("CompleteMultipartUpload names no part", "parts", "")
        checksum = checksum_of(message.checksum) if message.HasField("checksum") else None
        written = await self._context.store.completions.complete(
            request.named,
            message.key,
            message.upload_id,
            [_complete_part(part) for part in message.parts],
            checksum=checksum,
            checksum_type=checksum_type_of(message.checksum.type) if checksum is not None else None,
            size=optional(message, "size"),
            conditions=write_conditions(optional(message, "if_match"), optional(message, "if_none_match")),
        )
        version = written.version
        request.object_size = version.size
        request.version_id = shown_version(written.bucket, version)
        return pb.CompleteMultipartUploadResponse(
            bucket=message.bucket,
            key=message.key,
            etag=version.etag,
            version_id=request.version_id,
            checksum=checksum_message(version.checksum),
            size=version.size,
        )

    async def AbortMultipartUpload(
        self, input_message: pb.AbortMultipartUploadRequest, request: RpcCall
    ) -> pb.AbortMultipartUploadResponse:
        """End an upload; its parts are freed."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, message.key)
        await self._context.store.uploads.abort(request.named, message.key, message.upload_id)
        return pb.AbortMultipartUploadResponse()

    async def ListMultipartUploads(
        self, input_message: pb.ListMultipartUploadsRequest, request: RpcCall
    ) -> pb.ListMultipartUploadsResponse:
        """The open uploads, by key, of each key the oldest first."""
        message = input_message
        await self._context.gate.enter(request, message.bucket)
        key_marker, upload_marker = pair_of_token(message.continuation_token)
        page = await self._context.store.listings.uploads(
            request.named,
            prefix=message.prefix,
            delimiter=message.delimiter,
            key_marker=key_marker,
            upload_id_marker=upload_marker,
            limit=page_limit(optional(message, "max_uploads"), _MAX_ENTRIES),
        )
        return pb.ListMultipartUploadsResponse(
            uploads=[upload_message(entry.upload) for entry in page.uploads],
            common_prefixes=page.prefixes,
            is_truncated=page.truncated,
            next_continuation_token=token_of_pair(page.next_key, page.next_upload_id) if page.truncated else None,
        )

    async def ListParts(self, input_message: pb.ListPartsRequest, request: RpcCall) -> pb.ListPartsResponse:
        """The parts of an open upload, by number."""
        message = input_message
        await self._context.gate.enter(request, message.bucket, message.key)
        page = await self._context.store.uploads.list_parts(
            request.named,
            message.key,
            message.upload_id,
            after=_part_of_token(message.continuation_token),
            limit=page_limit(optional(message, "max_parts"), _MAX_ENTRIES),
        )
        asked = page.upload.checksum_algorithm is not None
        return pb.ListPartsResponse(
            upload=upload_message(page.upload),
            parts=[part_message(part, asked) for part in page.parts],
            is_truncated=page.truncated,
            next_continuation_token=encode_token(str(page.next_number)) if page.next_number is not None else None,
        )


def _part_of_token(token: str) -> int:
    if not token:
        return 0
    text = decode_token(token, "continuation_token")
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise InvalidArgument("The continuation token provided is incorrect", "continuation_token", token)
    return int(text)


def _complete_part(part: pb.CompletedPart) -> CompletePart:
    checksums: dict[str, str] = {}
    if part.HasField("checksum"):
        checksum = checksum_of(part.checksum)
        checksums[checksum.algorithm] = checksum.value
    return CompletePart(part.part_number, part.etag.strip().strip('"'), checksums)


class _PartBody:
    """The content of UploadPart's messages, as the store takes it.

    Args:
        first: the message that came first. rest: those behind it.
        algorithm: of the checksum that some message has the value of.
    """

    def __init__(
        self, first: pb.UploadPartRequest, rest: AsyncIterator[pb.UploadPartRequest], algorithm: str | None
    ) -> None:
        self._first: pb.UploadPartRequest | None = first
        self._rest = rest
        self._algorithm = algorithm
        self._value = ""
        self._received = 0
        self._announced: int | None = optional(first, "size")

    @property
    def size(self) -> int | None:
        return self._announced

    @property
    def algorithms(self) -> Sequence[str]:
        return () if self._algorithm is None else (self._algorithm.lower(),)

    async def receive(self) -> Buffer:
        """See `BodySource`.

        Raises:
            IncompleteBody: another size than was announced. InvalidRequest: a later message contradicts the first.
        """
        while True:
            message, self._first = self._first or await self._next(), None
            if message is None:
                if self._announced is not None and self._received != self._announced:
                    raise IncompleteBody("the stream ended early", self._announced, self._received)
                return b""
            if message.checksum_value:
                if self._value not in ("", message.checksum_value):
                    raise InvalidRequest("Two messages of one part have different checksum values.")
                self._value = message.checksum_value
            content = message.content
            if content:
                self._received += len(content)
                if self._announced is not None and self._received > self._announced:
                    raise IncompleteBody("the stream goes on", self._announced, self._received)
                return content

    async def _next(self) -> pb.UploadPartRequest | None:
        message = await anext(self._rest, None)
        if message is not None and not {field.name for field, _ in message.ListFields()} <= {
            "content",
            "checksum_value",
        }:
            raise InvalidRequest("Only the first message of UploadPart names the part.")
        return message

    def expected(self) -> Sequence[ExpectedDigest]:
        """See `BodySource`.

        Raises:
            InvalidRequest: the checksum is none.
        """
        return expected_digests(self._algorithm, self._value)
