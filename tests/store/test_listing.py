"""Listing: pages agree with a model that sorts and groups, whatever the keys, markers and page sizes."""

from __future__ import annotations

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.store.api import ObjectDraft, UploadDraft
from lightningstor.store.store import Store
from tests.store.conftest import memory_store
from tests.store.content import OWNER, all_keys, make_bucket, put

_KEY = st.text(st.sampled_from(["a", "b", "/", "\0", "é", "\U0001f600", "%"]), min_size=1, max_size=5)


def _grouped(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What a listing shows: keys and common prefixes, in order."""
    shown: list[str] = []
    for key in sorted(keys, key=lambda key: key.encode()):
        if not key.startswith(prefix):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        name = key if at < 0 else key[: at + len(delimiter)]
        if not shown or shown[-1] != name:
            shown.append(name)
    return shown


@settings(max_examples=80, deadline=None)
@given(
    st.lists(_KEY, unique=True, max_size=12),
    st.sampled_from(["", "a", "a/", "b\0"]),
    st.sampled_from(["", "/", "a", "\0"]),
    st.integers(1, 5),
)
def test_pages_are_the_sorted_whole(keys: list[str], prefix: str, delimiter: str, page: int) -> None:
    """Pages of objects, versions and uploads, of any size, add up to the sorted, grouped whole."""

    async def check() -> None:
        async with memory_store() as store:
            await make_bucket(store, versioned=True)
            for key in keys:
                await put(store, key, b"1")
                await put(store, key, b"2")
                await put(store, "hidden/" + key)
                await store.deletes.delete("bucket", "hidden/" + key, OWNER)
                await store.uploads.create("bucket", key, UploadDraft(ObjectDraft(OWNER)))
            expected = _grouped(keys, prefix, delimiter)
            assert await _pages_of_objects(store, prefix, delimiter, page) == expected
            grouped = [name for name in expected if name not in keys]
            doubled = [name for name in expected for _ in range(1 if _is_group(name, prefix, delimiter) else 2)]
            assert await _pages_of_versions(store, prefix, delimiter, page) == doubled
            assert await _pages_of_uploads(store, prefix, delimiter, page) == expected
            assert set(grouped) <= set(expected)

    trio.run(check)


def _is_group(name: str, prefix: str, delimiter: str) -> bool:
    return bool(delimiter) and name.find(delimiter, len(prefix)) >= 0


async def _pages_of_objects(store: Store, prefix: str, delimiter: str, page: int) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        listing = await store.listings.objects("bucket", prefix=prefix, delimiter=delimiter, after=after, limit=page)
        names = sorted([key for key, _ in listing.objects] + list(listing.prefixes), key=lambda name: name.encode())
        assert len(names) <= page
        found += names
        if not listing.truncated:
            return found
        assert listing.next_after is not None
        after = listing.next_after


async def _pages_of_versions(store: Store, prefix: str, delimiter: str, page: int) -> list[str]:
    found: list[str] = []
    key, version = "", None
    while True:
        listing = await store.listings.versions(
            "bucket", prefix=prefix, delimiter=delimiter, key_marker=key, version_id_marker=version, limit=page
        )
        shown = [entry for entry in listing.versions if not entry.key.startswith("hidden/")]
        prefixes = [name for name in listing.prefixes if not name.startswith("hidden/")]
        names = sorted([entry.key for entry in shown] + prefixes, key=lambda name: name.encode())
        assert len(listing.versions) + len(listing.prefixes) <= page
        found += names
        if not listing.truncated:
            return [name for name in found if not name.startswith("hidden")]
        assert listing.next_key is not None
        key, version = listing.next_key, listing.next_version_id


async def _pages_of_uploads(store: Store, prefix: str, delimiter: str, page: int) -> list[str]:
    found: list[str] = []
    key, upload_id = "", None
    while True:
        listing = await store.listings.uploads(
            "bucket", prefix=prefix, delimiter=delimiter, key_marker=key, upload_id_marker=upload_id, limit=page
        )
        names = [summary.key for summary in listing.uploads] + list(listing.prefixes)
        assert len(names) <= page
        found += sorted(names, key=lambda name: name.encode())
        if not listing.truncated:
            return found
        assert listing.next_key is not None
        key, upload_id = listing.next_key, listing.next_upload_id


async def test_paging_under_writes_skips_nothing_that_was_there(store: Store) -> None:
    """Keys that are there throughout occur exactly once in the pages, while others come and go between them."""
    await make_bucket(store)
    steady = [f"steady/{number:03d}" for number in range(60)]
    for key in steady:
        await put(store, key)
    found: list[str] = []
    after = ""
    for turn in range(100):
        listing = await store.listings.objects("bucket", after=after, limit=7)
        found += [key for key, _ in listing.objects if key in steady]
        if not listing.truncated:
            break
        after = listing.next_after or ""
        await put(store, f"steady/{turn * 3:03d}-passing")
        await store.deletes.delete("bucket", f"steady/{turn * 3 - 6:03d}-passing", OWNER)
    assert found == steady


async def test_start_behind_a_key(store: Store) -> None:
    """`after` need not be a key that exists; a prefix beyond it wins."""
    await make_bucket(store)
    for key in ("a", "b", "b/1", "c"):
        await put(store, key)
    listing = await store.listings.objects("bucket", after="aa", limit=10)
    assert [key for key, _ in listing.objects] == ["b", "b/1", "c"]
    listing = await store.listings.objects("bucket", prefix="c", after="a", limit=10)
    assert [key for key, _ in listing.objects] == ["c"]
    assert await all_keys(store, page=1) == ["a", "b", "b/1", "c"]
    assert (await store.listings.objects("bucket", limit=0)).truncated is False
