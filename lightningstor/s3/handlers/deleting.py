"""DeleteObject and DeleteObjects."""

from __future__ import annotations

import logging
from typing import Final

from lightningstor.errors import StoreError
from lightningstor.model.records import DISABLED
from lightningstor.s3.authorise import authorise_each
from lightningstor.s3.call import Call
from lightningstor.s3.errors import explain
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.refusals import MalformedXML
from lightningstor.store.api import Deleted, Deletion
from lightningstor.store.conditions import write_if_match
from lightningstor.store.delete import MAX_DELETES

__all__ = ["delete_object", "delete_objects"]

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
    denied = await authorise_each(call, ((item.key, item.version_id or None) for item in wanted))
    results = iter(
        await call.endpoint.store.deletes.delete_many(
            request.bucket,
            call.principal.owner,
            [
                Deletion(item.key, item.version_id or None, item.etag)
                for item, refusal in zip(wanted, denied, strict=True)
                if refusal is None
            ],
        )
    )
    deleted: list[dto.DeletedObject] = []
    errors: list[dto.Error] = []
    for item, refusal in zip(wanted, denied, strict=True):
        result = refusal or next(results)
        if isinstance(result, Exception):
            errors.append(_error_shape(call, item, result))
        else:
            deleted.append(_deleted_shape(item, result))
    return dto.DeleteObjectsOutput(deleted=None if request.delete.quiet else deleted, errors=errors)


def _error_shape(call: Call, item: dto.ObjectIdentifier, error: Exception) -> dto.Error:
    """What the client is told of an object that was not deleted; of an unexpected error the log learns why."""
    if not isinstance(error, StoreError):
        _log.error("deleting one of several objects failed", extra={"request_id": call.request_id}, exc_info=error)
    told = explain(error)
    return dto.Error(key=item.key, version_id=item.version_id, code=told.code, message=told.message)


def _deleted_shape(item: dto.ObjectIdentifier, deleted: Deleted) -> dto.DeletedObject:
    marker = deleted.delete_marker
    return dto.DeletedObject(
        key=item.key,
        version_id=item.version_id or None,
        delete_marker=marker or None,
        delete_marker_version_id=deleted.version_id if marker else None,
    )
