"""Buckets: create, list, describe, configure, delete."""

from __future__ import annotations

import re
from typing import Final

from lightningstor.errors import BucketAlreadyOwnedByYou, NoSuchTagSet
from lightningstor.model.names import bucket_name
from lightningstor.model.records import DISABLED
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.shapes import owner_shape, tag_dict, tag_shapes
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.faults import (
    IllegalLocationConstraint,
    IllegalVersioningConfiguration,
    InvalidArgument,
    InvalidLocationConstraint,
)
from lightningstor.store.tokens import decode_token, encode_token

__all__ = [
    "create_bucket",
    "delete_bucket",
    "delete_bucket_tagging",
    "get_bucket_location",
    "get_bucket_tagging",
    "get_bucket_versioning",
    "head_bucket",
    "list_buckets",
    "put_bucket_tagging",
    "put_bucket_versioning",
]

US_EAST_1: Final = "us-east-1"
MAX_BUCKETS_PER_LIST: Final = 10_000
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")


async def list_buckets(call: Call, request: dto.ListBucketsRequest) -> dto.ListBucketsOutput:
    """The buckets that the caller's scope sees, in pages where it asks for them."""
    limit = request.max_buckets
    if limit is not None and not 1 <= limit <= MAX_BUCKETS_PER_LIST:
        raise InvalidArgument(
            f"Argument max-buckets must be an integer between 1 and {MAX_BUCKETS_PER_LIST}", "max-buckets", str(limit)
        )
    token, principal = request.continuation_token, call.principal
    page = await call.endpoint.store.buckets.list(
        principal.org_id,
        principal.project_id,
        prefix=request.prefix or "",
        after="" if token is None else decode_token(token, "continuation-token"),
        limit=limit or MAX_BUCKETS_PER_LIST,
        reachable=True,
    )
    wanted = request.bucket_region
    shown = [bucket for bucket in page.items if wanted is None or bucket.region == wanted]
    return dto.ListBucketsOutput(
        owner=owner_shape(principal.owner),
        buckets=[
            dto.Bucket(name=bucket.name, creation_date=bucket.created_at, bucket_region=bucket.region)
            for bucket in shown
        ],
        prefix=request.prefix,
        continuation_token=encode_token(page.items[-1].name) if page.truncated else None,
    )


async def create_bucket(call: Call, request: dto.CreateBucketRequest) -> dto.CreateBucketOutput:
    """A new bucket of the caller's scope. One that the caller has already is no error in us-east-1, as in S3."""
    settings = call.endpoint.settings
    name = bucket_name(request.bucket, strict=settings.strict_names)
    wanted = request.create_bucket_configuration
    region = _region_of(call, wanted.location_constraint if wanted else None)
    tags = tag_dict(wanted.tags or ()) if wanted else {}
    principal = call.principal
    try:
        call.found = await call.endpoint.store.buckets.create(
            name,
            principal.owner,
            org_id=principal.org_id,
            project_id=principal.project_id,
            region=region,
            tags=tags or None,
        )
    except BucketAlreadyOwnedByYou:
        if region != US_EAST_1 or tags:
            raise
    return dto.CreateBucketOutput(location=f"/{name}")


def _region_of(call: Call, constraint: str | None) -> str:
    """The region of a new bucket.

    Raises:
        InvalidLocationConstraint: no region is called so.
        IllegalLocationConstraint: another region than this endpoint's, which is strict about it.
    """
    settings = call.endpoint.settings
    if not constraint:
        return settings.region
    if not _REGION.match(constraint) and constraint != "EU":
        raise InvalidLocationConstraint(constraint)
    region = "eu-west-1" if constraint == "EU" else constraint
    if settings.strict_region and region != settings.region:
        raise IllegalLocationConstraint(constraint)
    return region


async def head_bucket(call: Call, request: dto.HeadBucketRequest) -> dto.HeadBucketOutput:
    """That the bucket is there; its region is on every answer about a bucket."""
    return dto.HeadBucketOutput()


async def delete_bucket(call: Call, request: dto.DeleteBucketRequest) -> None:
    """Remove an empty bucket."""
    await call.endpoint.store.buckets.delete(request.bucket)


async def get_bucket_location(call: Call, request: dto.GetBucketLocationRequest) -> dto.GetBucketLocationOutput:
    """The bucket's region; us-east-1 is told as nothing."""
    assert call.found is not None
    region = call.found.region
    return dto.GetBucketLocationOutput(location_constraint=None if region == US_EAST_1 else region)


async def get_bucket_versioning(call: Call, request: dto.GetBucketVersioningRequest) -> dto.GetBucketVersioningOutput:
    """Enabled, Suspended, or nothing while versioning was never enabled."""
    assert call.found is not None
    status = call.found.versioning
    return dto.GetBucketVersioningOutput(status=None if status == DISABLED else status)


async def put_bucket_versioning(call: Call, request: dto.PutBucketVersioningRequest) -> None:
    """Enable or suspend versioning."""
    status = request.versioning_configuration.status
    if status is None:
        raise IllegalVersioningConfiguration("The Versioning element must be specified")
    await call.endpoint.store.buckets.set_versioning(request.bucket, status)


async def get_bucket_tagging(call: Call, request: dto.GetBucketTaggingRequest) -> dto.GetBucketTaggingOutput:
    """The bucket's tags; that there are none is an error here, as in S3."""
    assert call.found is not None
    if not call.found.tags:
        raise NoSuchTagSet(request.bucket)
    return dto.GetBucketTaggingOutput(tag_set=tag_shapes(call.found.tags))


async def put_bucket_tagging(call: Call, request: dto.PutBucketTaggingRequest) -> None:
    """Replace the bucket's tags."""
    await call.endpoint.store.buckets.set_tags(request.bucket, tag_dict(request.tagging.tag_set))


async def delete_bucket_tagging(call: Call, request: dto.DeleteBucketTaggingRequest) -> None:
    """Remove the bucket's tags; no error where there are none."""
    await call.endpoint.store.buckets.set_tags(request.bucket, None)
