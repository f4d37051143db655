"""The same objects over S3 and over gRPC: what one writes, the other reads, versions and uploads included."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from tests.rpc.conftest import Both
from tests.rpc.serving import buckets, objects, part_messages, types

PART = bytes(range(256)) * 512
LARGE = bytes(range(256)) * 4096 * 2 + b"end"


async def test_what_grpc_writes_s3_reads(grounded: Both) -> None:
    """Bytes, metadata (other than ASCII too), standard headers, tags, ETag and checksum."""
    s3, rpc = grounded.s3, grounded.rpc
    await rpc.call("CreateBucket", name="bucket", tags={"a": "1"})
    for content in (b"", b"small", PART):
        made = await rpc.put(
            "bucket", "ключ/a b", content, content_type="text/plain", metadata={"plain": "x", "other": "grün"},
            cache_control="no-cache", tags={"t": "1"}, checksum_algorithm=types.CHECKSUM_ALGORITHM_SHA256,
        )  # fmt: skip
        path = "/bucket/" + quote("ключ/a b")
        got = await s3.get(path, x_amz_checksum_mode="ENABLED")
        assert (got.status, got.body == content, got.headers["etag"]) == (200, True, f'"{made.etag}"')
        told = {
            "content-type": "text/plain", "x-amz-meta-plain": "x", "cache-control": "no-cache",
            "x-amz-meta-other": "=?UTF-8?B?Z3LDvG4=?=", "x-amz-tagging-count": "1",
            "x-amz-checksum-sha256": made.checksum.value,
        }  # fmt: skip
        assert told.items() <= got.headers.items()
    assert (await s3.get(path, "tagging")).texts("TagSet/Tag/Key") == ["t"]
    assert (await s3.get("/bucket", "tagging")).texts("TagSet/Tag/Value") == ["1"]
    assert (await s3.get("/bucket", "list-type=2")).texts("Contents/Key") == ["ключ/a b"]


async def test_what_s3_writes_grpc_reads(grounded: Both) -> None:
    """The other way round, ranges and conditions included."""
    s3, rpc = grounded.s3, grounded.rpc
    await s3.put("/bucket")
    for content in (b"", b"small", LARGE):
        put = await s3.put(
            "/bucket/key", content, content_type="text/plain", x_amz_meta_a="1", content_language="de",
            x_amz_tagging="t=1&u=2", x_amz_storage_class="STANDARD_IA",
        )  # fmt: skip
        assert put.status == 200
        assert await rpc.get("bucket", "key") == content
        head = (await rpc.call("HeadObject", bucket="bucket", key="key", include_tags=True)).metadata
        assert (head.etag, head.size) == (hashlib.md5(content).hexdigest(), len(content))
        assert (head.content_type, head.content_language, dict(head.metadata)) == ("text/plain", "de", {"a": "1"})
        assert (dict(head.tags), head.storage_class) == ({"t": "1", "u": "2"}, types.STORAGE_CLASS_STANDARD_IA)
    assert await rpc.get("bucket", "key", range="bytes=1048570-1048585") == LARGE[1048570:1048586]
    assert (await rpc.fails("GetObject", bucket="bucket", key="key", if_none_match=head.etag)).reason == "NotModified"
    assert (await s3.put("/bucket/key", b"new", if_match="other")).status == 412
    assert (await rpc.fails("PutObject", bucket="bucket", key="key", if_match="other")).reason == "PreconditionFailed"


async def test_one_upload_over_both(grounded: Both) -> None:
    """Begun over either, parts over both, completed over either."""
    s3, rpc = grounded.s3, grounded.rpc
    await s3.put("/bucket")
    by_rpc = (await rpc.call("CreateMultipartUpload", bucket="bucket", key="key", metadata={"a": "1"})).upload_id
    by_s3 = (await s3.post("/bucket/key", b"", "uploads", x_amz_meta_a="1")).text("UploadId")
    assert {upload.upload_id for upload in (await rpc.call("ListMultipartUploads", bucket="bucket")).uploads} == {
        by_rpc,
        by_s3,
    }
    for upload in (by_rpc, by_s3):
        assert upload is not None
        first = await s3.put("/bucket/key", PART, f"partNumber=1&uploadId={upload}")
        second = await rpc.call("UploadPart", parts=part_messages(upload, 2, b"tail"))
        listed = (await s3.get("/bucket/key", f"uploadId={upload}")).texts("Part/ETag")
        assert listed == [first.headers["etag"], f'"{second.etag}"']
        if upload == by_s3:
            parts = [
                objects.CompletedPart(part_number=1, etag=first.headers["etag"]),
                objects.CompletedPart(part_number=2, etag=second.etag),
            ]
            await rpc.call("CompleteMultipartUpload", bucket="bucket", key="key", upload_id=upload, parts=parts)
        else:
            rows = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                for number, etag in ((1, first.headers["etag"]), (2, second.etag))
            )
            document = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
            assert (await s3.post("/bucket/key", document, f"uploadId={upload}")).status == 200
        assert (await s3.get("/bucket/key")).body == await rpc.get("bucket", "key") == PART + b"tail"
        assert (await s3.get("/bucket/key")).headers["x-amz-meta-a"] == "1"


async def test_versions_over_both(grounded: Both) -> None:
    """Version ids and delete markers are the same; each side deletes what the other made."""
    s3, rpc = grounded.s3, grounded.rpc
    await s3.put("/bucket")
    enabled = types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED)
    await rpc.call("PutBucketVersioning", bucket="bucket", versioning=enabled)
    assert (await s3.get("/bucket", "versioning")).text("Status") == "Enabled"
    first = (await s3.put("/bucket/key", b"1")).headers["x-amz-version-id"]
    second = (await rpc.put("bucket", "key", b"2")).version_id
    marker = (await s3.delete("/bucket/key")).headers["x-amz-version-id"]
    assert await rpc.get("bucket", "key", version_id=first) == b"1"
    assert (await s3.get("/bucket/key", f"versionId={second}")).body == b"2"
    over_s3 = await s3.get("/bucket", "versions")
    over_rpc = (await rpc.call("ListObjectVersions", bucket="bucket")).versions
    assert [version.version_id for version in over_rpc] == [marker, second, first]
    assert over_s3.texts("Version/VersionId") == [second, first]
    assert over_s3.texts("DeleteMarker/VersionId") == [marker]
    await rpc.call("DeleteObject", bucket="bucket", key="key", version_id=marker)
    assert (await s3.get("/bucket/key")).body == b"2"
    await s3.delete("/bucket/key", f"versionId={second}")
    assert await rpc.get("bucket", "key") == b"1"


async def test_buckets_and_copies_over_both(grounded: Both) -> None:
    """A bucket's tags, a copy of the other side's object, and deletion of what is empty."""
    s3, rpc = grounded.s3, grounded.rpc
    await s3.put("/one")
    await rpc.call("CreateBucket", name="two")
    assert (await s3.get("/")).texts("Buckets/Bucket/Name") == ["one", "two"]
    await rpc.call("PutBucketTagging", bucket="one", tagging=buckets.BucketTagging(tags={"a": "1"}))
    assert (await s3.get("/one", "tagging")).texts("TagSet/Tag/Key") == ["a"]
    await s3.put("/one/key", LARGE, content_type="text/plain")
    await rpc.call("CopyObject", source_bucket="one", source_key="key", bucket="two", key="copy")
    got = await s3.get("/two/copy")
    assert (got.body == LARGE, got.headers["content-type"]) == (True, "text/plain")
    assert (await s3.put("/one/back", x_amz_copy_source="/two/copy")).status == 200
    assert await rpc.get("one", "back") == LARGE
    assert (await rpc.fails("DeleteBucket", bucket="two")).reason == "BucketNotEmpty"
    await s3.delete("/two/copy")
    await rpc.call("DeleteBucket", bucket="two")
    assert (await s3.head("/two")).status == 404
