"""Hostile requests, for every operation of the table: each gets an S3 error, and nothing in the store changes."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator, Mapping
from urllib.parse import quote

import pytest

from lightningstor.s3.wire.operation import Body as BodyKind
from lightningstor.s3.wire.operation import Operation, Scope
from lightningstor.s3.wire.operations import OPERATIONS
from tests.conftest import Figure
from tests.s3.client import UNSIGNED, Answer, Body, Client, md5_header
from tests.s3.conftest import Service, memory_service
from tests.s3.test_access import request_of

ROWS = [row for row in OPERATIONS if row.signed and row.superseded_by is None and not row.elsewhere]
IN_A_BUCKET = [row for row in ROWS if row.scope is not Scope.SERVICE and row.name != "CreateBucket"]
WITH_DOCUMENT = [row for row in ROWS if row.implemented and row.body is BodyKind.XML]
BOMB = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "' + b"&b;" * 100 + b'"><!ENTITY d "' + b"&c;" * 100 + b'">]><a>&d;</a>'
DOCUMENTS = {
    "not XML": b"{}",
    "cut off": b"<Delete><Object><Key>a",
    "another root": b"<Nothing/>",
    "an entity bomb": BOMB,
    "an external entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "200,000 levels": b"<a>" * 200_000,
    "5 MiB": b"<a>" + b" " * (5 << 20) + b"</a>",
    "not UTF-8": b"<a>\xff</a>",
    "UTF-16": "<a/>".encode("utf-16"),
    "NUL": b"<a>\0</a>",
}


@pytest.fixture
async def filled() -> AsyncIterator[Service]:
    """A bucket with an object, a versioned one, and an open upload."""
    async with memory_service() as service:
        s3 = service.client()
        await s3.put("/bucket")
        await s3.put("/bucket/key", b"x" * 10_000, x_amz_tagging="a=1")
        yield service


async def rows_of_store(service: Service) -> dict[bytes, bytes]:
    """Everything in the metadata store."""
    rows = await service.store.ctx.kv.scan(b"", b"\xff", 10_000)
    return {row.key: row.value for row in rows}


async def send(s3: Client, row: Operation, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    request = request_of(row)
    return await s3.call(row.method, path, request.query, body, {**request.headers, **headers})


async def test_a_bucket_that_is_not_there(filled: Service) -> None:
    """Every operation on it is NoSuchBucket, also those that are not implemented; HEAD is a bare 404."""
    s3 = filled.client()
    before = await rows_of_store(filled)
    for row in IN_A_BUCKET:
        path = "/nowhere" if row.scope is Scope.BUCKET else "/nowhere/key"
        answer = await send(s3, row, path, b"", {})
        assert answer.status == 404, row.name
        if row.method != "HEAD":
            assert (answer.code, answer.text("BucketName")) == ("NoSuchBucket", "nowhere"), row.name
    assert await rows_of_store(filled) == before


@pytest.mark.parametrize("row", WITH_DOCUMENT, ids=lambda row: row.name)
@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_documents_that_are_none(filled: Service, row: Operation, kind: str) -> None:
    """Every operation that takes XML refuses what is none, with 400, and changes nothing."""
    s3 = filled.client()
    before = await rows_of_store(filled)
    body = DOCUMENTS[kind]
    path = "/bucket" if row.scope is Scope.BUCKET else "/bucket/key"
    path = "/new-bucket" if row.name == "CreateBucket" else path
    answer = await send(s3, row, path, body, {"content-md5": md5_header(body)["content_md5"]})
    assert (answer.status, answer.code) in {(400, "MalformedXML"), (400, "MaxMessageLengthExceeded")}
    assert await rows_of_store(filled) == before


@pytest.mark.parametrize("row", WITH_DOCUMENT, ids=lambda row: row.name)
async def test_documents_that_do_not_arrive_whole(filled: Service, row: Operation) -> None:
    """A lying length, a wrong digest, a disconnect: refused, and nothing changes."""
    s3 = filled.client()
    before = await rows_of_store(filled)
    path = "/bucket" if row.scope is Scope.BUCKET else "/bucket/key"
    path = "/new-bucket" if row.name == "CreateBucket" else path
    request = request_of(row)
    body = b"<Anything/>"
    for headers, source, sha256, code in (
        ({"content-length": "12"}, Body([body]), UNSIGNED, "IncompleteBody"),
        ({"content-length": "10"}, Body([body]), UNSIGNED, "IncompleteBody"),
        ({"content-length": "100"}, Body([body], lost=True), UNSIGNED, "IncompleteBody"),
        ({}, Body([body]), hashlib.sha256(b"other").hexdigest(), "XAmzContentSHA256Mismatch"),
        ({"content-md5": md5_header(b"other")["content_md5"]}, Body([body]), UNSIGNED, "BadDigest"),
    ):
        sent = {**request.headers, "content-md5": md5_header(body)["content_md5"], **headers}
        answer = await s3.call(row.method, path, request.query, body, sent, sha256=sha256, source=source)
        assert answer.code == code
    assert await rows_of_store(filled) == before


WORDS = [
    "bucket",
    "key",
    "nowhere",
    "..",
    "%00",
    "%FF",
    "%zz",
    "",
    "a" * 1100,
    "%2F",
    "+",
    "null",
    "é",
    "-1",
    "0",
    "9" * 30,
]
PARAMETERS = sorted(
    {selector.partition("=")[0] for row in ROWS for selector in row.query}
    | {"prefix", "delimiter", "marker", "max-keys", "continuation-token", "start-after", "fetch-owner", "encoding-type"}
    | {"key-marker", "version-id-marker", "upload-id-marker", "max-uploads", "max-parts", "part-number-marker"}
    | {"response-content-type", "response-expires", "X-Amz-Signature", "AWSAccessKeyId", "x-id"}
)
HEADERS = [
    "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "content-md5",
    "content-type", "content-encoding", "content-length", "transfer-encoding", "expires", "x-amz-meta-a",
    "x-amz-tagging", "x-amz-storage-class", "x-amz-acl", "x-amz-copy-source", "x-amz-copy-source-range",
    "x-amz-copy-source-if-match", "x-amz-metadata-directive", "x-amz-checksum-crc32", "x-amz-checksum-mode",
    "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-sdk-checksum-algorithm", "x-amz-trailer",
    "x-amz-decoded-content-length", "x-amz-object-attributes", "x-amz-max-parts", "x-amz-expected-bucket-owner",
    "x-amz-mp-object-size", "x-amz-request-payer", "x-amz-server-side-encryption", "x-amz-security-token",
]  # fmt: skip
VALUES = [
    "*", '"x"', "bytes=0-", "bytes=-5", "bytes=9-1", "/bucket/key", "bucket/key?versionId=null", "a=1", "COPY",
    "REPLACE", "CRC32", "SHA256", "FULL_OBJECT", "AAAAAA==", "Sat, 01 Jan 2000 00:00:00 GMT", "1", "-1", "", "é",
    "STANDARD", "ENABLED", "requester", "aws-chunked", "x-amz-checksum-crc32", "ETag,ObjectParts", "\t", "9" * 25,
]  # fmt: skip
BODIES = [b"", b"x", b"x" * 70_000, b"<Delete><Object><Key>a</Key></Object></Delete>", b"<Tagging><TagSet/></Tagging>"]
HASHES = [None, UNSIGNED, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "é", "0" * 64]


def random_request(rng: random.Random) -> tuple[str, str, str, dict[str, str]]:
    """Method, path, query and headers of a request for some operation, most often spoilt somewhere."""
    method, path, query, headers = request_of(rng.choice(ROWS))
    if rng.random() < 0.05:
        method = rng.choice(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
    if rng.random() < 0.2:
        path = "/" + "/".join(quote(rng.choice(WORDS), safe="%") for _ in range(rng.randrange(4)))
    fields = [field for field in query.split("&") if field]
    fields += [
        f"{name}={quote(rng.choice(WORDS), safe='')}" for name in rng.sample(PARAMETERS, rng.choice([0, 0, 0, 0, 1, 2]))
    ]
    for name in rng.sample(HEADERS, rng.choice([0, 0, 1, 1, 2, 3])):
        headers[name] = rng.choice(VALUES).encode().decode("latin-1")
    return method, path, "&".join(fields), headers


async def test_no_request_is_a_500(proof_full: bool, figure: Figure) -> None:
    """Requests put together at random, with valid signatures: every one gets an answer that is no InternalError
    (PROOF 37)."""
    count = 100_000 if proof_full else 3_000
    rng = random.Random(37)
    statuses: dict[int, int] = {}
    async with memory_service() as service:
        s3 = service.client()
        for number in range(count):
            if number % 50 == 0:
                await s3.put("/bucket")
                await s3.put("/bucket/key", b"x" * 10_000)
            method, path, query, headers = random_request(rng)
            body = rng.choice(BODIES)
            if rng.random() < 0.5:
                headers["content-md5"] = md5_header(body)["content_md5"]
            sha256 = rng.choice(HASHES) if rng.random() < 0.2 else None
            answer = await s3.call(method, path, query, body, headers, sha256=sha256)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            assert answer.status != 500, (method, path, query, headers)
    told = ", ".join(f"{status}: {times}" for status, times in sorted(statuses.items()))
    assert len(statuses) >= 9, told
    figure(f"{count} random signed requests, none a 500 ({told})")
