"""Listings through the app: objects in both versions, versions, pages, prefixes, encoding."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.s3.client import Answer, Client, key_path, md5_header
from tests.s3.conftest import Service, memory_service
from tests.s3.test_buckets import ENABLE

KEYS = sorted(["a", "a/1", "a/2", "a/b/3", "a0", "b", "c/1", "c//1", "z z", "z+z", "z%z", "zé", "z\U0001f600"])


async def fill(s3: Client, keys: Sequence[str] = KEYS) -> None:
    await s3.put("/bucket")
    for key in keys:
        assert (await s3.put(key_path("bucket", key), key.encode())).status == 200


def listed(answer: Answer) -> tuple[list[str], list[str]]:
    assert answer.status == 200, answer.body
    return answer.texts("Contents/Key"), answer.texts("CommonPrefixes/Prefix")


def in_utf8_order(keys: Sequence[str]) -> list[str]:
    return sorted(keys, key=lambda key: key.encode())


@pytest.mark.parametrize("version", ["", "list-type=2&"])
async def test_objects_in_order(grounded: Service, version: str) -> None:
    """All keys in the order of their UTF-8, with time, ETag, size, class and checksum algorithm of each."""
    s3 = grounded.client()
    await fill(s3)
    answer = await s3.get("/bucket", version.rstrip("&"))
    assert listed(answer) == (in_utf8_order(KEYS), [])
    first = answer.xml.find("Contents")
    assert first is not None
    head = await s3.head("/bucket/a")
    assert first.findtext("ETag") == head.headers["etag"]
    assert first.findtext("Size") == "1"
    assert first.findtext("StorageClass") == "STANDARD"
    assert first.findtext("ChecksumAlgorithm") == "CRC64NVME"
    assert (first.findtext("LastModified") or "").endswith(".000Z")
    assert (first.find("Owner") is None) == (version != "")
    assert answer.text("IsTruncated") == "false"
    assert answer.text("Prefix") == ""
    assert answer.text("KeyCount") == (str(len(KEYS)) if version else None)


@pytest.mark.parametrize(
    ("query", "keys", "prefixes"),
    [
        ("delimiter=/", ["a", "a0", "b", "z z", "z%z", "z+z", "zé", "z\U0001f600"], ["a/", "c/"]),
        ("delimiter=/&prefix=a/", ["a/1", "a/2"], ["a/b/"]),
        ("delimiter=/&prefix=c/", ["c/1"], ["c//"]),
        ("prefix=a", ["a", "a/1", "a/2", "a/b/3", "a0"], []),
        ("prefix=x", [], []),
        ("delimiter=%20z&prefix=z", ["z%z", "z+z", "zé", "z\U0001f600"], ["z z"]),
        ("delimiter=", in_utf8_order(KEYS), []),
        ("max-keys=0", [], []),
        ("prefix=z%2B", ["z+z"], []),
    ],
)
async def test_prefixes_and_delimiters(s3: Client, query: str, keys: list[str], prefixes: list[str]) -> None:
    """A delimiter of any length rolls up what follows it; both versions agree; max-keys=0 is an empty page."""
    await fill(s3)
    for version in ("", "list-type=2&"):
        answer = await s3.get("/bucket", version + query.replace("/", "%2F"))
        assert listed(answer) == (keys, prefixes)
        assert answer.text("IsTruncated") == "false"


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_pages_are_the_whole(s3: Client, size: int, delimiter: str) -> None:
    """Pages of any size, followed by token or marker, give each key and prefix once and in order."""
    await fill(s3)
    whole = listed(await s3.get("/bucket", f"list-type=2&delimiter={quote(delimiter, safe='')}"))
    for version in (1, 2):
        keys: list[str] = []
        prefixes: list[str] = []
        mark = ""
        while True:
            query = f"max-keys={size}&delimiter={quote(delimiter, safe='')}{mark}" + "&list-type=2" * (version == 2)
            answer = await s3.get("/bucket", query)
            page = listed(answer)
            keys += page[0]
            prefixes += page[1]
            assert len(page[0]) + len(page[1]) <= size
            if answer.text("IsTruncated") == "false":
                break
            if version == 2:
                mark = f"&continuation-token={quote(answer.text('NextContinuationToken') or '', safe='')}"
            elif delimiter:
                mark = f"&marker={quote(answer.text('NextMarker') or '', safe='')}"
            else:
                assert answer.text("NextMarker") is None  # as in S3: the last key is the marker
                mark = f"&marker={quote(page[0][-1], safe='')}"
        assert (keys, prefixes) == whole


async def test_start_after(s3: Client) -> None:
    """start-after begins behind a key, there or not; a token goes before it; both are told again."""
    await fill(s3)
    answer = await s3.get("/bucket", "list-type=2&start-after=b&max-keys=1")
    assert (listed(answer)[0], answer.text("StartAfter")) == (["c//1"], "b")
    token = quote(answer.text("NextContinuationToken") or "", safe="")
    answer = await s3.get("/bucket", f"list-type=2&start-after=b&max-keys=1&continuation-token={token}")
    assert (listed(answer)[0], quote(answer.text("ContinuationToken") or "", safe="")) == (["c/1"], token)
    assert listed(await s3.get("/bucket", "list-type=2&start-after=z"))[0][0] == "z z"


async def test_url_encoding(s3: Client) -> None:
    """encoding-type=url encodes keys, prefixes and delimiter so that unquote gives them back; a slash stays."""
    await fill(s3)
    answer = await s3.get("/bucket", "list-type=2&encoding-type=url&prefix=z&delimiter=%2B&start-after=z%20z")
    assert answer.text("EncodingType") == "url"
    assert answer.texts("Contents/Key") == ["z%25z", "z%C3%A9", "z%F0%9F%98%80"]
    assert answer.texts("CommonPrefixes/Prefix") == ["z%2B"]
    assert (answer.text("Delimiter"), answer.text("StartAfter")) == ("%2B", "z%20z")
    whole = await s3.get("/bucket", "encoding-type=url")
    assert [unquote(key) for key in whole.texts("Contents/Key")] == in_utf8_order(KEYS)
    assert "a/b/3" in whole.texts("Contents/Key")
    assert (await s3.get("/bucket", "encoding-type=base64")).code == "InvalidArgument"


async def test_control_characters(s3: Client) -> None:
    """A key with control characters is listed: encoded on request, as character references without."""
    await fill(s3, ["a\x01b\n\x7f"])
    assert (await s3.get("/bucket", "encoding-type=url")).texts("Contents/Key") == ["a%01b%0A%7F"]
    assert b"<Key>a&#x1;b&#xA;&#x7F;</Key>" in (await s3.get("/bucket")).body


async def test_owner_on_request(s3: Client) -> None:
    """ListObjectsV2 tells the owner only with fetch-owner."""
    await fill(s3, ["a"])
    assert (await s3.get("/bucket", "list-type=2&fetch-owner=true")).text("Contents/Owner/DisplayName") == "root"
    assert (await s3.get("/bucket", "list-type=2&fetch-owner=false")).text("Contents/Owner/ID") is None


@pytest.mark.parametrize(
    "query",
    [
        "max-keys=-1",
        "max-keys=many",
        "max-keys=2147483648",
        "list-type=3",
        "list-type=2&continuation-token=nonsense",
        "list-type=2&continuation-token=%C3%A9",
        "fetch-owner=maybe&list-type=2",
        "versions&version-id-marker=null",
        "versions&key-marker=a&version-id-marker=",
        "versions&key-marker=a&version-id-marker=nonsense",
        "uploads&max-uploads=-1",
    ],
)
async def test_arguments_that_are_none(s3: Client, query: str) -> None:
    """InvalidArgument, naming the argument and its value."""
    await s3.put("/bucket")
    answer = await s3.get("/bucket", query)
    assert (answer.status, answer.code) == (400, "InvalidArgument")
    assert answer.text("ArgumentName")


async def test_a_page_has_at_most_a_thousand(s3: Client) -> None:
    """More than 1,000 asked for is told, and given, as 1,000."""
    await s3.put("/bucket")
    answer = await s3.get("/bucket", "list-type=2&max-keys=5000")
    assert answer.text("MaxKeys") == "1000"


async def versions_of(s3: Client, query: str = "") -> Answer:
    return await s3.get("/bucket", f"versions{query}")


def version_rows(answer: Answer) -> list[tuple[str, str, str, str]]:
    """(kind, key, version id, is latest), as they come."""
    return [
        (row.tag, row.findtext("Key") or "", row.findtext("VersionId") or "", row.findtext("IsLatest") or "")
        for row in answer.xml
        if row.tag in ("Version", "DeleteMarker")
    ]


async def test_versions_and_markers_interleaved(grounded: Service) -> None:
    """By key, of each the newest first, markers among them, one latest a key; an unversioned object is "null"."""
    s3 = grounded.client()
    await s3.put("/bucket")
    await s3.put("/bucket/b", b"null")
    await s3.put("/bucket", ENABLE, "versioning", **md5_header(ENABLE))
    ids = [(await s3.put("/bucket/b", b"x")).headers["x-amz-version-id"] for _ in range(2)]
    marker = (await s3.delete("/bucket/b")).headers["x-amz-version-id"]
    other = (await s3.put("/bucket/a", b"x")).headers["x-amz-version-id"]
    expected = [
        ("Version", "a", other, "true"),
        ("DeleteMarker", "b", marker, "true"),
        ("Version", "b", ids[1], "false"),
        ("Version", "b", ids[0], "false"),
        ("Version", "b", "null", "false"),
    ]
    assert version_rows(await versions_of(s3)) == expected
    for size in (1, 2, 3):
        rows: list[tuple[str, str, str, str]] = []
        mark = ""
        while True:
            answer = await versions_of(s3, f"&max-keys={size}{mark}")
            rows += version_rows(answer)
            if answer.text("IsTruncated") == "false":
                break
            mark = f"&key-marker={answer.text('NextKeyMarker')}&version-id-marker={answer.text('NextVersionIdMarker')}"
        assert rows == expected
    assert version_rows(await versions_of(s3, "&key-marker=a")) == expected[1:]
    rolled = await versions_of(s3, "&delimiter=b")
    assert (version_rows(rolled), rolled.texts("CommonPrefixes/Prefix")) == (expected[:1], ["b"])


async def test_versions_without_versioning(s3: Client) -> None:
    """Every object is listed as its null version, with size and ETag."""
    await fill(s3, ["a"])
    answer = await versions_of(s3, "&encoding-type=url")
    assert version_rows(answer) == [("Version", "a", "null", "true")]
    assert answer.text("Version/Size") == "1"
    assert answer.text("Version/Owner/ID")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(st.text("ab/\0\x7f%+ é\uffff\U00010000", min_size=1, max_size=4), max_size=12),
    st.text("ab/", max_size=2),
    st.sampled_from(["", "/", "b", "a/"]),
    st.integers(1, 4),
)
async def test_listing_against_a_model(keys: set[str], prefix: str, delimiter: str, size: int) -> None:
    """For any keys, prefix, delimiter and page size the pages together are what sorting and cutting gives."""
    expected: list[str] = []
    for key in in_utf8_order([key for key in keys if key.startswith(prefix)]):
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        entry = key if at < 0 else key[: at + len(delimiter)]
        if not expected or expected[-1] != entry or at < 0:
            expected.append(entry)
    async with memory_service() as service:
        s3 = service.client()
        await fill(s3, sorted(keys))
        seen: list[str] = []
        query = f"list-type=2&encoding-type=url&max-keys={size}"
        query += f"&prefix={quote(prefix, safe='')}&delimiter={quote(delimiter, safe='')}"
        token = ""
        while True:
            answer = await s3.get("/bucket", query + token)
            names, rolled = listed(answer)
            seen += in_utf8_order([unquote(name) for name in names + rolled])
            if answer.text("IsTruncated") == "false":
                break
            token = f"&continuation-token={quote(answer.text('NextContinuationToken') or '', safe='')}"
        assert seen == expected
