"""Tags of objects."""

from __future__ import annotations

from lightningstor.s3.call import Call
from lightningstor.s3.handlers.shapes import shown_version, tag_dict, tag_shapes
from lightningstor.s3.wire import dto

__all__ = ["delete_object_tagging", "get_object_tagging", "put_object_tagging"]


async def get_object_tagging(call: Call, request: dto.GetObjectTaggingRequest) -> dto.GetObjectTaggingOutput:
    """The tags of an object version; an object without tags has an empty set."""
    found = await call.endpoint.store.objects.find(request.bucket, request.key, request.version_id)
    return dto.GetObjectTaggingOutput(
        version_id=shown_version(found.bucket, found.version), tag_set=tag_shapes(found.version.tags)
    )


async def put_object_tagging(call: Call, request: dto.PutObjectTaggingRequest) -> dto.PutObjectTaggingOutput:
    """Replace an object version's tags."""
    found = await call.endpoint.store.objects.set_tags(
        request.bucket, request.key, request.version_id, tag_dict(request.tagging.tag_set) or None
    )
    return dto.PutObjectTaggingOutput(version_id=shown_version(found.bucket, found.version))


async def delete_object_tagging(call: Call, request: dto.DeleteObjectTaggingRequest) -> dto.DeleteObjectTaggingOutput:
    """Remove an object version's tags."""
    found = await call.endpoint.store.objects.set_tags(request.bucket, request.key, request.version_id, None)
    return dto.DeleteObjectTaggingOutput(version_id=shown_version(found.bucket, found.version))
