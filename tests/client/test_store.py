"""The client against the real daemon: every call, every credential, and uploads that leave all or nothing."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

import lightningstor.client as ls
from lightningstor.client import LightningStorClient, methods
from lightningstor.client.channel import Method
from lightningstor.rpc.gen import bucket_service_pb2, object_service_pb2
from lightningstor.testing.steps import CancelAtStep
from tests.client.conftest import Site
from tests.conftest import Figure

MIB = 1 << 20


async def new_bucket(client: LightningStorClient, **more: Any) -> str:
    name = f"bucket-{secrets.token_hex(6)}"
    await client.create_bucket(ls.CreateBucketRequest(name=name, **more))
    return name


async def content_of(client: LightningStorClient, bucket: str, key: str) -> bytes:
    async with client.get_object(ls.GetObjectRequest(bucket=bucket, key=key)) as stream:
        return await stream.read()


def test_every_rpc_has_its_method() -> None:
    """The 23 RPCs of both services are in the client's table, with the answers that the protos give them."""
    services = [
        object_service_pb2.DESCRIPTOR.services_by_name["ObjectService"],
        bucket_service_pb2.DESCRIPTOR.services_by_name["BucketService"],
    ]
    wanted = {
        f"{service.full_name}/{rpc.name}": rpc.output_type.full_name for service in services for rpc in service.methods
    }
    table = [value for value in vars(methods).values() if isinstance(value, Method)]
    assert {method.name: method.answer.DESCRIPTOR.full_name for method in table} == wanted
    assert len(wanted) == 23


async def test_buckets(client: LightningStorClient) -> None:
    """All nine calls of BucketService."""
    name = await new_bucket(client, tags={"a": "b"})
    head = await client.head_bucket(ls.HeadBucketRequest(bucket=name))
    assert (head.bucket.name, head.bucket.org_id) == (name, "org-1")
    assert name in [bucket.name for bucket in (await client.list_buckets(ls.ListBucketsRequest())).buckets]
    versioning = ls.VersioningConfig(status=ls.VERSIONING_STATUS_ENABLED)
    put = ls.PutBucketVersioningRequest(bucket=name, versioning=versioning)
    assert await client.put_bucket_versioning(put) == versioning
    assert await client.get_bucket_versioning(ls.GetBucketVersioningRequest(bucket=name)) == versioning
    assert (await client.get_bucket_tagging(ls.GetBucketTaggingRequest(bucket=name))).tags == {"a": "b"}
    tagging = ls.BucketTagging(tags={"c": "d"})
    assert await client.put_bucket_tagging(ls.PutBucketTaggingRequest(bucket=name, tagging=tagging)) == tagging
    await client.delete_bucket_tagging(ls.DeleteBucketTaggingRequest(bucket=name))
    with pytest.raises(ls.NotFound) as raised:
        await client.get_bucket_tagging(ls.GetBucketTaggingRequest(bucket=name))
    assert raised.value.s3_code == "NoSuchTagSet"
    await client.delete_bucket(ls.DeleteBucketRequest(bucket=name))
    with pytest.raises(ls.NotFound):
        await client.head_bucket(ls.HeadBucketRequest(bucket=name))


async def test_objects(client: LightningStorClient) -> None:
    """Put, head, get whole and in part, copy, list, list versions, delete one and many."""
    bucket = await new_bucket(client)
    content = os.urandom(3 * MIB)
    put = await client.put_object(
        ls.PutObjectRequest(bucket=bucket, key="a/1", content=content, content_type="x/y", metadata={"mood": "good"})
    )
    assert put.etag == hashlib.md5(content, usedforsecurity=False).hexdigest()
    head = await client.head_object(ls.HeadObjectRequest(bucket=bucket, key="a/1"))
    async with client.get_object(ls.GetObjectRequest(bucket=bucket, key="a/1")) as stream:
        assert stream.metadata == head.metadata
        assert (stream.metadata.content_type, stream.metadata.metadata) == ("x/y", {"mood": "good"})
        assert b"".join([chunk.content async for chunk in stream]) == content
    part = ls.GetObjectRequest(bucket=bucket, key="a/1", range="bytes=1000-1999999")
    async with client.get_object(part) as stream:
        assert stream.content_range is not None
        assert (stream.content_range.offset, stream.content_range.length) == (1000, 1_999_000)
        assert await stream.read() == content[1000:2_000_000]
    await client.copy_object(ls.CopyObjectRequest(source_bucket=bucket, source_key="a/1", bucket=bucket, key="b"))
    assert await content_of(client, bucket, "b") == content
    listed = await client.list_objects(ls.ListObjectsRequest(bucket=bucket, delimiter="/"))
    assert ([one.key for one in listed.objects], list(listed.common_prefixes)) == (["b"], ["a/"])
    versions = await client.list_object_versions(ls.ListObjectVersionsRequest(bucket=bucket))
    assert [one.key for one in versions.versions] == ["a/1", "b"]
    await client.delete_object(ls.DeleteObjectRequest(bucket=bucket, key="b"))
    gone = ls.DeleteObjectsRequest(bucket=bucket, objects=[ls.ObjectIdentifier(key="a/1")])
    assert [one.key for one in (await client.delete_objects(gone)).deleted] == ["a/1"]
    with pytest.raises(ls.NotFound) as raised:
        await content_of(client, bucket, "b")
    assert raised.value.s3_code == "NoSuchKey"


async def test_parts_by_hand(client: LightningStorClient) -> None:
    """The multipart calls one by one, as SPEC §4.4 has them."""
    bucket = await new_bucket(client)
    place = {"bucket": bucket, "key": "large"}
    upload = await client.create_multipart_upload(ls.CreateMultipartUploadRequest(**place))
    contents = [os.urandom(5 * MIB), b"the last one"]
    parts = [await client.upload_part(upload.upload_id, n, content) for n, content in enumerate(contents, 1)]
    named = {**place, "upload_id": upload.upload_id}
    uploads = await client.list_multipart_uploads(ls.ListMultipartUploadsRequest(bucket=bucket))
    assert [one.upload_id for one in uploads.uploads] == [upload.upload_id]
    listed = await client.list_parts(ls.ListPartsRequest(**named))
    assert [(one.part_number, one.etag) for one in listed.parts] == [(one.part_number, one.etag) for one in parts]
    await client.complete_multipart_upload(ls.CompleteMultipartUploadRequest(**named, parts=parts))
    assert await content_of(client, bucket, "large") == b"".join(contents)
    other = await client.create_multipart_upload(ls.CreateMultipartUploadRequest(**place))
    await client.abort_multipart_upload(ls.AbortMultipartUploadRequest(**place, upload_id=other.upload_id))
    with pytest.raises(ls.NotFound) as raised:
        await client.upload_part(other.upload_id, 1, b"x")
    assert raised.value.s3_code == "NoSuchUpload"


async def test_credentials(site: Site) -> None:
    """A token, one that is asked for with each call, an API key; none, a wrong one, and another tenant's."""
    asked = 0

    def token() -> str:
        nonlocal asked
        asked += 1
        return site.token

    for credentials in ({"token": site.token}, {"token": token}, {"api_key": site.api_key}):
        async with LightningStorClient.connect(site.url, **credentials) as client:  # type: ignore[arg-type]
            await client.list_buckets(ls.ListBucketsRequest())
    assert asked >= 1
    for wrong in ({}, {"token": "no-such"}, {"api_key": "no-such"}):
        async with LightningStorClient.connect(site.url, **wrong) as client:  # type: ignore[arg-type]
            with pytest.raises(ls.Unauthenticated):
                await client.list_buckets(ls.ListBucketsRequest())
    async with LightningStorClient.connect(site.url, token=site.token) as client:
        bucket = await new_bucket(client)
    async with LightningStorClient.connect(site.url, token=site.other_token) as client:
        with pytest.raises(ls.PermissionDenied) as raised:
            await content_of(client, bucket, "key")
        assert raised.value.s3_code == "AccessDenied"


@pytest.mark.parametrize("arguments", [{"token": "a\nb"}, {"token": "a", "api_key": "b"}, {"api_key": ""}])
async def test_credentials_that_cannot_be(site: Site, arguments: dict[str, str]) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(ValueError, match=r"printable ASCII|either a token or"):
        async with LightningStorClient.connect(site.url, **arguments):  # type: ignore[arg-type]
            pass


async def test_a_conditional_write_that_lost(client: LightningStorClient) -> None:
    """The error names S3's code."""
    bucket = await new_bucket(client)
    lock = ls.PutObjectRequest(bucket=bucket, key="lock", content=b"1", if_none_match="*")
    await client.put_object(lock)
    with pytest.raises(ls.FailedPrecondition) as raised:
        await client.put_object(lock)
    assert raised.value.s3_code == "PreconditionFailed"


async def test_an_object_too_large_for_a_message(site: Site) -> None:
    """It is not sent; from a client that would, the server does not take it. Both point to multipart."""
    large = ls.PutObjectRequest(bucket="any", key="k", content=bytes(5 * MIB))
    for limits, told in ((None, "upload"), (ls.ClientLimits(send_message_bytes=8 * MIB), "limit")):
        async with LightningStorClient.connect(site.url, token=site.token, limits=limits) as client:
            with pytest.raises(ls.ResourceExhausted, match=told):
                await client.put_object(large)


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 700_000):
        yield content[at : at + 700_000]


@pytest.mark.parametrize("size", [0, 1, 5 * MIB, 5 * MIB + 1, 16 * MIB])
async def test_upload(client: LightningStorClient, tmp_path: Path, size: int) -> None:
    """Bytes, a file and pieces of any size become the object, with what the draft says of it."""
    bucket = await new_bucket(client)
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    draft = ls.CreateMultipartUploadRequest(content_type="x/y")
    async with await trio.open_file(tmp_path / "file", "rb") as file:
        for source in (content, memoryview(content), file, in_pieces(content)):
            done = await client.upload(bucket, "key", source, part_size=5 * MIB, parallel=3, draft=draft)
            assert done.size == size
            async with client.get_object(ls.GetObjectRequest(bucket=bucket, key="key")) as stream:
                assert stream.metadata.content_type == "x/y"
                assert await stream.read() == content
    assert not await open_uploads(client, bucket)


async def open_uploads(client: LightningStorClient, bucket: str) -> list[str]:
    listed = await client.list_multipart_uploads(ls.ListMultipartUploadsRequest(bucket=bucket))
    return [one.upload_id for one in listed.uploads]


async def test_an_upload_whose_source_fails(client: LightningStorClient) -> None:
    """The source's own error comes out, and nothing is left."""
    bucket = await new_bucket(client)

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(6 * MIB)
        raise RuntimeError("the source is broken")

    with pytest.raises(RuntimeError, match="the source is broken"):
        await client.upload(bucket, "key", broken(), part_size=5 * MIB)
    assert not await open_uploads(client, bucket)


async def test_an_upload_whose_parts_are_refused(client: LightningStorClient) -> None:
    """Parts below the least size fail the completion, a bucket that is not there the beginning: nothing is left."""
    bucket = await new_bucket(client)
    with pytest.raises(ls.InvalidArgument) as raised:
        await client.upload(bucket, "key", bytes(30), part_size=10)
    assert raised.value.s3_code == "EntityTooSmall"
    assert not await open_uploads(client, bucket)
    with pytest.raises(ls.NotFound):
        await client.upload("no-such-bucket", "key", b"")


async def test_an_upload_holds_few_parts(client: LightningStorClient) -> None:
    """The source is not read further than `parallel` parts ahead of what the store has taken."""
    bucket = await new_bucket(client)
    read = 0
    stuck = trio.Event()

    async def source() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(8):
            read += 1
            yield bytes(5 * MIB)

    async def slow_part(*arguments: Any, **options: Any) -> ls.CompletedPart:
        await stuck.wait()
        return await original(*arguments, **options)

    original, client.upload_part = client.upload_part, slow_part  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: client.upload(bucket, "key", source(), part_size=5 * MIB, parallel=2))
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert read == 2
        stuck.set()
    assert (await client.head_object(ls.HeadObjectRequest(bucket=bucket, key="key"))).metadata.size == 40 * MIB


@pytest.mark.parametrize("source", ["not bytes", 5])
async def test_what_is_no_source(client: LightningStorClient, source: Any) -> None:
    """It is refused before an upload begins."""
    with pytest.raises(TypeError, match="is no source"):
        await client.upload("any", "key", source)


async def test_an_upload_cancelled_at_every_step(site: Site, proof_full: bool, figure: Figure) -> None:
    """The object is there whole, or not at all; the upload is gone; the connection goes on."""
    content = os.urandom(6 * MIB)
    stride = 1 if proof_full else 4
    async with LightningStorClient.connect(site.url, token=site.token) as client:
        bucket = await new_bucket(client)
        steps = 0
        for step in range(0, 2000, stride):
            cancel = CancelAtStep(step, every_task=True)
            with trio.fail_after(20), cancel.watch():
                await client.upload(bucket, str(step), content, part_size=5 * MIB)
            assert not await open_uploads(client, bucket)
            listed = await client.list_objects(ls.ListObjectsRequest(bucket=bucket))
            assert {one.size for one in listed.objects} <= {len(content)}
            steps += 1
            if not cancel.reached:
                break
        else:
            raise AssertionError("it takes more steps than expected")
    figure(f"cancelled at {steps} steps")
