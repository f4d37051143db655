"""gRPC where bucket names are scoped: every call finds the caller's own bucket, whatever else is called so."""

from __future__ import annotations

import pytest

from tests.rpc.conftest import both_over
from tests.rpc.serving import buckets, objects, part_messages, types
from tests.s3.conftest import ANNE, BOB
from tests.store.conftest import memory_store


async def test_every_call_finds_the_callers_own() -> None:
    """Two organisations have each a bucket of one name: what one does over gRPC, S3 shows it, and not the other."""
    async with memory_store(scoped_names=True) as store, both_over(store) as both:
        anne, bob = both.rpc.called("anne"), both.rpc.called("bob")
        own, other = both.service.client(ANNE), both.service.client(BOB)
        for caller in (anne, bob):
            await caller.call("CreateBucket", name="photos")
        assert (await other.put("/photos/key", b"bob's")).status == 200
        await anne.call("PutObject", bucket="photos", key="key", content=b"anne's")
        assert [(await client.get("/photos/key")).body for client in (own, other)] == [b"anne's", b"bob's"]
        got = await anne.call("GetObject", bucket="photos", key="key")
        assert b"".join(message.content for message in got) == b"anne's"
        await anne.call("HeadObject", bucket="photos", key="key", include_tags=True)
        await anne.call("CopyObject", source_bucket="photos", source_key="key", bucket="photos", key="copy")
        begun = await anne.call("CreateMultipartUpload", bucket="photos", key="parts")
        assert begun.bucket == "photos"
        part = await anne.call("UploadPart", parts=part_messages(begun.upload_id, 1, b"part"))
        listed = await anne.call("ListMultipartUploads", bucket="photos")
        assert [upload.key for upload in listed.uploads] == ["parts"]
        assert len((await anne.call("ListParts", bucket="photos", key="parts", upload_id=begun.upload_id)).parts) == 1
        done = await anne.call(
            "CompleteMultipartUpload",
            bucket="photos",
            key="parts",
            upload_id=begun.upload_id,
            parts=[objects.CompletedPart(part_number=1, etag=part.etag)],
        )
        assert done.bucket == "photos"
        keys = [summary.key for summary in (await anne.call("ListObjects", bucket="photos")).objects]
        assert keys == ["copy", "key", "parts"] == (await own.get("/photos")).texts("Contents/Key")
        enabled = types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED)
        await anne.call("PutBucketTagging", bucket="photos", tagging=buckets.BucketTagging(tags={"a": "1"}))
        await anne.call("DeleteBucketTagging", bucket="photos")
        named = [objects.ObjectIdentifier(key=key) for key in keys[:2]]
        assert len((await anne.call("DeleteObjects", bucket="photos", objects=named)).deleted) == 2
        await anne.call("DeleteObject", bucket="photos", key="parts")
        await anne.call("PutBucketVersioning", bucket="photos", versioning=enabled)
        assert not (await anne.call("ListObjectVersions", bucket="photos")).versions
        await anne.call("DeleteBucket", bucket="photos")
        assert (await own.head("/photos")).status == 404
        assert (await other.get("/photos/key")).body == b"bob's"
        assert not (await other.get("/photos", "versioning")).texts("Status")


@pytest.mark.parametrize("method", ["HeadBucket", "ListObjects"])
async def test_anothers_name_is_nobodys(method: str) -> None:
    """A bucket that neither the caller's project nor its organisation has does not exist, for root as for others."""
    async with memory_store(scoped_names=True) as store, both_over(store) as both:
        await both.rpc.called("bob").call("CreateBucket", name="photos")
        for name in ("anne", "root"):
            told = await both.rpc.called(name).fails(method, bucket="photos")
            assert (told.status, told.reason) == ("NOT_FOUND", "NoSuchBucket")
