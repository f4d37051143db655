"""A mark holds writers up while who set it is at work, and no longer: also where it could not be taken off again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import trio
import trio.testing
from attrs import frozen

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import NoSuchBucket, NoSuchUpload, StorageFull
from lightningstor.kv.api import Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.ports import World
from lightningstor.store.api import CompletePart, ObjectDraft, UploadDraft, WriteConditions
from lightningstor.store.fsck import fsck
from lightningstor.store.store import Store, open_store
from lightningstor.testing.faulty_kv import Fault, FaultyKv
from tests.store.conftest import SMALL_LIMITS
from tests.store.content import OWNER, BytesBody, make_bucket, put, read

PART = b"part"
SOON_S = 5
"""Less than a writer waits for a mark to go."""


@frozen
class Place:
    """A store, and its metadata, which can be short of room."""

    store: Store
    kv: FaultyKv
    nursery: trio.Nursery

    @contextmanager
    def room_for(self, commits: int) -> Iterator[None]:
        """The device has room for so many more commits, too few for the block, and again after it."""
        self.kv.commits = 0
        self.kv.faults = {commits + 1 + further: Fault.FULL for further in range(10)}
        with pytest.raises(StorageFull):
            yield
        self.kv.faults = {}

    def run_into(self, last: int, operate: Callable[[], Awaitable[object]], error: type[Exception]) -> None:
        """Start it just before the commit of that number, which is the last of what the caller does next.

        It is to wait until that commit is done, and then to fail.
        """
        ended = trio.Event()

        async def run() -> None:
            with pytest.raises(error):
                await operate()
            ended.set()

        async def before(number: int, _: Txn) -> None:
            if number == last:
                self.nursery.start_soon(run)
                await trio.testing.wait_all_tasks_blocked()
                assert not ended.is_set()

        self.kv.commits = 0
        self.kv.before = before


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    world, kv = World(), FaultyKv(MemoryKv())
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, SMALL_LIMITS) as store,
    ):
        await make_bucket(store)
        async with trio.open_nursery() as nursery:
            yield Place(store, kv, nursery)
        await store.collector.run()
        assert await fsck(store.ctx, repair=False) == []


async def begin(store: Store) -> tuple[str, list[CompletePart]]:
    """An upload with its one part."""
    upload_id = (await store.uploads.create("bucket", "key", UploadDraft(ObjectDraft(OWNER)))).upload_id
    part = await store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(PART))
    return upload_id, [CompletePart(1, part.etag)]


async def test_a_part_waits_for_a_completion(place: Place) -> None:
    """The list of parts is written: a part that were replaced now would be freed while the object names it."""
    store = place.store
    upload_id, parts = await begin(store)
    place.run_into(
        3, lambda: store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(b"another")), NoSuchUpload
    )
    await store.completions.complete("bucket", "key", upload_id, parts, conditions=WriteConditions())
    assert await read(store, "key") == PART


async def test_a_write_waits_for_a_deletion(place: Place) -> None:
    """The bucket was seen to be empty: an object that were stored now would go with it, acknowledged."""
    place.run_into(2, lambda: put(place.store, "key"), NoSuchBucket)
    await place.store.buckets.delete("bucket")


@pytest.mark.parametrize("follow", ["complete", "put part", "abort"])
@pytest.mark.parametrize("commits", [1, 2])
async def test_a_completion_that_is_out_of_room(place: Place, commits: int, follow: str) -> None:
    """Without room for the list of parts, or for the object: the upload goes on, or goes away, once there is."""
    store = place.store
    upload_id, parts = await begin(store)

    async def complete() -> None:
        await store.completions.complete("bucket", "key", upload_id, parts, conditions=WriteConditions())

    with place.room_for(commits):
        await complete()
    with trio.fail_after(SOON_S):
        if follow == "abort":
            await store.uploads.abort("bucket", "key", upload_id)
            assert (await store.listings.uploads("bucket", limit=1)).uploads == []
            return
        if follow == "put part":
            await store.uploads.put_part("bucket", "key", upload_id, 1, BytesBody(PART))
        await complete()
    assert await read(store, "key") == PART


@pytest.mark.parametrize("empty", [True, False])
async def test_a_deletion_that_is_out_of_room(place: Place, empty: bool) -> None:
    """The bucket takes objects again, and is deleted, once there is room."""
    store = place.store
    if not empty:
        await put(store, "key")
    with place.room_for(1):
        await store.buckets.delete("bucket")
    with trio.fail_after(SOON_S):
        await put(store, "key")
        await store.deletes.delete("bucket", "key", OWNER)
        await store.buckets.delete("bucket")
    with pytest.raises(NoSuchBucket):
        await put(store, "key")
