"""May the caller do this? Asked before the body is touched, and before anything about the bucket is told."""

from __future__ import annotations

from typing import Final

from lightningstor.errors import AccessDenied, CurrentIsDeleteMarker, NoSuchKey, NoSuchVersion, StoreError
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket
from lightningstor.s3.call import Call

__all__ = ["ABSENCES", "authorise", "check_owner", "hide_absence"]

ABSENCES: Final = (NoSuchKey, NoSuchVersion, CurrentIsDeleteMarker)
"""The errors that tell that a key has nothing, which only those may learn who may list the bucket."""

_LIST: Final = "lightningstor:objects:list"
_CREATE_BUCKET: Final = "CreateBucket"
_OWNER: Final = b"x-amz-expected-bucket-owner"


async def authorise(call: Call) -> None:
    """Find the bucket, if the request names one that should exist, and ask the authorizer.

    Raises:
        NoSuchBucket, AccessDenied
    """
    endpoint, principal, name = call.endpoint, call.principal, call.bucket
    action = call.operation.action
    if name is None or call.operation.name == _CREATE_BUCKET:
        own = Resource(principal.org_id, principal.project_id, name)
        await endpoint.authorizer.authorize(principal, action, own)
        return
    bucket = await endpoint.store.buckets.get(name)
    await endpoint.authorizer.authorize(principal, action, Resource(bucket.org_id, bucket.project_id, name, call.key))
    call.found = bucket
    expected = call.headers.get(_OWNER)
    if expected is not None:
        check_owner(bucket, expected.decode("latin-1"))


def check_owner(bucket: Bucket, expected: str | None) -> None:
    """Whether the bucket belongs to whom the client expects: an organisation, or a canonical id (S3: an account).

    Raises:
        AccessDenied: it does not.
    """
    if expected is not None and expected not in (bucket.org_id, bucket.created_by.canonical_id):
        raise AccessDenied(f"{bucket.name} does not belong to {expected}")


async def hide_absence(call: Call, bucket: Bucket, absence: StoreError) -> StoreError:
    """The error to answer where there is no such object: `absence` itself to those who may list the bucket."""
    try:
        resource = Resource(bucket.org_id, bucket.project_id, bucket.name)
        await call.endpoint.authorizer.authorize(call.principal, _LIST, resource)
    except AccessDenied as denied:
        return denied
    return absence
