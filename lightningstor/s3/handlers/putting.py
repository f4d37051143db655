"""PutObject."""

from __future__ import annotations

from lightningstor.s3.call import Call
from lightningstor.s3.handlers.drafts import draft_of
from lightningstor.s3.handlers.shapes import checksum_lines, shown_version
from lightningstor.s3.respond import Reply
from lightningstor.s3.wire import dto
from lightningstor.store.conditions import write_conditions

__all__ = ["put_object"]


async def put_object(call: Call, request: dto.PutObjectRequest) -> Reply:
    """Store an object. For speed its answer is written here, as `render` would write it of a `dto.PutObjectOutput`."""
    body = call.body
    assert body is not None
    written = await call.endpoint.store.puts.put(
        call.located,
        request.key,
        draft_of(call, request, body.checksum_algorithm),
        body,
        write_conditions(request.if_match, request.if_none_match),
    )
    version = written.version
    call.object_size = version.size
    lines = b'etag: "%b"\r\n' % version.etag.encode()
    if version.checksum is not None:
        lines += checksum_lines(version.checksum)
    call.version_id = version_id = shown_version(written.bucket, version)
    if version_id is not None:
        lines += b"x-amz-version-id: %b\r\n" % version_id.encode()
    return Reply(call.operation.success, (), lines=lines)
