"""BucketService through foreign clients: every RPC, its answer and its errors."""

from __future__ import annotations

from typing import Any

from tests.rpc.conftest import Both
from tests.rpc.serving import buckets, types

ENABLED = types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED)


async def test_a_bucket_with_all_that_belongs_to_it(both: Both) -> None:
    """What CreateBucket is told, HeadBucket and ListBuckets tell."""
    made = await both.rpc.call("CreateBucket", name="bucket", project_id="web", versioning=ENABLED, tags={"a": "1"})
    assert (made.name, made.org_id, made.project_id, made.created_by) == ("bucket", "default", "web", "root")
    assert (made.versioning, dict(made.tags)) == (ENABLED, {"a": "1"})
    assert (made.storage_class, made.region, made.created_at > 0) == (types.STORAGE_CLASS_STANDARD, "us-east-1", True)
    assert (await both.rpc.call("HeadBucket", bucket="bucket")).bucket == made
    assert list((await both.rpc.call("ListBuckets")).buckets) == [made]


async def test_buckets_that_cannot_be_made(both: Both) -> None:
    """A taken name is ALREADY_EXISTS, one that breaks the rules INVALID_ARGUMENT, and so is a class not offered."""
    await both.rpc.call("CreateBucket", name="bucket")
    assert (await both.rpc.fails("CreateBucket", name="bucket")).status == "ALREADY_EXISTS"
    assert (await both.rpc.called("bob").fails("CreateBucket", name="bucket")).status == "ALREADY_EXISTS"
    bad: tuple[dict[str, Any], ...] = (
        {"name": "No"}, {"name": "a/b"}, {"storage_class": types.STORAGE_CLASS_GLACIER_IR}, {"storage_class": 99},
        {"versioning": types.VersioningConfig(status=77)}, {"tags": {"aws:x": ""}},
    )  # fmt: skip
    for fields in bad:
        failed = await both.rpc.fails("CreateBucket", **{"name": "another", **fields})
        assert failed.status == "INVALID_ARGUMENT", fields
    assert [bucket.name for bucket in (await both.rpc.call("ListBuckets")).buckets] == ["bucket"]


async def test_listing_in_pages(both: Both) -> None:
    """By prefix and in pages; a page of none or a token of nobody's is refused."""
    for name in ("aaa1", "aaa2", "aaa3", "bbb"):
        await both.rpc.call("CreateBucket", name=name)
    first = await both.rpc.call("ListBuckets", prefix="aaa", max_buckets=2)
    rest = await both.rpc.call("ListBuckets", prefix="aaa", continuation_token=first.next_continuation_token)
    assert [bucket.name for bucket in (*first.buckets, *rest.buckets)] == ["aaa1", "aaa2", "aaa3"]
    assert (first.is_truncated, rest.is_truncated, rest.next_continuation_token) == (True, False, "")
    for fields in ({"max_buckets": 0}, {"max_buckets": 10_001}, {"continuation_token": "?"}):
        assert (await both.rpc.fails("ListBuckets", **fields)).status == "INVALID_ARGUMENT"


async def test_versioning(both: Both) -> None:
    """Disabled, then enabled, then suspended; never disabled again."""
    await both.rpc.call("CreateBucket", name="bucket")
    disabled = types.VersioningConfig(status=types.VERSIONING_STATUS_DISABLED)
    assert await both.rpc.call("GetBucketVersioning", bucket="bucket") == disabled
    for status in (types.VERSIONING_STATUS_ENABLED, types.VERSIONING_STATUS_SUSPENDED):
        wanted = types.VersioningConfig(status=status)
        assert await both.rpc.call("PutBucketVersioning", bucket="bucket", versioning=wanted) == wanted
        assert await both.rpc.call("GetBucketVersioning", bucket="bucket") == wanted
    failed = await both.rpc.fails("PutBucketVersioning", bucket="bucket", versioning=disabled)
    assert failed.status == "FAILED_PRECONDITION"
    assert (await both.rpc.fails("PutBucketVersioning", bucket="bucket")).status == "INVALID_ARGUMENT"


async def test_tagging(both: Both) -> None:
    """No tags are NOT_FOUND; tags are replaced, told and removed."""
    await both.rpc.call("CreateBucket", name="bucket")
    assert (await both.rpc.fails("GetBucketTagging", bucket="bucket")).status == "NOT_FOUND"
    tagging = buckets.BucketTagging(tags={"a": "1", "b": ""})
    assert await both.rpc.call("PutBucketTagging", bucket="bucket", tagging=tagging) == tagging
    assert await both.rpc.call("GetBucketTagging", bucket="bucket") == tagging
    await both.rpc.call("DeleteBucketTagging", bucket="bucket")
    await both.rpc.call("DeleteBucketTagging", bucket="bucket")
    assert (await both.rpc.fails("GetBucketTagging", bucket="bucket")).status == "NOT_FOUND"


async def test_deleting(both: Both) -> None:
    """Only an empty bucket goes; then it is NOT_FOUND for everything."""
    await both.rpc.call("CreateBucket", name="bucket")
    await both.rpc.put("bucket", "key")
    assert (await both.rpc.fails("DeleteBucket", bucket="bucket")).status == "FAILED_PRECONDITION"
    await both.rpc.call("DeleteObject", bucket="bucket", key="key")
    await both.rpc.call("DeleteBucket", bucket="bucket")
    for method in ("HeadBucket", "DeleteBucket", "GetBucketVersioning", "GetBucketTagging", "DeleteBucketTagging"):
        failed = await both.rpc.fails(method, bucket="bucket")
        assert (failed.status, failed.reason) in (("NOT_FOUND", "NoSuchBucket"), ("NOT_FOUND", None))
