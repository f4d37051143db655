"""Uploads from the browser: begun and completed here, the bytes by presigned links; resumable.

A file up to one part goes by one PUT. A larger one is a multipart upload whose parts the script sends, several at
once; what has arrived is asked for when it is taken up again.
"""

from __future__ import annotations

from typing import Any, Final

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from lightningstor.admin.console.access import permitted_bucket
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.console.links import Links
from lightningstor.admin.services import AdminServices
from lightningstor.model.names import object_key
from lightningstor.s3.wire.faults import InvalidRequest
from lightningstor.store.api import CompletePart, ObjectDraft, UploadDraft, WriteConditions

__all__ = ["add_pages"]

_LINK_S: Final = 3600
_PART_BYTES: Final = 16 << 20
_LINKS_AT_ONCE: Final = 100
_DEFAULT_TYPE: Final = "application/octet-stream"


def add_pages(blueprint: Blueprint, services: AdminServices) -> None:
    """The calls that the upload script makes; all of them take and give JSON."""
    store = services.store

    def links() -> Links:
        credential = current_session().credential
        return Links(credential, request.headers.get("host", ""), services.region, services.world.clock)

    @blueprint.post("/buckets/<bucket>/upload")
    async def bucket_upload(bucket: str) -> ResponseReturnValue:
        """Begin: `{key, size, type}` gives `{url}` for a small file, `{upload, part_bytes}` for a larger one."""
        asked = await _document("key", "size")
        key = object_key(asked["key"], limit=store.limits.max_key_bytes)
        _, place = await permitted_bucket(services, "PutObject", bucket, key)
        size = _whole_number(asked, "size")
        if size <= _PART_BYTES:
            return {"url": links().local("PUT", bucket, key, {}, _LINK_S)}
        content_type = str(asked.get("type") or _DEFAULT_TYPE)
        draft = UploadDraft(ObjectDraft(current_session().principal.owner, content_type))
        upload = await store.uploads.create(place, key, draft)
        part_bytes = max(_PART_BYTES, -(-size // store.limits.max_parts))
        return {"upload": upload.upload_id, "part_bytes": part_bytes}

    @blueprint.post("/buckets/<bucket>/upload/<upload_id>/links")
    async def bucket_upload_links(bucket: str, upload_id: str) -> ResponseReturnValue:
        """`{key, parts: [number]}` gives `{urls: [...]}`."""
        asked = await _document("key", "parts")
        key, numbers = asked["key"], asked["parts"]
        await permitted_bucket(services, "UploadPart", bucket, key)
        if not isinstance(numbers, list) or len(numbers) > _LINKS_AT_ONCE or any(type(n) is not int for n in numbers):
            raise InvalidRequest(f"parts must be a list of at most {_LINKS_AT_ONCE} numbers")
        made = links()
        return {
            "urls": [
                made.local("PUT", bucket, key, {"partNumber": str(number), "uploadId": upload_id}, _LINK_S)
                for number in numbers
            ]
        }

    @blueprint.post("/buckets/<bucket>/upload/<upload_id>/parts")
    async def bucket_upload_parts(bucket: str, upload_id: str) -> ResponseReturnValue:
        """`{key}` gives `{parts: [{number, etag, size}]}`: what has arrived."""
        key = (await _document("key"))["key"]
        _, place = await permitted_bucket(services, "ListParts", bucket, key)
        page = await store.uploads.list_parts(place, key, upload_id, limit=store.limits.max_parts)
        return {"parts": [{"number": part.number, "etag": part.etag, "size": part.size} for part in page.parts]}

    @blueprint.post("/buckets/<bucket>/upload/<upload_id>/complete")
    async def bucket_upload_complete(bucket: str, upload_id: str) -> ResponseReturnValue:
        """`{key}`: make the parts that have arrived the object."""
        asked = await _document("key", "size")
        key = asked["key"]
        _, place = await permitted_bucket(services, "CompleteMultipartUpload", bucket, key)
        page = await store.uploads.list_parts(place, key, upload_id, limit=store.limits.max_parts)
        parts = [CompletePart(part.number, part.etag) for part in page.parts]
        size = _whole_number(asked, "size")
        await store.completions.complete(place, key, upload_id, parts, size=size, conditions=WriteConditions())
        return {"key": key}

    @blueprint.post("/buckets/<bucket>/upload/<upload_id>/abort")
    async def bucket_upload_abort(bucket: str, upload_id: str) -> ResponseReturnValue:
        """`{key}`: give the upload up."""
        key = (await _document("key"))["key"]
        _, place = await permitted_bucket(services, "AbortMultipartUpload", bucket, key)
        await store.uploads.abort(place, key, upload_id)
        return {}


async def _document(*names: str) -> dict[str, Any]:
    asked = await request.get_json(silent=True)
    if not isinstance(asked, dict):
        raise InvalidRequest("the body is no JSON object")
    for name in names:
        if name not in asked:
            raise InvalidRequest(f"{name} is missing")
    if not isinstance(asked.get("key", ""), str):
        raise InvalidRequest("key must be a text")
    return asked


def _whole_number(asked: dict[str, Any], name: str) -> int:
    value = asked[name]
    if type(value) is not int or value < 0:
        raise InvalidRequest(f"{name} must be a whole number")
    return value
