"""GetObject and HeadObject."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TypeAlias

from lightningstor.chunks.api import Buffer
from lightningstor.errors import InvalidRequest
from lightningstor.model.records import DISABLED
from lightningstor.rpc.call import Encoded, RpcCall
from lightningstor.rpc.framing import varint
from lightningstor.rpc.gate import VERSION_ID
from lightningstor.rpc.gen import object_service_pb2 as pb
from lightningstor.rpc.services.context import ServiceContext
from lightningstor.rpc.services.convert import metadata_message, optional, range_message
from lightningstor.store.api import ReadPlan
from lightningstor.store.conditions import ReadConditions
from lightningstor.store.find import Found
from lightningstor.store.ranges import parse_range
from lightningstor.store.selection import Selection

__all__ = ["Reading"]

ReadRequest: TypeAlias = pb.GetObjectRequest | pb.HeadObjectRequest

_CONTENT = b"\x12"
"""Field 2 of GetObjectResponse, of bytes: what stands before each piece."""


class Reading:
    """The part of ObjectService that reads."""

    _context: ServiceContext

    async def GetObject(self, input_message: pb.GetObjectRequest, request: RpcCall) -> AsyncIterator[Encoded]:
        """An object, or a range or a part of it. Its first piece is verified before the first message leaves."""
        bucket, key, version_id = input_message.bucket, input_message.key, optional(input_message, "version_id")
        await self._context.gate.enter(request, bucket, key, facts={VERSION_ID: version_id})
        selection = self._selection(input_message)
        opened = await selection.open(request.named, key, version_id)
        try:
            found = opened.found
            _note(request, found)
            head = pb.GetObjectResponse(
                metadata=metadata_message(found, key),
                content_range=range_message(opened.plan if selection.partial else None),
            )
            yield Encoded([head.SerializeToString(), *_content(opened.first)])
            while (piece := await opened.next()) is not None:
                yield Encoded(_content(piece))
        finally:
            await opened.aclose()

    async def HeadObject(self, input_message: pb.HeadObjectRequest, request: RpcCall) -> pb.HeadObjectResponse:
        """What GetObject would answer, without the bytes."""
        bucket, key, version_id = input_message.bucket, input_message.key, optional(input_message, "version_id")
        facts = {VERSION_ID: version_id}
        await self._context.gate.enter(request, bucket, key, facts=facts)
        if input_message.include_tags:
            await self._context.gate.enter(request, bucket, key, operation="GetObjectTagging", facts=facts)
        selection = self._selection(input_message)
        found, plan = await selection.find(request.named, key, version_id)
        _note(request, found)
        metadata = metadata_message(found, key)
        if input_message.include_tags and found.version.tags:
            metadata.tags.update(found.version.tags)
        return pb.HeadObjectResponse(
            metadata=metadata, content_range=range_message(plan if selection.partial else None)
        )

    def _selection(self, message: ReadRequest) -> Selection:
        """The bytes that a request is for: conditions, a range, a part.

        Raises:
            InvalidRequest
        """
        wanted, part_number = optional(message, "range"), optional(message, "part_number")
        if wanted is not None and part_number is not None:
            raise InvalidRequest("Cannot specify both range and part_number")
        conditions = ReadConditions(
            optional(message, "if_match"),
            optional(message, "if_none_match"),
            optional(message, "if_modified_since"),
            optional(message, "if_unmodified_since"),
        )

        def check(found: Found) -> None:
            version = found.version
            conditions.check(version.etag, version.created_at, version.shown_id)

        def range_of(found: Found) -> ReadPlan | None:
            plan = None if wanted is None else parse_range(wanted, found.version.size)
            return None if plan is None else ReadPlan(*plan)

        store = self._context.store
        return Selection(store.objects, store.reads, check, range_of, part_number)


def _note(call: RpcCall, found: Found) -> None:
    """For the record of the call."""
    call.object_size = found.version.size
    if found.bucket.versioning != DISABLED:
        call.version_id = found.version.shown_id


def _content(piece: Buffer) -> list[Buffer]:
    """A piece as the `content` of a message; it is sent from where it lies."""
    return [_CONTENT + varint(len(piece)), piece] if len(piece) else []
