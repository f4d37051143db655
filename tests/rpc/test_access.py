"""Every RPC for every kind of caller: who is known, who may, and what others learn (PROOF 29 and 34)."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc
import pytest
import trio
import trio.testing
from attrs import evolve

from lightningstor.observe.record import OperationRecord
from tests.rpc.conftest import Both
from tests.rpc.serving import buckets, failure, in_thread, objects, part_messages, types, unary
from tests.s3.conftest import ALICE

HEAD_OBJECT = "/lightningstor.v1.ObjectService/HeadObject"
PART = bytes(100 << 10)

CALLS: dict[str, dict[str, Any]] = {
    "CreateBucket": {"name": "another", "org_id": "acme", "project_id": "web"},
    "HeadBucket": {"bucket": "bucket"},
    "DeleteBucket": {"bucket": "empty"},
    "ListBuckets": {"org_id": "acme", "project_id": "web"},
    "GetBucketVersioning": {"bucket": "bucket"},
    "PutBucketVersioning": {
        "bucket": "bucket",
        "versioning": types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED),
    },
    "GetBucketTagging": {"bucket": "bucket"},
    "PutBucketTagging": {"bucket": "bucket", "tagging": buckets.BucketTagging(tags={"a": "2"})},
    "DeleteBucketTagging": {"bucket": "bucket"},
    "PutObject": {"bucket": "bucket", "key": "new", "content": b"x"},
    "GetObject": {"bucket": "bucket", "key": "key"},
    "HeadObject": {"bucket": "bucket", "key": "key"},
    "DeleteObject": {"bucket": "bucket", "key": "key"},
    "DeleteObjects": {"bucket": "bucket", "objects": [objects.ObjectIdentifier(key="key")]},
    "CopyObject": {"source_bucket": "bucket", "source_key": "key", "bucket": "bucket", "key": "copy"},
    "ListObjects": {"bucket": "bucket"},
    "ListObjectVersions": {"bucket": "bucket"},
    "CreateMultipartUpload": {"bucket": "bucket", "key": "more"},
    "UploadPart": {"part_number": 2},
    "CompleteMultipartUpload": {"bucket": "bucket", "key": "parts"},
    "AbortMultipartUpload": {"bucket": "bucket", "key": "parts"},
    "ListMultipartUploads": {"bucket": "bucket"},
    "ListParts": {"bucket": "bucket", "key": "parts"},
}
"""A call of each RPC that succeeds for those who may, about alice's bucket."""


ROOT = ("authorization", "Bearer token-root")
UNKNOWN = (
    (),
    (("authorization", "Bearer token-eve"),),
    (("authorization", "Basic token-root"),),
    (("authorization", "token-root"),),
    (("x-api-key", "key-eve"),),
    (ROOT, ("x-api-key", "key-root")),
    (ROOT, ROOT),
)
"""Credentials that stand for nobody."""
BEYOND_A_PROJECT = {"DeleteBucket", "PutBucketVersioning", "PutBucketTagging", "DeleteBucketTagging"}
"""What anne, who is of a project, may not do to a bucket that her organisation shares."""


@pytest.fixture
async def both(both: Both) -> Both:
    """With a bucket of alice's that has an object and an open upload."""
    alice = both.rpc.called("alice")
    for name in ("bucket", "empty"):
        await alice.call("CreateBucket", name=name, tags={"a": "1"})
    await alice.put("bucket", "key", b"data")
    return both


async def fields_of(both: Both, method: str) -> dict[str, Any]:
    """The fields of the call, with the id of an upload that is open."""
    fields = dict(CALLS[method])
    if "Part" in method or method.endswith(("CompleteMultipartUpload", "AbortMultipartUpload")):
        alice = both.rpc.called("alice")
        upload = (await alice.call("CreateMultipartUpload", bucket="bucket", key="parts")).upload_id
        part = await alice.call("UploadPart", parts=part_messages(upload, 1, PART))
        if method == "UploadPart":
            return {"parts": list(part_messages(upload, 2, b"x"))}
        fields["upload_id"] = upload
        if method == "CompleteMultipartUpload":
            fields["parts"] = [objects.CompletedPart(part_number=1, etag=part.etag)]
    return fields


def test_every_rpc_is_here() -> None:
    """Whoever adds an RPC says here how it is called."""
    services = [
        bucket_or_object.DESCRIPTOR.services_by_name[name]
        for bucket_or_object, name in ((buckets, "BucketService"), (objects, "ObjectService"))
    ]
    assert {method.name for service in services for method in service.methods} == set(CALLS)
    assert len(CALLS) == 23


@pytest.mark.parametrize("method", CALLS)
async def test_callers(both: Both, method: str) -> None:
    """Nobody, an unknown token, another scheme and two credentials are UNAUTHENTICATED; a stranger learns nothing and
    changes nothing; the owner, a member of the project and an admin succeed."""
    rpc = both.rpc
    fields = await fields_of(both, method)
    before = await state(both)
    for metadata in UNKNOWN:
        failed = await evolve(rpc, metadata=metadata).fails(method, **fields)
        assert (failed.status, failed.reason) == ("UNAUTHENTICATED", "AccessDenied"), metadata
    failed = await rpc.called("bob").fails(method, **fields)
    expected = ("NOT_FOUND", "NoSuchUpload") if method == "UploadPart" else ("PERMISSION_DENIED", "AccessDenied")
    assert (failed.status, failed.reason) == expected
    assert await state(both) == before
    if method in BEYOND_A_PROJECT:
        assert (await rpc.called("anne").fails(method, **fields)).status == "PERMISSION_DENIED"
        assert await state(both) == before
    person = "alice" if method in BEYOND_A_PROJECT else "anne"
    await rpc.called(person).call(method, **fields)
    record = await last_record(both)
    told = (record.operation, record.outcome, record.principal, record.authentication)
    assert told == (method, "success", person, "bearer")


async def last_record(both: Both) -> OperationRecord:
    """What was told of the last call, which its client may have heard of before."""
    await trio.testing.wait_all_tasks_blocked(0.01)
    return both.records.seen[-1]


async def state(both: Both) -> object:
    """What alice sees."""
    alice = both.rpc.called("alice")
    named = {"bucket": "bucket"}
    return [
        str(await alice.call(method, **fields))
        for method, fields in (
            ("ListBuckets", {}), ("HeadBucket", named), ("ListObjectVersions", named), ("ListMultipartUploads", named),
            ("GetBucketTagging", named),
        )
    ]  # fmt: skip


async def test_other_ways_to_be_known(both: Both) -> None:
    """An API key in x-api-key stands for its principal."""
    rpc = evolve(both.rpc, metadata=(("x-api-key", "key-alice"),))
    assert await rpc.get("bucket", "key") == b"data"
    assert (await last_record(both)).authentication == "api-key"


async def test_a_copy_needs_both_sides(both: Both) -> None:
    """Who may not read the source, or not write the destination, copies nothing."""
    bob = both.rpc.called("bob")
    await bob.call("CreateBucket", name="bobs")
    await bob.put("bobs", "key", b"bob's")
    for person, source, target in (("bob", "bucket", "bobs"), ("alice", "bobs", "bucket"), ("alice", "bucket", "bobs")):
        failed = await both.rpc.called(person).fails(
            "CopyObject", source_bucket=source, source_key="key", bucket=target, key="copy"
        )
        assert failed.status == "PERMISSION_DENIED"


async def test_a_foreign_upload_is_like_one_that_is_not(both: Both) -> None:
    """The same answer, word for word, but for the id and the request's own."""
    upload = (await both.rpc.called("alice").call("CreateMultipartUpload", bucket="bucket", key="key")).upload_id
    unknown = ("0" if upload[0] != "0" else "1") + upload[1:]
    told = []
    for upload_id in (upload, unknown):
        failed = await both.rpc.called("bob").fails("UploadPart", parts=part_messages(upload_id, 1, b"x"))
        assert failed.metadata.pop("UploadId") == upload_id
        failed.metadata.pop("RequestId")
        told.append((failed.status, failed.reason, failed.message, failed.metadata))
    assert told[0] == told[1]
    record = await last_record(both)
    assert (record.bucket, record.resource) == (None, f"org/{record.org}")


async def test_strangers_make_no_buckets_elsewhere(both: Both) -> None:
    """A bucket in another organisation is refused, and so is looking into one."""
    bob = both.rpc.called("bob")
    assert (await bob.fails("CreateBucket", name="mine", org_id=ALICE.org_id)).status == "PERMISSION_DENIED"
    assert (await bob.fails("ListBuckets", org_id=ALICE.org_id)).status == "PERMISSION_DENIED"
    assert not (await bob.call("ListBuckets")).buckets


async def test_health_and_reflection_are_open(both: Both) -> None:
    """They need no credentials, show both services, and are nothing that is told of."""
    from lightningstor.rpc.gen import grpc_reflection_v1_pb2

    messages: Any = grpc_reflection_v1_pb2

    def ask() -> list[str]:
        with grpc.insecure_channel(f"127.0.0.1:{both.port}") as channel:
            call = channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=messages.ServerReflectionResponse.FromString,
            )
            request = messages.ServerReflectionRequest
            listed, described = call(
                iter([request(list_services=""), request(file_by_filename="lightningstor/v1/object_service.proto")]),
                timeout=10,
            )
            assert len(described.file_descriptor_response.file_descriptor_proto) == 2
            return [service.name for service in listed.list_services_response.service]

    seen = len(both.records.seen)
    names = await in_thread(ask)
    assert {"lightningstor.v1.BucketService", "lightningstor.v1.ObjectService"} < set(names)
    assert len(both.records.seen) == seen


async def test_records_tell_what_happened(both: Both) -> None:
    """Operation, caller, resource, sizes, status as over S3 and outcome; no content and no token."""
    alice = both.rpc.called("alice")
    await alice.put("bucket", "key", b"12345")
    made = both.records.seen[-1]
    assert (made.protocol, made.operation, made.status, made.outcome, made.code) == (
        "grpc",
        "PutObject",
        200,
        "success",
        None,
    )
    assert (made.principal, made.org, made.action) == ("alice", "acme", "lightningstor:objects:put")
    assert made.resource == "org/acme/bucket/bucket/object/key"
    assert (made.object_size, made.bytes_in > 5, made.bytes_out > 0, made.client) == (5, True, True, "127.0.0.1")
    failed = await both.rpc.called("bob").fails("GetObject", bucket="bucket", key="key")
    denied = await last_record(both)
    assert (denied.status, denied.outcome, denied.code, denied.request_id) == (
        403,
        "denied",
        "AccessDenied",
        failed.metadata["RequestId"],
    )
    assert "token" not in repr(both.records.seen)


async def test_a_client_that_leaves_with_its_answer_was_answered(both: Both) -> None:
    """A refused call counts as denied, not as aborted, though its client closes the channel as soon as it hears."""

    def ask(calls: int) -> None:
        for _ in range(calls):
            with grpc.insecure_channel(f"127.0.0.1:{both.port}") as channel:
                assert failure(unary(channel, HEAD_OBJECT), b"")[0] is grpc.StatusCode.UNAUTHENTICATED

    before = len(both.records.seen)
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(in_thread, partial(ask, 40))
    await both.server.wait_no_connections_but(1)
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(both.records.seen) == before + 160
    assert {record.outcome for record in both.records.seen[before:]} == {"denied"}
