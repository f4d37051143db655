"""Buckets and their open uploads."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.admin.api.shapes import BucketInfo, BucketList, UploadInfo, UploadList
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

_ACTION = "lightningstor:buckets:"


async def list_buckets(call: AdminCall) -> BucketList:
    """The buckets of a scope; a caller who is no administrator is shown its own."""
    query, principal = call.query, call.principal
    org = query.org or principal.org_id
    project = query.project if query.org or query.project else principal.project_id
    await call.services.authorizer.authorize(principal, _ACTION + "list", Resource(org, project))
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
    await call.services.authorizer.authorize(principal, _ACTION + "create", Resource(org, project, name))
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
    return await _info(call, await _authorised(call, _ACTION + "get"))


async def change_bucket(call: AdminCall) -> BucketInfo:
    """Change versioning or tags."""
    bucket = await _authorised(call, _ACTION + "update")
    buckets, change = call.services.store.buckets, call.body
    if change.versioning is not None:
        bucket = await buckets.set_versioning(buckets.reference(bucket), change.versioning)
    if change.tags is not None:
        bucket = await buckets.set_tags(buckets.reference(bucket), change.tags)
    return await _info(call, bucket)


async def delete_bucket(call: AdminCall) -> None:
    """Delete an empty bucket."""
    bucket = await _authorised(call, _ACTION + "delete")
    buckets = call.services.store.buckets
    await buckets.delete(buckets.reference(bucket))


async def list_uploads(call: AdminCall) -> UploadList:
    """The open multipart uploads of a bucket."""
    bucket, query = await _authorised(call, "lightningstor:objects:list"), call.query
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
    bucket = await _authorised(call, "lightningstor:uploads:abort", call.query.key)
    store = call.services.store
    await store.uploads.abort(store.buckets.reference(bucket), call.query.key, call.path["upload_id"])


async def _authorised(call: AdminCall, action: str, key: str | None = None) -> Bucket:
    buckets, principal = call.services.store.buckets, call.principal
    bucket = await buckets.get(await buckets.resolve(call.path["bucket"], principal.org_id, principal.project_id))
    resource = Resource(bucket.org_id, bucket.project_id, bucket.name, key)
    await call.services.authorizer.authorize(call.principal, action, resource)
    return bucket


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
