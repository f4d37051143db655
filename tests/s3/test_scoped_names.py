"""`[s3] bucket_names = "scoped"`: a name is looked up in the caller's project and organisation, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import BucketNamesFixed, NoSuchBucket
from lightningstor.iam.errors import EntityInUse
from lightningstor.kv.api import Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.model.records import Owner
from lightningstor.ports import World
from lightningstor.store.api import StoreLimits
from lightningstor.store.naming import naming_of
from lightningstor.store.store import open_store
from lightningstor.testing.faulty_kv import FaultyKv
from tests.s3.client import Client, md5_header
from tests.s3.conftest import ALICE
from tests.s3.test_callers import BATCH, Place, as_root, open_place

NAME = "/photos"


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with open_place(scoped_names=True) as made:
        yield made


async def people(place: Place) -> tuple[Client, Client, Client, Client]:
    """Of acme: its owner, and those of its projects web and db; and of another organisation."""
    alice, olga, dora, bob = [await place.client(name) for name in ("alice", "olga", "dora", "bob")]
    return alice, olga, dora, bob


async def test_a_name_is_anothers_elsewhere(place: Place) -> None:
    """Two projects and another organisation have each a bucket of the same name, with content of its own."""
    _, olga, dora, bob = await people(place)
    for number, client in enumerate((olga, dora, bob)):
        assert (await client.put(NAME)).status == 200
        assert (await client.put(f"{NAME}/key", b"%d" % number)).status == 200
    for number, client in enumerate((olga, dora, bob)):
        assert (await client.get(f"{NAME}/key")).body == b"%d" % number
        assert (await client.get(NAME)).texts("Name") == ["photos"]
        url = client.presign("GET", f"{NAME}/key")
        from tests.s3.client import Body

        assert (await client.raw("GET", f"{NAME}/key", url, {"host": client.host}, Body([b""]))).body == b"%d" % number
    assert (await dora.delete(f"{NAME}/key")).status == 204
    assert (await dora.delete(NAME)).status == 204
    assert (await dora.get(NAME)).code == "NoSuchBucket"
    assert [(await client.get(f"{NAME}/key")).status for client in (olga, bob)] == [200, 200]
    assert (await dora.put(NAME)).status == 200
    assert (await dora.get(f"{NAME}/key")).code == "NoSuchKey"


async def test_where_a_name_is_looked_up(place: Place) -> None:
    """In the caller's project, then its organisation; not in other projects, not in other organisations."""
    alice, olga, dora, bob = await people(place)
    root = await as_root(place, "")
    statuses = {
        path: [(await client.head(path)).status for client in (alice, olga, dora, bob, root)]
        for path in ("/bucket", "/shared", "/bucket/key", "/shared/key")
    }
    assert statuses == {
        "/bucket": [404, 200, 404, 404, 404],
        "/shared": [200, 200, 200, 404, 404],
        "/bucket/key": [404, 200, 404, 404, 404],
        "/shared/key": [200, 200, 200, 404, 404],
    }
    shown = [(await client.get("/")).texts("Buckets/Bucket/Name") for client in (alice, olga, dora, bob, root)]
    assert shown == [["shared"], ["bucket", "shared"], ["shared"], [], []]


async def test_no_bucket_shadows_another(place: Place) -> None:
    """A project cannot take a name of its organisation, nor the organisation one of its projects', until it is free."""
    alice, olga, dora, _ = await people(place)
    assert (await olga.put("/shared")).code == "BucketAlreadyExists"
    assert (await alice.put("/bucket")).code == "BucketAlreadyExists"
    assert (await alice.put("/shared")).status == 200  # its own: as in us-east-1
    assert (await dora.put("/bucket")).status == 200
    for key in ("key", "kept"):
        await olga.delete(f"/bucket/{key}")
    assert (await olga.delete("/bucket")).status == 204
    assert (await alice.put("/bucket")).code == "BucketAlreadyExists"
    assert (await dora.delete("/bucket")).status == 204
    assert (await alice.put("/bucket")).status == 200
    assert (await dora.put("/bucket")).code == "BucketAlreadyExists"


async def test_racing_for_a_name(place: Place) -> None:
    """Of an organisation and its projects that make a bucket at once, either it has it, or each of them has its own."""
    alice, olga, dora, _ = await people(place)
    for number in range(20):
        path, won = f"/race-{number}", []

        async def make(client: Client, path: str = path, won: list[Client] = won) -> None:
            if (await client.put(path)).status == 200:
                won.append(client)

        async with trio.open_nursery() as nursery:
            for client in (alice, olga, dora):
                nursery.start_soon(make, client)
        assert won == [alice] or set(map(id, won)) == {id(olga), id(dora)}


async def test_every_path_goes_to_the_callers_own(place: Place) -> None:
    """Copies, batches and multipart uploads find source and target in the caller's scope, and show the plain name."""
    _, olga, dora, _ = await people(place)
    for client in (olga, dora):
        assert (await client.put(NAME)).status == 200
    await olga.put(f"{NAME}/source", b"olga's")
    for query in ("", "partNumber=1&uploadId=" + "0" * 30):
        answer = await dora.put(f"{NAME}/copy", b"", query, x_amz_copy_source="/photos/source")
        assert answer.status == 404
        assert (await dora.put(f"{NAME}/copy", b"", query, x_amz_copy_source="/bucket/key")).code == "NoSuchBucket"
    assert (await olga.put(f"{NAME}/copy", x_amz_copy_source="/shared/key")).status == 200
    started = await olga.post(f"{NAME}/large", b"", "uploads")
    assert started.text("Bucket") == "photos"
    upload = started.text("UploadId")
    part = await olga.put(f"{NAME}/large", b"content", f"partNumber=1&uploadId={upload}")
    assert (await dora.put(f"{NAME}/large", b"x", f"partNumber=1&uploadId={upload}")).code == "NoSuchUpload"
    listed = await olga.get(f"{NAME}/large", f"uploadId={upload}")
    assert listed.text("Bucket") == "photos"
    document = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{part.headers['etag']}</ETag></Part>"
        "</CompleteMultipartUpload>"
    ).encode()
    done = await olga.post(f"{NAME}/large", document, f"uploadId={upload}")
    assert (done.text("Bucket"), done.text("Key")) == ("photos", "large")
    assert (await dora.put(f"{NAME}/key", b"dora's")).status == 200
    assert (await olga.put(f"{NAME}/key", b"olga's")).status == 200
    assert (await dora.post(NAME, BATCH, "delete", **md5_header(BATCH))).texts("Deleted/Key") == ["key"]
    assert [(await client.head(f"{NAME}/key")).status for client in (olga, dora)] == [200, 404]


# The store beneath


OWNER = ALICE.owner


async def test_uploads_expire_in_scoped_buckets() -> None:
    """The job that ends old uploads finds their buckets, whatever else is called like them."""
    world = World()
    async with (
        open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
        open_store(MemoryKv(), chunks, world, StoreLimits(upload_timeout_ms=-1), scoped_names=True) as store,
    ):
        for project in ("web", "db"):
            await store.buckets.create("photos", OWNER, org_id="acme", project_id=project, region="")
        from lightningstor.store.api import ObjectDraft, UploadDraft

        name = await store.buckets.resolve("photos", "acme", "web")
        await store.uploads.create(name, "key", UploadDraft(ObjectDraft(OWNER)))
        assert await store.uploads.expire() == 1
        with pytest.raises(NoSuchBucket):
            await store.buckets.get("photos")


async def test_how_names_work_is_settled_with_the_first_bucket() -> None:
    """A store with buckets opens only as they were named; one without may be changed."""
    world, kv = World(), MemoryKv()

    async def opened(scoped: bool, bucket: str | None = None) -> None:
        async with (
            open_chunk_manager(MemoryChunkStore(), world=world, chunk_size=1 << 20) as chunks,
            open_store(kv, chunks, world, scoped_names=scoped) as store,
        ):
            if bucket is not None:
                await store.buckets.create(bucket, OWNER, org_id="acme", project_id=None, region="")

    await opened(True)
    await opened(False)
    await opened(True, "photos")
    with pytest.raises(BucketNamesFixed, match="scoped"):
        await naming_of(kv, scoped=False)
    await opened(True)


@pytest.mark.parametrize("scoped", [False, True])
async def test_a_bucket_and_the_end_of_its_project(scoped: bool) -> None:
    """Whoever makes a bucket while its project is being deleted keeps the project, or makes it in none: never both."""
    async with open_place(scoped_names=scoped) as place:
        directory, kv = place.directory, place.kv
        await directory.projects.create("acme", "fleeting")
        store = place.app._endpoint.store

        async def make(number: int, txn: Txn) -> None:
            faulty.before = None
            owner = Owner("alice", "alice", "alice")
            await store.buckets.create("late", owner, org_id="acme", project_id="fleeting", region="")

        faulty = FaultyKv(kv, before=make)
        directory.ledger.kv = faulty
        with pytest.raises(EntityInUse, match="buckets"):
            await directory.projects.delete("acme", "fleeting")
        assert directory.projects.get("acme", "fleeting")
