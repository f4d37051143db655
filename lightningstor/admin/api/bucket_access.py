"""The bucket that a path names, as its caller may use it."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.noting import permit
from lightningstor.errors import NoSuchBucket
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket

__all__ = ["named_bucket", "permitted_bucket", "see_that_there_is"]


async def named_bucket(call: AdminCall) -> Bucket:
    """The bucket of the path: where names are scoped, that of the organisation and project which the query names, or
    else of the caller's.

    Raises:
        NoSuchBucket: there is none; also where the query names another's organisation or project than the bucket's.
    """
    buckets, principal, query = call.services.store.buckets, call.principal, call.query
    org, project = query.org or principal.org_id, query.project
    if query.org is None and project is None:
        project = principal.project_id
    name = call.path["bucket"]
    found = await buckets.get(await buckets.resolve(name, org, project))
    if query.org not in (None, found.org_id) or query.project not in (None, found.project_id):
        raise NoSuchBucket(name)
    return found


async def permitted_bucket(call: AdminCall, *operations: str, key: str | None = None) -> Bucket:
    """The bucket of the path, if the caller may do all these operations (by their S3 names) to it, or to a key in it.

    Raises:
        NoSuchBucket, AccessDenied
    """
    bucket = await named_bucket(call)
    resource = Resource(bucket.org_id, bucket.project_id, bucket.name, key)
    for operation in operations:
        await permit(call.services.authorizer, call.principal, operation, resource)
    return bucket


def see_that_there_is(call: AdminCall, org: str | None, project: str | None, home: str) -> None:
    """That an organisation and a project which a caller names exist.

    Args:
        home: the organisation that the project is of.

    Raises:
        NoSuchEntity
    """
    directory = call.services.directory
    if org is not None:
        directory.organisations.get(org)
    if project is not None:
        directory.projects.get(home, project)
