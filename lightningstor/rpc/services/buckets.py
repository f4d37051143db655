"""lightningstor.v1.BucketService."""

from __future__ import annotations

import purerpc
from google.protobuf import empty_pb2

from lightningstor.errors import InvalidArgument, NoSuchTagSet
from lightningstor.model.names import bucket_name
from lightningstor.model.records import DISABLED
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.gen import bucket_service_pb2 as pb
from lightningstor.rpc.gen import types_pb2 as types
from lightningstor.rpc.gen.bucket_service_grpc import BucketServiceServicer
from lightningstor.rpc.services.context import ServiceContext, service_of
from lightningstor.rpc.services.convert import (
    bucket_message,
    optional,
    storage_class,
    versioning_message,
    versioning_status,
)
from lightningstor.rpc.services.paging import page_limit
from lightningstor.store.storage_classes import STANDARD
from lightningstor.store.tokens import decode_token, encode_token

__all__ = ["BucketService"]

_MAX_BUCKETS = 10_000
_PER_PAGE = 1000
"""Fewer than S3's 10,000 on one page: a bucket with all its tags takes kilobytes, and clients take 4 MiB."""


class BucketService:
    """The 9 RPCs on buckets."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    @property
    def service(self) -> purerpc.Service:
        return service_of(BucketServiceServicer, self)

    async def CreateBucket(self, input_message: pb.CreateBucketRequest, request: RpcCall) -> types.Bucket:
        """A new bucket, of the caller's scope or of another that it may make buckets in."""
        message, context = input_message, self._context
        name = bucket_name(message.name, strict=context.strict_names)
        org_id, project_id = self._scope(request, message)
        await context.gate.enter_scope(request, org_id, project_id, name)
        kept_in = storage_class(message.storage_class)
        if kept_in != STANDARD:
            raise InvalidArgument("The storage class of a bucket is STANDARD here", "storage_class", kept_in)
        request.found = await context.store.buckets.create(
            name,
            context.gate.principal(request).owner,
            org_id=org_id,
            project_id=project_id,
            region=context.region,
            versioning=versioning_status(message.versioning) if message.versioning.status else DISABLED,
            tags=dict(message.tags) or None,
        )
        return bucket_message(request.found)

    def _scope(self, call: RpcCall, message: pb.CreateBucketRequest | pb.ListBucketsRequest) -> tuple[str, str | None]:
        """Organisation and project that a request is about; what it leaves out is the caller's."""
        principal = self._context.gate.principal(call)
        project_id: str | None = optional(message, "project_id") or None
        if message.org_id:
            return message.org_id, project_id
        return principal.org_id, project_id or principal.project_id

    async def HeadBucket(self, input_message: pb.HeadBucketRequest, request: RpcCall) -> pb.HeadBucketResponse:
        """The bucket."""
        found = await self._context.gate.enter(request, input_message.bucket)
        return pb.HeadBucketResponse(bucket=bucket_message(found))

    async def DeleteBucket(self, input_message: pb.DeleteBucketRequest, request: RpcCall) -> pb.DeleteBucketResponse:
        """Remove an empty bucket."""
        await self._context.gate.enter(request, input_message.bucket)
        await self._context.store.buckets.delete(request.named)
        return pb.DeleteBucketResponse()

    async def ListBuckets(self, input_message: pb.ListBucketsRequest, request: RpcCall) -> pb.ListBucketsResponse:
        """The buckets that the caller's scope sees, or another that it may look into, by name."""
        message, context = input_message, self._context
        wanted, token = optional(message, "max_buckets"), message.continuation_token
        if wanted is not None and not 1 <= wanted <= _MAX_BUCKETS:
            raise InvalidArgument(f"max_buckets must be between 1 and {_MAX_BUCKETS}", "max_buckets", str(wanted))
        org_id, project_id = self._scope(request, message)
        await context.gate.enter_scope(request, org_id, project_id)
        page = await context.store.buckets.list(
            org_id,
            project_id,
            prefix=message.prefix,
            after=decode_token(token, "continuation_token") if token else "",
            limit=page_limit(wanted, _PER_PAGE),
        )
        return pb.ListBucketsResponse(
            buckets=[bucket_message(bucket) for bucket in page.items],
            is_truncated=page.truncated,
            next_continuation_token=encode_token(page.items[-1].name) if page.truncated else None,
        )

    async def GetBucketVersioning(
        self, input_message: pb.GetBucketVersioningRequest, request: RpcCall
    ) -> types.VersioningConfig:
        """Disabled while versioning was never enabled."""
        return versioning_message(await self._context.gate.enter(request, input_message.bucket))

    async def PutBucketVersioning(
        self, input_message: pb.PutBucketVersioningRequest, request: RpcCall
    ) -> types.VersioningConfig:
        """Enable or suspend versioning."""
        await self._context.gate.enter(request, input_message.bucket)
        status = versioning_status(input_message.versioning)
        return versioning_message(await self._context.store.buckets.set_versioning(request.named, status))

    async def GetBucketTagging(self, input_message: pb.GetBucketTaggingRequest, request: RpcCall) -> pb.BucketTagging:
        """The bucket's tags; that there are none is an error, as in S3."""
        found = await self._context.gate.enter(request, input_message.bucket)
        if not found.tags:
            raise NoSuchTagSet(found.name)
        return pb.BucketTagging(tags=found.tags)

    async def PutBucketTagging(self, input_message: pb.PutBucketTaggingRequest, request: RpcCall) -> pb.BucketTagging:
        """Replace the bucket's tags."""
        await self._context.gate.enter(request, input_message.bucket)
        tags = dict(input_message.tagging.tags)
        changed = await self._context.store.buckets.set_tags(request.named, tags)
        return pb.BucketTagging(tags=changed.tags)

    async def DeleteBucketTagging(
        self, input_message: pb.DeleteBucketTaggingRequest, request: RpcCall
    ) -> empty_pb2.Empty:
        """Remove the bucket's tags; no error where there are none."""
        await self._context.gate.enter(request, input_message.bucket)
        await self._context.store.buckets.set_tags(request.named, None)
        return empty_pb2.Empty()
