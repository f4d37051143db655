"""Records of other formats: an older one is read as ours are, a newer one is refused and left alone (PROOF 11)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightningstor.errors import FormatTooNew
from lightningstor.kv.api import Put, Txn
from lightningstor.model import keys
from lightningstor.store.fsck import fsck
from lightningstor.store.references import Kind
from lightningstor.store.store import Store
from tests.conftest import Figure
from tests.s3.conftest import service_over
from tests.store.conftest import disk_store
from tests.store.content import all_keys, make_bucket, put, random_bytes, read, stored_versions

CONTENTS = {"inline": b"small", "chunked": random_bytes(300_000)}


async def row_of(store: Store, key: str) -> bytes:
    """The key of the row that holds an object's current version."""
    bucket = await store.buckets.get("bucket")
    return keys.objects_of(bucket.org_id, bucket.bucket_id) + keys.escape(key)


async def rewrite(store: Store, key: str, change: dict[str, object], *, without: tuple[str, ...] = ()) -> bytes:
    """Store another record for the object; what is in its row now."""
    row_key = await row_of(store, key)
    row = await store.ctx.kv.get(row_key)
    assert row is not None
    record = {name: value for name, value in json.loads(row.value).items() if name not in without} | change
    written = json.dumps({"v": record.pop("v"), **record}).encode()
    await store.ctx.kv.commit(Txn(puts=[Put(row_key, written)]))
    return written


async def test_an_older_record_is_read_listed_copied_and_replaced(tmp_path: Path, figure: Figure) -> None:
    """A record of format 0, made by hand, serves every operation; what is written next is of our format."""
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        for key, content in CONTENTS.items():
            await put(store, key, content)
            old = {"v": 0, "owner": "ancient", "modified": 1_400_000_000.25}
            await rewrite(store, key, old, without=("created_at", "is_null"))
    async with disk_store(tmp_path) as store:
        s3 = service_over(store).client()
        for key, content in CONTENTS.items():
            assert await read(store, key) == content
            found = (await store.objects.find("bucket", key)).version
            assert (found.owner.principal_id, found.created_at) == ("ancient", 1_400_000_000_250)
            head = await s3.head(f"/bucket/{key}")
            assert head.headers["last-modified"] == "Tue, 13 May 2014 16:53:20 GMT"
            assert (await s3.put(f"/bucket/copy-of-{key}", x_amz_copy_source=f"/bucket/{key}")).status == 200
            assert await read(store, f"copy-of-{key}") == content
        listed = await s3.get("/bucket", "list-type=2&prefix=inline")
        assert (listed.text("Contents/LastModified") or "").startswith("2014-05-13T16:53:20")
        assert await fsck(store.ctx, repair=False) == []
        await store.buckets.set_versioning("bucket", "Enabled")
        for key, content in CONTENTS.items():
            await put(store, key, b"new")
            row = await store.ctx.kv.get(await row_of(store, key))
            assert row is not None
            assert row.value.startswith(b'{"v":1,')
            assert await read(store, key, version_id="null") == content
        assert len(await stored_versions(store)) == 6
        assert await fsck(store.ctx, repair=False) == []
    figure(f"{len(CONTENTS)} records of format 0: read, listed, copied, kept as versions")


async def test_a_newer_record_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Reading, replacing and repairing all leave it as it is; the rest of the bucket goes on."""
    async with disk_store(tmp_path) as store:
        await make_bucket(store)
        for key, content in CONTENTS.items():
            await put(store, key, content)
        written = {key: await rewrite(store, key, {"v": 2, "colour": "unheard of"}) for key in CONTENTS}
        s3 = service_over(store).client()
        for key in CONTENTS:
            with pytest.raises(FormatTooNew):
                await read(store, key)
            for answer in (await s3.get(f"/bucket/{key}"), await s3.put(f"/bucket/{key}", b"x")):
                assert answer.status == 500
            with pytest.raises(FormatTooNew):
                await store.deletes.delete("bucket", key, (await store.buckets.get("bucket")).created_by)
        with pytest.raises(FormatTooNew):
            await all_keys(store)
        assert {finding.kind for finding in await fsck(store.ctx, repair=True)} >= {Kind.UNREADABLE}
        for key in CONTENTS:
            row = await store.ctx.kv.get(await row_of(store, key))
            assert row is not None
            assert row.value == written[key]
        assert len(await store.ctx.chunks.store.list_chunks("", 10)) == 1
        await put(store, "another", b"x")
        assert await read(store, "another") == b"x"
