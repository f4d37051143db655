"""ObjectService through foreign clients: every RPC, its answer and its errors."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from typing import Any

import pytest

from tests.rpc.conftest import Both
from tests.rpc.serving import objects, part_messages, types

PART = bytes(range(256)) * 512  # 128 KiB, over the least size of a part in the tests' store
LARGE = bytes(range(256)) * 4096 * 3 + b"the end"


def crc32(data: bytes) -> str:
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.fixture
async def both(both: Both) -> Both:
    """With a bucket."""
    await both.rpc.call("CreateBucket", name="bucket")
    return both


async def test_an_object_with_all_that_belongs_to_it(both: Both) -> None:
    """What PutObject is told, HeadObject and GetObject tell; tags only to who asks for them."""
    kept = {
        "content_type": "text/plain",
        "metadata": {"Colour": "grün", "shape": "round"},
        "cache_control": "no-cache",
        "content_disposition": "inline",
        "content_encoding": "gzip",
        "content_language": "de",
        "expires": "never",
    }
    made = await both.rpc.put(
        "bucket", "key", b"hello", **kept, tags={"a": "1", "b": "2"}, storage_class=types.STORAGE_CLASS_STANDARD_IA
    )
    assert (made.etag, made.size, made.HasField("version_id")) == (hashlib.md5(b"hello").hexdigest(), 5, False)
    (answer,) = await both.rpc.call("GetObject", bucket="bucket", key="key")
    head = (await both.rpc.call("HeadObject", bucket="bucket", key="key", include_tags=True)).metadata
    assert (answer.content, dict(head.tags), dict(answer.metadata.tags)) == (b"hello", {"a": "1", "b": "2"}, {})
    head.tags.clear()
    assert answer.metadata == head
    assert dict(head.metadata) == {"colour": "grün", "shape": "round"}
    for name, value in kept.items():
        assert name == "metadata" or getattr(head, name) == value
    assert (head.size, head.etag, head.tag_count, head.created_at > 0) == (5, made.etag, 2, True)
    assert head.storage_class == types.STORAGE_CLASS_STANDARD_IA
    assert head.checksum.algorithm == types.CHECKSUM_ALGORITHM_CRC64NVME


async def test_large_objects_come_in_pieces(both: Both) -> None:
    """An object of 3 MiB takes several messages of at most 1 MiB; only the first has the metadata."""
    await both.rpc.upload("bucket", "key", [LARGE])
    messages = await both.rpc.call("GetObject", bucket="bucket", key="key")
    assert b"".join(message.content for message in messages) == LARGE
    assert [message.HasField("metadata") for message in messages] == [True] + [False] * (len(messages) - 1)
    assert len(messages) >= 4


async def test_ranges_and_parts(both: Both) -> None:
    """A range or a part is told beside its bytes; one that is not there is OUT_OF_RANGE."""
    await both.rpc.upload("bucket", "key", [PART, b"tail"])
    whole = PART + b"tail"
    for wanted, offset, length in (("bytes=5-9", 5, 5), ("bytes=-4", len(PART), 4), ("bytes=131070-", 131070, 6)):
        answer, *rest = await both.rpc.call("GetObject", bucket="bucket", key="key", range=wanted)
        assert (answer.content_range.offset, answer.content_range.length) == (offset, length)
        assert b"".join(message.content for message in (answer, *rest)) == whole[offset : offset + length]
        head = await both.rpc.call("HeadObject", bucket="bucket", key="key", range=wanted)
        assert head.content_range == answer.content_range
    (second,) = await both.rpc.call("GetObject", bucket="bucket", key="key", part_number=2)
    assert (second.content, second.metadata.parts_count, second.content_range.offset) == (b"tail", 2, len(PART))
    for fields in ({"range": "bytes=999999-"}, {"part_number": 3}):
        assert (await both.rpc.fails("GetObject", bucket="bucket", key="key", **fields)).status == "OUT_OF_RANGE"
    failed = await both.rpc.fails("GetObject", bucket="bucket", key="key", range="bytes=0-1", part_number=1)
    assert failed.status == "INVALID_ARGUMENT"


async def test_conditions_of_reads(both: Both) -> None:
    """Each condition, met and unmet, as over S3."""
    etag = (await both.rpc.put("bucket", "key", b"x")).etag
    now = (await both.rpc.call("HeadObject", bucket="bucket", key="key")).metadata.created_at
    met: tuple[dict[str, Any], ...] = (
        {"if_match": etag}, {"if_match": f'"{etag}"'}, {"if_none_match": "other"},
        {"if_modified_since": now - 5000}, {"if_unmodified_since": now + 1000},
    )  # fmt: skip
    unmet: tuple[dict[str, Any], ...] = (
        {"if_match": "other"}, {"if_none_match": etag}, {"if_modified_since": now + 1000},
        {"if_unmodified_since": now - 5000},
    )  # fmt: skip
    for fields in met:
        assert await both.rpc.get("bucket", "key", **fields) == b"x"
    for fields in unmet:
        for method in ("GetObject", "HeadObject"):
            failed = await both.rpc.fails(method, bucket="bucket", key="key", **fields)
            assert (failed.status, failed.reason in ("NotModified", "PreconditionFailed", None)) == (
                "FAILED_PRECONDITION",
                True,
            )


async def test_conditions_of_writes(both: Both) -> None:
    """If-None-Match: * makes a key once; If-Match replaces what was seen."""
    first = await both.rpc.put("bucket", "key", b"1", if_none_match="*")
    failed = await both.rpc.fails("PutObject", bucket="bucket", key="key", content=b"2", if_none_match="*")
    assert (failed.status, failed.reason) in (("FAILED_PRECONDITION", "PreconditionFailed"), (failed.status, None))
    await both.rpc.put("bucket", "key", b"2", if_match=first.etag)
    failed = await both.rpc.fails("PutObject", bucket="bucket", key="key", content=b"3", if_match=first.etag)
    assert failed.status == "FAILED_PRECONDITION"
    failed = await both.rpc.fails("DeleteObject", bucket="bucket", key="key", if_match=first.etag)
    assert failed.status == "FAILED_PRECONDITION"
    assert await both.rpc.get("bucket", "key") == b"2"


@pytest.mark.parametrize("algorithm", ["SHA256", "SHA1", "MD5", "CRC32", "CRC32C", "CRC64NVME", "SHA512"])
async def test_checksums(both: Both, algorithm: str) -> None:
    """Each algorithm is computed and kept; a wrong value keeps the object out; one that is no digest is told so."""
    number = types.ChecksumAlgorithm.Value(f"CHECKSUM_ALGORITHM_{algorithm}")
    made = await both.rpc.put("bucket", "key", b"data", checksum_algorithm=number)
    assert (made.checksum.algorithm, made.checksum.type) == (number, types.CHECKSUM_TYPE_FULL_OBJECT)
    if algorithm == "CRC32":
        assert made.checksum.value == crc32(b"data")
    again = await both.rpc.put("bucket", "key", b"data", checksum_algorithm=number, checksum_value=made.checksum.value)
    assert again.checksum == made.checksum
    for value, reason in ((made.checksum.value, "BadDigest"), ("c2hvcnQ=", "InvalidRequest"), ("?", "InvalidRequest")):
        failed = await both.rpc.fails(
            "PutObject", bucket="bucket", key="key", content=b"other", checksum_algorithm=number, checksum_value=value
        )
        assert (failed.status, failed.reason or reason) == ("INVALID_ARGUMENT", reason)
    assert await both.rpc.get("bucket", "key") == b"data"


async def test_what_cannot_be_taken_is_told(both: Both) -> None:
    """Bad keys, metadata, enums and contradictions are INVALID_ARGUMENT; so is a class not offered."""
    bad: tuple[dict[str, Any], ...] = (
        {"key": ""}, {"key": "x" * 1025}, {"metadata": {"a b": "1"}}, {"metadata": {"a": "1", "A": "2"}},
        {"metadata": {"a": "x" * 3000}}, {"content_type": "text/plain\r\nx: y"}, {"cache_control": "a\0"},
        {"checksum_algorithm": 99}, {"storage_class": 99}, {"checksum_value": "AAAAAA=="}, {"bucket": ""},
        {"storage_class": types.STORAGE_CLASS_ARCHIVE}, {"tags": {str(at): "" for at in range(11)}},
    )  # fmt: skip
    for fields in bad:
        failed = await both.rpc.fails("PutObject", **{"bucket": "bucket", "key": "key", "content": b"x", **fields})
        assert failed.status == "INVALID_ARGUMENT", fields
    assert (await both.rpc.fails("GetObject", bucket="bucket", key="key")).status == "NOT_FOUND"
    failed = await both.rpc.fails("PutObject", bucket="bucket", key="key", if_none_match="etag")
    assert failed.status == "UNIMPLEMENTED"


async def test_an_object_that_is_too_large_is_pointed_to_multipart(both: Both) -> None:
    """4 MiB of content and more do not fit in a message; a little less does."""
    failed = await both.rpc.fails("PutObject", bucket="bucket", key="key", content=bytes(4 << 20))
    assert (failed.status, "CreateMultipartUpload" in failed.message) == ("RESOURCE_EXHAUSTED", True)
    most = bytes((4 << 20) - 100)
    await both.rpc.put("bucket", "key", most)
    assert await both.rpc.get("bucket", "key") == most


async def test_versions(both: Both) -> None:
    """Versions, delete markers and their ids; each can be read and deleted by its id."""
    await both.rpc.call(
        "PutBucketVersioning",
        bucket="bucket",
        versioning=types.VersioningConfig(status=types.VERSIONING_STATUS_ENABLED),
    )
    first = await both.rpc.put("bucket", "key", b"1")
    second = await both.rpc.put("bucket", "key", b"2")
    marker = await both.rpc.call("DeleteObject", bucket="bucket", key="key")
    assert (marker.delete_marker, marker.version_id not in ("", first.version_id)) == (True, True)
    assert (await both.rpc.fails("GetObject", bucket="bucket", key="key")).status == "NOT_FOUND"
    assert await both.rpc.get("bucket", "key", version_id=first.version_id) == b"1"
    listed = await both.rpc.call("ListObjectVersions", bucket="bucket")
    ids = [marker.version_id, second.version_id, first.version_id]
    assert [version.version_id for version in listed.versions] == ids
    assert [(version.is_latest, version.delete_marker) for version in listed.versions] == [
        (True, True),
        (False, False),
        (False, False),
    ]
    seen, token = [], ""
    while True:
        page = await both.rpc.call("ListObjectVersions", bucket="bucket", max_keys=1, continuation_token=token)
        seen += [version.version_id for version in page.versions]
        token = page.next_continuation_token
        if not page.is_truncated:
            break
    assert seen == ids
    failed = await both.rpc.fails("HeadObject", bucket="bucket", key="key", version_id=marker.version_id)
    assert failed.status == "FAILED_PRECONDITION"
    gone = await both.rpc.call("DeleteObject", bucket="bucket", key="key", version_id=marker.version_id)
    assert (gone.delete_marker, await both.rpc.get("bucket", "key")) == (True, b"2")
    failed = await both.rpc.fails("GetObject", bucket="bucket", key="key", version_id="nonsense")
    assert failed.status == "INVALID_ARGUMENT"


async def test_many_are_deleted_each_by_itself(both: Both) -> None:
    """What cannot be deleted stands among the errors with its code; quiet tells of those only."""
    await both.rpc.put("bucket", "a")
    await both.rpc.put("bucket", "b")
    wanted = [
        objects.ObjectIdentifier(key="a"),
        objects.ObjectIdentifier(key="b", if_match="other"),
        objects.ObjectIdentifier(key="never there"),
        objects.ObjectIdentifier(key="a", version_id="nonsense"),
        objects.ObjectIdentifier(key=""),
    ]
    answer = await both.rpc.call("DeleteObjects", bucket="bucket", objects=wanted)
    assert [item.key for item in answer.deleted] == ["a", "never there"]
    assert [(item.key, item.code, item.status) for item in answer.errors] == [
        ("b", "PreconditionFailed", 9),
        ("a", "InvalidArgument", 3),
        ("", "InvalidURI", 3),
    ]
    quiet = await both.rpc.call("DeleteObjects", bucket="bucket", objects=wanted[:2], quiet=True)
    assert (len(quiet.deleted), len(quiet.errors)) == (0, 1)
    for number in (0, 1001):
        many = [objects.ObjectIdentifier(key=str(at)) for at in range(number)]
        failed = await both.rpc.fails("DeleteObjects", bucket="bucket", objects=many)
        assert failed.status == "INVALID_ARGUMENT"


async def test_copies(both: Both) -> None:
    """With the source's metadata and tags or with others; conditions on the source; one that changes nothing fails."""
    await both.rpc.call("CreateBucket", name="other")
    source = await both.rpc.put(
        "bucket", "key", b"data", content_type="text/plain", metadata={"a": "1"}, tags={"t": "1"}
    )
    origin = {"source_bucket": "bucket", "source_key": "key"}
    copied = await both.rpc.call("CopyObject", **origin, bucket="other", key="copy", source_if_match=source.etag)
    assert (copied.etag, copied.size) == (source.etag, 4)
    head = (await both.rpc.call("HeadObject", bucket="other", key="copy", include_tags=True)).metadata
    assert (head.content_type, dict(head.metadata), dict(head.tags)) == ("text/plain", {"a": "1"}, {"t": "1"})
    replaced = {
        "metadata_directive": objects.COPY_DIRECTIVE_REPLACE,
        "tagging_directive": objects.COPY_DIRECTIVE_REPLACE,
    }
    await both.rpc.call(
        "CopyObject", **origin, bucket="bucket", key="key", **replaced, content_type="text/html", tags={"u": "2"}
    )
    head = (await both.rpc.call("HeadObject", bucket="bucket", key="key", include_tags=True)).metadata
    assert (head.content_type, dict(head.metadata), dict(head.tags)) == ("text/html", {}, {"u": "2"})
    wrong: tuple[dict[str, Any], ...] = ({}, {"content_type": "x"}, {"tags": {"a": "b"}}, {"metadata_directive": 9})
    for fields in wrong:
        failed = await both.rpc.fails("CopyObject", **origin, bucket="bucket", key="key", **fields)
        assert failed.status == "INVALID_ARGUMENT"
    failed = await both.rpc.fails("CopyObject", **origin, bucket="other", key="c", source_if_none_match=source.etag)
    assert failed.status == "FAILED_PRECONDITION"
    failed = await both.rpc.fails("CopyObject", source_bucket="bucket", source_key="no", bucket="other", key="c")
    assert failed.status == "NOT_FOUND"


async def test_listings(both: Both) -> None:
    """Prefix, delimiter, pages by token, start_after; a token of nobody's is refused."""
    for key in ("a", "b/1", "b/2", "c", "ü"):
        await both.rpc.put("bucket", key)
    page = await both.rpc.call("ListObjects", bucket="bucket", delimiter="/")
    assert ([item.key for item in page.objects], list(page.common_prefixes)) == (["a", "c", "ü"], ["b/"])
    seen, token = [], ""
    while True:
        page = await both.rpc.call("ListObjects", bucket="bucket", max_keys=2, continuation_token=token)
        seen += [item.key for item in page.objects]
        token = page.next_continuation_token
        if not page.is_truncated:
            break
    assert (seen, token) == (["a", "b/1", "b/2", "c", "ü"], "")
    page = await both.rpc.call("ListObjects", bucket="bucket", prefix="b/", start_after="b/1")
    assert [item.key for item in page.objects] == ["b/2"]
    assert len((await both.rpc.call("ListObjects", bucket="bucket", max_keys=0)).objects) == 0
    for method in ("ListObjects", "ListObjectVersions", "ListMultipartUploads"):
        failed = await both.rpc.fails(method, bucket="bucket", continuation_token="nonsense")
        assert failed.status == "INVALID_ARGUMENT"


async def test_an_upload_in_parts(both: Both) -> None:
    """Begun, filled, listed and completed; a part may come in many messages, its checksum in the last."""
    begun = await both.rpc.call(
        "CreateMultipartUpload", bucket="bucket", key="key", checksum_algorithm=types.CHECKSUM_ALGORITHM_CRC32,
        content_type="text/plain", metadata={"a": "1"}, tags={"t": "1"},
    )  # fmt: skip
    assert begun.checksum_type == types.CHECKSUM_TYPE_COMPOSITE
    messages = list(
        part_messages(
            begun.upload_id, 1, PART, 50_000, checksum_algorithm=types.CHECKSUM_ALGORITHM_CRC32, size=len(PART)
        )
    )
    messages.append(objects.UploadPartRequest(checksum_value=crc32(PART)))
    first = await both.rpc.call("UploadPart", parts=messages)
    assert (first.etag, first.size, first.checksum.value) == (hashlib.md5(PART).hexdigest(), len(PART), crc32(PART))
    second = await both.rpc.call("UploadPart", parts=part_messages(begun.upload_id, 2, b"tail"))
    (listed,) = (await both.rpc.call("ListMultipartUploads", bucket="bucket")).uploads
    assert (listed.key, listed.upload_id, listed.initiated_by) == ("key", begun.upload_id, "root")
    where = {"bucket": "bucket", "key": "key", "upload_id": begun.upload_id}
    one = await both.rpc.call("ListParts", **where, max_parts=1)
    rest = await both.rpc.call("ListParts", **where, continuation_token=one.next_continuation_token)
    assert [part.etag for part in (*one.parts, *rest.parts)] == [first.etag, second.etag]
    parts = [
        objects.CompletedPart(part_number=number, etag=part.etag, checksum=part.checksum)
        for number, part in ((1, first), (2, second))
    ]
    done = await both.rpc.call("CompleteMultipartUpload", **where, parts=parts, size=len(PART) + 4)
    assert (done.etag.endswith("-2"), done.checksum.type) == (True, types.CHECKSUM_TYPE_COMPOSITE)
    assert await both.rpc.get("bucket", "key") == PART + b"tail"
    head = (await both.rpc.call("HeadObject", bucket="bucket", key="key")).metadata
    assert (head.content_type, dict(head.metadata), head.tag_count, head.parts_count) == (
        "text/plain",
        {"a": "1"},
        1,
        2,
    )


async def test_uploads_that_go_wrong(both: Both) -> None:
    """A broken, short, long or contradicting part is not kept; an unknown or aborted upload is NOT_FOUND."""
    begun = await both.rpc.call("CreateMultipartUpload", bucket="bucket", key="key")
    crc, md5 = types.CHECKSUM_ALGORITHM_CRC32, types.CHECKSUM_ALGORITHM_MD5
    named: dict[str, Any] = {"upload_id": begun.upload_id, "part_number": 1}
    wrong: tuple[list[Any], ...] = (
        [],
        [objects.UploadPartRequest(**{**named, "part_number": 0})],
        [objects.UploadPartRequest(**named, size=5, content=b"1234")],
        [objects.UploadPartRequest(**named, size=3, content=b"1234")],
        [objects.UploadPartRequest(**named), objects.UploadPartRequest(part_number=2, content=b"x")],
        [objects.UploadPartRequest(**named, checksum_algorithm=crc, checksum_value="AAAAAA==", content=b"x")],
        [objects.UploadPartRequest(**named, checksum_value="AAAAAA==", content=b"x")],
        [
            objects.UploadPartRequest(**named, checksum_algorithm=md5, checksum_value="AAAA"),
            objects.UploadPartRequest(checksum_value="BBBB"),
        ],
    )
    for messages in wrong:
        assert (await both.rpc.fails("UploadPart", parts=messages)).status == "INVALID_ARGUMENT"
    where = {"bucket": "bucket", "key": "key", "upload_id": begun.upload_id}
    assert not (await both.rpc.call("ListParts", **where)).parts
    for upload_id in ("", "nonsense", "a/b", "0" * 30):
        failed = await both.rpc.fails("UploadPart", parts=part_messages(upload_id, 1, b"x"))
        assert (failed.status, failed.reason) in (("NOT_FOUND", "NoSuchUpload"), ("NOT_FOUND", None))
    failed = await both.rpc.fails("CompleteMultipartUpload", **where)
    assert failed.status == "INVALID_ARGUMENT"
    await both.rpc.call("AbortMultipartUpload", **where)
    for method in ("AbortMultipartUpload", "ListParts"):
        assert (await both.rpc.fails(method, **where)).status == "NOT_FOUND"
    failed = await both.rpc.fails("UploadPart", parts=part_messages(begun.upload_id, 1, b"x"))
    assert failed.status == "NOT_FOUND"
