"""Bodies on their way in: payload modes, digests, lengths, disconnects. What is refused leaves the old object."""

from __future__ import annotations

import hashlib
import hmac
import time
import zlib
from base64 import b64encode
from math import inf
from typing import Any

import pytest
import trio

from tests.s3.client import EMPTY_SHA256, UNSIGNED, Answer, Body, Client, Recorder, md5_header
from tests.s3.conftest import Service

OLD = b"the object that was there"
NEW = bytes(index * 11 & 0xFF for index in range(100_000))
CRC32 = b64encode(zlib.crc32(NEW).to_bytes(4, "big")).decode()
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)] or [b""]


class Chunks:
    """The aws-chunked form of some data, signed with a client's key or not."""

    def __init__(
        self, client: Client, mode: str, *, chunk: int = 16_384, trailer: str | None = None, data: bytes = NEW
    ) -> None:
        self.data = data
        self.client = client
        self.mode = mode
        self.trailer = trailer
        self.date = client.amz_date()
        self.scope = f"{self.date[:8]}/{client.region}/s3/aws4_request"
        self.chunk = chunk

    def body(self, seed: str) -> bytes:
        """The body; `seed` is the request's signature."""
        out = bytearray()
        previous = seed
        for piece in [*pieces_of(self.data, self.chunk), b""]:
            head = f"{len(piece):x}"
            if self.mode != UNSIGNED_TRAILER:
                covered = f"{EMPTY_SHA256}\n{hashlib.sha256(piece).hexdigest()}"
                previous = self._sign("AWS4-HMAC-SHA256-PAYLOAD", previous, covered)
                head += f";chunk-signature={previous}"
            out += head.encode() + b"\r\n" + piece + (b"\r\n" if piece else b"")
        if self.trailer is not None:
            line = f"x-amz-checksum-crc32:{self.trailer}"
            out += line.encode() + b"\r\n"
            if self.mode == SIGNED_TRAILER:
                covered = hashlib.sha256(line.encode() + b"\n").hexdigest()
                signature = self._sign("AWS4-HMAC-SHA256-TRAILER", previous, covered)
                out += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return bytes(out + b"\r\n")

    def _sign(self, algorithm: str, previous: str, covered: str) -> str:
        text = f"{algorithm}\n{self.date}\n{self.scope}\n{previous}\n{covered}"
        return hmac.new(self.client.signing_key(self.date[:8]), text.encode(), "sha256").hexdigest()


def chunked_put(
    s3: Client,
    mode: str,
    *,
    trailer: str | None = CRC32,
    chunk: int = 16_384,
    change: bytes | None = None,
    cut: int = 0,
    headers: dict[str, str] | None = None,
    data: bytes = NEW,
    query: str = "",
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a PUT of `data` in aws-chunks.

    Args:
        change: this byte string's first occurrence in the body gets its last bit flipped.
        cut: so many bytes are missing at the body's end, and Content-Length says so.
    """
    chunks = Chunks(s3, mode, chunk=chunk, trailer=trailer if mode != SIGNED else None, data=data)
    length = len(chunks.body("0" * 64)) - cut
    sent = {
        "host": s3.host,
        "content-length": str(length),
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(data)),
        **({"x-amz-trailer": "x-amz-checksum-crc32"} if mode != SIGNED else {}),
        **(headers or {}),
    }
    sent |= s3.sign("PUT", "/bucket/key", query, sent, mode)
    chunks.date = sent["x-amz-date"]  # a second may have passed
    body = bytearray(chunks.body(sent["authorization"].rpartition("=")[2])[:length])
    if change is not None:
        at = body.index(change) + len(change) - 1
        body[at] ^= 1
    return sent, bytes(body)


async def put_chunked(s3: Client, mode: str, *, piece: int = 7_000, **what: Any) -> Answer:
    """PUT `NEW` in aws-chunks; see `chunked_put`. The app gets the body in pieces of that size."""
    headers, body = chunked_put(s3, mode, **what)
    return await s3.raw("PUT", "/bucket/key", "", headers, Body(pieces_of(body, piece)))


async def prepare(s3: Client) -> None:
    await s3.put("/bucket")
    await s3.put("/bucket/key", OLD)


async def current(s3: Client) -> bytes:
    return (await s3.get("/bucket/key")).body


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("piece", [13, 7_000, 1 << 20])
async def test_chunked_bodies_are_decoded(grounded: Service, mode: str, piece: int) -> None:
    """Every aws-chunked mode stores the content alone, however the pieces of the body fall."""
    s3 = grounded.client()
    await prepare(s3)
    answer = await put_chunked(s3, mode, piece=piece)
    assert (answer.status, answer.code) == (200, "")
    assert await current(s3) == NEW
    got = await s3.head("/bucket/key", x_amz_checksum_mode="ENABLED")
    assert got.headers.get("x-amz-checksum-crc32") == (None if mode == SIGNED else CRC32)
    assert "content-encoding" not in got.headers


async def test_tiny_chunks_cost_in_proportion(s3: Client) -> None:
    """A body in chunks of one byte takes time by its length, not by its square."""
    await s3.put("/bucket")

    async def cpu_s(size: int) -> float:
        data = (NEW * 2)[:size]
        crc = b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
        started = time.process_time()
        answer = await put_chunked(s3, UNSIGNED_TRAILER, data=data, chunk=1, trailer=crc, piece=1 << 20)
        taken = time.process_time() - started
        assert answer.status == 200, answer.body
        return taken

    # In turn, so that a busy neighbour slows both down.
    small, large = inf, inf
    for _ in range(3):
        small = min(small, await cpu_s(10_000))
        large = min(large, await cpu_s(160_000))
    print(f"160,000 chunks of a byte take {large / small:.1f} times as long as 10,000")
    assert large < 32 * small


async def test_tiny_chunks_let_others_have_their_turn(s3: Client) -> None:
    """While a body in chunks of one byte is decoded, other tasks run."""
    await s3.put("/bucket")
    data = (NEW * 2)[:160_000]
    crc = b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    headers, body = chunked_put(s3, UNSIGNED_TRAILER, data=data, chunk=1, trailer=crc)

    async def longest_turn() -> float:
        """The part of all the time that others waited for in one go."""
        longest = 0.0

        async def watch(task_status: trio.TaskStatus[None]) -> None:
            nonlocal longest
            task_status.started()
            while True:
                last = time.thread_time()
                try:
                    await trio.lowlevel.checkpoint()
                finally:
                    longest = max(longest, time.thread_time() - last)

        async with trio.open_nursery() as nursery:
            await nursery.start(watch)
            started = time.thread_time()
            answer = await s3.raw("PUT", "/bucket/key", "", headers, Body(pieces_of(body, 1 << 20)))
            taken = time.thread_time() - started
            nursery.cancel_scope.cancel()
        assert answer.status == 200, answer.body
        return longest / taken

    # The least of several: Python's collector has turns of its own.
    least = min([await longest_turn() for _ in range(3)])
    print(f"of the time for 160,000 chunks of a byte, others waited {least:.1%} at most in one go")
    assert least < 0.25


async def test_the_objects_own_encoding_is_kept(s3: Client) -> None:
    """`gzip, aws-chunked` is stored as `gzip`."""
    await prepare(s3)
    await put_chunked(s3, SIGNED, headers={"content-encoding": "gzip, aws-chunked"})
    assert (await s3.head("/bucket/key")).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("mode", "change", "code"),
    [
        (SIGNED, NEW[:9000], "SignatureDoesNotMatch"),
        (SIGNED, b";chunk-signature=", "IncompleteBody"),
        (SIGNED_TRAILER, NEW[:9000], "SignatureDoesNotMatch"),
        (SIGNED_TRAILER, b"\r\nx-amz-checksum-crc32:" + CRC32[:3].encode(), "SignatureDoesNotMatch"),
        (SIGNED_TRAILER, b"x-amz-trailer-signature:0", "MalformedTrailerError"),
        (UNSIGNED_TRAILER, NEW[:9000], "BadDigest"),
        (UNSIGNED_TRAILER, b"\r\nx-amz-checksum-crc32:" + CRC32[:3].encode(), "BadDigest"),
        (UNSIGNED_TRAILER, b"x-amz-checksum-crc32", "MalformedTrailerError"),
        (UNSIGNED_TRAILER, b"4000", "IncompleteBody"),
    ],
)
async def test_a_flipped_bit_in_a_chunked_body_is_found(s3: Client, mode: str, change: bytes, code: str) -> None:
    """In data, framing, trailer or signature: the PUT is refused and the old object stays (PROOF 30)."""
    await prepare(s3)
    if change.endswith(b":0"):
        change = change[:-2]
    answer = await put_chunked(s3, mode, change=change)
    assert (answer.status, answer.code) == (403 if code == "SignatureDoesNotMatch" else 400, code)
    assert await current(s3) == OLD


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("cut", [1, 2, 20, 5_000])
async def test_a_chunked_body_without_its_end(s3: Client, mode: str, cut: int) -> None:
    """A body that stops anywhere before the empty line behind its last chunk is refused, however right its length."""
    await prepare(s3)
    assert (await put_chunked(s3, mode, cut=cut)).code == "IncompleteBody"
    assert await current(s3) == OLD


async def test_small_signed_chunks_are_refused(s3: Client) -> None:
    """A signed chunk under 8 KiB that is not the last is InvalidChunkSizeError, as in S3."""
    await prepare(s3)
    answer = await put_chunked(s3, SIGNED, chunk=8191)
    assert (answer.status, answer.code) == (403, "InvalidChunkSizeError")
    assert await current(s3) == OLD


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-amz-decoded-content-length": str(len(NEW) + 1)}, "IncompleteBody"),
        ({"x-amz-decoded-content-length": str(len(NEW) - 1)}, "IncompleteBody"),
        ({"x-amz-decoded-content-length": "many"}, "InvalidArgument"),
        ({"x-amz-trailer": "x-amz-checksum-sha256"}, "MalformedTrailerError"),
        ({"x-amz-trailer": "x-amz-meta-a"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": CRC32}, "MalformedTrailerError"),
        ({"x-amz-checksum-sha1": "A" * 27 + "="}, "InvalidRequest"),
    ],
)
async def test_a_chunked_body_that_contradicts_its_headers(s3: Client, headers: dict[str, str], code: str) -> None:
    """A length or a trailer other than announced is refused, and so is a checksum given twice."""
    await prepare(s3)
    assert (await put_chunked(s3, UNSIGNED_TRAILER, headers=headers)).code == code
    assert await current(s3) == OLD


async def test_asymmetric_chunk_signatures_are_not_implemented(s3: Client) -> None:
    """The SigV4a modes answer 501, and nothing is stored."""
    await prepare(s3)
    answer = await s3.call("PUT", "/bucket/key", "", b"x", sha256="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
    assert answer.status == 501
    assert await current(s3) == OLD


@pytest.mark.parametrize(
    ("headers", "sha256", "status", "code"),
    [
        ({}, hashlib.sha256(b"other").hexdigest(), 400, "XAmzContentSHA256Mismatch"),
        ({}, "0", 400, "InvalidArgument"),
        ({"content-md5": b64encode(bytes(16)).decode()}, None, 400, "BadDigest"),
        ({"content-md5": "short"}, None, 400, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, None, 400, "BadDigest"),
        ({"x-amz-checksum-crc32c": "AAAAAA=="}, UNSIGNED, 400, "BadDigest"),
        ({"x-amz-checksum-crc64nvme": "AAAAAAAAAAA="}, None, 400, "BadDigest"),
        ({"x-amz-checksum-sha256": "A" * 43 + "="}, None, 400, "BadDigest"),
        ({"x-amz-checksum-crc32": "AAAA"}, None, 400, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "?"}, None, 400, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-sha1": "A" * 27 + "="}, None, 400, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC32"}, None, 400, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "ADLER32"}, None, 400, "InvalidRequest"),
        ({"x-amz-checksum-xxhash64": "AAAAAAAAAAA="}, None, 501, "NotImplemented"),
    ],
)
@pytest.mark.parametrize("size", [100, 100_000])
async def test_wrong_digests(
    s3: Client, headers: dict[str, str], sha256: str | None, status: int, code: str, size: int
) -> None:
    """Every digest that does not fit, or cannot be one, refuses the PUT; the old object stays."""
    await prepare(s3)
    answer = await s3.call("PUT", "/bucket/key", "", NEW[:size], headers, sha256=sha256)
    assert (answer.status, answer.code) == (status, code)
    assert await current(s3) == OLD


@pytest.mark.parametrize("size", [100, 100_000])
async def test_right_digests(s3: Client, size: int) -> None:
    """Payload hash, Content-MD5 and a checksum together pass, and the checksum is the one that is kept."""
    await prepare(s3)
    data = (NEW * 2)[:size]
    sha1 = b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    answer = await s3.put("/bucket/key", data, x_amz_checksum_sha1=sha1, **md5_header(data))
    assert answer.headers["x-amz-checksum-sha1"] == sha1
    assert await current(s3) == data


@pytest.mark.parametrize("announced", [99_999, 100_001])
@pytest.mark.parametrize("sha256", [UNSIGNED, hashlib.sha256(NEW).hexdigest()])
async def test_a_lying_length(s3: Client, announced: int, sha256: str) -> None:
    """A body longer or shorter than its Content-Length is IncompleteBody and stores nothing (PROOF 20)."""
    await prepare(s3)
    headers = {"content-length": str(announced)}
    source = Body(pieces_of(NEW, 30_000))
    answer = await s3.call("PUT", "/bucket/key", "", NEW, headers, sha256=sha256, source=source)
    assert (answer.status, answer.code) == (400, "IncompleteBody")
    assert await current(s3) == OLD


@pytest.mark.parametrize("received", [0, 1, 4096, 65_536, 99_999, 100_000])
async def test_a_disconnect_half_way(grounded: Service, received: int) -> None:
    """A client that leaves at any point before the end of its body changes nothing, and no bytes of it stay."""
    s3 = grounded.client()
    await prepare(s3)
    before = await grounded.store.ctx.chunks.store.list_chunks("", 100)
    headers = {"host": s3.host, "content-length": "200000"}
    headers |= s3.sign("PUT", "/bucket/key", "", headers, UNSIGNED)
    recorder = Recorder("PUT")
    await s3.run("PUT", "/bucket/key", "", headers, Body(pieces_of(NEW[:received], 4096), lost=True), recorder)
    assert recorder.status == 400
    assert await current(s3) == OLD
    assert await grounded.store.ctx.chunks.store.list_chunks("", 100) == before


async def test_a_body_without_length_or_framing_is_refused(s3: Client) -> None:
    """Neither Content-Length nor a transfer coding: 411, before the body is asked for."""
    await prepare(s3)
    headers = {"host": s3.host}
    headers |= s3.sign("PUT", "/bucket/key", "", headers, UNSIGNED)
    body = Body([b"x"])
    answer = await s3.raw("PUT", "/bucket/key", "", headers, body)
    assert (answer.status, answer.code, body.asked) == (411, "MissingContentLength", 0)


async def test_a_body_in_http_chunks_is_taken(s3: Client) -> None:
    """With a transfer coding the length need not be announced."""
    await prepare(s3)
    source = Body(pieces_of(NEW, 30_000))
    headers = {"transfer-encoding": "chunked"}
    answer = await s3.call("PUT", "/bucket/key", "", NEW, headers, sha256=UNSIGNED, source=source)
    assert answer.status == 200
    assert await current(s3) == NEW


async def test_a_disconnect_in_http_chunks(s3: Client) -> None:
    """Where no length was announced, a client that leaves is still not taken for the end of the body."""
    await prepare(s3)
    headers = {"host": s3.host, "transfer-encoding": "chunked"}
    headers |= s3.sign("PUT", "/bucket/key", "", headers, UNSIGNED)
    recorder = Recorder("PUT")
    await s3.run("PUT", "/bucket/key", "", headers, Body(pieces_of(NEW, 30_000), lost=True), recorder)
    assert recorder.status == 400
    assert await current(s3) == OLD


async def test_too_large(service: Service, s3: Client) -> None:
    """A PUT that announces more than the limit is refused before its body is asked for."""
    await prepare(s3)
    body = Body([b"x"])
    headers = {"content-length": str((5 << 30) + 1)}
    answer = await s3.call("PUT", "/bucket/key", "", b"", headers, sha256=UNSIGNED, source=body)
    assert (answer.status, answer.code, body.asked) == (400, "EntityTooLarge", 0)


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("/bucket/key", {"authorization": "AWS4-HMAC-SHA256 x"}, "AuthorizationHeaderMalformed"),
        ("/nowhere/key", {}, "NoSuchBucket"),
        ("/bucket/key", {"x-amz-acl": "public-read"}, "AccessControlListNotSupported"),
        ("/bucket/key", {"if-none-match": "*"}, "PreconditionFailed"),
        ("/bucket/key", {"x-amz-expected-bucket-owner": "somebody"}, "AccessDenied"),
        ("/bucket/key", {"x-amz-tagging": "a=1&a=2"}, "InvalidArgument"),
        ("/bucket/" + "k" * 1025, {}, "KeyTooLongError"),
    ],
)
async def test_what_can_refuse_does_so_before_the_body(
    s3: Client, path: str, headers: dict[str, str], code: str
) -> None:
    """The answer comes without the body having been asked for, so a client that waits for 100-continue keeps it."""
    await prepare(s3)
    body = Body([NEW])
    sent = {"host": s3.host, "content-length": str(len(NEW)), **headers}
    sent = {**s3.sign("PUT", path, "", sent, UNSIGNED), **sent}
    answer = await s3.raw("PUT", path, "", sent, body)
    assert (answer.code, body.asked) == (code, 0)
