"""The calls of BucketService."""

from __future__ import annotations

from typing import Unpack

from lightningstor.client import methods
from lightningstor.client.channel import CallOptions, Channel
from lightningstor.rpc.gen.bucket_service_pb2 import (
    BucketTagging,
    CreateBucketRequest,
    DeleteBucketRequest,
    DeleteBucketResponse,
    DeleteBucketTaggingRequest,
    GetBucketTaggingRequest,
    GetBucketVersioningRequest,
    HeadBucketRequest,
    HeadBucketResponse,
    ListBucketsRequest,
    ListBucketsResponse,
    PutBucketTaggingRequest,
    PutBucketVersioningRequest,
)
from lightningstor.rpc.gen.types_pb2 import Bucket, VersioningConfig

__all__ = ["BucketCalls"]


class BucketCalls:
    """What can be done to buckets. Every call takes the options of `CallOptions` and raises `RpcError`."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def create_bucket(self, request: CreateBucketRequest, **options: Unpack[CallOptions]) -> Bucket:
        """Make a bucket; AlreadyExists if its name is taken, also by the caller."""
        return await self._channel.unary(methods.CREATE_BUCKET, request, **options)

    async def head_bucket(self, request: HeadBucketRequest, **options: Unpack[CallOptions]) -> HeadBucketResponse:
        """What there is to know of a bucket."""
        return await self._channel.unary(methods.HEAD_BUCKET, request, **options)

    async def delete_bucket(self, request: DeleteBucketRequest, **options: Unpack[CallOptions]) -> DeleteBucketResponse:
        """Remove an empty bucket."""
        return await self._channel.unary(methods.DELETE_BUCKET, request, **options)

    async def list_buckets(self, request: ListBucketsRequest, **options: Unpack[CallOptions]) -> ListBucketsResponse:
        """A page of the buckets that the caller's scope sees."""
        return await self._channel.unary(methods.LIST_BUCKETS, request, **options)

    async def get_bucket_versioning(
        self, request: GetBucketVersioningRequest, **options: Unpack[CallOptions]
    ) -> VersioningConfig:
        """Whether a bucket keeps versions."""
        return await self._channel.unary(methods.GET_BUCKET_VERSIONING, request, **options)

    async def put_bucket_versioning(
        self, request: PutBucketVersioningRequest, **options: Unpack[CallOptions]
    ) -> VersioningConfig:
        """Enable or suspend versioning; answers what is set now."""
        return await self._channel.unary(methods.PUT_BUCKET_VERSIONING, request, **options)

    async def get_bucket_tagging(
        self, request: GetBucketTaggingRequest, **options: Unpack[CallOptions]
    ) -> BucketTagging:
        """A bucket's tags; NotFound if it has none."""
        return await self._channel.unary(methods.GET_BUCKET_TAGGING, request, **options)

    async def put_bucket_tagging(
        self, request: PutBucketTaggingRequest, **options: Unpack[CallOptions]
    ) -> BucketTagging:
        """Replace a bucket's tags; answers what is set now."""
        return await self._channel.unary(methods.PUT_BUCKET_TAGGING, request, **options)

    async def delete_bucket_tagging(self, request: DeleteBucketTaggingRequest, **options: Unpack[CallOptions]) -> None:
        """Remove a bucket's tags."""
        await self._channel.unary(methods.DELETE_BUCKET_TAGGING, request, **options)
