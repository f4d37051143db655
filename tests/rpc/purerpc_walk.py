"""A walk over every RPC through purerpc's own client, which shares nothing with our transport but h2.

`python -m tests.rpc.purerpc_walk PORT`: a process of its own, since purerpc closes neither its socket nor its streams.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from typing import Any

import purerpc
import trio
from attrs import field, frozen

from lightningstor.rpc.gen.bucket_service_grpc import BucketServiceStub
from lightningstor.rpc.gen.object_service_grpc import ObjectServiceStub
from tests.rpc.serving import Failed, Remote, bearer, buckets, objects, part_messages, types

LARGE = bytes(range(256)) * 4096 * 3


@frozen
class PurerpcRemote(Remote):
    """Through purerpc. It learns no details of errors."""

    channel: Any
    metadata: tuple[tuple[str, str], ...] = bearer("root")
    called: set[str] = field(factory=set)

    async def call(self, method: str, **fields: Any) -> Any:
        self.called.add(method)
        service, request = self.request(method, fields)
        stub = (BucketServiceStub if service == "BucketService" else ObjectServiceStub)(self.channel)
        try:
            if method == "UploadPart":
                return await stub.UploadPart(_asynchronous(request), metadata=self.metadata)
            if method == "GetObject":
                return [answer async for answer in stub.GetObject(request, metadata=self.metadata)]
            return await getattr(stub, method)(request, metadata=self.metadata)
        except purerpc.RpcFailedError as error:
            raise Failed(error.status.status_code.name, None, error.status.status_message) from None


async def _asynchronous(messages: Iterable[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message


async def walk(rpc: Remote) -> None:
    """Use a store with all its operations."""
    await rpc.call("CreateBucket", name="bucket", tags={"a": "1"})
    assert (await rpc.call("HeadBucket", bucket="bucket")).bucket.name == "bucket"
    assert len((await rpc.call("ListBuckets")).buckets) == 1
    wanted = types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED)
    assert await rpc.call("PutBucketVersioning", bucket="bucket", versioning=wanted) == wanted
    assert await rpc.call("GetBucketVersioning", bucket="bucket") == wanted
    assert dict((await rpc.call("GetBucketTagging", bucket="bucket")).tags) == {"a": "1"}
    await rpc.call("PutBucketTagging", bucket="bucket", tagging=buckets.BucketTagging(tags={"b": "2"}))
    await rpc.call("DeleteBucketTagging", bucket="bucket")
    first = await rpc.put("bucket", "key", b"data", metadata={"a": "1"})
    assert await rpc.get("bucket", "key") == b"data"
    assert (await rpc.call("HeadObject", bucket="bucket", key="key")).metadata.etag == first.etag
    await rpc.call("CopyObject", source_bucket="bucket", source_key="key", bucket="bucket", key="copy")
    assert len((await rpc.call("ListObjects", bucket="bucket")).objects) == 2
    done = await rpc.upload("bucket", "large", [LARGE, b"tail"])
    assert await rpc.get("bucket", "large") == LARGE + b"tail"
    begun = (await rpc.call("CreateMultipartUpload", bucket="bucket", key="more")).upload_id
    await rpc.call("UploadPart", parts=part_messages(begun, 1, b"x"))
    where = {"bucket": "bucket", "key": "more", "upload_id": begun}
    assert len((await rpc.call("ListParts", **where)).parts) == 1
    assert len((await rpc.call("ListMultipartUploads", bucket="bucket")).uploads) == 1
    await rpc.call("AbortMultipartUpload", **where)
    assert (await rpc.fails("GetObject", bucket="bucket", key="never there")).status == "NOT_FOUND"
    await rpc.call("DeleteObject", bucket="bucket", key="large", version_id=done.version_id)
    versions = (await rpc.call("ListObjectVersions", bucket="bucket")).versions
    listed = [objects.ObjectIdentifier(key=version.key, version_id=version.version_id) for version in versions]
    assert not (await rpc.call("DeleteObjects", bucket="bucket", objects=listed)).errors
    await rpc.call("DeleteBucket", bucket="bucket")


async def main(port: int) -> None:
    """Walk, and print what was called."""
    async with purerpc.insecure_channel("127.0.0.1", port) as channel:
        rpc = PurerpcRemote(channel)
        with trio.fail_after(20):
            await walk(rpc)
        print(*sorted(rpc.called), flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
