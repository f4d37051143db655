"""Planted damage: fsck finds all of it and nothing else, and repairs what can be repaired."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from lightningstor.kv.api import Add, Put, Txn
from lightningstor.model import keys
from lightningstor.model.codec import MULTIPART_UPLOAD, OBJECT_VERSION, PART_LIST, encode
from lightningstor.model.records import ObjectVersion, PartList
from lightningstor.store.api import CompletePart, ObjectDraft, UploadDraft, WriteConditions
from lightningstor.store.fsck import fsck
from lightningstor.store.references import Kind
from lightningstor.store.store import Store
from tests.store.conftest import disk_store
from tests.store.content import OWNER, BytesBody, make_bucket, put, random_bytes, read

PART = 100 << 10


async def fill(store: Store) -> None:
    """Every layout of bodies, current, non-current and deleted; an open upload, an ended one, a completed one."""
    await make_bucket(store, versioned=True)
    for size in (0, 10, 50_000):
        await put(store, f"of {size}", random_bytes(size, 1))
        await put(store, f"of {size}", random_bytes(size, 2))
    await store.deletes.delete("bucket", "of 10", OWNER)
    for key in ("open", "ended", "whole", "freed"):
        draft = UploadDraft(ObjectDraft(OWNER))
        upload_id = (await store.uploads.create("bucket", key, draft)).upload_id
        parts = []
        for number, size in ((1, PART), (2, 20)):
            body = BytesBody(random_bytes(size, number))
            part = await store.uploads.put_part("bucket", key, upload_id, number, body)
            parts.append(CompletePart(number, part.etag))
        if key == "ended":
            await store.uploads.abort("bucket", key, upload_id)
        elif key in ("whole", "freed"):
            await store.completions.complete("bucket", key, upload_id, parts, conditions=WriteConditions())
    version = (await store.objects.find("bucket", "freed")).version.version_id
    await store.deletes.delete("bucket", "freed", OWNER, version)


async def kinds(store: Store, *, repair: bool = False) -> Counter[Kind]:
    return Counter(finding.kind for finding in await fsck(store.ctx, repair=repair))


async def found(store: Store, key: str) -> ObjectVersion:
    return (await store.objects.find("bucket", key)).version


def body_number(version: ObjectVersion) -> int:
    assert version.body is not None
    return int(version.body.data_id, 16)


async def test_a_store_in_use_is_good(store: Store) -> None:
    """Nothing is found: before the collector has run, and after it."""
    await fill(store)
    assert await fsck(store.ctx, repair=False) == []
    await store.collector.run()
    assert await fsck(store.ctx, repair=True) == []
    assert await read(store, "whole") == random_bytes(PART, 1) + random_bytes(20, 2)


async def test_orphans_are_removed_and_counters_set_right(store: Store) -> None:
    """A chunk, a small body, a manifest and a part list that nobody refers to; counters of every level."""
    await fill(store)
    chunks = store.ctx.chunks.store
    chunk_id = keys.chunk_id(keys.data_id(1, 900), 0)
    await chunks.put_chunk(chunk_id, b"nobody's")
    bucket = await store.buckets.get("bucket")
    usage = keys.usage_bytes(bucket.org_id, bucket.project_id, bucket.bucket_id)
    gone = keys.usage_objects("org", None, "a bucket that is gone")
    await store.ctx.kv.commit(
        Txn(
            puts=[
                Put(keys.data(keys.data_id(1, 901)), b"nobody's"),
                Put(keys.manifest(keys.data_id(1, 902), 0), encode(PartList(1, ()))),
                Put(keys.manifest(keys.data_id(1, 902), 1), encode(PartList(1, ()))),
            ],
            adds=[Add(usage, 7), Add(keys.total_objects("org", None), -1), Add(gone, -3)],
        )
    )
    wanted = Counter({Kind.ORPHAN_CHUNK: 1, Kind.ORPHAN_BODY: 1, Kind.ORPHAN_MANIFEST: 2, Kind.WRONG_COUNTER: 3})
    assert await kinds(store) == wanted
    assert await kinds(store) == wanted  # looking repairs nothing
    repaired = await fsck(store.ctx, repair=True)
    assert len(repaired) == 7
    assert all(finding.repaired for finding in repaired)
    assert await fsck(store.ctx, repair=False) == []
    assert not await chunks.chunk_exists(chunk_id)
    assert await read(store, "whole") == random_bytes(PART, 1) + random_bytes(20, 2)


async def test_losses_are_found(store: Store) -> None:
    """A chunk, a small body and a part's chunk that are gone, and a small body that was changed."""
    await fill(store)
    await put(store, "changed", b"some words")
    kv, chunks = store.ctx.kv, store.ctx.chunks.store
    large, whole, changed = [await found(store, key) for key in ("of 50000", "whole", "changed")]
    await chunks.delete_chunk(keys.chunk_id(body_number(large), 0))
    listed = await kv.get(keys.manifest(body_number(whole), 0))
    assert listed is not None
    first, second = PART_LIST.decode(listed.value).parts
    assert first.body is not None
    assert second.body is not None
    await chunks.delete_chunk(keys.chunk_id(int(first.body.data_id, 16), 0))
    damage = Put(keys.data(body_number(changed)), b"other words")
    await kv.commit(Txn(puts=[damage], deletes=[keys.data(int(second.body.data_id, 16))]))
    assert await kinds(store) == {Kind.LOST_CHUNK: 2, Kind.LOST_BODY: 2}
    findings = await fsck(store.ctx, repair=True)
    assert not any(finding.repaired for finding in findings)
    assert {finding.where.rpartition("/")[2] for finding in findings} == {"of 50000", "whole", "changed"}


async def test_what_may_be_all_that_is_left_is_not_removed(store: Store) -> None:
    """While a list of parts is lost or a record is unreadable, chunks that look like orphans stay."""
    await fill(store)
    await store.collector.run()
    kv, chunks = store.ctx.kv, store.ctx.chunks.store
    whole = await found(store, "whole")
    kept = await kv.get(keys.manifest(body_number(whole), 0))
    assert kept is not None
    await kv.commit(Txn(deletes=[kept.key]))
    before = await chunks.list_chunks("", 1000)
    orphans = {Kind.ORPHAN_MANIFEST: 1, Kind.ORPHAN_CHUNK: 1, Kind.ORPHAN_BODY: 1}
    assert await kinds(store, repair=True) == {Kind.LOST_MANIFEST: 1, **orphans}
    assert await chunks.list_chunks("", 1000) == before
    await kv.commit(Txn(puts=[Put(kept.key, kept.value)]))
    bucket = await store.buckets.get("bucket")
    record = await kv.get(keys.object_current(bucket.org_id, bucket.bucket_id, "whole"))
    assert record is not None
    await kv.commit(Txn(puts=[Put(record.key, b'{"v":1,')]))
    assert (await kinds(store, repair=True))[Kind.UNREADABLE] == 1
    assert await chunks.list_chunks("", 1000) == before
    await kv.commit(Txn(puts=[Put(record.key, record.value)]))
    assert OBJECT_VERSION.decode(record.value).body == whole.body
    assert await fsck(store.ctx, repair=False) == []


@pytest.mark.parametrize("further", ["the scrubber", "another completion", "abort", "the bucket's end"])
async def test_a_part_list_that_a_crash_left_goes(tmp_path: Path, further: str) -> None:
    """The upload's record names it: whatever takes the upload further after the crash removes it."""
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        upload_id = (await store.uploads.create("bucket", "key", UploadDraft(ObjectDraft(OWNER)))).upload_id
        part = await store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(bytes(PART)))
        row = await store.ctx.kv.get(keys.upload(upload_id))
        assert row is not None
        # The state between writing the list and publishing the object.
        number = store.ctx.data_ids.draw()
        upload = replace(
            MULTIPART_UPLOAD.decode(row.value),
            status="Completing",
            completing_boot=store.ctx.boot,
            part_list=f"{number:016x}",
        )
        segments = [Put(keys.manifest(number, i), encode(PartList(1, ()))) for i in range(2)]
        await store.ctx.kv.commit(Txn(puts=[Put(row.key, encode(upload)), *segments]))
        with store.ctx.marked.holding(upload_id):
            assert await store.scrubber.remove_orphans() == 0  # it is being completed
    async with disk_store(tmp_path) as store:
        assert await fsck(store.ctx, repair=False) == []
        if further == "the scrubber":
            assert await store.scrubber.remove_orphans() == 1
        elif further == "another completion":
            done = [CompletePart(1, part.etag)]
            await store.completions.complete("bucket", "key", upload_id, done, conditions=WriteConditions())
            assert len(await read(store, "key")) == PART
        elif further == "abort":
            await store.uploads.abort("bucket", "key", upload_id)
        else:
            await store.buckets.delete("bucket")
            await store.collector.run()
        left = [await store.ctx.kv.get(segment.key) for segment in segments]
        assert left == [None, None]
        assert await fsck(store.ctx, repair=False) == []
