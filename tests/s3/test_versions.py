"""Versions, delete markers and tags through the app."""

from __future__ import annotations

import pytest

from tests.s3.client import Client, md5_header
from tests.s3.conftest import Service
from tests.s3.test_buckets import ENABLE, SUSPEND, tagging


async def versioned(s3: Client, document: bytes = ENABLE) -> None:
    await s3.put("/bucket")
    await s3.put("/bucket", document, "versioning", **md5_header(document))


async def put(s3: Client, body: bytes) -> str:
    return (await s3.put("/bucket/key", body)).headers["x-amz-version-id"]


async def test_every_version_stays_readable(grounded: Service) -> None:
    """The newest under the bare key, each under its id, with the id in the answer; HEAD too."""
    s3 = grounded.client()
    await versioned(s3)
    ids = [await put(s3, body) for body in (b"1", b"22", b"333")]
    assert len(set(ids)) == 3
    assert (await s3.get("/bucket/key")).body == b"333"
    for version, body in zip(ids, (b"1", b"22", b"333"), strict=True):
        got = await s3.get("/bucket/key", f"versionId={version}")
        assert (got.body, got.headers["x-amz-version-id"]) == (body, version)
        assert (await s3.head("/bucket/key", f"versionId={version}")).headers["content-length"] == str(len(body))


async def test_a_delete_marker(s3: Client) -> None:
    """DELETE hides the object behind a marker: 404 that says so; the marker itself is 405; without it, it is back."""
    await versioned(s3)
    version = await put(s3, b"x")
    gone = await s3.delete("/bucket/key")
    marker = gone.headers["x-amz-version-id"]
    assert (gone.status, gone.headers["x-amz-delete-marker"]) == (204, "true")
    hidden = await s3.get("/bucket/key")
    assert (hidden.status, hidden.code) == (404, "NoSuchKey")
    assert (hidden.headers["x-amz-delete-marker"], hidden.headers["x-amz-version-id"]) == ("true", marker)
    named = await s3.get("/bucket/key", f"versionId={marker}")
    assert (named.status, named.code, named.headers["allow"]) == (405, "MethodNotAllowed", "DELETE")
    assert (await s3.head("/bucket/key", f"versionId={marker}")).status == 405
    assert (await s3.get("/bucket/key", f"versionId={version}")).body == b"x"
    removed = await s3.delete("/bucket/key", f"versionId={marker}")
    assert (removed.headers["x-amz-delete-marker"], removed.headers["x-amz-version-id"]) == ("true", marker)
    assert (await s3.get("/bucket/key")).body == b"x"


async def test_deleting_a_version_for_good(s3: Client) -> None:
    """It is gone, the one before it is current; deleting it again is no error."""
    await versioned(s3)
    first, second = await put(s3, b"1"), await put(s3, b"2")
    for _ in range(2):
        gone = await s3.delete("/bucket/key", f"versionId={second}")
        assert (gone.status, gone.headers["x-amz-version-id"]) == (204, second)
        assert "x-amz-delete-marker" not in gone.headers
    assert (await s3.get("/bucket/key")).headers["x-amz-version-id"] == first
    answer = await s3.get("/bucket/key", f"versionId={second}")
    assert (answer.status, answer.code) == (404, "NoSuchVersion")


async def test_suspended(s3: Client) -> None:
    """While suspended there is one null version, replaced by the next; older versions stay."""
    await versioned(s3)
    kept = await put(s3, b"kept")
    await s3.put("/bucket", SUSPEND, "versioning", **md5_header(SUSPEND))
    assert [await put(s3, body) for body in (b"1", b"2")] == ["null", "null"]
    assert (await s3.get("/bucket/key", "versionId=null")).body == b"2"
    assert (await s3.get("/bucket/key", f"versionId={kept}")).body == b"kept"
    gone = await s3.delete("/bucket/key")
    assert (gone.headers["x-amz-version-id"], gone.headers["x-amz-delete-marker"]) == ("null", "true")
    assert (await s3.get("/bucket/key", "versionId=null")).status == 405


@pytest.mark.parametrize("version", ["nonsense", "%0A", "..", "0" * 23, "x" * 500])
async def test_a_version_id_that_is_none(s3: Client, version: str) -> None:
    """InvalidArgument, "Invalid version id specified", wherever one is taken."""
    await versioned(s3)
    await put(s3, b"x")
    for answer in (
        await s3.get("/bucket/key", f"versionId={version}"),
        await s3.delete("/bucket/key", f"versionId={version}"),
        await s3.get("/bucket/key", f"tagging&versionId={version}"),
        await s3.get("/bucket/key", f"acl&versionId={version}"),
    ):
        assert (answer.status, answer.code) == (400, "InvalidArgument")
        assert answer.text("Message") == "Invalid version id specified"


async def test_an_empty_version_id(s3: Client) -> None:
    """`?versionId=` names no version and is refused, not taken for the current one."""
    await versioned(s3)
    await put(s3, b"x")
    assert (await s3.get("/bucket/key", "versionId=")).status == 400
    assert (await s3.delete("/bucket/key", "versionId=")).status == 400
    assert (await s3.get("/bucket/key")).body == b"x"


async def test_null_in_a_bucket_without_versioning(s3: Client) -> None:
    """versionId=null names the object; the answers say nothing of versions."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    got = await s3.get("/bucket/key", "versionId=null")
    assert (got.body, got.headers.get("x-amz-version-id")) == (b"x", None)
    assert (await s3.delete("/bucket/key", "versionId=null")).status == 204
    assert (await s3.get("/bucket/key")).status == 404


# Tags


async def test_object_tags(grounded: Service) -> None:
    """Put with the object or after it, counted in GET and HEAD, listed, deleted; each version has its own."""
    s3 = grounded.client()
    await versioned(s3)
    first = (await s3.put("/bucket/key", b"1", x_amz_tagging="a=1&b=%2B+%C3%A4")).headers["x-amz-version-id"]
    second = await put(s3, b"2")
    got = await s3.get("/bucket/key", f"tagging&versionId={first}")
    assert (got.texts("TagSet/Tag/Key"), got.texts("TagSet/Tag/Value")) == (["a", "b"], ["1", "+ ä"])
    assert got.headers["x-amz-version-id"] == first
    assert (await s3.get("/bucket/key", "tagging")).texts("TagSet/Tag/Key") == []
    assert (await s3.head("/bucket/key", f"versionId={first}")).headers["x-amz-tagging-count"] == "2"
    body = tagging(("c", "3"))
    set_again = await s3.put("/bucket/key", body, "tagging", **md5_header(body))
    assert (set_again.status, set_again.headers["x-amz-version-id"]) == (200, second)
    assert (await s3.get("/bucket/key", "tagging")).texts("TagSet/Tag/Key") == ["c"]
    gone = await s3.delete("/bucket/key", "tagging")
    assert (gone.status, gone.headers["x-amz-version-id"]) == (204, second)
    assert "x-amz-tagging-count" not in (await s3.head("/bucket/key")).headers
    assert (await s3.get("/bucket/key")).body == b"2"


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("a=1&a=2", "InvalidArgument"),
        ("a=%FF", "InvalidArgument"),
        ("nonsense", "InvalidArgument"),
        ("&".join(f"k{index}=v" for index in range(11)), "InvalidTag"),
        ("aws:a=1", "InvalidTag"),
        (f"{'k' * 129}=v", "InvalidTag"),
        ("a=%3F", "InvalidTag"),
    ],
)
async def test_tags_out_of_rules(s3: Client, header: str, code: str) -> None:
    """Refused, with nothing stored; in a document the same rules hold."""
    await s3.put("/bucket")
    assert (await s3.put("/bucket/key", b"x", x_amz_tagging=header)).code == code
    assert (await s3.head("/bucket/key")).status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (tagging(("a", "1"), ("a", "2")), "InvalidTag"),
        (tagging(*((f"k{index}", "v") for index in range(11))), "InvalidTag"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "MalformedXML"),
        (b"<Tagging", "MalformedXML"),
        (b"", "MissingRequestBodyError"),
    ],
)
async def test_tagging_documents_that_are_none(s3: Client, body: bytes, code: str) -> None:
    """S3's code for each; the tags stay."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x", x_amz_tagging="old=1")
    assert (await s3.put("/bucket/key", body, "tagging", **md5_header(body))).code == code
    assert (await s3.get("/bucket/key", "tagging")).texts("TagSet/Tag/Key") == ["old"]


async def test_tags_of_what_is_not_there(s3: Client) -> None:
    """NoSuchKey and NoSuchBucket."""
    await s3.put("/bucket")
    body = tagging(("a", "1"))
    assert (await s3.get("/bucket/none", "tagging")).code == "NoSuchKey"
    assert (await s3.put("/bucket/none", body, "tagging", **md5_header(body))).code == "NoSuchKey"
    assert (await s3.delete("/bucket/none", "tagging")).code == "NoSuchKey"
    assert (await s3.get("/nowhere/key", "tagging")).code == "NoSuchBucket"


# DeleteObjects


def deletion(*items: tuple[str, str | None], quiet: bool = False) -> bytes:
    rows = "".join(
        f"<Object><Key>{key}</Key>{f'<VersionId>{version}</VersionId>' if version else ''}</Object>"
        for key, version in items
    )
    return f"<Delete>{'<Quiet>true</Quiet>' if quiet else ''}{rows}</Delete>".encode()


async def test_deleting_many(grounded: Service) -> None:
    """Objects there and not there, each told in order; the bucket is empty then. Quiet tells errors only."""
    s3 = grounded.client()
    await s3.put("/bucket")
    for index in range(40):
        await s3.put(f"/bucket/k{index}", b"x")
    body = deletion(*((f"k{index}", None) for index in range(41)))
    answer = await s3.post("/bucket", body, "delete", **md5_header(body))
    assert answer.texts("Deleted/Key") == [f"k{index}" for index in range(41)]
    assert answer.texts("Error/Key") == []
    assert (await s3.get("/bucket")).texts("Contents/Key") == []
    quiet = deletion(("a", None), ("k" * 1025, None), quiet=True)
    answer = await s3.post("/bucket", quiet, "delete", **md5_header(quiet))
    assert (answer.texts("Deleted/Key"), answer.texts("Error/Code")) == ([], ["KeyTooLongError"])


async def test_deleting_many_versions(s3: Client) -> None:
    """Markers that are made and versions that go are told as S3 tells them; a bad version id is that one's error."""
    await versioned(s3)
    version = await put(s3, b"x")
    body = deletion(("key", None))
    made = await s3.post("/bucket", body, "delete", **md5_header(body))
    marker = made.text("Deleted/DeleteMarkerVersionId") or ""
    assert (made.text("Deleted/DeleteMarker"), made.text("Deleted/VersionId")) == ("true", None)
    body = deletion(("key", marker), ("key", version), ("key", "nonsense"))
    gone = await s3.post("/bucket", body, "delete", **md5_header(body))
    assert gone.texts("Deleted/VersionId") == [marker, version]
    assert gone.texts("Deleted/DeleteMarkerVersionId") == [marker]
    assert (gone.text("Error/VersionId"), gone.text("Error/Code")) == ("nonsense", "InvalidArgument")
    assert (await s3.delete("/bucket")).status == 204


async def test_deleting_many_conditionally(s3: Client) -> None:
    """An ETag with a key deletes it only while it is that object."""
    await s3.put("/bucket")
    etag = (await s3.put("/bucket/a", b"1")).headers["etag"].strip('"')
    await s3.put("/bucket/b", b"2")
    body = b"".join(b"<Object><Key>%s</Key><ETag>%s</ETag></Object>" % (key, etag.encode()) for key in (b"a", b"b"))
    body = b"<Delete>" + body + b"</Delete>"
    answer = await s3.post("/bucket", body, "delete", **md5_header(body))
    assert answer.texts("Deleted/Key") == ["a"]
    assert (answer.text("Error/Key"), answer.text("Error/Code")) == ("b", "PreconditionFailed")
    assert (await s3.get("/bucket")).texts("Contents/Key") == ["b"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<Delete/>", "MalformedXML"),
        (deletion(*((f"k{index}", None) for index in range(1001))), "MalformedXML"),
        (b"<Delete><Object/></Delete>", "MalformedXML"),
        (b"<Remove/>", "MalformedXML"),
        (b"<Delete>" + b"<Object><Key>a</Key></Object>" * 400_000, "MaxMessageLengthExceeded"),
        (b"<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>", "NotImplemented"),
    ],
)
async def test_deletions_that_are_none(s3: Client, body: bytes, code: str) -> None:
    """Refused as a whole; nothing is deleted."""
    await s3.put("/bucket")
    await s3.put("/bucket/a", b"x")
    answer = await s3.post("/bucket", body, "delete", **md5_header(body))
    assert answer.code == code
    assert (await s3.head("/bucket/a")).status == 200


async def test_deleting_many_wants_a_checksum(s3: Client) -> None:
    """Without Content-MD5 or x-amz-checksum: refused before the body is read as XML."""
    await s3.put("/bucket")
    assert (await s3.post("/bucket", deletion(("a", None)), "delete")).code == "InvalidRequest"
    body = deletion(("a", None))
    assert (await s3.post("/nowhere", body, "delete", **md5_header(body))).code == "NoSuchBucket"
