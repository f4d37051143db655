"""May the person who is logged in do this? The same authorizer and actions as S3's."""

from __future__ import annotations

from lightningstor.admin.console.guard import current_session
from lightningstor.admin.services import AdminServices
from lightningstor.errors import AccessDenied
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import Bucket
from lightningstor.s3.wire.operations import BY_NAME

__all__ = ["permitted_bucket", "require_admin"]


async def permitted_bucket(services: AdminServices, operation: str, bucket: str, key: str | None = None) -> Bucket:
    """The bucket's record, if the caller may do the operation (by its S3 name) to it or to a key in it.

    Raises:
        NoSuchBucket, AccessDenied
    """
    record = await services.store.buckets.get(bucket)
    resource = Resource(record.org_id, record.project_id, record.name, key)
    await services.authorizer.authorize(current_session().principal, BY_NAME[operation].action, resource)
    return record


def require_admin() -> None:
    """For pages that are an administrator's.

    Raises:
        AccessDenied
    """
    principal = current_session().principal
    if not principal.admin:
        raise AccessDenied(f"{principal.id} is no administrator")
