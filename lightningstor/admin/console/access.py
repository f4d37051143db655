"""May the person who is logged in do this? The same authorizer and actions as S3's."""

from __future__ import annotations

from lightningstor.admin import noting
from lightningstor.admin.console.guard import current_session
from lightningstor.admin.services import AdminServices
from lightningstor.errors import AccessDenied
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket

__all__ = ["permit", "permitted_bucket", "require_admin"]


async def permitted_bucket(
    services: AdminServices, operation: str, bucket: str, key: str | None = None
) -> tuple[Bucket, str]:
    """The bucket's record and its name as the store takes it, if the caller may do the operation to it or to a key.

    Args:
        operation: its name in S3's operation table.
        bucket: its name as the caller knows it.

    Raises:
        NoSuchBucket, AccessDenied
    """
    buckets, principal = services.store.buckets, current_session().principal
    place = await buckets.resolve(bucket, principal.org_id, principal.project_id)
    record = await buckets.get(place)
    await permit(services, operation, Resource(record.org_id, record.project_id, record.name, key))
    return record, place


async def permit(services: AdminServices, operation: str, resource: Resource) -> None:
    """Return if the caller may do the operation (by its name in S3's table) to the resource.

    Raises:
        AccessDenied
    """
    await noting.permit(services.authorizer, current_session().principal, operation, resource)


def require_admin() -> None:
    """For pages that are an administrator's.

    Raises:
        AccessDenied
    """
    principal = current_session().principal
    if not principal.admin:
        raise AccessDenied(f"{principal.id} is no administrator")
