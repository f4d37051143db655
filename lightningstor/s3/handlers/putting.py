"""PutObject."""

from __future__ import annotations

from lightningstor.s3.call import Call
from lightningstor.s3.handlers.drafts import draft_of
from lightningstor.s3.handlers.shapes import checksum_members, quoted, shown_version
from lightningstor.s3.wire import dto
from lightningstor.store.conditions import write_conditions

__all__ = ["put_object"]


async def put_object(call: Call, request: dto.PutObjectRequest) -> dto.PutObjectOutput:
    """Store an object."""
    body = call.body
    assert body is not None
    written = await call.endpoint.store.puts.put(
        request.bucket,
        request.key,
        draft_of(call, request, body.checksum_algorithm),
        body,
        write_conditions(request.if_match, request.if_none_match),
    )
    version = written.version
    call.object_size = version.size
    checksum = version.checksum
    return dto.PutObjectOutput(
        etag=quoted(version.etag),
        checksum_type=None if checksum is None else checksum.kind,
        version_id=shown_version(written.bucket, version),
        **checksum_members(checksum),
    )
