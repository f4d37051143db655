"""Hostile input to the parsers of the signed wire: requests that are right but for some bytes (PROOF 37).

Each case starts from a valid request and changes a few bytes, since what is random throughout dies at the first check.
Seeded, so that a failing case is named and can be had again.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from random import Random
from time import process_time
from urllib.parse import parse_qsl

import pytest

from lightningstor.errors import StoreError
from lightningstor.s3.wire import sigv2, sigv4
from lightningstor.s3.wire.checksums import content_md5, requested_checksum
from lightningstor.s3.wire.chunked import AwsChunkedDecoder, ChunkVerifier
from lightningstor.s3.wire.conditions import read_conditions
from lightningstor.s3.wire.dates import parse_amz_time
from lightningstor.s3.wire.payload import plan_payload, stored_content_encoding
from lightningstor.s3.wire.ranges import copy_source_range, if_range_holds
from lightningstor.s3.wire.signer import Signer, presign, sign_headers
from lightningstor.store.conditions import write_if_match, write_if_none_match
from lightningstor.store.ranges import parse_range
from tests.conftest import Figure

SIGNER = Signer("AKIAEXAMPLE", b"secret")
NOW_MS = parse_amz_time("20260102T030405Z")
HOST = b"localhost:9000"
PATH, QUERY = b"/bucket/key%20%C3%A9//x", b"versionId=1&partNumber=2"
HEADERS = sign_headers(
    SIGNER, "PUT", PATH, QUERY, {b"host": HOST, b"x-amz-meta-a": b"b  c", b"content-type": b"text/plain"}, NOW_MS
)
URL = presign(SIGNER, "GET", PATH, QUERY, HOST, NOW_MS, 60)
V2_SIGNED = "POST\n\na/b\n1767323105\nx-amz-acl:private\n/bucket/bucket/key%20%C3%A9//x?uploads="
V2_SIGNATURE = b64encode(hmac.new(b"secret", V2_SIGNED.encode(), "sha1").digest()).replace(b"=", b"%3D")
V2_QUERY = b"uploads=&x-amz-acl=private&AWSAccessKeyId=AKIA&Expires=1767323105&Signature=" + V2_SIGNATURE
SPICE = (
    *(b"\r\n", b"\n", b"\0", b"%", b"%2F", b"%0A", b";", b",", b"=", b"&", b"+", b"-", b" ", b"\xff", b"W/"),
    *(b"9" * 30, b'"'),
)
Mutate = Callable[[bytes], bytes]


def mutator(random: Random) -> Mutate:
    """Changes a few places of one text in ten: bits flipped, a piece cut, repeated, moved to the end, or put in."""

    def mutate(text: bytes) -> bytes:
        for _ in range(max(0, random.randrange(-26, 4))):
            at = random.randrange(len(text) + 1)
            size = random.randrange(1, 9)
            head, piece, tail = text[:at], text[at : at + size], text[at + size :]
            text = random.choice(
                (
                    head + bytes(byte ^ 1 << random.randrange(8) for byte in piece) + tail,
                    head + tail,
                    head + piece * 3 + tail,
                    head + tail + piece,
                    head + random.choice(SPICE) + piece + tail,
                )
            )
        return text

    return mutate


def header_signature(mutate: Mutate) -> None:
    headers = {mutate(name) if name != b"authorization" else name: mutate(value) for name, value in HEADERS.items()}
    signed = sigv4.parse_authorization(headers)
    sigv4.verify(signed, "PUT", mutate(PATH), mutate(QUERY), headers, SIGNER.secret, NOW_MS, region="us-east-1")


def presigned_url(mutate: Mutate) -> None:
    path, _, query = mutate(URL).partition(b"?")
    parameters = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    headers = {b"host": mutate(HOST), mutate(b"user-agent"): b"fuzz"}
    signed = sigv4.parse_presigned(parameters, headers)
    sigv4.verify(signed, "GET", path, query, headers, SIGNER.secret, NOW_MS, region="us-east-1", hosts=(mutate(HOST),))


def version_2(mutate: Mutate) -> None:
    query = mutate(V2_QUERY)
    headers = {b"date": mutate(b"Fri, 02 Jan 2026 03:04:05 GMT"), b"content-type": mutate(b"a/b")}
    sigv2.parse_header_v2({b"authorization": mutate(b"AWS AKIA:AAAAAAAAAAAAAAAAAAAAAAAAAAA=")})
    signed = sigv2.parse_presigned_v2(dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)))
    sigv2.verify_v2(signed, "POST", mutate(PATH), query, headers, b"secret", NOW_MS, virtual_host_bucket="bucket")


def payload_headers(mutate: Mutate) -> None:
    headers = {
        b"content-length": mutate(b"66660"),
        b"content-encoding": mutate(b"gzip, aws-chunked"),
        b"x-amz-content-sha256": mutate(b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        b"x-amz-decoded-content-length": mutate(b"66560"),
        b"x-amz-trailer": mutate(b"x-amz-checksum-crc32c"),
        mutate(b"x-amz-sdk-checksum-algorithm"): mutate(b"CRC32C"),
    }
    plan = plan_payload(headers, None)
    assert plan.trailer_algorithm is None or plan.trailer is not None
    stored_content_encoding(headers[b"content-encoding"].decode("latin-1"))


def checksum_headers(mutate: Mutate) -> None:
    headers = {
        mutate(b"x-amz-checksum-crc64nvme"): mutate(b"AAAAAAAAAAA="),
        mutate(b"x-amz-sdk-checksum-algorithm"): mutate(b"CRC64NVME"),
        b"content-md5": mutate(b"XUFAKrxLKna5cZ2REBfFkg=="),
    }
    content_md5(headers)
    found = requested_checksum(headers)
    assert found is None or found.digest


def conditions_and_ranges(mutate: Mutate) -> None:
    def text(raw: bytes) -> str:
        return mutate(raw).decode("latin-1")

    date = text(b"Fri, 02 Jan 2026 03:04:04 GMT")
    if_range_holds(text(b'"abc"'), "abc", NOW_MS)
    found = parse_range(text(b"bytes=10-19"), 15)
    assert found is None or 0 <= found[0] < sum(found) <= 15
    write_if_match(text(b'"abc"'))
    write_if_none_match(text(b"*"))
    read_conditions(text(b'"x", "abc"'), text(b'W/"def", g')).check("abc", NOW_MS)
    read_conditions(None, None, date, text(b"Friday, 02-Jan-26 03:04:05 GMT"), "x-amz-copy-source-").check(
        "abc", NOW_MS
    )
    offset, length = copy_source_range(text(b"bytes=10-19"), 20)
    assert 0 <= offset < offset + length <= 20


def chunked_body(mutate: Mutate) -> None:
    previous, body = "0" * 64, b""
    key = SIGNER.key(NOW_MS)
    scope = "20260102/us-east-1/s3/aws4_request"
    for chunk in (b"a" * 20, b""):
        covered = f"{sigv4.EMPTY_SHA256}\n{sha256(chunk).hexdigest()}"
        previous = key.sign(f"AWS4-HMAC-SHA256-PAYLOAD\n20260102T030405Z\n{scope}\n{previous}\n{covered}".encode())
        body += b"%x;chunk-signature=%b\r\n%b" % (len(chunk), previous.encode(), chunk and chunk + b"\r\n")
    lines = b"x-amz-checksum-crc32:AAAAAA==\n"
    covered = sha256(lines).hexdigest()
    last = key.sign(f"AWS4-HMAC-SHA256-TRAILER\n20260102T030405Z\n{scope}\n{previous}\n{covered}".encode())
    body = mutate(body + lines + b"\r\nx-amz-trailer-signature:" + last.encode() + b"\r\n\r\n")
    verifier = ChunkVerifier(key, "AKIAEXAMPLE", "20260102T030405Z", scope, "0" * 64)
    decoder = AwsChunkedDecoder(20, verifier, "x-amz-checksum-crc32")
    cut = len(mutate(b"x" * 200)) % (len(body) + 1)
    content = b"".join(bytes(piece) for part in (body[:cut], body[cut:]) for piece in decoder.feed(part)[0])
    decoder.finish()
    assert content == b"a" * 20


@pytest.mark.proof
@pytest.mark.parametrize(
    "target",
    [
        header_signature,
        presigned_url,
        version_2,
        payload_headers,
        checksum_headers,
        conditions_and_ranges,
        chunked_body,
    ],
)
def test_only_the_declared_errors_escape(target: Callable[[Mutate], None], proof_full: bool, figure: Figure) -> None:
    """However a request is spoilt, it is read or refused with a fact; never another error, never slowly."""
    count = 150_000 if proof_full else 1_500
    refused, slowest_s = 0, 0.0
    for seed in range(count):
        started = process_time()
        try:
            target(mutator(Random(seed)))
        except StoreError:
            refused += 1
        except Exception as error:
            # Any other error is the finding, whatever it is: it is told with what brings it back.
            raise AssertionError(f"seed {seed}: {type(error).__name__}") from error
        slowest_s = max(slowest_s, process_time() - started)
    assert 0 < refused < count
    assert slowest_s < 1.0
    figure(f"{target.__name__}: {count:,} seeds, {refused:,} refused, slowest {slowest_s * 1000:.1f} ms")


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison with a signature that was sent is `hmac.compare_digest`'s, over its whole length (PROOF 31)."""
    compared: list[tuple[int, int]] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.append((len(ours), len(theirs)))
        return False  # nothing is right, so that every reading is tried

    monkeypatch.setattr("hmac.compare_digest", compare)

    def unchanged(text: bytes) -> bytes:
        return text

    for target in (header_signature, presigned_url, version_2, chunked_body):
        compared.clear()
        with pytest.raises(StoreError):
            target(unchanged)
        assert compared
        assert all(ours == theirs in (28, 64) for ours, theirs in compared)
