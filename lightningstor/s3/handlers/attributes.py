"""GetObjectAttributes."""

from __future__ import annotations

from typing import Final

from lightningstor.model.records import ObjectVersion
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.paging import page_limit
from lightningstor.s3.handlers.shapes import checksum_members, shown_version
from lightningstor.s3.wire import dto

__all__ = ["get_object_attributes"]

_MAX_PARTS: Final = 1000


async def get_object_attributes(call: Call, request: dto.GetObjectAttributesRequest) -> dto.GetObjectAttributesOutput:
    """Those attributes of an object version that the request names."""
    found = await call.endpoint.store.objects.find(request.bucket, request.key, request.version_id)
    version, wanted = found.version, request.object_attributes
    checksum = version.checksum
    return dto.GetObjectAttributesOutput(
        last_modified=version.created_at,
        version_id=shown_version(found.bucket, version),
        etag=version.etag if "ETag" in wanted else None,
        checksum=dto.Checksum(checksum_type=checksum.kind, **checksum_members(checksum))
        if checksum is not None and "Checksum" in wanted
        else None,
        object_parts=await _parts(call, request, version) if "ObjectParts" in wanted else None,
        storage_class=version.storage_class if "StorageClass" in wanted else None,
        object_size=version.size if "ObjectSize" in wanted else None,
    )


async def _parts(
    call: Call, request: dto.GetObjectAttributesRequest, version: ObjectVersion
) -> dto.GetObjectAttributesParts | None:
    """A page of the parts; None for an object that was put in one piece."""
    if version.parts_count is None:
        return None
    limit = page_limit(request.max_parts, "x-amz-max-parts", _MAX_PARTS)
    after = request.part_number_marker or 0
    page = await call.endpoint.store.reads.parts(version, after=after, limit=limit)
    return dto.GetObjectAttributesParts(
        total_parts_count=version.parts_count,
        part_number_marker=after,
        next_part_number_marker=page.items[-1].number if page.items else 0,
        max_parts=limit,
        is_truncated=page.truncated,
        parts=[
            dto.ObjectPart(part_number=part.number, size=part.size, **checksum_members(part.checksum))
            for part in page.items
        ],
    )
