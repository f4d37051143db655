"""Multipart uploads: parts become an object at once and as a whole, or not at all."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress

import pytest
import trio
from msgspec.structs import replace

from lightningstor.chunks.digest import digest_inline
from lightningstor.errors import (
    BadDigest,
    BucketNotEmpty,
    EntityTooSmall,
    InvalidPart,
    InvalidPartNumber,
    InvalidPartOrder,
    NoSuchBucket,
    NoSuchUpload,
    PreconditionFailed,
    StoreError,
    UploadSizeMismatch,
)
from lightningstor.kv.api import Put, Txn
from lightningstor.model.codec import MULTIPART_UPLOAD, encode
from lightningstor.model.records import ObjectChecksum
from lightningstor.store.api import CompletePart, ObjectDraft, ReadPlan, UploadDraft, WriteConditions, Written
from lightningstor.store.copy import Source
from lightningstor.store.store import Store
from tests.conftest import Figure
from tests.store.content import OWNER, BytesBody, make_bucket, md5, put, random_bytes, read

PARTS = [random_bytes(100 << 10, 1), random_bytes((1 << 20) + 5, 2), b"the last may be small"]


async def begin(store: Store, key: str = "key", algorithm: str | None = None, kind: str | None = None) -> str:
    draft = UploadDraft(ObjectDraft(OWNER, content_type="text/plain", checksum_algorithm=algorithm), kind)
    return (await store.uploads.create("bucket", key, draft)).upload_id


async def upload(store: Store, upload_id: str, parts: list[bytes] = PARTS, key: str = "key") -> list[CompletePart]:
    taken = []
    for number, data in enumerate(parts, 1):
        part = await store.uploads.put_part("bucket", key, upload_id, number, BytesBody(data))
        taken.append(CompletePart(number, part.etag))
    return taken


async def complete(
    store: Store, upload_id: str, parts: list[CompletePart], key: str = "key", **options: object
) -> Written:
    conditions = options.pop("conditions", WriteConditions())
    return await store.completions.complete(
        "bucket",
        key,
        upload_id,
        parts,
        conditions=conditions,  # type: ignore[arg-type]
        **options,  # type: ignore[arg-type]
    )


async def test_parts_become_one_object(store: Store) -> None:
    """The object is the parts in order; ETag md5-of-md5s-N, checksum CRC64NVME of the whole; nothing else is left."""
    await make_bucket(store)
    upload_id = await begin(store)
    taken = await upload(store, upload_id)
    written = await complete(store, upload_id, taken)
    whole = b"".join(PARTS)
    digests = b"".join(hashlib.md5(part).digest() for part in PARTS)
    assert written.version.etag == f"{md5(digests)}-3"
    expected = base64.b64encode(digest_inline(["crc64nvme"], whole)["crc64nvme"]).decode()
    assert written.version.checksum == ObjectChecksum("CRC64NVME", expected)
    assert await read(store, "key") == whole
    assert await store.usage("bucket") == (1, len(whole))
    await store.collector.run()
    assert await read(store, "key") == whole
    prefix = b"lightningstor/uploads/" + upload_id.encode() + b"/"
    assert await store.ctx.kv.scan(prefix, prefix + b"\xff", 10) == []
    await store.deletes.delete("bucket", "key", OWNER)
    await store.collector.run()
    assert await store.ctx.chunks.store.list_chunks("", 10) == []
    assert await store.ctx.kv.scan(b"lightningstor/manifests/", b"lightningstor/manifests0", 10) == []


async def test_ranges_and_parts_of_a_multipart_object(store: Store) -> None:
    """Ranges across parts are exact; each part can be found by its number."""
    await make_bucket(store)
    upload_id = await begin(store)
    version = (await complete(store, upload_id, await upload(store, upload_id))).version
    whole = b"".join(PARTS)
    for offset, length in ((0, 10), (102_399, 2), (50_000, 1_100_000), (len(whole) - 5, 5)):
        opened = await store.reads.open("bucket", "key", None, lambda _, o=offset, n=length: ReadPlan(o, n))
        pieces = [bytes(opened.first)]
        while (piece := await opened.next()) is not None:
            pieces.append(bytes(piece))
        await opened.aclose()
        assert b"".join(pieces) == whole[offset : offset + length]
    second = await store.reads.part_slice(version, 2)
    assert (second.offset, second.length, second.count) == (len(PARTS[0]), len(PARTS[1]), 3)
    with pytest.raises(InvalidPartNumber):
        await store.reads.part_slice(version, 4)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
async def test_composite_checksums(store: Store, algorithm: str) -> None:
    """COMPOSITE: the digest of the parts' digests, with the number of parts."""
    await make_bucket(store)
    upload_id = await begin(store, algorithm=algorithm)
    version = (await complete(store, upload_id, await upload(store, upload_id))).version
    name = algorithm.lower()
    raws = b"".join(digest_inline([name], part)[name] for part in PARTS)
    value = base64.b64encode(digest_inline([name], raws)[name]).decode()
    assert version.checksum == ObjectChecksum(algorithm, f"{value}-3", "COMPOSITE")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
async def test_full_object_checksums(store: Store, algorithm: str) -> None:
    """FULL_OBJECT: the parts' CRCs combined are the CRC of the whole; a wrong one is BadDigest and changes nothing."""
    await make_bucket(store)
    upload_id = await begin(store, algorithm=algorithm, kind="FULL_OBJECT")
    taken = await upload(store, upload_id)
    name = algorithm.lower()
    right = base64.b64encode(digest_inline([name], b"".join(PARTS))[name]).decode()
    wrong = base64.b64encode(b"\0" * len(base64.b64decode(right))).decode()
    with pytest.raises(BadDigest):
        await complete(store, upload_id, taken, checksum=ObjectChecksum(algorithm, wrong))
    written = await complete(store, upload_id, taken, checksum=ObjectChecksum(algorithm, right))
    assert written.version.checksum == ObjectChecksum(algorithm, right)


async def test_lists_of_parts_that_are_refused(store: Store) -> None:
    """A bad list is told what is wrong; the upload goes on, and a good list completes it."""
    await make_bucket(store)
    upload_id = await begin(store)
    taken = await upload(store, upload_id, [b"too small", *PARTS])
    bad: list[tuple[list[CompletePart], type[StoreError], dict[str, object]]] = [
        ([CompletePart(9, taken[0].etag)], InvalidPart, {}),
        ([CompletePart(1, "0" * 32)], InvalidPart, {}),
        ([], InvalidPart, {}),
        ([taken[1], taken[0]], InvalidPartOrder, {}),
        ([taken[1], taken[1]], InvalidPartOrder, {}),
        ([taken[0], taken[1]], EntityTooSmall, {}),
        ([CompletePart(2, taken[1].etag, {"CRC64NVME": "AAAAAAAAAAA="})], InvalidPart, {}),
        (taken[1:], UploadSizeMismatch, {"size": 1}),
    ]
    for parts, error, options in bad:
        with pytest.raises(error):
            await complete(store, upload_id, parts, **options)
    await complete(store, upload_id, taken[1:])
    assert await read(store, "key") == b"".join(PARTS)
    assert await store.usage("bucket") == (1, len(b"".join(PARTS)))


async def test_a_retried_complete_gets_the_same_answer(store: Store) -> None:
    """Within a day a completed upload answers as before, after the parts are collected too."""
    await make_bucket(store)
    upload_id = await begin(store)
    taken = await upload(store, upload_id)
    first = await complete(store, upload_id, taken)
    await store.collector.run()
    again = await complete(store, upload_id, taken)
    assert (again.version.etag, again.version.shown_id) == (first.version.etag, first.version.shown_id)
    with pytest.raises(NoSuchUpload):
        await store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(b"x"))


async def test_abort_frees_everything(store: Store) -> None:
    """After an abort the upload is gone, and with the next pass of the collector its bytes and their count."""
    await make_bucket(store)
    upload_id = await begin(store)
    await upload(store, upload_id)
    assert (await store.usage("bucket"))[1] == sum(map(len, PARTS))
    await store.uploads.abort("bucket", "key", upload_id)
    with pytest.raises(NoSuchUpload):
        await store.uploads.list_parts("bucket", "key", upload_id, limit=10)
    assert (await store.listings.uploads("bucket", limit=10)).uploads == []
    await store.collector.run()
    assert await store.usage("bucket") == (0, 0)
    assert await store.ctx.chunks.store.list_chunks("", 10) == []
    assert await store.ctx.kv.scan(b"lightningstor/uploads/", b"lightningstor/uploads0", 10) == []


async def test_a_part_can_be_replaced(store: Store) -> None:
    """The last upload of a part number counts; the bytes of the earlier one are freed."""
    await make_bucket(store)
    upload_id = await begin(store)
    await upload(store, upload_id)
    part = await store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(b"replaced"))
    listing = await store.uploads.list_parts("bucket", "key", upload_id, limit=2)
    assert [(p.number, p.size) for p in listing.parts] == [(1, 8), (2, len(PARTS[1]))]
    assert (listing.truncated, listing.next_number) == (True, 2)
    await complete(store, upload_id, [CompletePart(1, part.etag)])
    assert await read(store, "key") == b"replaced"
    assert await store.usage("bucket") == (1, 8)
    await store.collector.run()
    assert await store.ctx.chunks.store.list_chunks("", 10) == []


async def test_an_id_counts_only_with_its_bucket_and_key(store: Store) -> None:
    """Another key or bucket, a made-up id and a part number out of range are refused."""
    await make_bucket(store)
    await make_bucket(store, "other")
    upload_id = await begin(store)
    for bucket, key, given in (("bucket", "k", upload_id), ("other", "key", upload_id), ("bucket", "key", "x/../y")):
        with pytest.raises(NoSuchUpload):
            await store.uploads.put_part(bucket, key, given, 1, BytesBody(b"x"))
    for number in (0, 10_001):
        with pytest.raises(InvalidPartNumber):
            await store.uploads.put_part("bucket", "key", upload_id, number, BytesBody(b"x"))


async def test_conditions_of_a_completion(store: Store) -> None:
    """If-None-Match: * on a key that has an object is refused, and the upload stays open."""
    await make_bucket(store)
    await put(store, "key", b"there")
    upload_id = await begin(store)
    taken = await upload(store, upload_id)
    with pytest.raises(PreconditionFailed):
        await complete(store, upload_id, taken, conditions=WriteConditions(if_none_match=True))
    await complete(store, upload_id, taken, conditions=WriteConditions(if_match=md5(b"there")))


async def _race(store: Store, key: str, *, complete_first: bool) -> list[str]:
    """Complete and abort one upload at once; who succeeded."""
    upload_id = await begin(store, key)
    taken = await upload(store, upload_id, [b"part"], key)
    won: list[str] = []

    async def completing() -> None:
        with suppress(StoreError):
            await complete(store, upload_id, taken, key)
            won.append("complete")

    async def aborting() -> None:
        with suppress(StoreError):
            await store.uploads.abort("bucket", key, upload_id)
            won.append("abort")

    async with trio.open_nursery() as nursery:
        for racer in (completing, aborting) if complete_first else (aborting, completing):
            nursery.start_soon(racer)
    return won


@pytest.mark.proof
async def test_complete_against_abort_has_one_winner(store: Store, proof_full: bool, figure: Figure) -> None:
    """Run at once, one of the two succeeds; the object is there exactly if Complete did (PROOF 17)."""
    await make_bucket(store)
    races = 1000 if proof_full else 40
    for turn in range(races):
        won = await _race(store, f"key{turn}", complete_first=turn % 2 == 0)
        assert len(won) == 1
        listing = await store.listings.objects("bucket", prefix=f"key{turn}", limit=1)
        assert bool(listing.objects) == (won == ["complete"])
        if listing.objects:
            await store.deletes.delete("bucket", f"key{turn}", OWNER)
    figure(f"{races} races, one winner each")


async def test_a_part_made_of_an_object(store: Store) -> None:
    """UploadPartCopy takes a range of an object."""
    await make_bucket(store)
    source = random_bytes(2_000_000)
    await put(store, "source", source)
    upload_id = await begin(store)
    copied = await store.copies.copy_part(
        Source("bucket", "source"), lambda found: ReadPlan(1000, 1_500_000), "bucket", "key", upload_id, 1
    )
    await complete(store, upload_id, [CompletePart(1, copied.part.etag)])
    assert await read(store, "key") == source[1000 : 1000 + 1_500_000]


async def test_a_bucket_with_open_uploads_can_be_deleted(store: Store) -> None:
    """Objects keep a bucket, uploads don't; they are freed, and a bucket of the same name starts empty."""
    await make_bucket(store)
    await put(store, "key")
    with pytest.raises(BucketNotEmpty):
        await store.buckets.delete("bucket")
    await put(store, "key", b"writes go on after a refused delete")
    await store.deletes.delete("bucket", "key", OWNER)
    upload_id = await begin(store)
    await upload(store, upload_id)
    await store.buckets.delete("bucket")
    with pytest.raises(NoSuchBucket):
        await store.uploads.list_parts("bucket", "key", upload_id, limit=1)
    await store.collector.run()
    assert await store.ctx.chunks.store.list_chunks("", 10) == []
    await make_bucket(store)
    assert (await store.listings.uploads("bucket", limit=10)).uploads == []
    assert await store.usage("bucket") == (0, 0)


async def test_uploads_expire(store: Store) -> None:
    """An upload older than the time-out is aborted; a younger one stays."""
    await make_bucket(store)
    old = await begin(store, "old")
    assert await store.uploads.expire() == 0
    row = await store.ctx.kv.get(b"lightningstor/uploads/" + old.encode())
    assert row is not None
    record = MULTIPART_UPLOAD.decode(row.value)
    aged = replace(record, initiated_at=record.initiated_at - store.limits.upload_timeout_ms)
    await store.ctx.kv.commit(Txn(puts=[Put(row.key, encode(aged))]))
    young = await begin(store, "young")
    assert await store.uploads.expire() == 1
    left = (await store.listings.uploads("bucket", limit=9)).uploads
    assert [summary.upload.upload_id for summary in left] == [young]
