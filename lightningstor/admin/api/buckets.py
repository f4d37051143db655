"""Buckets and their open uploads."""

from __future__ import annotations

from lightningstor.admin.api.bucket_access import permitted_bucket, see_that_there_is
from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.shapes import BucketInfo, BucketList, UploadInfo, UploadList
from lightningstor.admin.noting import permit
from lightningstor.iam.authorize import Resource
from lightningstor.model.names import bucket_name
from lightningstor.model.records import Bucket
from lightningstor.store.usage import usage_of

__all__ = [
    "abort_upload",
    "change_bucket",
    "create_bucket",
    "delete_bucket",
    "get_bucket",
    "list_buckets",
    "list_uploads",
]


async def list_buckets(call: AdminCall) -> BucketList:
    """The buckets of a scope; a caller who is no administrator is shown its own."""
    query, principal = call.query, call.principal
    org = query.org or principal.org_id
    project = query.project if query.org or query.project else principal.project_id
    await permit(call.services.authorizer, principal, "ListBuckets", Resource(org, project))
    page = await call.services.store.buckets.list(
        org, project, prefix=query.prefix, after=query.after, limit=query.limit
    )
    items = [await _info(call, bucket) for bucket in page.items]
    return BucketList(items=items, next=items[-1].name if page.truncated else None)


async def create_bucket(call: AdminCall) -> BucketInfo:
    """Make a bucket."""
    wanted, principal = call.body, call.principal
    name = bucket_name(wanted.name)
    org = wanted.org or principal.org_id
    project = wanted.project if wanted.org or wanted.project else principal.project_id
    await permit(call.services.authorizer, principal, "CreateBucket", Resource(org, project, name))
    see_that_there_is(call, wanted.org, wanted.project, org)
    bucket = await call.services.store.buckets.create(
        name,
        principal.owner,
        org_id=org,
        project_id=project,
        region=call.services.region,
        versioning=wanted.versioning,
        tags=wanted.tags,
    )
    return await _info(call, bucket)


async def get_bucket(call: AdminCall) -> BucketInfo:
    """One bucket with its usage."""
    return await _info(call, await permitted_bucket(call, "GetBucketVersioning", "GetBucketTagging"))


async def change_bucket(call: AdminCall) -> BucketInfo:
    """Change versioning or tags."""
    change = call.body
    wanted = (("PutBucketVersioning", change.versioning), ("PutBucketTagging", change.tags))
    operations = [operation for operation, value in wanted if value is not None]
    bucket = await permitted_bucket(call, *(operations or ["GetBucketVersioning"]))
    buckets = call.services.store.buckets
    changed = await buckets.change(buckets.reference(bucket), versioning=change.versioning, tags=change.tags)
    return await _info(call, changed)


async def delete_bucket(call: AdminCall) -> None:
    """Delete an empty bucket."""
    bucket = await permitted_bucket(call, "DeleteBucket")
    buckets = call.services.store.buckets
    await buckets.delete(buckets.reference(bucket))


async def list_uploads(call: AdminCall) -> UploadList:
    """The open multipart uploads of a bucket."""
    bucket, query = await permitted_bucket(call, "ListMultipartUploads"), call.query
    store = call.services.store
    page = await store.listings.uploads(
        store.buckets.reference(bucket),
        prefix=query.prefix,
        delimiter="",
        key_marker=query.after,
        upload_id_marker=query.after_upload,
        limit=query.limit,
    )
    items = [
        UploadInfo(
            upload_id=entry.upload.upload_id,
            bucket=bucket.name,
            key=entry.key,
            initiated_at=entry.upload.initiated_at,
            initiated_by=entry.upload.initiated_by.principal_id,
            storage_class=entry.upload.storage_class,
        )
        for entry in page.uploads
    ]
    return UploadList(items=items, next=page.next_key, next_upload=page.next_upload_id)


async def abort_upload(call: AdminCall) -> None:
    """Abort a multipart upload and free its parts."""
    bucket = await permitted_bucket(call, "AbortMultipartUpload", key=call.query.key)
    store = call.services.store
    await store.uploads.abort(store.buckets.reference(bucket), call.query.key, call.path["upload_id"])


async def _info(call: AdminCall, bucket: Bucket) -> BucketInfo:
    objects, size = await usage_of(call.services.store.ctx.kv, bucket)
    return BucketInfo(
        name=bucket.name,
        org=bucket.org_id,
        project=bucket.project_id,
        versioning=bucket.versioning,  # type: ignore[arg-type]  # the store writes no other words
        region=bucket.region,
        created_at=bucket.created_at,
        created_by=bucket.created_by.principal_id,
        tags=bucket.tags or {},
        objects=objects,
        bytes=size,
    )
