"""Versioning: what S3 promises of versions, markers and the null version, against a model of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.errors import (
    CurrentIsDeleteMarker,
    InvalidVersionId,
    NoSuchKey,
    NoSuchVersion,
    VersionIsDeleteMarker,
)
from lightningstor.model.records import ENABLED, SUSPENDED
from lightningstor.store.store import Store
from tests.store.conftest import memory_store
from tests.store.content import OWNER, make_bucket, put, read, stored_versions


async def test_versions_are_listed_newest_first(store: Store) -> None:
    """Every put of an enabled bucket adds a version in front; each can be read by its id."""
    await make_bucket(store, versioned=True)
    ids = [(await put(store, "key", data)).version.shown_id for data in (b"1", b"22", b"333")]
    assert [version for _, version, _ in await stored_versions(store)] == ids[::-1]
    assert [await read(store, "key", version_id=version) for version in ids] == [b"1", b"22", b"333"]
    assert await store.usage("bucket") == (3, 6)


async def test_the_null_version_becomes_one_of_many(store: Store) -> None:
    """What was put before versioning is version "null"; it can be read, and deleted, as that."""
    await make_bucket(store)
    await put(store, "key", b"before")
    await store.buckets.set_versioning("bucket", ENABLED)
    await put(store, "key", b"after")
    assert await read(store, "key", version_id="null") == b"before"
    deleted = await store.deletes.delete("bucket", "key", OWNER, "null")
    assert deleted.version_id == "null"
    with pytest.raises(NoSuchVersion):
        await read(store, "key", version_id="null")
    assert len(await stored_versions(store)) == 1


async def test_suspended_versioning_replaces_the_null_version_only(store: Store) -> None:
    """Suspended: a put makes or replaces the null version; the others stay."""
    await make_bucket(store, versioned=True)
    kept = (await put(store, "key", b"kept")).version.shown_id
    await store.buckets.set_versioning("bucket", SUSPENDED)
    for data in (b"null 1", b"null 2"):
        assert (await put(store, "key", data)).version.shown_id == "null"
    assert [version for _, version, _ in await stored_versions(store)] == ["null", kept]
    await store.buckets.set_versioning("bucket", ENABLED)
    newest = (await put(store, "key", b"newest")).version.shown_id
    await store.buckets.set_versioning("bucket", SUSPENDED)
    await put(store, "key", b"null 3")
    assert [version for _, version, _ in await stored_versions(store)] == ["null", newest, kept]
    assert await read(store, "key", version_id="null") == b"null 3"
    marker = await store.deletes.delete("bucket", "key", OWNER)
    assert (marker.version_id, marker.delete_marker) == ("null", True)
    assert [version for _, version, _ in await stored_versions(store)] == ["null", newest, kept]


async def test_deleting_the_current_version_brings_back_the_one_before(store: Store) -> None:
    """Deleting by version id promotes the newest of those left; a neighbour key that goes on with NUL is left alone."""
    await make_bucket(store, versioned=True)
    await put(store, "key\0x", b"neighbour 1")
    await put(store, "key\0x", b"neighbour 2")
    first = (await put(store, "key", b"first")).version.shown_id
    second = (await put(store, "key", b"second")).version.shown_id
    await store.deletes.delete("bucket", "key", OWNER, second)
    assert await read(store, "key") == b"first"
    await store.deletes.delete("bucket", "key", OWNER, first)
    with pytest.raises(NoSuchKey):
        await read(store, "key")
    assert await read(store, "key\0x") == b"neighbour 2"
    assert len(await stored_versions(store)) == 2


async def test_ids_that_name_nothing(store: Store) -> None:
    """An id of ours that no version has is NoSuchVersion; any other text is InvalidVersionId; a marker has no bytes."""
    await make_bucket(store, versioned=True)
    version = (await put(store, "key")).version.shown_id
    other = (await put(store, "other")).version.shown_id
    with pytest.raises(NoSuchVersion):
        await read(store, "key", version_id=other)
    with pytest.raises(InvalidVersionId):
        await read(store, "key", version_id="nonsense")
    marker = await store.deletes.delete("bucket", "key", OWNER)
    with pytest.raises(VersionIsDeleteMarker):
        await read(store, "key", version_id=marker.version_id)
    assert await read(store, "key", version_id=version) == b"data"


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(["a", "b", "a\0"])),
        st.tuples(st.just("delete"), st.sampled_from(["a", "b", "a\0"])),
        st.tuples(st.just("delete version"), st.integers(0, 20)),
        st.tuples(st.just("versioning"), st.sampled_from([ENABLED, SUSPENDED])),
    ),
    max_size=30,
)


class _Model:
    """What S3 keeps: per key the versions, newest first, as (id, content or None for a marker)."""

    def __init__(self) -> None:
        self.versioning = "Disabled"
        self.keys: dict[str, list[tuple[str, bytes | None]]] = {}

    def add(self, key: str, version_id: str, content: bytes | None) -> None:
        versions = self.keys.setdefault(key, [])
        if self.versioning != ENABLED:
            versions[:] = [version for version in versions if version[0] != "null"]
        versions.insert(0, (version_id, content))

    def entries(self) -> list[tuple[str, str, bool]]:
        ordered = sorted(self.keys, key=lambda key: key.encode())
        return [(key, version, content is None) for key in ordered for version, content in self.keys[key]]


@settings(max_examples=60, deadline=None)
@given(_STEPS)
def test_random_histories_agree_with_the_model(steps: list[tuple[str, str | int]]) -> None:
    """After any history the versions, their order, the contents, the usage and what is left of bytes are S3's."""
    import trio

    async def replay() -> None:
        async with memory_store() as store:
            await make_bucket(store)
            model = _Model()
            for number, (step, argument) in enumerate(steps):
                await _take(store, model, number, step, argument)
                assert await stored_versions(store) == model.entries()
            await _compare(store, model)

    trio.run(replay)


async def _take(store: Store, model: _Model, number: int, step: str, argument: str | int) -> None:
    if step == "put":
        content = b"%d" % number * (2000 if number % 3 == 0 else 1)
        written = await put(store, str(argument), content)
        model.add(str(argument), written.version.shown_id, content)
    elif step == "delete":
        deleted = await store.deletes.delete("bucket", str(argument), OWNER)
        if model.versioning == "Disabled":
            model.keys.pop(str(argument), None)
        else:
            assert deleted.version_id is not None
            model.add(str(argument), deleted.version_id, None)
    elif step == "versioning":
        model.versioning = str(argument)
        await store.buckets.set_versioning("bucket", model.versioning)
    elif entries := model.entries():
        key, version, _ = entries[int(argument) % len(entries)]
        await store.deletes.delete("bucket", key, OWNER, version)
        model.keys[key] = [kept for kept in model.keys[key] if kept[0] != version]


async def _compare(store: Store, model: _Model) -> None:
    contents = [
        (key, version, content) for key, versions in model.keys.items() for version, content in versions if content
    ]
    for key, version, content in contents:
        assert await read(store, key, version_id=version) == content
    for key, versions in model.keys.items():
        if versions and versions[0][1] is not None:
            assert await read(store, key) == versions[0][1]
        else:
            with pytest.raises((NoSuchKey, CurrentIsDeleteMarker)):
                await read(store, key)
    assert await store.usage("bucket") == (len(contents), sum(len(content) for _, _, content in contents))
    await store.collector.run()
    bodies = await store.ctx.kv.scan(b"lightningstor/data/", b"lightningstor/data0", 1000)
    manifests = await store.ctx.kv.scan(b"lightningstor/manifests/", b"lightningstor/manifests0", 1000)
    assert len(bodies) + len(manifests) == len(contents)
