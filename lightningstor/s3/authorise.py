"""May the caller do this? Asked before the body is touched, and before anything about the bucket is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lightningstor.errors import AccessDenied, CurrentIsDeleteMarker, NoSuchKey, NoSuchVersion, StoreError
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket
from lightningstor.s3.call import Call
from lightningstor.s3.context import CallContext
from lightningstor.s3.wire.operations import BY_NAME

__all__ = ["ABSENCES", "authorise", "authorise_each", "check_owner", "hide_absence"]

ABSENCES: Final = (NoSuchKey, NoSuchVersion, CurrentIsDeleteMarker)
"""The errors that tell that a key has nothing, which only those may learn who may list the bucket."""

_LIST: Final = "lightningstor:objects:list"
_CREATE_BUCKET: Final = "CreateBucket"
_DELETE_OBJECTS: Final = "DeleteObjects"
_OWNER: Final = b"x-amz-expected-bucket-owner"


async def authorise(call: Call) -> None:
    """Find the bucket, if the request names one that should exist, and ask the authorizer.

    A request that names its objects in its body is only looked at here for whether the caller has any business in the
    bucket: `authorise_each` asks for each of them.

    Raises:
        NoSuchBucket, AccessDenied
    """
    endpoint, principal, name = call.endpoint, call.principal, call.bucket
    operation = call.operation
    if name is None or operation.name == _CREATE_BUCKET:
        if not principal.admin:
            own = Resource(principal.org_id, principal.project_id, name)
            await endpoint.authorizer.authorize(principal, operation.action, own, CallContext(call))
        return
    buckets = endpoint.store.buckets
    if buckets.scoped_names:
        call.named = await buckets.resolve(name, principal.org_id, principal.project_id)
        call.located = located = await buckets.catalog.locate(call.named)
    else:
        call.located = located = await buckets.catalog.locate(name)
    bucket = located.bucket
    if not principal.admin:
        resource = Resource(bucket.org_id, bucket.project_id, name, call.key)
        if operation.name != _DELETE_OBJECTS:
            await endpoint.authorizer.authorize(principal, operation.action, resource, CallContext(call))
        elif not endpoint.authorizer.concerns(principal, resource):
            raise AccessDenied(f"nothing in {resource.path} concerns {principal.id}")
    call.found = bucket
    expected = call.headers.get(_OWNER)
    if expected is not None:
        check_owner(bucket, expected.decode("latin-1"))


async def authorise_each(call: Call, named: Iterable[tuple[str, str | None]]) -> list[AccessDenied | None]:
    """For each of the objects that the body names, as (key, version id): None, or why the caller may not.

    Raises:
        AccessDenied: it may touch none of them.
    """
    principal, bucket = call.principal, call.found
    assert bucket is not None
    if principal.admin:
        return [None for _ in named]
    answers: list[AccessDenied | None] = []
    for key, version_id in named:
        resource = Resource(bucket.org_id, bucket.project_id, bucket.name, key)
        context = CallContext(call, version_id=version_id)
        try:
            await call.endpoint.authorizer.authorize(principal, call.operation.action, resource, context)
        except AccessDenied as denied:
            answers.append(denied)
        else:
            answers.append(None)
    if answers and None not in answers:
        assert answers[0] is not None
        call.found = None  # nothing is told of the bucket
        raise answers[0]
    return answers


def check_owner(bucket: Bucket, expected: str | None) -> None:
    """Whether the bucket belongs to whom the client expects: an organisation, or a canonical id (S3: an account).

    Raises:
        AccessDenied: it does not.
    """
    if expected is not None and expected not in (bucket.org_id, bucket.created_by.canonical_id):
        raise AccessDenied(f"{bucket.name} does not belong to {expected}")


async def hide_absence(call: Call, bucket: Bucket, absence: StoreError) -> StoreError:
    """The error to answer where there is no such object: `absence` itself to those who may list the bucket."""
    principal = call.principal
    if principal.admin:
        return absence
    try:
        resource = Resource(bucket.org_id, bucket.project_id, bucket.name)
        listing = CallContext(call, BY_NAME["ListObjectsV2"])
        await call.endpoint.authorizer.authorize(principal, _LIST, resource, listing)
    except AccessDenied as denied:
        return denied
    return absence
