"""Multipart uploads through the app. (The least size of a part is 100 KiB here.)"""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

import pytest
from attrs import define, evolve

from lightningstor.store.find import Finder, Found
from tests.s3.client import UNSIGNED, Answer, Body, Client, md5_header
from tests.s3.conftest import Service
from tests.s3.test_buckets import ENABLE
from tests.s3.test_objects import etag_of

PART = 150_000
PARTS = [bytes((index * 17 + number) & 0xFF for index in range(PART)) for number in range(3)]
WHOLE = b"".join(PARTS)
MD5S = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in PARTS)
ETAG = f'"{hashlib.md5(MD5S, usedforsecurity=False).hexdigest()}-3"'


def sha256_of(data: bytes) -> str:
    return b64encode(hashlib.sha256(data).digest()).decode()


def crc32_of(data: bytes) -> str:
    return b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


async def begin(s3: Client, path: str = "/bucket/key", **headers: str) -> str:
    answer = await s3.post(path, b"", "uploads", **headers)
    assert answer.status == 200, answer.body
    return answer.text("UploadId") or ""


async def part(s3: Client, upload: str, number: int, data: bytes, path: str = "/bucket/key", **headers: str) -> Answer:
    return await s3.put(path, data, f"partNumber={number}&uploadId={upload}", **headers)


def completion(parts: Sequence[tuple[int, str, str]]) -> bytes:
    """(number, ETag, further elements)"""
    rows = "".join(
        f"<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber>{more}</Part>" for number, etag, more in parts
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


async def complete(
    s3: Client, upload: str, parts: Sequence[tuple[int, str, str]] | bytes, path: str = "/bucket/key", **headers: str
) -> Answer:
    body = parts if isinstance(parts, bytes) else completion(parts)
    return await s3.post(path, body, f"uploadId={upload}", **headers)


async def upload_all(s3: Client, numbers: Sequence[int] = (1, 2, 3), **headers: str) -> tuple[str, list[Answer]]:
    upload = await begin(s3, **headers)
    return upload, [await part(s3, upload, number, data) for number, data in zip(numbers, PARTS, strict=True)]


def rows_of(answers: Sequence[Answer], numbers: Sequence[int] = (1, 2, 3)) -> list[tuple[int, str, str]]:
    return [(number, answer.headers["etag"], "") for number, answer in zip(numbers, answers, strict=True)]


async def test_an_upload_becomes_an_object(grounded: Service) -> None:
    """With S3's ETag, what the beginning said of it, and the parts readable by number; the upload is gone."""
    s3 = grounded.client()
    await s3.put("/bucket")
    upload, answers = await upload_all(s3, content_type="text/plain", x_amz_meta_a="1", x_amz_tagging="t=1")
    assert [answer.headers["etag"] for answer in answers] == [etag_of(data) for data in PARTS]
    done = await complete(s3, upload, rows_of(answers))
    assert (done.status, done.xml.tag) == (200, "CompleteMultipartUploadResult")
    assert (done.text("ETag"), done.text("Bucket"), done.text("Key")) == (ETAG, "bucket", "key")
    assert done.text("Location") == f"http://{s3.host}/bucket/key"
    assert (done.text("ChecksumType"), done.text("ChecksumCRC64NVME") is None) == ("FULL_OBJECT", False)
    got = await s3.get("/bucket/key")
    assert (got.body == WHOLE, got.headers["etag"]) == (True, ETAG)
    told = {"content-type": "text/plain", "x-amz-meta-a": "1", "x-amz-tagging-count": "1"}
    assert told.items() <= got.headers.items()
    for number, data in enumerate(PARTS, 1):
        piece = await s3.get("/bucket/key", f"partNumber={number}")
        assert (piece.status, piece.body == data, piece.headers["x-amz-mp-parts-count"]) == (206, True, "3")
        start = PART * (number - 1)
        assert piece.headers["content-range"] == f"bytes {start}-{start + PART - 1}/{len(WHOLE)}"
        head = await s3.head("/bucket/key", f"partNumber={number}")
        assert (head.status, head.headers["content-length"]) == (206, str(PART))
    assert (await s3.get("/bucket/key", "partNumber=4")).code == "InvalidPartNumber"
    across = await s3.get("/bucket/key", range=f"bytes={PART - 5}-{2 * PART + 5}")
    assert across.body == WHOLE[PART - 5 : 2 * PART + 6]
    assert (await s3.get("/bucket", "uploads")).texts("Upload/UploadId") == []
    assert (await s3.get("/bucket/key", f"uploadId={upload}")).code == "NoSuchUpload"


async def test_a_retried_completion(s3: Client) -> None:
    """Completing again gives the same answer, since the first one may have been lost on its way."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3)
    first = await complete(s3, upload, rows_of(answers))
    again = await complete(s3, upload, rows_of(answers))
    assert (again.status, again.text("ETag")) == (200, first.text("ETag"))


async def test_sparse_numbers_and_replaced_parts(s3: Client) -> None:
    """Numbers need not follow each other; a part sent again replaces the first; one that is not named is not used."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3, (2, 7, 10_000))
    await part(s3, upload, 7, b"z" * PART)
    assert (await complete(s3, upload, rows_of(answers, (2, 7, 10_000)))).code == "InvalidPart"
    answers[1] = await part(s3, upload, 7, PARTS[1])
    await part(s3, upload, 100, PARTS[0])
    assert (await complete(s3, upload, rows_of(answers, (2, 7, 10_000)))).status == 200
    assert (await s3.get("/bucket/key")).body == WHOLE
    assert (await s3.get("/bucket/key", "partNumber=7")).body == PARTS[1]


async def test_listing_parts(s3: Client) -> None:
    """Numbers, sizes, ETags, in pages; who began it, class and checksum kind."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3, x_amz_checksum_algorithm="CRC32", x_amz_storage_class="STANDARD_IA")
    whole = await s3.get("/bucket/key", f"uploadId={upload}")
    assert whole.texts("Part/PartNumber") == ["1", "2", "3"]
    assert whole.texts("Part/ETag") == [answer.headers["etag"] for answer in answers]
    assert whole.texts("Part/Size") == [str(PART)] * 3
    assert whole.texts("Part/ChecksumCRC32") == [crc32_of(data) for data in PARTS]
    assert (whole.text("ChecksumAlgorithm"), whole.text("ChecksumType")) == ("CRC32", "COMPOSITE")
    assert (whole.text("StorageClass"), whole.text("Initiator/DisplayName")) == ("STANDARD_IA", "root")
    page = await s3.get("/bucket/key", f"uploadId={upload}&max-parts=2")
    assert (page.texts("Part/PartNumber"), page.text("IsTruncated")) == (["1", "2"], "true")
    marker = page.text("NextPartNumberMarker")
    rest = await s3.get("/bucket/key", f"uploadId={upload}&max-parts=2&part-number-marker={marker}")
    assert (rest.texts("Part/PartNumber"), rest.text("IsTruncated")) == (["3"], "false")


async def test_listing_uploads(s3: Client) -> None:
    """By key, oldest first, in pages, with prefixes; an upload that ended is not among them."""
    await s3.put("/bucket")
    uploads = [(key, await begin(s3, f"/bucket/{key}")) for key in ("a", "b", "b", "c/1", "c/2")]
    await s3.delete("/bucket/b", f"uploadId={uploads.pop(1)[1]}")
    whole = await s3.get("/bucket", "uploads")
    assert list(zip(whole.texts("Upload/Key"), whole.texts("Upload/UploadId"), strict=True)) == uploads
    seen: list[tuple[str, str]] = []
    mark = ""
    while True:
        page = await s3.get("/bucket", f"uploads&max-uploads=1{mark}")
        seen += zip(page.texts("Upload/Key"), page.texts("Upload/UploadId"), strict=True)
        if page.text("IsTruncated") == "false":
            break
        key = quote(page.text("NextKeyMarker") or "", safe="")
        mark = f"&key-marker={key}&upload-id-marker={page.text('NextUploadIdMarker')}"
    assert seen == uploads
    rolled = await s3.get("/bucket", "uploads&delimiter=%2F")
    assert (rolled.texts("Upload/Key"), rolled.texts("CommonPrefixes/Prefix")) == (["a", "b"], ["c/"])


async def test_abort(grounded: Service) -> None:
    """The upload and its parts are gone; aborting again is NoSuchUpload."""
    s3 = grounded.client()
    await s3.put("/bucket")
    upload, answers = await upload_all(s3)
    gone = await s3.delete("/bucket/key", f"uploadId={upload}")
    assert (gone.status, gone.body) == (204, b"")
    for answer in (
        await s3.delete("/bucket/key", f"uploadId={upload}"),
        await part(s3, upload, 4, b"x"),
        await complete(s3, upload, rows_of(answers)),
        await s3.get("/bucket/key", f"uploadId={upload}"),
    ):
        assert (answer.status, answer.code) == (404, "NoSuchUpload")
    await grounded.store.collector.run()
    assert await grounded.store.ctx.chunks.store.list_chunks("", 100) == []


@pytest.mark.parametrize("path", ["/bucket/other", "/second/key"])
async def test_an_upload_id_counts_with_its_bucket_and_key(s3: Client, path: str) -> None:
    """Under another key or bucket it is none."""
    await s3.put("/bucket")
    await s3.put("/second")
    upload = await begin(s3)
    assert (await part(s3, upload, 1, b"x", path)).code == "NoSuchUpload"
    assert (await s3.delete(path, f"uploadId={upload}")).code == "NoSuchUpload"


@pytest.mark.parametrize("upload", ["nonsense", "%2e%2e%2Fx", "a/b", "0" * 30, "x" * 3000])
async def test_an_upload_id_that_is_none(s3: Client, upload: str) -> None:
    """NoSuchUpload, whatever it looks like."""
    await s3.put("/bucket")
    quoted = quote(upload, safe="%")
    assert (await s3.put("/bucket/key", b"x", f"partNumber=1&uploadId={quoted}")).code == "NoSuchUpload"
    assert (await s3.get("/bucket/key", f"uploadId={quoted}")).code == "NoSuchUpload"


@pytest.mark.parametrize("number", ["0", "10001", "-1", "one", "99999999999999999999"])
async def test_part_numbers_out_of_range(s3: Client, number: str) -> None:
    """1 to 10,000; refused before the body is asked for."""
    await s3.put("/bucket")
    upload = await begin(s3)
    body = Body([b"x"])
    answer = await s3.call(
        "PUT", "/bucket/key", f"partNumber={number}&uploadId={upload}", b"x", sha256=UNSIGNED, source=body
    )
    assert (answer.status, answer.code, body.asked) == (400, "InvalidArgument", 0)


async def test_a_bad_list_of_parts(s3: Client) -> None:
    """Each mistake has S3's code, and the upload goes on: the right list completes it."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"old")
    upload, answers = await upload_all(s3)
    rows = rows_of(answers)
    small = await part(s3, upload, 4, b"small")
    for parts, code in (
        (completion([]), "MalformedXML"),
        (b"<CompleteMultipartUpload", "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (b"", "MalformedXML"),
        (completion([(1, "", "")]).replace(b"<ETag></ETag>", b""), "MalformedXML"),
        ([rows[1], rows[0], rows[2]], "InvalidPartOrder"),
        ([rows[0], rows[0]], "InvalidPartOrder"),
        ([rows[0], (2, '"other"', "")], "InvalidPart"),
        ([rows[0], (9, rows[1][1], "")], "InvalidPart"),
        ([(4, small.headers["etag"], ""), (5, rows[0][1], "")], "EntityTooSmall"),
    ):
        if code == "EntityTooSmall":
            await part(s3, upload, 5, PARTS[0])
        answer = await complete(s3, upload, parts)
        assert (answer.status, answer.code) == (400, code), parts
        assert (await s3.get("/bucket/key")).body == b"old"
    assert (await complete(s3, upload, rows)).status == 200
    assert (await s3.get("/bucket/key")).body == WHOLE


async def test_conditional_completion(s3: Client) -> None:
    """If-None-Match: * and If-Match hold for the completion; the upload goes on after a 412."""
    await s3.put("/bucket")
    etag = (await s3.put("/bucket/key", b"old")).headers["etag"]
    upload, answers = await upload_all(s3)
    assert (await complete(s3, upload, rows_of(answers), if_none_match="*")).code == "PreconditionFailed"
    assert (await complete(s3, upload, rows_of(answers), if_match='"other"')).code == "PreconditionFailed"
    assert (await complete(s3, upload, rows_of(answers), if_match=etag)).status == 200


async def test_composite_checksums(s3: Client) -> None:
    """SHA-256 of the parts' SHA-256s, with the number of parts; part checksums in the list are compared."""
    await s3.put("/bucket")
    upload = await begin(s3, x_amz_checksum_algorithm="SHA256")
    rows = []
    for number, data in enumerate(PARTS, 1):
        answer = await part(s3, upload, number, data, x_amz_checksum_sha256=sha256_of(data))
        assert answer.headers["x-amz-checksum-sha256"] == sha256_of(data)
        rows.append((number, answer.headers["etag"], f"<ChecksumSHA256>{sha256_of(data)}</ChecksumSHA256>"))
    wrong = [(rows[0][0], rows[0][1], f"<ChecksumSHA256>{sha256_of(b'')}</ChecksumSHA256>"), *rows[1:]]
    assert (await complete(s3, upload, wrong)).code == "InvalidPart"
    digests = b"".join(hashlib.sha256(data).digest() for data in PARTS)
    expected = sha256_of(digests) + "-3"
    assert (await complete(s3, upload, rows, x_amz_checksum_sha256=sha256_of(b""))).code == "BadDigest"
    done = await complete(s3, upload, rows, x_amz_checksum_sha256=expected)
    assert done.status == 200, done.body
    assert (done.text("ChecksumSHA256"), done.text("ChecksumType")) == (expected, "COMPOSITE")
    head = await s3.head("/bucket/key", x_amz_checksum_mode="ENABLED")
    assert (head.headers["x-amz-checksum-sha256"], head.headers["x-amz-checksum-type"]) == (expected, "COMPOSITE")


async def test_full_object_checksums(s3: Client) -> None:
    """CRC32 of the whole, combined from the parts', and held against what the client expects."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3, x_amz_checksum_algorithm="CRC32", x_amz_checksum_type="FULL_OBJECT")
    rows = rows_of(answers)
    assert (await complete(s3, upload, rows, x_amz_checksum_crc32=crc32_of(b""))).code == "BadDigest"
    done = await complete(s3, upload, rows, x_amz_checksum_crc32=crc32_of(WHOLE), x_amz_checksum_type="FULL_OBJECT")
    assert (done.text("ChecksumCRC32"), done.text("ChecksumType")) == (crc32_of(WHOLE), "FULL_OBJECT")


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("SHA256", "FULL_OBJECT"),
        ("CRC64NVME", "COMPOSITE"),
        ("MD5", "COMPOSITE"),
        ("ADLER32", "FULL_OBJECT"),
        (None, "FULL_OBJECT"),
    ],
)
async def test_checksums_that_are_not_made(s3: Client, algorithm: str | None, kind: str) -> None:
    """Kinds that an algorithm does not have are refused at the beginning."""
    await s3.put("/bucket")
    headers = {"x-amz-checksum-type": kind} | ({"x-amz-checksum-algorithm": algorithm} if algorithm else {})
    answer = await s3.call("POST", "/bucket/key", "uploads", b"", headers)
    assert (answer.status, answer.code in ("InvalidRequest", "InvalidArgument")) == (400, True)


async def test_a_part_with_another_checksum_than_the_upload(s3: Client) -> None:
    """Refused, naming both; where the upload named none, any is checked and taken."""
    await s3.put("/bucket")
    upload = await begin(s3, x_amz_checksum_algorithm="SHA256")
    answer = await part(s3, upload, 1, b"x", x_amz_checksum_crc32=crc32_of(b"x"))
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    free = await begin(s3)
    assert (await part(s3, free, 1, b"x", x_amz_checksum_crc32=crc32_of(b"x"))).status == 200
    assert (await part(s3, free, 1, b"x", x_amz_checksum_crc32=crc32_of(b"y"))).code == "BadDigest"


async def test_the_size_that_is_announced(s3: Client) -> None:
    """x-amz-mp-object-size is compared with the parts' sum."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3)
    wrong = await complete(s3, upload, rows_of(answers), x_amz_mp_object_size="1")
    assert (wrong.status, wrong.code) == (400, "InvalidRequest")
    assert (await complete(s3, upload, rows_of(answers), x_amz_mp_object_size=str(len(WHOLE)))).status == 200


async def test_a_bad_part_changes_nothing(s3: Client) -> None:
    """A part whose digest is wrong or whose body is short leaves the part that was there."""
    await s3.put("/bucket")
    upload = await begin(s3)
    first = await part(s3, upload, 1, PARTS[0])
    assert (await part(s3, upload, 1, PARTS[1], **md5_header(b"other"))).code == "BadDigest"
    source = Body([PARTS[1][:-1]])
    answer = await s3.call(
        "PUT", "/bucket/key", f"partNumber=1&uploadId={upload}", PARTS[1], sha256=UNSIGNED, source=source
    )
    assert answer.code == "IncompleteBody"
    listed = await s3.get("/bucket/key", f"uploadId={upload}")
    assert listed.texts("Part/ETag") == [first.headers["etag"]]


async def test_parts_made_by_copying(grounded: Service) -> None:
    """Whole objects and ranges of them become parts, across buckets; conditions and ranges are checked."""
    s3 = grounded.client()
    await s3.put("/bucket")
    await s3.put("/second")
    await s3.put("/second/src", WHOLE)
    upload = await begin(s3)

    async def copy(number: int, **headers: str) -> Answer:
        return await s3.put(
            "/bucket/key", b"", f"partNumber={number}&uploadId={upload}", x_amz_copy_source="/second/src", **headers
        )

    etags = []
    for number in (1, 2, 3):
        first = PART * (number - 1)
        answer = await copy(number, x_amz_copy_source_range=f"bytes={first}-{first + PART - 1}")
        assert (answer.status, answer.xml.tag) == (200, "CopyPartResult")
        etags.append(answer.text("ETag") or "")
    assert etags == [etag_of(data) for data in PARTS]
    assert (await copy(4)).text("ETag") == etag_of(WHOLE)
    for bad in ("bytes=0-", "0-1", "bytes=5-4", f"bytes=0-{len(WHOLE)}", "bytes=-5"):
        assert (await copy(5, x_amz_copy_source_range=bad)).code == "InvalidArgument"
    assert (await copy(5, x_amz_copy_source_if_match='"other"')).code == "PreconditionFailed"
    assert (await copy(10_001)).code == "InvalidArgument"
    assert (await complete(s3, upload, [(n, etag, "") for n, etag in enumerate(etags, 1)])).status == 200
    assert (await s3.get("/bucket/key")).body == WHOLE


async def test_versions_of_uploads(s3: Client) -> None:
    """In a bucket with versioning the completion makes a new version and tells its id."""
    await s3.put("/bucket")
    await s3.put("/bucket", ENABLE, "versioning", **md5_header(ENABLE))
    upload, answers = await upload_all(s3)
    done = await complete(s3, upload, rows_of(answers))
    assert (await s3.head("/bucket/key")).headers["x-amz-version-id"] == done.headers["x-amz-version-id"]


async def test_attributes(s3: Client) -> None:
    """GetObjectAttributes gives what is asked for: ETag without quotes, size, class, checksum, parts in pages."""
    await s3.put("/bucket")
    upload, answers = await upload_all(s3, x_amz_checksum_algorithm="SHA256")
    await complete(s3, upload, rows_of(answers))
    everything = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"
    answer = await s3.get("/bucket/key", "attributes", x_amz_object_attributes=everything)
    assert answer.xml.tag == "GetObjectAttributesResponse"
    assert (answer.text("ETag"), answer.text("ObjectSize")) == (ETAG.strip('"'), str(len(WHOLE)))
    assert (answer.text("StorageClass"), answer.text("ObjectParts/PartsCount")) == ("STANDARD", "3")
    assert answer.texts("ObjectParts/Part/ChecksumSHA256") == [sha256_of(data) for data in PARTS]
    assert "last-modified" in answer.headers
    page = await s3.get(
        "/bucket/key",
        "attributes",
        x_amz_object_attributes="ObjectParts",
        x_amz_max_parts="1",
        x_amz_part_number_marker="1",
    )
    assert (page.texts("ObjectParts/Part/PartNumber"), page.text("ObjectParts/IsTruncated")) == (["2"], "true")
    assert page.text("ETag") is None
    await s3.put("/bucket/plain", b"x")
    plain = await s3.get("/bucket/plain", "attributes", x_amz_object_attributes="ObjectParts,ETag")
    assert (plain.xml.find("ObjectParts"), plain.text("ETag")) == (None, etag_of(b"x").strip('"'))
    assert (await s3.get("/bucket/key", "attributes")).code == "InvalidArgument"
    assert (await s3.get("/bucket/key", "attributes", x_amz_object_attributes="Colour")).code == "InvalidArgument"


@define
class ChangedAfterALook:
    """The store's finder; right behind the first look at an object something happens to it."""

    finder: Finder
    change: Callable[[], Awaitable[Any]] | None

    async def find(self, bucket: str, key: str, version_id: str | None = None) -> Found:
        found = await self.finder.find(bucket, key, version_id)
        if self.change is not None:
            change, self.change = self.change, None
            await change()
        return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_part_of_an_object_that_is_replaced_meanwhile(service: Service, method: str) -> None:
    """Where part 1 lies is never taken from one object and its bytes from another."""
    s3 = service.client()
    await s3.put("/bucket")
    upload, answers = await upload_all(s3)
    await complete(s3, upload, rows_of(answers))
    endpoint = service.app._endpoint
    endpoint.store = evolve(
        endpoint.store, objects=ChangedAfterALook(endpoint.store.objects, lambda: s3.put("/bucket/key", b"short"))
    )
    answer = await s3.call(method, "/bucket/key", "partNumber=1")
    assert (answer.status, answer.headers["content-range"], answer.headers["etag"]) == (
        206,
        "bytes 0-4/5",
        etag_of(b"short"),
    )
