"""The client: everything that the store does over gRPC, on one connection."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self

from lightningstor.client.buckets import BucketCalls
from lightningstor.client.channel import Channel, open_channel
from lightningstor.client.limits import ClientLimits, RetryPolicy
from lightningstor.client.metadata import encode_metadata
from lightningstor.client.objects import ObjectCalls
from lightningstor.client.upload import PartSource, Upload
from lightningstor.rpc.gen.object_service_pb2 import CompleteMultipartUploadResponse, CreateMultipartUploadRequest

__all__ = ["LightningStorClient"]

_PART_SIZE: Final = 8 << 20
_PARALLEL: Final = 4


class LightningStorClient(BucketCalls, ObjectCalls):
    """A connection to a store, for any number of tasks at once (SPEC.md §4.4).

        async with LightningStorClient.connect("http://127.0.0.1:9001", token=token) as client:
            await client.create_bucket(CreateBucketRequest(name="my-bucket", org_id="org-1"))
            async with client.get_object(GetObjectRequest(bucket="my-bucket", key="a")) as stream:
                async for chunk in stream:
                    ...

    Calls raise `RpcError`. One that finds the store unavailable is tried again if repeating it does no harm, until its
    deadline; a connection that ends is made anew. A call may be cancelled at any moment: the store is told, and the
    connection goes on.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        *,
        token: str | Callable[[], str] | None = None,
        api_key: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        limits: ClientLimits | None = None,
        retry: RetryPolicy | None = None,
    ) -> AsyncIterator[Self]:
        """Connect, for the time of the block.

        Args:
            url: `http://host:port` or `https://host:port`.
            token: a bearer token, or what gives the one of the moment.
            api_key: instead of a token.
            ssl_context: for https, of `client_ssl_context`; with a certificate in it the client is known by that.

        Raises:
            Unavailable: the store is not there, or TLS does not come about.
            ValueError: an argument cannot be used.
        """
        metadata = _credentials(token, api_key)
        encode_metadata(metadata())
        async with open_channel(url, ssl_context=ssl_context, limits=limits, retry=retry, metadata=metadata) as channel:
            await channel.connected()
            yield cls(channel)

    async def upload(
        self,
        bucket: str,
        key: str,
        source: PartSource,
        *,
        part_size: int = _PART_SIZE,
        parallel: int = _PARALLEL,
        draft: CreateMultipartUploadRequest | None = None,
    ) -> CompleteMultipartUploadResponse:
        """Store an object of any size, by a multipart upload that is aborted if anything goes wrong.

        Args:
            source: bytes; a file of `trio.open_file`; or what gives pieces of bytes asynchronously.
            part_size: in bytes, 5 MiB at least; larger for bytes that would make too many parts.
            parallel: parts on their way at once; so many are held in memory.
            draft: content type, metadata and what else the object is to have.

        Raises:
            RpcError: of the first call that failed.
            ValueError: the source has more than 10,000 parts, or an argument cannot be used.
        """
        if part_size < 1 or parallel < 1:
            raise ValueError("part_size and parallel are 1 at least")
        if draft is not None and (draft.bucket or bucket, draft.key or key) != (bucket, key):
            raise ValueError("the draft is of another object")
        request = CreateMultipartUploadRequest()
        if draft is not None:
            request.CopyFrom(draft)
        request.bucket, request.key = bucket, key
        return await Upload(self, request, source, part_size, parallel, self._channel.limits.abort_s).run()


def _credentials(token: str | Callable[[], str] | None, api_key: str | None) -> Callable[[], dict[str, str]]:
    if token is not None and api_key is not None:
        raise ValueError("either a token or an api_key")
    if api_key is not None:
        return lambda: {"x-api-key": api_key}
    if token is None:
        return dict
    if isinstance(token, str):
        return lambda: {"authorization": f"Bearer {token}"}
    return lambda: {"authorization": f"Bearer {token()}"}
