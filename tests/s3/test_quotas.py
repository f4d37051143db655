"""Quotas as S3's clients meet them: QuotaExceeded with 403, before the body is asked for."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import pytest

from lightningstor.model.records import StorageLimits
from lightningstor.store.quotas import QuotaScope
from tests.s3.client import UNSIGNED, Answer, Body
from tests.s3.conftest import Service

ORG = QuotaScope("default")
BUCKET = QuotaScope("default", None, "bucket")


async def announce(
    service: Service,
    size: int,
    path: str = "/bucket/key",
    query: str = "",
    sha256: str = UNSIGNED,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Announce a body that must not be asked for."""
    s3, body = service.client(), Body([bytes(size)])
    sent = {"host": s3.host, "content-length": str(size), **(headers or {})}
    sent = {**s3.sign("PUT", path, query, sent, sha256), **sent}
    answer = await s3.raw("PUT", path, query, sent, body)
    assert body.asked == 0
    return answer


async def test_a_put_over_the_quota_is_refused_before_its_body(service: Service) -> None:
    """403 QuotaExceeded, whose message has the limit's name, its value and whose it is."""
    s3 = service.client()
    await s3.put("/bucket")
    await service.store.quotas.set(ORG, StorageLimits(max_total_size_bytes=10))
    answer = await announce(service, 11)
    assert (answer.status, answer.code) == (403, "QuotaExceeded")
    assert answer.text("Message") == "Storage quota exceeded: max_total_size_bytes of organisation default is 10"
    found = (answer.text("Scope"), answer.text("Quota"), answer.text("Limit"))
    assert found == ("organisation default", "max_total_size_bytes", "10")
    assert (await s3.put("/bucket/key", bytes(10))).status == 200


async def test_the_length_that_counts_is_the_decoded_one(service: Service) -> None:
    """Of an aws-chunked body the announced x-amz-decoded-content-length, not that of its framing."""
    await service.client().put("/bucket")
    await service.store.quotas.set(BUCKET, StorageLimits(max_total_size_bytes=10))
    chunked = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": "11",
        "x-amz-trailer": "x-amz-checksum-crc32",
    }
    answer = await announce(service, 100, sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers=chunked)
    assert answer.code == "QuotaExceeded"


async def test_a_part_over_the_quota_is_refused_before_its_body(service: Service) -> None:
    """Parts count; what an abort gives back is there for the next write."""
    s3 = service.client()
    await s3.put("/bucket")
    await service.store.quotas.set(BUCKET, StorageLimits(max_total_size_bytes=10))
    upload_id = (await s3.post("/bucket/key", query="uploads=")).text("UploadId")
    assert (await s3.put("/bucket/key", bytes(6), f"partNumber=1&uploadId={upload_id}")).status == 200
    answer = await announce(service, 6, query=f"partNumber=2&uploadId={upload_id}")
    assert (answer.status, answer.code, answer.text("Quota")) == (403, "QuotaExceeded", "max_size_bytes")
    assert (await s3.call("DELETE", "/bucket/key", f"uploadId={upload_id}")).status == 204
    assert (await s3.put("/bucket/key", bytes(10))).status == 200


async def test_a_bucket_too_many(service: Service) -> None:
    """CreateBucket: QuotaExceeded as well; after a DeleteBucket there is room."""
    s3 = service.client()
    await service.store.quotas.set(ORG, StorageLimits(max_buckets=1))
    assert (await s3.put("/first")).status == 200
    answer = await s3.put("/second")
    assert (answer.status, answer.code, answer.text("Quota")) == (403, "QuotaExceeded", "max_buckets")
    assert (await s3.call("DELETE", "/first")).status == 204
    assert (await s3.put("/second")).status == 200


@pytest.mark.parametrize("announced", [True, False])
async def test_an_object_over_the_size_limit(service: Service, announced: bool) -> None:
    """EntityTooLarge with 400, as for the store's own limit."""
    s3 = service.client()
    await s3.put("/bucket")
    await service.store.quotas.set(ORG, StorageLimits(max_object_size_bytes=10))
    if announced:
        answer = await announce(service, 11)
    else:
        answer = await s3.call("PUT", "/bucket/key", body=bytes(11), headers={"transfer-encoding": "chunked"})
    assert (answer.status, answer.code) == (400, "EntityTooLarge")
    assert (answer.text("ProposedSize"), answer.text("MaxSizeAllowed")) == ("11", "10")


async def test_what_is_deleted_makes_room(service: Service) -> None:
    """At the ceiling, and far over a lowered one, DeleteObject and DeleteObjects work."""
    s3 = service.client()
    await s3.put("/bucket")
    for key in ("a", "b", "c"):
        await s3.put(f"/bucket/{key}", bytes(10))
    await service.store.quotas.set(BUCKET, StorageLimits(max_total_size_bytes=10, max_objects_per_bucket=1))
    assert (await announce(service, 1)).code == "QuotaExceeded"
    assert (await s3.call("DELETE", "/bucket/a")).status == 204
    document = b"<Delete><Object><Key>b</Key></Object><Object><Key>c</Key></Object></Delete>"
    digest = base64.b64encode(hashlib.md5(document).digest()).decode()
    answer = await s3.post("/bucket", document, "delete=", content_md5=digest)
    assert answer.texts("Deleted/Key") == ["b", "c"]
    assert (await s3.put("/bucket/key", bytes(10))).status == 200
