"""Quotas: exact in the commit, advice before the upload, given back when bytes go; counters equal a recount."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from lightningstor.chunks.api import Buffer
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import (
    BucketAlreadyOwnedByYou,
    EntityTooLarge,
    InvalidQuota,
    NoSuchBucket,
    QuotaExceeded,
    StoreError,
)
from lightningstor.kv.api import Add, Row, Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.model import keys
from lightningstor.model.records import ENABLED, SUSPENDED, Bucket, StorageLimits
from lightningstor.ports import World
from lightningstor.store.api import CompletePart, ExpectedDigest, ObjectDraft, UploadDraft, WriteConditions
from lightningstor.store.copy import Source
from lightningstor.store.quotas import QuotaScope, StorageUsage
from lightningstor.store.recount import counters, differences, recount
from lightningstor.store.store import Store, open_store
from lightningstor.testing.faulty_kv import FaultyKv
from tests.conftest import Figure
from tests.store.conftest import disk_store
from tests.store.content import OWNER, BytesBody, make_bucket, put, random_bytes, read

ORG = QuotaScope("org")
PROJECT = QuotaScope("org", "web")
BUCKET = QuotaScope("org", None, "bucket")
PART = 100 << 10


class Untouchable:
    """A body that was announced and must not be asked for."""

    algorithms: Sequence[str] = ()

    def __init__(self, size: int) -> None:
        self.size = size

    async def receive(self) -> Buffer:
        raise AssertionError("the body was asked for")

    def expected(self) -> Sequence[ExpectedDigest]:
        return ()


async def project_bucket(store: Store, name: str = "ours") -> Bucket:
    return await store.buckets.create(name, OWNER, org_id="org", project_id="web", region="us-east-1")


async def begin(store: Store, bucket: str = "bucket", key: str = "key") -> str:
    return (await store.uploads.create(bucket, key, UploadDraft(ObjectDraft(OWNER)))).upload_id


async def put_part(store: Store, upload_id: str, number: int, data: bytes, key: str = "key") -> CompletePart:
    part = await store.uploads.put_part("bucket", key, upload_id, number, BytesBody(data))
    return CompletePart(number, part.etag)


async def complete(store: Store, upload_id: str, parts: list[CompletePart], key: str = "key") -> None:
    await store.completions.complete("bucket", key, upload_id, parts, conditions=WriteConditions())


async def check_counters(store: Store) -> None:
    """Every counter says what a walk over the records finds."""
    async with store.ctx.kv.snapshot() as snapshot:
        assert differences(await counters(snapshot), await recount(snapshot)) == []


async def test_counts_go_to_bucket_project_and_organisation(store: Store) -> None:
    """A project's bytes, objects and buckets count in its organisation too."""
    await make_bucket(store)
    await project_bucket(store)
    await put(store, "a", b"12345")
    await put(store, "b", b"123", bucket="ours")
    assert await store.quotas.usage(ORG) == StorageUsage(2, 8, 2)
    assert await store.quotas.usage(PROJECT) == StorageUsage(1, 3, 1)
    assert await store.quotas.usage(QuotaScope("org", "web", "ours")) == StorageUsage(1, 3, 1)
    assert await store.quotas.usage(QuotaScope("other")) == StorageUsage(0, 0, 0)
    await check_counters(store)


@pytest.mark.parametrize(
    ("scope", "limits", "quota", "words"),
    [
        (BUCKET, StorageLimits(max_total_size_bytes=8), "max_size_bytes", "bucket bucket"),
        (BUCKET, StorageLimits(max_objects_per_bucket=1), "max_objects", "bucket bucket"),
        (ORG, StorageLimits(max_total_size_bytes=8), "max_total_size_bytes", "organisation org"),
        (ORG, StorageLimits(max_objects_per_bucket=1), "max_objects_per_bucket", "organisation org"),
    ],
)
async def test_a_write_over_a_limit_is_refused_before_its_body_is_read(
    store: Store, scope: QuotaScope, limits: StorageLimits, quota: str, words: str
) -> None:
    """The error names the limit, its value and whose it is; what was there stays, and what fits still goes."""
    await make_bucket(store)
    await put(store, "a", b"12345")
    await store.quotas.set(scope, limits)
    with pytest.raises(QuotaExceeded) as refused:
        await store.puts.put("bucket", "b", ObjectDraft(OWNER), Untouchable(4), WriteConditions())
    limit = limits.max_total_size_bytes or limits.max_objects_per_bucket
    assert (refused.value.quota, refused.value.limit, refused.value.scope) == (quota, limit, words)
    await put(store, "a", b"12345678")
    assert await read(store, "a") == b"12345678"
    await store.quotas.set(scope, None)
    await put(store, "b", b"more")
    await check_counters(store)


async def test_the_commit_refuses_what_was_not_announced(store: Store) -> None:
    """A body without a length is measured when it is all there; then nothing of it is kept."""
    await make_bucket(store)
    await store.quotas.set(ORG, StorageLimits(max_total_size_bytes=10))
    for size in (11, 50_000):
        body = BytesBody(bytes(size), announce=False)
        with pytest.raises(QuotaExceeded):
            await store.puts.put("bucket", "key", ObjectDraft(OWNER), body, WriteConditions())
    assert await store.usage("bucket") == (0, 0)
    assert await store.ctx.chunks.store.list_chunks("", 10) == []
    await check_counters(store)


async def test_a_project_has_limits_of_its_own(store: Store) -> None:
    """They hold for its buckets and not for the organisation's others."""
    await make_bucket(store)
    await project_bucket(store)
    await store.quotas.set(PROJECT, StorageLimits(max_total_size_bytes=3))
    await put(store, "a", b"12345")
    with pytest.raises(QuotaExceeded) as refused:
        await put(store, "a", b"12345", bucket="ours")
    assert refused.value.scope == "project web of organisation org"
    await store.quotas.set(ORG, StorageLimits(max_total_size_bytes=7))
    with pytest.raises(QuotaExceeded) as refused:
        await put(store, "a", b"123", bucket="ours")
    assert refused.value.scope == "organisation org"


async def test_an_object_over_the_size_limit_is_too_large(store: Store) -> None:
    """PUT, part, copy and completion: EntityTooLarge by the least of the limits of organisation and project."""
    await make_bucket(store)
    await put(store, "large", bytes(2 * PART))
    upload_id = await begin(store)
    parts = [await put_part(store, upload_id, number, bytes(PART)) for number in (1, 2)]
    await store.quotas.set(ORG, StorageLimits(max_object_size_bytes=PART))
    with pytest.raises(EntityTooLarge) as refused:
        await store.puts.put("bucket", "b", ObjectDraft(OWNER), Untouchable(PART + 1), WriteConditions())
    assert (refused.value.size, refused.value.limit) == (PART + 1, PART)
    with pytest.raises(EntityTooLarge):
        await store.uploads.put_part("bucket", "key", upload_id, 3, Untouchable(PART + 1))
    with pytest.raises(EntityTooLarge):
        await complete(store, upload_id, parts)
    source = Source("bucket", "large")
    with pytest.raises(EntityTooLarge):
        await store.copies.copy(
            source,
            lambda _: None,
            "bucket",
            "c",
            lambda _: ObjectDraft(OWNER),
            WriteConditions(),
            replace_metadata=False,
        )
    # Its metadata may change: no byte is stored for that.
    draft = ObjectDraft(OWNER, metadata={"a": "b"})
    await store.copies.copy(
        source, lambda _: None, "bucket", "large", lambda _: draft, WriteConditions(), replace_metadata=True
    )
    await complete(store, upload_id, parts[:1])
    await check_counters(store)


async def test_max_buckets_is_exact_under_races(store: Store) -> None:
    """Of 32 creations at once 5 succeed, where 5 may; the project's limit of 2 holds within them."""
    await store.quotas.set(ORG, StorageLimits(max_buckets=5))
    await store.quotas.set(PROJECT, StorageLimits(max_buckets=2))
    refusals: list[QuotaExceeded] = []

    async def create(number: int) -> None:
        try:
            await store.buckets.create(
                f"bucket-{number}", OWNER, org_id="org", project_id="web" if number % 2 else None, region="r"
            )
        except QuotaExceeded as error:
            refusals.append(error)

    async with trio.open_nursery() as nursery:
        for number in range(32):
            nursery.start_soon(create, number)
    assert (await store.quotas.usage(ORG)).bucket_count == 5
    assert (await store.quotas.usage(PROJECT)).bucket_count <= 2
    assert len(refusals) == 27
    assert {error.quota for error in refusals} == {"max_buckets"}
    there = (await store.buckets.list("org", None, limit=10)).items
    assert len(there) == 5
    with pytest.raises(BucketAlreadyOwnedByYou):  # and not QuotaExceeded: nothing would have been made
        await store.buckets.create(there[0].name, OWNER, org_id="org", project_id=there[0].project_id, region="r")
    await store.buckets.delete(there[0].name)
    assert (await store.quotas.usage(ORG)).bucket_count == 4
    await check_counters(store)


async def test_the_configured_limit_holds_for_organisations_without_one(store: Store) -> None:
    """`limits.max_buckets` is the default, and a limit that is set goes before it."""
    store.ctx.accounts.view.max_buckets = 1
    await make_bucket(store)
    with pytest.raises(QuotaExceeded) as refused:
        await make_bucket(store, "second")
    assert (refused.value.quota, refused.value.limit) == ("max_buckets", 1)
    await store.quotas.set(ORG, StorageLimits(max_buckets=2))
    await make_bucket(store, "second")


async def test_versions_count_and_markers_do_not(store: Store) -> None:
    """Every version takes up a place; a delete marker none, so deleting works at the ceiling."""
    await make_bucket(store, versioned=True)
    await store.quotas.set(BUCKET, StorageLimits(max_objects_per_bucket=2, max_total_size_bytes=10))
    first = await put(store, "key", b"12345")
    await put(store, "key", b"12345")
    with pytest.raises(QuotaExceeded):
        await put(store, "key", b"")
    await store.deletes.delete("bucket", "key", OWNER)
    assert await store.usage("bucket") == (2, 10)
    await store.deletes.delete("bucket", "key", OWNER, first.version.version_id)
    assert await store.usage("bucket") == (1, 5)
    await put(store, "key", b"12345")
    await check_counters(store)


async def test_suspended_versioning_replaces_the_null_version_at_the_ceiling(store: Store) -> None:
    """Wherever the null version lies, a new one takes its place in the counts."""
    await make_bucket(store)
    await put(store, "key", b"12345")
    await store.buckets.set_versioning("bucket", ENABLED)
    await put(store, "key", b"12345")
    await store.buckets.set_versioning("bucket", SUSPENDED)
    await store.quotas.set(BUCKET, StorageLimits(max_objects_per_bucket=2, max_total_size_bytes=10))
    await put(store, "key", b"54321")  # the null one lies behind the versioned one
    await put(store, "key", b"abcde")  # the null one is current
    with pytest.raises(QuotaExceeded):
        await put(store, "key", b"abcdef")
    assert await store.usage("bucket") == (2, 10)
    await check_counters(store)


async def test_limits_below_what_is_used(store: Store) -> None:
    """Lowering is allowed: writes that add are refused, those that take away and deletes go on."""
    await make_bucket(store)
    await put(store, "a", bytes(1000))
    await put(store, "b", bytes(1000))
    await store.quotas.set(ORG, StorageLimits(max_total_size_bytes=100, max_objects_per_bucket=1))
    with pytest.raises(QuotaExceeded):
        await put(store, "c", b"x")
    with pytest.raises(QuotaExceeded):
        await put(store, "a", bytes(1001))
    await put(store, "a", bytes(999))
    await store.deletes.delete("bucket", "a", OWNER)
    await store.deletes.delete("bucket", "b", OWNER)
    await put(store, "c", bytes(100))
    await check_counters(store)


async def test_parts_take_up_room_until_they_are_given_back(store: Store) -> None:
    """An uploaded part counts, a replaced one nets out; abort and completion give back at once what is not kept."""
    await make_bucket(store)
    await store.quotas.set(BUCKET, StorageLimits(max_total_size_bytes=3 * PART))
    kept, dropped = await begin(store), await begin(store)
    parts = [await put_part(store, kept, 1, random_bytes(PART, 1))]
    await put_part(store, kept, 1, random_bytes(PART, 2))
    await put_part(store, kept, 2, random_bytes(PART, 3))
    await put_part(store, dropped, 1, random_bytes(PART, 4))
    with pytest.raises(QuotaExceeded):
        await store.uploads.put_part("bucket", "key", kept, 3, Untouchable(1))
    with pytest.raises(QuotaExceeded):
        await put(store, "other", b"x")
    await store.uploads.abort("bucket", "key", dropped)
    assert await store.usage("bucket") == (0, 2 * PART)
    await put(store, "other", bytes(PART))
    parts = [await put_part(store, kept, 1, random_bytes(PART, 1))]
    await complete(store, kept, parts)
    assert await store.usage("bucket") == (2, 2 * PART)
    await store.collector.run()
    assert await store.usage("bucket") == (2, 2 * PART)
    await check_counters(store)


async def test_completion_over_max_objects_leaves_the_upload_open(store: Store) -> None:
    """The object is one more; once there is room the same completion succeeds."""
    await make_bucket(store)
    await put(store, "a")
    upload_id = await begin(store)
    parts = [await put_part(store, upload_id, 1, b"part")]
    await store.quotas.set(BUCKET, StorageLimits(max_objects_per_bucket=1))
    with pytest.raises(QuotaExceeded):
        await complete(store, upload_id, parts)
    await check_counters(store)
    await store.deletes.delete("bucket", "a", OWNER)
    await complete(store, upload_id, parts)
    await check_counters(store)


async def test_a_deleted_bucket_takes_its_open_parts_out_of_the_counts(store: Store) -> None:
    """Also of an upload that was aborted but not given back; what comes after changes nothing."""
    await project_bucket(store, "bucket")
    await put_part(store, await begin(store), 1, bytes(PART))
    await put_part(store, await begin(store), 1, bytes(PART))
    assert await store.quotas.usage(PROJECT) == StorageUsage(1, 2 * PART, 0)
    await store.buckets.delete("bucket")
    assert await store.quotas.usage(PROJECT) == await store.quotas.usage(ORG) == StorageUsage(0, 0, 0)
    await store.collector.run()
    assert await store.quotas.usage(ORG) == StorageUsage(0, 0, 0)
    await check_counters(store)


async def test_limits_that_cannot_be_are_refused(store: Store) -> None:
    """Negative ones, and for a bucket those that only organisations and projects have; the bucket must exist."""
    await make_bucket(store)
    with pytest.raises(InvalidQuota):
        await store.quotas.set(ORG, StorageLimits(max_buckets=-1))
    with pytest.raises(InvalidQuota):
        await store.quotas.set(BUCKET, StorageLimits(max_buckets=1))
    with pytest.raises(NoSuchBucket):
        await store.quotas.set(QuotaScope("org", None, "none"), StorageLimits(max_total_size_bytes=1))
    assert await store.quotas.get(ORG) == await store.quotas.get(BUCKET) == StorageLimits()
    limits = StorageLimits(max_total_size_bytes=1, max_objects_per_bucket=0)
    await store.quotas.set(BUCKET, limits)
    await store.quotas.set(ORG, limits)
    assert await store.quotas.get(ORG) == await store.quotas.get(BUCKET) == limits
    assert await store.quotas.all() == [(ORG, limits)]


@pytest.mark.parametrize("versioned", [False, True])
async def test_exact_under_64_writers(store: Store, versioned: bool, figure: Figure) -> None:
    """64 writers of objects, versions and parts fill two buckets to the ceiling and never go over it."""
    await make_bucket(store, versioned=versioned)
    await make_bucket(store, "second", versioned=versioned)
    size, ceiling = 700, 30_000
    await store.quotas.set(ORG, StorageLimits(max_total_size_bytes=ceiling))
    accepted = refused = 0
    over: list[int] = []

    async def write(number: int) -> None:
        nonlocal accepted, refused
        bucket = "second" if number % 2 else "bucket"
        for turn in range(6):
            key = f"key-{number % 16}-{turn}" if number % 4 else f"own-{number}"
            try:
                if number % 8 == 2:
                    upload_id = await begin(store, bucket, key)
                    part = await store.uploads.put_part(
                        bucket, key, upload_id, 1, BytesBody(bytes(size), announce=False)
                    )
                    if turn % 3 == 0:
                        await store.uploads.abort(bucket, key, upload_id)
                    else:
                        done = [CompletePart(1, part.etag)]
                        await store.completions.complete(bucket, key, upload_id, done, conditions=WriteConditions())
                elif number % 8 == 5 and turn % 2:
                    await store.deletes.delete(bucket, key, OWNER)
                else:
                    body = BytesBody(bytes(size), announce=bool(turn % 2))
                    await store.puts.put(bucket, key, ObjectDraft(OWNER), body, WriteConditions())
                accepted += 1
            except QuotaExceeded:
                refused += 1
            over.append((await store.quotas.usage(ORG)).total_size_bytes - ceiling)

    async with trio.open_nursery() as nursery:
        for number in range(64):
            nursery.start_soon(write, number)
    assert refused > 0
    assert max(over) <= 0
    await check_counters(store)
    # What is left is less than one more object takes: nobody was refused for room that was there.
    used = (await store.quotas.usage(ORG)).total_size_bytes
    with pytest.raises(StoreError):
        await put(store, "one more", bytes(ceiling - used + 1))
    await put(store, "one more", bytes(ceiling - used))
    assert (await store.quotas.usage(ORG)).total_size_bytes == ceiling
    await check_counters(store)
    figure(f"64 writers: {accepted} accepted, {refused} refused, never over {ceiling}")


class CountingKv(MemoryKv):
    """Counts its reads."""

    reads = 0

    async def get(self, key: bytes) -> Row | None:
        self.reads += 1
        return await super().get(key)

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        self.reads += 1
        return await super().get_many(keys)


async def test_a_store_of_before_gets_its_totals_counted(tmp_path: Path) -> None:
    """One whose buckets have counters and whose organisations have none: its first start makes them, once."""
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        await project_bucket(store)
        await put(store, "a", b"12345")
        await put(store, "b", b"123", bucket="ours")
        kv = store.ctx.kv
        rows = await kv.scan(keys.TOTALS, keys.end_of(keys.TOTALS), 100)
        assert len(rows) == 6
        await kv.commit(Txn(deletes=[keys.TOTALS_COUNTED, *(row.key for row in rows)]))
    for _ in range(2):
        async with disk_store(tmp_path) as store:
            assert await store.quotas.usage(ORG) == StorageUsage(2, 8, 2)
            assert await store.quotas.usage(PROJECT) == StorageUsage(1, 3, 1)
            await check_counters(store)


async def test_limits_survive_a_restart(tmp_path: Path) -> None:
    """They are records, and in force from the first write after the start."""
    limits = StorageLimits(max_total_size_bytes=10, max_buckets=1)
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        await store.quotas.set(ORG, limits)
        await store.quotas.set(PROJECT, limits)
        await store.quotas.set(PROJECT, None)
    async with disk_store(tmp_path) as store:
        assert await store.quotas.all() == [(ORG, limits)]
        with pytest.raises(QuotaExceeded):
            await put(store, "key", bytes(11))
        with pytest.raises(QuotaExceeded):
            await make_bucket(store, "second")


async def test_a_put_without_a_quota_reads_nothing_for_it() -> None:
    """With one, the counters that have ceilings are read once, before the body."""
    kv = CountingKv()
    world = World()
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world) as store,
    ):
        await make_bucket(store)
        counts = []
        for limits in (None, StorageLimits(max_buckets=9), StorageLimits(max_total_size_bytes=99)):
            await store.quotas.set(ORG, limits)
            await put(store, "warm")
            kv.reads = 0
            await put(store, "key")
            counts.append(kv.reads)
            await store.deletes.delete("bucket", "key", OWNER)
        assert counts[0] == counts[1]
        assert counts[2] == counts[0] + 1


async def test_a_refund_that_comes_while_its_bucket_is_deleted_counts_once() -> None:
    """What the deletion has read is no longer so when it commits: it reads again."""
    inner, world = MemoryKv(), World()
    usage = b""

    async def refund(_: int, txn: Txn) -> None:
        if usage in txn.deletes and not refunded:
            refunded.append(txn)
            await inner.commit(Txn(adds=[Add(usage, -5), Add(keys.total_bytes("org", None), -5)]))

    refunded: list[Txn] = []
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(FaultyKv(inner, before=refund), chunks, world) as store,
    ):
        bucket = await make_bucket(store)
        usage = keys.usage_bytes("org", None, bucket.bucket_id)
        await put_part(store, await begin(store), 1, bytes(15))
        await store.buckets.delete("bucket")
        assert len(refunded) == 1
        assert await store.quotas.usage(ORG) == StorageUsage(0, 0, 0)
        await check_counters(store)


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (StorageLimits(max_object_size_bytes=4), EntityTooLarge),
        (StorageLimits(max_total_size_bytes=4), QuotaExceeded),
    ],
)
async def test_a_limit_lowered_during_an_upload_holds_for_it(
    store: Store, limits: StorageLimits, error: type[StoreError]
) -> None:
    """What was announced under the old limit is judged by the new one in the commit."""

    class Lowering(BytesBody):
        async def receive(self) -> Buffer:
            await store.quotas.set(ORG, limits)
            return await super().receive()

    await make_bucket(store)
    with pytest.raises(error):
        await store.puts.put("bucket", "key", ObjectDraft(OWNER), Lowering(b"12345"), WriteConditions())
    await check_counters(store)
