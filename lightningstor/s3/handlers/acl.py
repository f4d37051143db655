"""ACLs, as a bucket shows them that has them disabled: its owner has full control, nobody else anything."""

from __future__ import annotations

from lightningstor.model.records import Bucket
from lightningstor.s3.call import Call
from lightningstor.s3.handlers.shapes import owner_shape
from lightningstor.s3.wire import dto

__all__ = ["get_bucket_acl", "get_object_acl"]


async def get_bucket_acl(call: Call, request: dto.GetBucketAclRequest) -> dto.GetBucketAclOutput:
    """The bucket's ACL."""
    assert call.found is not None
    return dto.GetBucketAclOutput(owner=owner_shape(call.found.created_by), grants=(_full_control(call.found),))


async def get_object_acl(call: Call, request: dto.GetObjectAclRequest) -> dto.GetObjectAclOutput:
    """The object's ACL. Whoever wrote it, it is the bucket owner's (BucketOwnerEnforced)."""
    found = await call.endpoint.store.objects.find(request.bucket, request.key, request.version_id)
    owner = found.bucket.created_by
    return dto.GetObjectAclOutput(owner=owner_shape(owner), grants=(_full_control(found.bucket),))


def _full_control(bucket: Bucket) -> dto.Grant:
    owner = bucket.created_by
    return dto.Grant(
        grantee=dto.Grantee(type="CanonicalUser", id=owner.canonical_id, display_name=owner.display_name),
        permission="FULL_CONTROL",
    )
