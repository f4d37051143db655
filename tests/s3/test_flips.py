"""One bit of a signed upload flipped, wherever it is: refused, and the old object stays (PROOF 30)."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
from attrs import frozen

from tests.conftest import Figure
from tests.s3.client import UNSIGNED, Body, Client
from tests.s3.conftest import memory_service
from tests.s3.test_bodies import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, chunked_put

OLD = b"the object that was there"
DATA = bytes(index * 7 & 0xFF for index in range(20_000))
CRC32 = b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
PATH, QUERY = "/bucket/key", "x-id=PutObject"
DESCRIBED = {"x-amz-meta-colour": "green", "x-amz-tagging": "a=1", "content-type": "text/plain"}


@frozen
class Upload:
    """A PUT, ready to be sent."""

    query: str
    headers: dict[str, str]
    body: bytes


def plain(s3: Client, sha256: str, more: dict[str, str]) -> Upload:
    headers = {"host": s3.host, "content-length": str(len(DATA)), **DESCRIBED, **more}
    return Upload(QUERY, headers | s3.sign("PUT", PATH, QUERY, headers, sha256), DATA)


def signed_payload(s3: Client) -> Upload:
    return plain(s3, hashlib.sha256(DATA).hexdigest(), {})


def unsigned_payload_with_checksum(s3: Client) -> Upload:
    return plain(s3, UNSIGNED, {"x-amz-checksum-crc32": CRC32})


def chunked(s3: Client, mode: str) -> Upload:
    headers, body = chunked_put(s3, mode, trailer=CRC32, chunk=8192, headers=DESCRIBED, data=DATA, query=QUERY)
    return Upload(QUERY, headers, body)


def signed_chunks(s3: Client) -> Upload:
    return chunked(s3, SIGNED)


def signed_chunks_with_trailer(s3: Client) -> Upload:
    return chunked(s3, SIGNED_TRAILER)


def unsigned_chunks_with_trailer(s3: Client) -> Upload:
    return chunked(s3, UNSIGNED_TRAILER)


def presigned_url(s3: Client) -> Upload:
    """The URL alone is signed; of the body nothing is, so a Content-MD5 vouches for it."""
    md5 = b64encode(hashlib.md5(DATA, usedforsecurity=False).digest()).decode()
    headers = {"host": s3.host, "content-length": str(len(DATA)), "content-md5": md5}
    return Upload(s3.presign("PUT", PATH, QUERY), headers, DATA)


def flipped(text: str, at: int) -> str:
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


def variants(upload: Upload, stride: int) -> Iterator[tuple[str, str, Upload]]:
    """(where, path, the upload with one bit of it changed): every byte of path, query and headers; of the body each of
    the last 400, and as many of the others as the stride says."""
    for at in range(1, len(PATH)):
        yield f"path[{at}]", flipped(PATH, at), upload
    for at in range(len(upload.query)):
        yield f"query[{at}]", PATH, Upload(flipped(upload.query, at), upload.headers, upload.body)
    for name, value in upload.headers.items():
        for at in range(len(value)):
            changed = {**upload.headers, name: flipped(value, at)}
            yield f"{name}[{at}]", PATH, Upload(upload.query, changed, upload.body)
    for at in {*range(0, len(upload.body), stride), *range(len(upload.body) - 400, len(upload.body))}:
        body = bytearray(upload.body)
        body[at] ^= 1
        yield f"body[{at}]", PATH, Upload(upload.query, upload.headers, bytes(body))


MODES: list[Callable[[Client], Upload]] = [
    signed_payload,
    unsigned_payload_with_checksum,
    signed_chunks,
    signed_chunks_with_trailer,
    unsigned_chunks_with_trailer,
    presigned_url,
]


@pytest.mark.parametrize("mode", MODES)
async def test_one_flipped_bit_is_refused(mode: Callable[[Client], Upload], proof_full: bool, figure: Figure) -> None:
    """Path, query, headers, body, framing and trailer: nothing that was changed is stored, under any payload mode."""
    tried = 0
    statuses: dict[int, int] = {}
    async with memory_service() as service:
        s3 = service.client()
        await s3.put("/bucket")
        upload = mode(s3)
        assert (await s3.raw("PUT", PATH, upload.query, upload.headers, Body([upload.body]))).status == 200
        await s3.put(PATH, OLD)
        for where, path, changed in variants(upload, 1 if proof_full else 101):
            answer = await s3.raw("PUT", path, changed.query, changed.headers, Body([changed.body]))
            assert 400 <= answer.status < 500, (where, answer.status)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            tried += 1
        assert (await s3.get(PATH)).body == OLD
        assert (await s3.get("/bucket", "list-type=2")).texts("Contents/Key") == ["key"]
    figure(f"{mode.__name__}: {tried:,} flipped bits refused {dict(sorted(statuses.items()))}")
