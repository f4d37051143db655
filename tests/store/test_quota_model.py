"""Random operations against a model: every write is refused exactly when it has to be, and every counter is right."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import define
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import BucketNotEmpty, EntityTooLarge, QuotaExceeded
from lightningstor.kv.memory import MemoryKv
from lightningstor.model.records import DISABLED, ENABLED, SUSPENDED, StorageLimits
from lightningstor.ports import World
from lightningstor.store.api import CompletePart, ObjectDraft, StoreLimits, UploadDraft, WriteConditions
from lightningstor.store.fsck import fsck
from lightningstor.store.quotas import QuotaScope
from lightningstor.store.store import Store, open_store
from tests.conftest import Figure
from tests.store.content import OWNER, BytesBody
from tests.store.quota_model import ModelBucket, ModelUpload, QuotaModel

ORG, PROJECT = QuotaScope("org"), QuotaScope("org", "web")
BUCKETS = [QuotaScope("org", None, "shared"), QuotaScope("org", "web", "ours"), QuotaScope("org", "web", "second")]
LIMITS = StoreLimits(min_part_size_bytes=1, max_inline_bytes=6, gc_grace_ms=0, max_buckets=2)

_bucket = st.sampled_from(BUCKETS)
_key = st.sampled_from(["a", "b"])
_size = st.integers(0, 12)
_limit = st.none() | st.integers(0, 30)
_few = st.none() | st.integers(0, 4)
_index = st.integers(0, 3)
_number = st.integers(1, 3)
OPERATIONS = st.one_of(
    st.tuples(st.just("put"), _bucket, _key, _size),
    st.tuples(st.just("put"), _bucket, _key, _size),
    st.tuples(st.just("delete"), _bucket, _key),
    st.tuples(st.just("delete_version"), _bucket, _key, _index),
    st.tuples(st.just("version"), _bucket, st.sampled_from([ENABLED, SUSPENDED])),
    st.tuples(st.just("begin"), _bucket, _key),
    st.tuples(st.just("part"), _bucket, _index, _number, st.integers(1, 12)),
    st.tuples(st.just("part"), _bucket, _index, _number, st.integers(1, 12)),
    st.tuples(st.just("complete"), _bucket, _index),
    st.tuples(st.just("abort"), _bucket, _index),
    st.tuples(st.just("create"), _bucket),
    st.tuples(st.just("drop"), _bucket),
    st.tuples(st.just("limit_scope"), st.sampled_from([ORG, PROJECT]), _few, _limit, _few, _limit),
    st.tuples(st.just("limit_bucket"), _bucket, _limit, _few),
    st.tuples(st.just("collect")),
    st.tuples(st.just("restart")),
)


@define
class Run:
    """The store and the model, given the same operations."""

    store: Store
    model: QuotaModel
    done: int = 0
    refused: int = 0

    async def _expect(self, errors: Sequence[type[Exception]], operation: Callable[[], Any]) -> Any:
        """Run the operation: it succeeds if the model knows no error for it, and otherwise raises one of them."""
        self.done += 1
        if not errors:
            return await operation()
        self.refused += 1
        with pytest.raises(tuple(errors)):
            await operation()
        return None

    def _errors(self, bucket: ModelBucket, stored: int, objects: int, size: int) -> list[type[Exception]]:
        """Of storing so many bytes under one name, by which the bucket grows by so many objects and bytes."""
        large = [EntityTooLarge] if stored > self.model.largest(bucket) else []
        return [*large, *([] if self.model.allows(bucket, objects, size) else [QuotaExceeded])]

    async def put(self, bucket: ModelBucket, key: str, size: int) -> None:
        old, name = bucket.replaced(key), _name(bucket)
        objects = 1 - (old is not None and not old.marker)
        errors = self._errors(bucket, size, objects, size - (old.size if old else 0))
        # Half of them unannounced: then only the commit can refuse.
        body = BytesBody(bytes(size), announce=bool(self.done % 2))

        async def operation() -> None:
            await self.store.puts.put(name, key, ObjectDraft(OWNER), body, WriteConditions())

        await self._expect(errors, operation)
        if not errors:
            bucket.put(key, size)

    async def delete(self, bucket: ModelBucket, key: str) -> None:
        await self.store.deletes.delete(_name(bucket), key, OWNER)
        if bucket.versioning == DISABLED:
            bucket.keys.pop(key, None)
        else:
            bucket.put(key, 0, marker=True)

    async def delete_version(self, bucket: ModelBucket, key: str, index: int) -> None:
        listing = await self.store.listings.versions(_name(bucket), limit=1000)
        entries = [entry for entry in listing.versions if entry.key == key]
        versions = bucket.keys.get(key, [])
        assert [entry.version.size for entry in entries] == [version.size for version in versions]
        if index < len(entries):
            await self.store.deletes.delete(_name(bucket), key, OWNER, entries[index].version.shown_id)
            del versions[index]

    async def version(self, bucket: ModelBucket, status: str) -> None:
        await self.store.buckets.set_versioning(_name(bucket), status)
        bucket.versioning = status

    async def begin(self, bucket: ModelBucket, key: str) -> None:
        upload = await self.store.uploads.create(_name(bucket), key, UploadDraft(ObjectDraft(OWNER)))
        bucket.uploads.append(ModelUpload(key, upload.upload_id))

    async def part(self, bucket: ModelBucket, index: int, number: int, size: int) -> None:
        if index >= len(bucket.uploads):
            return
        upload = bucket.uploads[index]
        errors = self._errors(bucket, size, 0, size - upload.parts.get(number, 0))
        body = BytesBody(bytes(size), announce=bool(self.done % 2))

        async def operation() -> Any:
            return await self.store.uploads.put_part(_name(bucket), upload.key, upload.upload_id, number, body)

        taken = await self._expect(errors, operation)
        if not errors:
            upload.parts[number], upload.etags[number] = size, taken.etag

    async def complete(self, bucket: ModelBucket, index: int) -> None:
        """With all parts but the last of several, so that one is given back."""
        if index >= len(bucket.uploads) or not bucket.uploads[index].parts:
            return
        upload = bucket.uploads[index]
        numbers = sorted(upload.parts)
        numbers = numbers[:-1] or numbers
        size = sum(upload.parts[number] for number in numbers)
        old = bucket.replaced(upload.key)
        errors = self._errors(bucket, size, 1 - (old is not None and not old.marker), 0)
        parts = [CompletePart(number, upload.etags[number]) for number in numbers]

        async def operation() -> None:
            await self.store.completions.complete(
                _name(bucket), upload.key, upload.upload_id, parts, conditions=WriteConditions()
            )

        await self._expect(errors, operation)
        if not errors:
            bucket.uploads.remove(upload)
            bucket.put(upload.key, size)

    async def abort(self, bucket: ModelBucket, index: int) -> None:
        if index < len(bucket.uploads):
            upload = bucket.uploads.pop(index)
            await self.store.uploads.abort(_name(bucket), upload.key, upload.upload_id)

    async def drop(self, bucket: ModelBucket) -> None:
        empty = not any(bucket.keys.values())

        async def operation() -> None:
            await self.store.buckets.delete(_name(bucket))

        await self._expect([] if empty else [BucketNotEmpty], operation)
        if empty:
            del self.model.buckets[_name(bucket)]
            self.model.limits.pop(bucket.scope, None)

    async def create(self, scope: QuotaScope) -> None:
        if scope.bucket in self.model.buckets:
            return
        errors = [] if self.model.allows_bucket(scope) else [QuotaExceeded]

        async def operation() -> None:
            assert scope.bucket is not None
            await self.store.buckets.create(
                scope.bucket, OWNER, org_id=scope.org_id, project_id=scope.project_id, region="r"
            )

        await self._expect(errors, operation)
        if not errors:
            assert scope.bucket is not None
            self.model.buckets[scope.bucket] = ModelBucket(scope)

    async def limit(self, scope: QuotaScope, limits: StorageLimits) -> None:
        await self.store.quotas.set(scope, limits)
        self.model.limits[scope] = limits

    async def apply(self, name: str, *arguments: Any) -> None:
        if name == "limit_scope":
            scope, *limits = arguments
            await self.limit(scope, StorageLimits(*limits))
        elif name == "create":
            await self.create(*arguments)
        elif name == "collect":
            await self.store.collector.run()
        else:
            scope, *rest = arguments
            bucket = self.model.buckets.get(scope.bucket)
            if bucket is None:
                return
            if name == "limit_bucket":
                await self.limit(scope, StorageLimits(max_total_size_bytes=rest[0], max_objects_per_bucket=rest[1]))
            else:
                await getattr(self, name)(bucket, *rest)

    async def check(self) -> None:
        """Every usage is the model's."""
        for scope in (ORG, PROJECT):
            assert await self.store.quotas.usage(scope) == self.model.usage(scope)
        for bucket in self.model.buckets.values():
            assert await self.store.quotas.usage(bucket.scope) == bucket.usage()


def _name(bucket: ModelBucket) -> str:
    assert bucket.scope.bucket is not None
    return bucket.scope.bucket


@asynccontextmanager
async def reopened(kv: MemoryKv, bytes_: MemoryChunkStore) -> AsyncIterator[Store]:
    world = World()
    async with (
        open_chunk_manager(bytes_, world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, LIMITS) as store,
    ):
        yield store


async def run_all(operations: list[tuple[Any, ...]], model: QuotaModel) -> tuple[int, int]:
    kv, bytes_ = MemoryKv(), MemoryChunkStore()
    done = refused = 0
    queue = [("create", scope) for scope in BUCKETS[:2]] + operations
    while True:
        async with reopened(kv, bytes_) as store:
            run = Run(store, model)
            while queue and queue[0][0] != "restart":
                await run.apply(*queue.pop(0))
                await run.check()
            assert await fsck(store.ctx, repair=False) == []
        done, refused = done + run.done, refused + run.refused
        if not queue:
            return done, refused
        queue.pop(0)


@pytest.mark.proof
def test_quotas_do_what_the_model_says(proof_full: bool, figure: Figure) -> None:
    """Objects, versions, parts, buckets and limits in any order, restarts between: refusals and usage are exact."""
    counts = [0, 0, 0]

    @settings(
        max_examples=1_500 if proof_full else 250,
        deadline=None,
        derandomize=not proof_full,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(OPERATIONS, min_size=20, max_size=60))
    def check(operations: list[tuple[Any, ...]]) -> None:
        done, refused = trio.run(run_all, operations, QuotaModel(ORG, LIMITS.max_buckets))
        counts[:] = counts[0] + 1, counts[1] + done, counts[2] + refused

    check()
    figure(f"{counts[0]} runs, {counts[1]} judged operations, {counts[2]} refused")
    assert counts[2] > 0
