"""Limits and usage of organisations, projects and buckets. Reading is for whoever may read the scope; setting is an
administrator's."""

from __future__ import annotations

from lightningstor.admin.api.bucket_access import named_bucket
from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.iam_access import may_read
from lightningstor.admin.api.iam_shapes import QuotaInfo
from lightningstor.admin.noting import permit
from lightningstor.iam.authorize import Resource
from lightningstor.model.records import StorageLimits
from lightningstor.store.quotas import QuotaScope

__all__ = ["get_quota", "set_quota"]


async def get_quota(call: AdminCall) -> QuotaInfo:
    scope = await _scope(call)
    if scope.bucket is None:
        await may_read(call, scope.org_id)
    else:
        resource = Resource(scope.org_id, scope.project_id, scope.bucket)
        await permit(call.services.authorizer, call.principal, "HeadBucket", resource)
    return await _info(call, scope)


async def set_quota(call: AdminCall) -> QuotaInfo:
    scope, wanted = await _scope(call), call.body
    limits = StorageLimits(
        max_buckets=wanted.max_buckets,
        max_total_size_bytes=wanted.max_total_size_bytes,
        max_objects_per_bucket=wanted.max_objects_per_bucket,
        max_object_size_bytes=wanted.max_object_size_bytes,
    )
    await call.services.tenants.set_limits(scope, limits)
    return await _info(call, scope)


async def _scope(call: AdminCall) -> QuotaScope:
    """What the path names, which must be there."""
    path = call.path
    if "bucket" in path:
        bucket = await named_bucket(call)
        return QuotaScope(bucket.org_id, bucket.project_id, bucket.name)
    scope = QuotaScope(path["org"], path.get("project"))
    call.services.tenants.see_that_there_is(scope)
    return scope


async def _info(call: AdminCall, scope: QuotaScope) -> QuotaInfo:
    quotas = call.services.store.quotas
    limits, usage = await quotas.get(scope), await quotas.usage(scope)
    return QuotaInfo(
        max_buckets=limits.max_buckets,
        max_total_size_bytes=limits.max_total_size_bytes,
        max_objects_per_bucket=limits.max_objects_per_bucket,
        max_object_size_bytes=limits.max_object_size_bytes,
        bucket_count=usage.bucket_count,
        total_size_bytes=usage.total_size_bytes,
        object_count=usage.object_count,
    )
