"""Objects: what is put is read, whole or in part; what fails or is refused leaves the old state."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightningstor.errors import (
    BadDigest,
    CurrentIsDeleteMarker,
    EntityTooLarge,
    IncompleteBody,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
    StoreError,
)
from lightningstor.kv.api import Put, Txn
from lightningstor.store.api import ExpectedDigest, ObjectDraft, ReadPlan, StoreLimits, WriteConditions
from lightningstor.store.copy import Source
from lightningstor.store.store import Store
from tests.store.conftest import disk_store, memory_store
from tests.store.content import (
    OWNER,
    BytesBody,
    make_bucket,
    md5,
    put,
    random_bytes,
    read,
)

SIZES = [0, 1, 4095, 4096, 4097, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 12_345]


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_is_read(store: Store, size: int) -> None:
    """Every size around the edges of inline bodies, blocks and chunks comes back, with its MD5 as ETag."""
    await make_bucket(store)
    data = random_bytes(size, size)
    written = await put(store, "key", data)
    assert written.version.etag == md5(data)
    assert written.version.size == size
    assert await read(store, "key") == data
    assert await store.usage("bucket") == (1, size)


@pytest.mark.parametrize("announce", [True, False])
async def test_a_body_need_not_announce_its_length(store: Store, announce: bool) -> None:
    """The layout follows from the bytes received, in whatever pieces they come."""
    await make_bucket(store)
    for size, piece in ((3000, 7), (100_000, 999), (2_500_000, 100_001)):
        data = random_bytes(size)
        body = BytesBody(data, piece=piece, announce=announce)
        await store.puts.put("bucket", f"k{size}", ObjectDraft(OWNER), body, WriteConditions())
        assert await read(store, f"k{size}") == data


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (65_535, 2), (1_048_575, 2), (100, 2_000_000), (2_999_999, 1)])
async def test_ranges(store: Store, offset: int, length: int) -> None:
    """A range of a chunked object is exactly those bytes."""
    await make_bucket(store)
    data = random_bytes(3_000_000)
    await put(store, "key", data)
    opened = await store.reads.open("bucket", "key", None, lambda found: ReadPlan(offset, length))
    pieces = [bytes(opened.first)]
    while (piece := await opened.next()) is not None:
        pieces.append(bytes(piece))
    await opened.aclose()
    assert b"".join(pieces) == data[offset : offset + length]
    assert len(store.ctx.pins) == 0


async def test_the_odd_keys_are_keys_like_others(store: Store) -> None:
    """Dots, slashes, NUL, unicode and percent signs in keys are data; no two of them meet."""
    await make_bucket(store)
    odd = ["..", "../x", "/", "//", "a", "a/", "a//b", "a/b", "a\0", "a\0b", "%2F", "ü", "\U0001f600", " ", "+", "\\"]
    for key in odd:
        await put(store, key, key.encode())
    for key in odd:
        assert await read(store, key) == key.encode()
    listing = await store.listings.objects("bucket", limit=1000)
    assert [key for key, _ in listing.objects] == sorted(odd, key=lambda key: key.encode())


@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_a_wrong_digest_leaves_the_old_object(store: Store, size: int) -> None:
    """Bytes that are not those announced are never published, and none of them stays."""
    await make_bucket(store)
    await put(store, "key", b"old")
    wrong = ExpectedDigest("sha256", b"\0" * 32, lambda computed: BadDigest("sha256", "00", computed.hex()))
    body = BytesBody(random_bytes(size), expected=[wrong])
    with pytest.raises(BadDigest):
        await store.puts.put("bucket", "key", ObjectDraft(OWNER), body, WriteConditions())
    assert await read(store, "key") == b"old"
    assert await store.usage("bucket") == (1, 3)
    assert await store.ctx.chunks.store.list_chunks("", 10) == []


class _BreaksOff(BytesBody):
    """A body whose sender goes away when everything but the end has come."""

    async def receive(self) -> bytes:
        piece = bytes(await super().receive())
        if not piece:
            raise IncompleteBody("the sender has gone")
        return piece


@pytest.mark.parametrize("size", [10, 100_000, 3_000_000])
async def test_a_body_that_breaks_off_leaves_nothing(store: Store, size: int) -> None:
    """An error from the body is passed on, and no chunk stays behind."""
    await make_bucket(store)
    with pytest.raises(IncompleteBody):
        await store.puts.put("bucket", "key", ObjectDraft(OWNER), _BreaksOff(random_bytes(size)), WriteConditions())
    with pytest.raises(NoSuchKey):
        await read(store, "key")
    assert await store.ctx.chunks.store.list_chunks("", 10) == []


async def test_limits_of_size(tmp_path: Path) -> None:
    """A body over the limit is refused before it is read if its length is announced, and at the limit otherwise."""
    async with memory_store(StoreLimits(max_put_size_bytes=100_000, max_inline_bytes=100)) as store:
        await make_bucket(store)
        for announce in (True, False):
            body = BytesBody(bytes(100_001), announce=announce)
            with pytest.raises(EntityTooLarge):
                await store.puts.put("bucket", "key", ObjectDraft(OWNER), body, WriteConditions())
        await put(store, "key", bytes(100_000))


async def test_conditions_of_a_write(store: Store) -> None:
    """If-None-Match: * wants no object, If-Match this one; a missing object is NoSuchKey for If-Match."""
    await make_bucket(store)
    with pytest.raises(NoSuchKey):
        await put(store, "key", b"x", conditions=WriteConditions(if_match="*"))
    await put(store, "key", b"1", conditions=WriteConditions(if_none_match=True))
    with pytest.raises(PreconditionFailed):
        await put(store, "key", b"2", conditions=WriteConditions(if_none_match=True))
    with pytest.raises(PreconditionFailed):
        await put(store, "key", b"2", conditions=WriteConditions(if_match=md5(b"other")))
    await put(store, "key", b"2", conditions=WriteConditions(if_match=md5(b"1")))
    assert await read(store, "key") == b"2"


async def test_replaced_and_deleted_bytes_are_collected(store: Store) -> None:
    """After a pass of the collector nothing of a replaced or deleted body is left."""
    await make_bucket(store)
    for data in (b"small", random_bytes(2_000_000), b"small again"):
        await put(store, "key", data)
    await store.deletes.delete("bucket", "key", OWNER)
    assert await store.usage("bucket") == (0, 0)
    assert await store.collector.run() == 3
    assert await store.collector.backlog() == 0
    assert await store.ctx.chunks.store.list_chunks("", 10) == []
    assert await store.ctx.kv.scan(b"lightningstor/manifests/", b"lightningstor/manifests0", 10) == []


async def test_a_reader_keeps_its_bytes(store: Store) -> None:
    """An object that is deleted and collected while it is read is read to its end."""
    await make_bucket(store)
    data = random_bytes(3_000_000)
    await put(store, "key", data)
    opened = await store.reads.open("bucket", "key", None, lambda found: None)
    await store.deletes.delete("bucket", "key", OWNER)
    assert await store.collector.run() == 0
    pieces = [bytes(opened.first)]
    while (piece := await opened.next()) is not None:
        pieces.append(bytes(piece))
    await opened.aclose()
    assert b"".join(pieces) == data
    assert await store.collector.run() == 1
    assert await store.ctx.chunks.store.list_chunks("", 10) == []


async def test_copy(store: Store) -> None:
    """A copy has the source's bytes, within a bucket and across; the draft says what else it has."""
    await make_bucket(store)
    await make_bucket(store, "other")
    data = random_bytes(2_000_000)
    await put(store, "key", data)
    for target in ("bucket", "other"):
        copied = await store.copies.copy(
            Source("bucket", "key"),
            lambda found: None,
            target,
            "copy",
            lambda found: ObjectDraft(OWNER, content_type="image/png"),
            WriteConditions(),
            replace_metadata=False,
        )
        assert copied.written.version.content_type == "image/png"
        assert await read(store, "copy", target) == data
    assert await store.usage("bucket") == (2, 2 * len(data))
    await store.deletes.delete("bucket", "key", OWNER)
    await store.collector.run()
    assert await read(store, "copy") == data


async def test_a_copy_onto_itself_keeps_the_bytes_where_they_are(store: Store) -> None:
    """REPLACE on itself changes the metadata; the body stays, is counted once and never freed."""
    await make_bucket(store)
    data = random_bytes(2_000_000)
    before = (await put(store, "key", data)).version
    copied = await store.copies.copy(
        Source("bucket", "key"),
        lambda found: None,
        "bucket",
        "key",
        lambda found: ObjectDraft(OWNER, metadata={"a": "b"}),
        WriteConditions(),
        replace_metadata=True,
    )
    assert copied.written.version.body == before.body
    assert copied.written.version.metadata == {"a": "b"}
    await store.collector.run()
    assert await read(store, "key") == data
    assert await store.usage("bucket") == (1, len(data))


async def test_unknown_names(store: Store) -> None:
    """A missing bucket is NoSuchBucket everywhere, a missing key NoSuchKey; deleting a missing key is no error."""
    await make_bucket(store)
    for call in (
        lambda: put(store, "key", bucket="none"),
        lambda: read(store, "key", bucket="none"),
        lambda: store.deletes.delete("none", "key", OWNER),
        lambda: store.listings.objects("none", limit=1),
        lambda: store.uploads.list_parts("none", "key", "id", limit=1),
    ):
        with pytest.raises(NoSuchBucket):
            await call()
    with pytest.raises(NoSuchKey):
        await read(store, "key")
    assert (await store.deletes.delete("bucket", "key", OWNER)).version_id is None


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """A store that is closed and opened again holds the same, under a new boot number."""
    small, large = b"small", random_bytes(2_000_000)
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        await put(store, "small", small)
        await put(store, "large", large)
        boot = store.ctx.boot
    async with disk_store(tmp_path) as store:
        assert store.ctx.boot == boot + 1
        assert await read(store, "small") == small
        assert await read(store, "large") == large
        assert await store.usage("bucket") == (2, len(small) + len(large))


async def test_a_flipped_byte_is_found(tmp_path: Path) -> None:
    """A stored byte that changes between two reads makes the second one fail, small bodies and chunks alike."""
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        await put(store, "small", b"small")
        await put(store, "large", random_bytes(2_000_000))
        assert await read(store, "small") == b"small"
        await read(store, "large")
        version = (await store.objects.find("bucket", "small")).version
        assert version.body is not None
        row_key = b"lightningstor/data/" + version.body.data_id.encode()
        await store.ctx.kv.commit(Txn(puts=[Put(row_key, b"Small")]))
        (chunk, *_) = await store.ctx.chunks.store.list_chunks("", 10)
        (path,) = (tmp_path / "chunks").rglob(chunk)
        raw = bytearray(path.read_bytes())
        raw[70_000] ^= 1
        path.write_bytes(raw)
        for key in ("small", "large"):
            with pytest.raises(StoreError, match=r"written|differ|checksum"):
                await read(store, key)


async def test_a_deleted_key_of_a_versioned_bucket_is_a_marker(store: Store) -> None:
    """Deleting without a version id hides the object behind a marker; deleting the marker brings it back."""
    await make_bucket(store, versioned=True)
    await put(store, "key", b"one")
    marker = await store.deletes.delete("bucket", "key", OWNER)
    assert marker.delete_marker
    with pytest.raises(CurrentIsDeleteMarker):
        await read(store, "key")
    removed = await store.deletes.delete("bucket", "key", OWNER, marker.version_id)
    assert removed.delete_marker
    assert await read(store, "key") == b"one"
