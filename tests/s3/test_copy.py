"""CopyObject through the app."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import pytest

from tests.s3.client import Answer, Client, key_path, md5_header
from tests.s3.conftest import ALICE, BOB, Service
from tests.s3.test_buckets import ENABLE
from tests.s3.test_objects import FAR_AHEAD, LONG_AGO, etag_of

DATA = bytes(index * 13 & 0xFF for index in range(3_000_000))


async def prepare(s3: Client, data: bytes = b"data", **said: str) -> None:
    await s3.put("/bucket")
    await s3.put("/other")
    assert (await s3.put("/bucket/src", data, **said)).status == 200


async def copy(s3: Client, to: str = "/other/dst", source: str = "/bucket/src", **headers: str) -> Answer:
    return await s3.put(to, x_amz_copy_source=source, **headers)


@pytest.mark.parametrize("size", [0, 4, 5000, 3_000_000])
async def test_across_buckets(grounded: Service, size: int) -> None:
    """Bytes, metadata, headers and tags come along; the storage class does not; source and copy stand alone."""
    s3 = grounded.client()
    await prepare(
        s3,
        DATA[:size],
        content_type="text/plain",
        cache_control="no-store",
        x_amz_meta_a="1",
        x_amz_tagging="t=1",
        x_amz_storage_class="STANDARD_IA",
    )
    answer = await copy(s3)
    assert (answer.status, answer.xml.tag) == (200, "CopyObjectResult")
    assert answer.text("ETag") == etag_of(DATA[:size])
    assert (answer.text("LastModified") or "").endswith(".000Z")
    assert answer.text("ChecksumType") == "FULL_OBJECT"
    await s3.delete("/bucket/src")
    got = await s3.get("/other/dst")
    assert got.body == DATA[:size]
    told = {"content-type": "text/plain", "cache-control": "no-store", "x-amz-meta-a": "1", "x-amz-tagging-count": "1"}
    assert told.items() <= got.headers.items()
    assert "x-amz-storage-class" not in got.headers


async def test_directives(s3: Client) -> None:
    """COPY keeps what the source says, whatever the request says; REPLACE takes the request's word, for tags too."""
    await prepare(s3, content_type="text/plain", x_amz_meta_a="1", x_amz_tagging="t=1")
    await copy(s3, "/other/kept", x_amz_meta_b="2", content_type="image/png", x_amz_metadata_directive="COPY")
    kept = await s3.head("/other/kept")
    assert (kept.headers["content-type"], kept.headers["x-amz-meta-a"]) == ("text/plain", "1")
    assert "x-amz-meta-b" not in kept.headers
    await copy(
        s3,
        "/other/new",
        x_amz_meta_b="2",
        content_type="image/png",
        x_amz_metadata_directive="REPLACE",
        x_amz_tagging_directive="REPLACE",
        x_amz_tagging="u=1&v=2",
        x_amz_storage_class="ONEZONE_IA",
    )
    new = await s3.head("/other/new")
    assert (new.headers["content-type"], new.headers["x-amz-meta-b"]) == ("image/png", "2")
    assert "x-amz-meta-a" not in new.headers
    assert (new.headers["x-amz-tagging-count"], new.headers["x-amz-storage-class"]) == ("2", "ONEZONE_IA")
    assert (await copy(s3, x_amz_metadata_directive="MERGE")).code == "InvalidArgument"


async def test_onto_itself(grounded: Service) -> None:
    """With REPLACE it changes what is said of the object and keeps its bytes; without any change it is refused."""
    s3 = grounded.client()
    await prepare(s3, DATA, x_amz_meta_a="1")
    same = await copy(s3, "/bucket/src")
    assert (same.status, same.code) == (400, "InvalidRequest")
    changed = await copy(s3, "/bucket/src", x_amz_metadata_directive="REPLACE", x_amz_meta_b="2")
    assert changed.status == 200
    got = await s3.get("/bucket/src")
    assert (got.body == DATA, got.headers.get("x-amz-meta-a"), got.headers["x-amz-meta-b"]) == (True, None, "2")
    assert (await copy(s3, "/bucket/src", x_amz_storage_class="STANDARD_IA")).status == 200
    got = await s3.get("/bucket/src")
    assert (got.body == DATA, got.headers["x-amz-storage-class"]) == (True, "STANDARD_IA")


async def test_a_version(s3: Client) -> None:
    """A version is copied by its id, also onto its own key; both ids are told."""
    await prepare(s3)
    await s3.put("/bucket", ENABLE, "versioning", **md5_header(ENABLE))
    old = (await s3.put("/bucket/src", b"old")).headers["x-amz-version-id"]
    await s3.put("/bucket/src", b"new")
    answer = await copy(s3, "/bucket/src", f"/bucket/src?versionId={old}")
    assert answer.headers["x-amz-copy-source-version-id"] == old
    assert answer.headers["x-amz-version-id"] not in (old, "null")
    assert (await s3.get("/bucket/src")).body == b"old"
    marker = (await s3.delete("/bucket/src")).headers["x-amz-version-id"]
    unknown = old[:-1] + ("0" if old[-1] != "0" else "1")
    assert (await copy(s3)).code == "NoSuchKey"
    assert (await copy(s3, source=f"/bucket/src?versionId={marker}")).code == "InvalidRequest"
    assert (await copy(s3, source=f"/bucket/src?versionId={unknown}")).code == "NoSuchVersion"
    assert (await copy(s3, source="/bucket/src?versionId=nonsense")).code == "InvalidArgument"


@pytest.mark.parametrize("key", ["a b", "a+b", "a%b", "a//b", "ä", "a?b", "a?versionId=b", "../x", "\x01"])
async def test_odd_keys(s3: Client, key: str) -> None:
    """The source's key is decoded once, with and without the leading slash."""
    await s3.put("/bucket")
    await s3.put(key_path("bucket", key), key.encode())
    for slash in ("/", ""):
        assert (await copy(s3, "/bucket/dst", f"{slash}bucket/{quote(key, safe='/')}")).status == 200
        assert (await s3.get("/bucket/dst")).body == key.encode()


async def test_a_plus_in_the_source_is_a_space(s3: Client) -> None:
    """Other than in a path; whoever means a plus writes %2B (s5cmd writes spaces so, and S3 reads them so)."""
    await s3.put("/bucket")
    for key in ("a b", "a+b"):
        await s3.put(key_path("bucket", key), key.encode())
    for source, body in (("/bucket/a+b", b"a b"), ("/bucket/a%2Bb", b"a+b"), ("/bucket/a%20b", b"a b")):
        assert (await copy(s3, "/bucket/dst", source)).status == 200
        assert (await s3.get("/bucket/dst")).body == body


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("bucket", "InvalidArgument"),
        ("/bucket/", "InvalidArgument"),
        ("//src", "InvalidArgument"),
        ("/bucket/%zz", "InvalidArgument"),
        ("/bucket/src?acl", "InvalidArgument"),
        ("arn:aws:s3:us-east-1:1:accesspoint/a/object/b", "InvalidArgument"),
        ("/bucket/none", "NoSuchKey"),
        ("/nowhere/src", "NoSuchBucket"),
        ("/bucket/%FF", "InvalidURI"),
    ],
)
async def test_a_source_that_is_none(s3: Client, source: str, code: str) -> None:
    """Refused with S3's code; the destination stays as it was."""
    await prepare(s3)
    await s3.put("/other/dst", b"old")
    assert (await copy(s3, source=source)).code == code
    assert (await s3.get("/other/dst")).body == b"old"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-match": "{etag}"}, 200),
        ({"if-match": '"other"'}, 412),
        ({"if-none-match": '"other"'}, 200),
        ({"if-none-match": "{etag}"}, 412),
        ({"if-modified-since": LONG_AGO}, 200),
        ({"if-modified-since": FAR_AHEAD}, 412),
        ({"if-unmodified-since": FAR_AHEAD}, 200),
        ({"if-unmodified-since": LONG_AGO}, 412),
        ({"if-match": "{etag}", "if-unmodified-since": LONG_AGO}, 200),
        ({"if-none-match": "{etag}", "if-modified-since": LONG_AGO}, 412),
    ],
)
async def test_conditions_on_the_source(s3: Client, headers: dict[str, str], status: int) -> None:
    """x-amz-copy-source-if-…: what does not hold is always 412."""
    await prepare(s3)
    sent = {
        f"x_amz_copy_source_{name.replace('-', '_')}": value.replace("{etag}", etag_of(b"data"))
        for name, value in headers.items()
    }
    answer = await copy(s3, **sent)
    assert (answer.status, answer.code) == (status, "" if status == 200 else "PreconditionFailed")


async def test_conditions_on_the_destination(s3: Client) -> None:
    """If-None-Match: * and If-Match look at the object that would be replaced."""
    await prepare(s3)
    assert (await copy(s3, if_none_match="*")).status == 200
    assert (await copy(s3, if_none_match="*")).code == "PreconditionFailed"
    assert (await copy(s3, if_match='"other"')).code == "PreconditionFailed"
    assert (await copy(s3, if_match=etag_of(b"data"))).status == 200


async def test_the_copys_checksum(s3: Client) -> None:
    """The source's algorithm is kept, another is computed on request."""
    digest = "Om6weQ85rIfJTzhWst0sXREOaBFgImGpqSPTuyOtyLc="  # SHA-256 of "data"
    assert hashlib.sha256(b"data").digest().hex().startswith("3a6eb079")
    await prepare(s3, x_amz_checksum_sha256=digest)
    assert (await copy(s3)).text("ChecksumSHA256") == digest
    assert (await copy(s3, x_amz_checksum_algorithm="CRC32")).text("ChecksumCRC32") == "rfPzYw=="


async def test_both_sides_are_authorised(service: Service) -> None:
    """Who may not read the source, or not write the destination, copies nothing."""
    alice, bob = service.client(ALICE), service.client(BOB)
    await prepare(alice)
    await bob.put("/bobs")
    assert (await copy(bob, "/bobs/dst")).code == "AccessDenied"
    assert (await copy(alice, "/bobs/dst")).code == "AccessDenied"
    assert (await copy(bob, "/bobs/dst", "/bucket/none")).code == "AccessDenied"
    assert (await bob.get("/bobs")).texts("Contents/Key") == []
