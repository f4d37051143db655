"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import logging
from typing import Final

import trio

from lightningstor.errors import NoSuchBucket, StoreError
from lightningstor.model.names import object_key
from lightningstor.model.records import DISABLED
from lightningstor.s3.call import Call
from lightningstor.s3.errors import explain
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.conditions import write_if_match
from lightningstor.s3.wire.refusals import MalformedXML

__all__ = ["delete_object", "delete_objects"]

MAX_DELETES: Final = 1000
_WORKERS: Final = 16
"""How many of a batch are under way at once: enough to share the commits' fsyncs, few enough to leave others room."""

_log: Final = logging.getLogger(__name__)


async def delete_object(call: Call, request: dto.DeleteObjectRequest) -> dto.DeleteObjectOutput:
    """Delete an object, or one version of it."""
    deleted = await call.endpoint.store.deletes.delete(
        request.bucket, request.key, call.principal.owner, request.version_id, write_if_match(request.if_match)
    )
    return dto.DeleteObjectOutput(
        delete_marker=deleted.delete_marker or None,
        version_id=deleted.version_id if _keeps_versions(call) else None,
    )


def _keeps_versions(call: Call) -> bool:
    assert call.found is not None
    return call.found.versioning != DISABLED


async def delete_objects(call: Call, request: dto.DeleteObjectsRequest) -> dto.DeleteObjectsOutput:
    """Delete up to 1,000 objects or versions, each by itself; what went wrong with one stands in the answer."""
    wanted = request.delete.objects
    if not 1 <= len(wanted) <= MAX_DELETES:
        raise MalformedXML(f"DeleteObjects takes 1 to {MAX_DELETES} objects, not {len(wanted)}.")
    results: list[dto.DeletedObject | dto.Error | None] = [None] * len(wanted)
    waiting = iter(enumerate(wanted))
    gone: list[NoSuchBucket] = []

    async def work() -> None:
        for index, item in waiting:
            try:
                results[index] = await _delete_one(call, request.bucket, item)
            except NoSuchBucket as error:
                gone.append(error)

    async with trio.open_nursery() as nursery:
        for _ in range(min(_WORKERS, len(wanted))):
            nursery.start_soon(work)
    if gone:
        raise gone[0]
    return dto.DeleteObjectsOutput(
        deleted=None if request.delete.quiet else [made for made in results if isinstance(made, dto.DeletedObject)],
        errors=[made for made in results if isinstance(made, dto.Error)],
    )


async def _delete_one(call: Call, bucket: str, item: dto.ObjectIdentifier) -> dto.DeletedObject | dto.Error:
    """Delete one object of a batch. Raises NoSuchBucket only, which ends them all."""
    try:
        object_key(item.key, limit=call.endpoint.store.limits.max_key_bytes)
        deleted = await call.endpoint.store.deletes.delete(
            bucket, item.key, call.principal.owner, item.version_id or None, write_if_match(item.etag)
        )
    except NoSuchBucket:
        raise
    except Exception as error:  # the other keys must not suffer; the client learns which failed, the log why
        if not isinstance(error, StoreError):
            _log.exception("deleting one of several objects failed", extra={"request_id": call.request_id})
        told = explain(error)
        return dto.Error(key=item.key, version_id=item.version_id, code=told.code, message=told.message)
    marker = deleted.delete_marker
    return dto.DeletedObject(
        key=item.key,
        version_id=item.version_id or None,
        delete_marker=marker or None,
        delete_marker_version_id=deleted.version_id if marker else None,
    )
