"""Objects through the app: put, read, delete."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest

from tests.s3.client import Answer, Client
from tests.s3.conftest import Service


def etag_of(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 65_537, (1 << 20) + 1, (3 << 20) + 5])
async def test_what_was_put_comes_back(grounded: Service, size: int) -> None:
    """Every size around the edges of inline bodies and chunks comes back whole, with its MD5 as ETag."""
    s3 = grounded.client()
    data = bytes(index * 7 & 0xFF for index in range(size))
    await s3.put("/bucket")
    put = await s3.put("/bucket/key", data)
    got = await s3.get("/bucket/key")
    head = await s3.head("/bucket/key")
    assert (put.status, put.headers["etag"]) == (200, etag_of(data))
    assert (got.status, got.headers["etag"], got.body) == (200, etag_of(data), data)
    assert got.headers["content-length"] == str(size)
    assert got.headers["accept-ranges"] == "bytes"
    told = dict(got.headers)
    assert told.pop("x-amz-request-id") != head.headers.pop("x-amz-request-id")
    assert head.headers == told


async def test_what_is_said_of_an_object_is_kept(s3: Client) -> None:
    """Standard headers, user metadata and storage class come back as given; aws-chunked is not part of an encoding."""
    await s3.put("/bucket")
    said = {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "max-age=60",
        "content-disposition": 'attachment; filename="a.txt"',
        "content-language": "de",
        "expires": "Thu, 01 Dec 2030 16:00:00 GMT",
        "x-amz-meta-colour": "blue",
        "x-amz-meta-empty": "",
        "x-amz-storage-class": "STANDARD_IA",
    }
    await s3.call("PUT", "/bucket/key", "", b"x", {**said, "content-encoding": "gzip"})
    got = await s3.get("/bucket/key")
    assert said.items() <= got.headers.items()
    assert got.headers["content-encoding"] == "gzip"


async def test_an_object_of_which_nothing_was_said_has_s3s_defaults(s3: Client) -> None:
    """binary/octet-stream, no storage class, no version id, no tag count, no checksum unless asked for."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    got = await s3.get("/bucket/key")
    assert got.headers["content-type"] == "binary/octet-stream"
    assert not [name for name in got.headers if name.startswith(("x-amz-c", "x-amz-s", "x-amz-v", "x-amz-t"))]


async def test_metadata_outside_ascii_comes_back_encoded(s3: Client) -> None:
    """UTF-8 in user metadata is kept; the answer encodes it as mail does, as S3's does."""
    await s3.put("/bucket")
    await s3.call("PUT", "/bucket/key", "", b"x", {"x-amz-meta-name": "Zoë".encode().decode("latin-1")})
    got = await s3.get("/bucket/key")
    assert got.headers["x-amz-meta-name"] == f"=?UTF-8?B?{b64encode('Zoë'.encode()).decode()}?="


async def test_too_much_metadata_is_refused(s3: Client) -> None:
    """2,048 bytes of names and values pass, one more does not, and nothing is stored."""
    await s3.put("/bucket")
    assert (await s3.put("/bucket/key", b"x", x_amz_meta_a="v" * 2047)).status == 200
    refused = await s3.put("/bucket/other", b"x", x_amz_meta_a="v" * 2048)
    assert (refused.status, refused.code) == (400, "MetadataTooLarge")
    assert (await s3.head("/bucket/other")).status == 404


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("INTELLIGENT_TIERING", 200, ""),
        ("REDUCED_REDUNDANCY", 200, ""),
        ("GLACIER", 501, "NotImplemented"),
        ("DEEP_ARCHIVE", 501, "NotImplemented"),
        ("EXPRESS_ONEZONE", 501, "NotImplemented"),
        ("SLOW", 400, "InvalidStorageClass"),
        ("standard", 400, "InvalidStorageClass"),
    ],
)
async def test_storage_classes(s3: Client, name: str, status: int, code: str) -> None:
    """Classes that read at once are kept, archives are refused as not offered, unknown ones as unknown."""
    await s3.put("/bucket")
    answer = await s3.put("/bucket/key", b"x", x_amz_storage_class=name)
    assert (answer.status, answer.code) == (status, code)
    assert (await s3.head("/bucket/key")).status == (200 if status == 200 else 404)


async def test_response_overrides(s3: Client) -> None:
    """Each response-… parameter of a signed request replaces its header, also where the object has none."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x", content_type="text/plain", cache_control="no-store")
    wanted = {
        "content-type": "image/png",
        "content-disposition": "attachment; filename=a b.txt",
        "content-encoding": "br",
        "content-language": "fr",
        "cache-control": "max-age=1",
        "expires": "Thu, 01 Dec 2030 16:00:00 GMT",
    }
    query = (
        "&".join(
            f"response-{name}={value.replace(' ', '%20').replace(';', '%3B').replace('=', '%3D').replace(',', '%2C')}"
            for name, value in wanted.items()
        )
        .replace("/", "%2F")
        .replace(":", "%3A")
    )
    for answer in (await s3.get("/bucket/key", query), await s3.head("/bucket/key", query)):
        assert answer.status == 200
        assert wanted.items() <= answer.headers.items()


async def test_an_override_cannot_split_the_answer(s3: Client) -> None:
    """A line break in an override never becomes a header of its own."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    answer = await s3.get("/bucket/key", "response-content-type=a%0D%0Aset-cookie%3A%20b")
    assert answer.status == 400
    assert answer.code == "InvalidArgument"


@pytest.mark.parametrize(
    ("header", "status", "span"),
    [
        ("bytes=0-0", 206, (0, 1)),
        ("bytes=0-", 206, (0, 10_000)),
        ("bytes=9999-", 206, (9999, 10_000)),
        ("bytes=-1", 206, (9999, 10_000)),
        ("bytes=-20000", 206, (0, 10_000)),
        ("bytes=5000-20000", 206, (5000, 10_000)),
        ("bytes=10000-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-4", 200, (0, 10_000)),
        ("bytes=0-1,5-6", 200, (0, 10_000)),
        ("lines=0-1", 200, (0, 10_000)),
        ("bytes=", 200, (0, 10_000)),
    ],
)
async def test_ranges(s3: Client, header: str, status: int, span: tuple[int, int] | None) -> None:
    """One satisfiable range is 206 with Content-Range, an unsatisfiable one 416, what is none is ignored. HEAD too."""
    data = bytes(index % 251 for index in range(10_000))
    await s3.put("/bucket")
    await s3.put("/bucket/key", data)
    got = await s3.get("/bucket/key", "", range=header)
    head = await s3.head("/bucket/key", "", range=header)
    assert (got.status, head.status) == (status, status)
    if span is None:
        assert got.code == "InvalidRange"
        assert got.text("ActualObjectSize") == "10000"
        return
    assert got.body == data[slice(*span)]
    assert head.headers["content-length"] == got.headers["content-length"] == str(span[1] - span[0])
    expected = f"bytes {span[0]}-{span[1] - 1}/10000" if status == 206 else None
    assert got.headers.get("content-range") == head.headers.get("content-range") == expected


async def test_no_range_of_an_empty_object_is_satisfiable(s3: Client) -> None:
    """416, as S3 has it; without a range the empty object is read."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"")
    assert (await s3.get("/bucket/key", "", range="bytes=0-")).status == 416
    assert (await s3.get("/bucket/key")).status == 200


async def test_if_range(s3: Client) -> None:
    """The range is served while the ETag or the date is still the object's; otherwise all of it."""
    await s3.put("/bucket")
    etag = (await s3.put("/bucket/key", b"0123456789")).headers["etag"]
    modified = (await s3.head("/bucket/key")).headers["last-modified"]
    for value, body in ((etag, b"01"), (modified, b"01"), ('"other"', b"0123456789")):
        assert (await s3.get("/bucket/key", "", range="bytes=0-1", if_range=value)).body == body


LONG_AGO, FAR_AHEAD = "Sat, 01 Jan 2000 00:00:00 GMT", "Tue, 01 Jan 2080 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_match": "{etag}"}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": '"a", {etag}'}, 200),
        ({"if_match": '"other"'}, 412),
        ({"if_none_match": "{etag}"}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_modified_since": LONG_AGO}, 200),
        ({"if_modified_since": FAR_AHEAD}, 304),
        ({"if_unmodified_since": LONG_AGO}, 412),
        ({"if_unmodified_since": FAR_AHEAD}, 200),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_match": "{etag}", "if_unmodified_since": LONG_AGO}, 200),
        ({"if_none_match": '"other"', "if_modified_since": FAR_AHEAD}, 200),
        ({"if_none_match": "{etag}", "if_modified_since": LONG_AGO}, 304),
        ({"if_match": '"other"', "if_none_match": "{etag}"}, 412),
    ],
)
async def test_conditional_reads(s3: Client, headers: dict[str, str], status: int) -> None:
    """RFC 9110 §13.2.2 as S3 combines it; a 304 repeats ETag and time and has no body. HEAD answers the same."""
    await s3.put("/bucket")
    etag = (await s3.put("/bucket/key", b"x")).headers["etag"]
    sent = {name: value.replace("{etag}", etag) for name, value in headers.items()}
    got, head = await s3.get("/bucket/key", **sent), await s3.head("/bucket/key", **sent)
    assert (got.status, head.status) == (status, status)
    if status == 304:
        assert got.headers["etag"] == etag
        assert "last-modified" in got.headers
    if status == 412:
        assert got.code == "PreconditionFailed"


async def test_checksums_are_told_to_those_who_ask(s3: Client) -> None:
    """x-amz-checksum-mode brings checksum and type of a whole object, not of a range; CRC64NVME where none was sent."""
    await s3.put("/bucket")
    digest = b64encode(hashlib.sha256(b"data").digest()).decode()
    put = await s3.put("/bucket/key", b"data", x_amz_checksum_sha256=digest)
    await s3.put("/bucket/plain", b"data")
    assert put.headers["x-amz-checksum-sha256"] == digest
    got = await s3.get("/bucket/key", x_amz_checksum_mode="ENABLED")
    assert got.headers["x-amz-checksum-sha256"] == digest
    assert got.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    head = await s3.head("/bucket/plain", x_amz_checksum_mode="enabled")
    assert "x-amz-checksum-crc64nvme" in head.headers
    part = await s3.get("/bucket/key", x_amz_checksum_mode="ENABLED", range="bytes=0-1")
    assert part.status == 206
    assert not [name for name in part.headers if name.startswith("x-amz-checksum")]


async def test_part_one_of_an_object_that_has_no_parts(s3: Client) -> None:
    """partNumber=1 gives all of it as 206 without a count of parts; 2 is 416; with a Range it is refused."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"0123456789")
    got = await s3.get("/bucket/key", "partNumber=1")
    assert (got.status, got.body, got.headers["content-range"]) == (206, b"0123456789", "bytes 0-9/10")
    assert "x-amz-mp-parts-count" not in got.headers
    assert (await s3.get("/bucket/key", "partNumber=2")).code == "InvalidPartNumber"
    assert (await s3.get("/bucket/key", "partNumber=0")).code == "InvalidArgument"
    assert (await s3.get("/bucket/key", "partNumber=10001")).code == "InvalidArgument"
    assert (await s3.get("/bucket/key", "partNumber=1", range="bytes=0-1")).code == "InvalidRequest"


async def test_what_is_not_there(s3: Client) -> None:
    """A missing bucket and a missing key have S3's codes; HEAD has the status and no body."""
    assert (await s3.get("/nowhere/key")).code == "NoSuchBucket"
    await s3.put("/bucket")
    answer = await s3.get("/bucket/a%20key")
    assert (answer.status, answer.code, answer.text("Key")) == (404, "NoSuchKey", "a key")
    assert answer.text("RequestId") == answer.headers["x-amz-request-id"]
    assert answer.text("HostId") == answer.headers["x-amz-id-2"]
    assert (await s3.head("/bucket/key")).status == 404


async def test_delete(s3: Client) -> None:
    """A deleted object is gone; deleting what is not there is no error and says nothing of versions."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    for _ in range(2):
        gone = await s3.delete("/bucket/key")
        assert (gone.status, gone.body) == (204, b"")
        assert "x-amz-version-id" not in gone.headers
        assert "x-amz-delete-marker" not in gone.headers
    assert (await s3.get("/bucket/key")).status == 404


async def test_a_and_a_slash_b_are_two_objects(s3: Client) -> None:
    """`a`, `a/`, `a//b` and `a/b` exist side by side."""
    await s3.put("/bucket")
    for key in ("a", "a/", "a/b", "a//b", "a/../b"):
        await s3.put(f"/bucket/{key}", key.encode())
    for key in ("a", "a/", "a/b", "a//b", "a/../b"):
        assert (await s3.get(f"/bucket/{key}")).body == key.encode()


async def _put_if(s3: Client, **conditions: str) -> Answer:
    return await s3.put("/bucket/key", b"new", **conditions)


async def test_conditional_writes(s3: Client) -> None:
    """If-None-Match: * and If-Match with one ETag, with S3's codes; what S3 has not is refused, never ignored."""
    await s3.put("/bucket")
    assert (await _put_if(s3, if_match='"x"')).code == "NoSuchKey"
    first = await _put_if(s3, if_none_match="*")
    assert first.status == 200
    assert (await _put_if(s3, if_none_match="*")).code == "PreconditionFailed"
    assert (await _put_if(s3, if_match='"other"')).code == "PreconditionFailed"
    assert (await _put_if(s3, if_match=first.headers["etag"])).status == 200
    assert (await _put_if(s3, if_none_match='"etag"')).code == "NotImplemented"
    assert (await _put_if(s3, if_match='"a", "b"')).code == "NotImplemented"
    assert (await _put_if(s3, if_unmodified_since=FAR_AHEAD)).code == "NotImplemented"


async def test_conditional_delete(s3: Client) -> None:
    """DeleteObject takes If-Match: the wrong ETag is 412 and deletes nothing."""
    await s3.put("/bucket")
    etag = (await s3.put("/bucket/key", b"x")).headers["etag"]
    assert (await s3.delete("/bucket/key", if_match='"other"')).code == "PreconditionFailed"
    assert (await s3.head("/bucket/key")).status == 200
    assert (await s3.delete("/bucket/key", if_match=etag)).status == 204
    assert (await s3.head("/bucket/key")).status == 404


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("x-amz-server-side-encryption", "AES256", "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "NotImplemented"),
        ("x-amz-website-redirect-location", "/a", "NotImplemented"),
        ("x-amz-acl", "public-read", "AccessControlListNotSupported"),
        ("x-amz-grant-read", "id=1", "AccessControlListNotSupported"),
        ("x-amz-write-offset-bytes", "1", "NotImplemented"),
        ("x-amz-of-tomorrow", "1", "NotImplemented"),
    ],
)
async def test_nothing_is_accepted_and_ignored(s3: Client, header: str, value: str, code: str) -> None:
    """A header with a meaning that the store does not have refuses the PUT; nothing is stored."""
    await s3.put("/bucket")
    refused = await s3.call("PUT", "/bucket/key", "", b"x", {header: value})
    assert refused.code == code
    assert (await s3.head("/bucket/key")).status == 404


@pytest.mark.parametrize("acl", ["private", "bucket-owner-full-control"])
async def test_acls_that_change_nothing_are_taken(s3: Client, acl: str) -> None:
    """The canned ACLs that say what holds anyway pass."""
    await s3.put("/bucket")
    assert (await s3.put("/bucket/key", b"x", x_amz_acl=acl)).status == 200


async def test_requests_are_counted(service: Service, s3: Client) -> None:
    """Operation, status, code and size of every answer reach the observer."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"12345")
    await s3.get("/bucket/key", range="bytes=0-1")
    await s3.get("/bucket/none")
    await s3.call("PATCH", "/bucket/none")
    assert service.seen == [
        ("CreateBucket", 200, None, None),
        ("PutObject", 200, None, 5),
        ("GetObject", 206, None, 5),
        ("GetObject", 404, "NoSuchKey", None),
        ("Unmatched", 405, "MethodNotAllowed", None),
    ]
