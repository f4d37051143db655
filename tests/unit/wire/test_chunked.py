"""aws-chunked bodies: what is signed is given out, what is not is refused, whatever the pieces (PROOF 30, 37)."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.errors import IncompleteBody, StoreError
from lightningstor.s3.wire.chunked import AwsChunkedDecoder, ChunkVerifier
from lightningstor.s3.wire.faults import InvalidChunkSize, InvalidRequest, MalformedTrailer, SignatureDoesNotMatch
from lightningstor.s3.wire.signing_key import signing_key
from tests.conftest import Figure

SECRET = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TIME, SCOPE = "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
EMPTY = sha256(b"").hexdigest()


def verifier(seed: str = SEED) -> ChunkVerifier:
    return ChunkVerifier(signing_key(SECRET, "20130524", "us-east-1"), "AKIA", TIME, SCOPE, seed)


def signed_body(chunks: list[bytes], trailer: dict[str, str] | None = None) -> bytes:
    """A body as a client signs it, written from the documentation and independent of the decoder."""
    key = b"AWS4" + SECRET
    for part in SCOPE.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    previous, out = SEED, b""
    for chunk in [*chunks, b""]:
        to_sign = "\n".join(("AWS4-HMAC-SHA256-PAYLOAD", TIME, SCOPE, previous, EMPTY, sha256(chunk).hexdigest()))
        previous = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
        out += b"%x;chunk-signature=%s\r\n" % (len(chunk), previous.encode())
        out += chunk + b"\r\n" if chunk else b""
    if trailer is not None:
        lines = "".join(f"{name}:{value}\n" for name, value in trailer.items())
        to_sign = "\n".join(("AWS4-HMAC-SHA256-TRAILER", TIME, SCOPE, previous, sha256(lines.encode()).hexdigest()))
        out += "".join(f"{name}:{value}\r\n" for name, value in trailer.items()).encode()
        out += b"x-amz-trailer-signature:" + hmac.new(key, to_sign.encode(), "sha256").hexdigest().encode() + b"\r\n"
    return out + b"\r\n"


def decode(decoder: AwsChunkedDecoder, body: bytes, piece: int = 1 << 20) -> bytes:
    out = b""
    for at in range(0, len(body), piece):
        out += b"".join(bytes(part) for part in decoder.feed(body[at : at + piece])[0])
    decoder.finish()
    return out


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_a_bounded_feed_stops_between_chunks(most: int) -> None:
    """A bounded feed takes so many chunks and no more, says how far it came, and goes on from there."""
    content = [b"%04d" % number for number in range(9)]
    body = b"".join(b"4\r\n%s\r\n" % piece for piece in content) + b"0\r\n\r\n"
    decoder = AwsChunkedDecoder(36)
    found: list[bytes] = []
    calls = 0
    while body:
        pieces, taken = decoder.feed(body, most)
        assert taken > 0
        assert len(pieces) <= most
        found += [bytes(piece) for piece in pieces]
        body = body[taken:]
        calls += 1
    decoder.finish()
    assert found == content
    assert calls >= 10 / most


def test_the_documented_example_decodes() -> None:
    """The 66,560 bytes of the API reference: its three chunk signatures are those that we compute."""
    signatures = [
        b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]
    chunks = [b"a" * 65_536, b"a" * 1024, b""]
    body = b"".join(
        b"%x;chunk-signature=%s\r\n%s" % (len(chunk), signature, chunk + b"\r\n")
        for chunk, signature in zip(chunks, signatures, strict=True)
    )
    assert decode(AwsChunkedDecoder(66_560, verifier()), body) == b"a" * 66_560


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(8192, 20_000), max_size=3), st.integers(0, 9000), st.integers(1, 30_000))
def test_pieces_do_not_matter(sizes: list[int], last: int, piece: int) -> None:
    """However the network cuts the body, the same content comes out."""
    chunks = [bytes([65 + n]) * size for n, size in enumerate(sizes)] + ([b"z" * last] if last else [])
    content = b"".join(chunks)
    assert decode(AwsChunkedDecoder(len(content), verifier()), signed_body(chunks), piece) == content
    trailer = {"x-amz-checksum-crc32": "AAAAAA=="}
    decoder = AwsChunkedDecoder(len(content), verifier(), "x-amz-checksum-crc32")
    assert decode(decoder, signed_body(chunks, trailer), piece) == content
    assert decoder.trailers == trailer


def test_every_flipped_byte_is_refused(figure: Figure) -> None:
    """A changed byte anywhere in framing, content, signatures or trailer is refused before its chunk is given out."""
    chunks = [b"a" * 8192, b"b" * 100]
    body = signed_body(chunks, {"x-amz-checksum-crc32": "AAAAAA=="})
    places = [at for at in range(len(body)) if at % 97 == 0 or at < 100 or at > len(body) - 400]
    for at in places:
        flipped = bytearray(body)
        flipped[at] ^= 1
        with pytest.raises(StoreError):
            decode(AwsChunkedDecoder(8292, verifier(), "x-amz-checksum-crc32"), bytes(flipped))
    figure(f"{len(places)} flipped bytes refused")


def test_a_forged_chunk_ends_the_body() -> None:
    """The signature is checked as soon as its chunk is whole, and the body is never complete after that."""
    body = signed_body([b"a" * 8192, b"b" * 8192])
    forged = bytearray(body)
    forged[-3000] ^= 1
    decoder = AwsChunkedDecoder(16_384, verifier())
    decoder.feed(bytes(forged[:9000]))
    with pytest.raises(SignatureDoesNotMatch):
        decoder.feed(bytes(forged[9000:]))
    with pytest.raises(IncompleteBody):
        decoder.finish()


def test_small_signed_chunks_are_refused() -> None:
    """Only the last chunk may have fewer than 8,192 bytes."""
    with pytest.raises(InvalidChunkSize) as caught:
        decode(AwsChunkedDecoder(8391, verifier()), signed_body([b"a" * 8191, b"b" * 200]))
    assert (caught.value.chunk, caught.value.size) == (1, 8191)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"5\r\nhello\r\n0\r\n", IncompleteBody),
        (b"5\r\nhello\r\n", IncompleteBody),
        (b"5\r\nhel", IncompleteBody),
        (b"", IncompleteBody),
        (b"6\r\nhello!\r\n0\r\n\r\n", IncompleteBody),
        (b"4\r\nhell\r\n0\r\n\r\n", IncompleteBody),
        (b"5\r\nhelloo\r\n0\r\n\r\n", IncompleteBody),
        (b"5\nhello\n0\n\n", IncompleteBody),
        (b"x\r\nhello\r\n0\r\n\r\n", IncompleteBody),
        (b"-5\r\nhello\r\n0\r\n\r\n", IncompleteBody),
        (b"+5\r\nhello\r\n0\r\n\r\n", IncompleteBody),
        (b"0x5\r\nhello\r\n0\r\n\r\n", IncompleteBody),
        (b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n", IncompleteBody),
        (b"5\r\nhello\r\n0\r\n\r\nmore", IncompleteBody),
        (b"f" * 17 + b"\r\n", IncompleteBody),
        (b"5" * 600, IncompleteBody),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AA\r\n\r\n", MalformedTrailer),
        (b"5\r\nhello\r\n0\r\nnocolon\r\n\r\n", MalformedTrailer),
    ],
)
def test_bad_framing(body: bytes, error: type[StoreError]) -> None:
    """Each way of being wrong has its error; none is read as something else."""
    with pytest.raises(error):
        decode(AwsChunkedDecoder(5), body)


def test_a_trailer_that_was_announced_must_come() -> None:
    """A missing or another trailer is MalformedTrailer; the right one is kept."""
    head = b"5\r\nhello\r\n0\r\n"
    for lines in (
        b"\r\n",
        b"x-amz-checksum-sha1:AA\r\n\r\n",
        b"x-amz-checksum-crc32:A\r\nx-amz-checksum-crc32:B\r\n\r\n",
    ):
        with pytest.raises(MalformedTrailer):
            decode(AwsChunkedDecoder(5, None, "x-amz-checksum-crc32"), head + lines)
    decoder = AwsChunkedDecoder(5, None, "x-amz-checksum-crc32")
    assert decode(decoder, head + b"X-Amz-Checksum-CRC32: NhCmhg==\r\n\r\n") == b"hello"
    assert decoder.trailers == {"x-amz-checksum-crc32": "NhCmhg=="}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 50), st.booleans())
def test_garbage_is_refused_and_nothing_else(body: bytes, length: int, signed: bool) -> None:
    """Whatever comes, only the declared errors are raised (PROOF 37, short)."""
    decoder = AwsChunkedDecoder(length, verifier() if signed else None)
    try:
        content = decode(decoder, body, 7)
    except StoreError:
        return
    assert len(content) == length


NAME = "x-amz-checksum-crc32"


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\r\n\r\n", b"\n\r\n"])
def test_ends_of_an_unsigned_trailer(end: bytes) -> None:
    """A line of the trailer ends in CR LF, or as S3's examples and minio-go write it, in LF CR LF."""
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==" + end
    for piece in (1, 7, 1000):
        decoder = AwsChunkedDecoder(5, None, NAME)
        assert decode(decoder, body, piece) == b"hello"
        assert decoder.trailers == {NAME: "NhCmhg=="}
        assert decoder.done
    for cut in range(1, len(end) + 1):
        if end.startswith(b"\n\r\n") and cut == 2 and len(end) == 5:
            continue  # what remains is the shorter way of ending
        with pytest.raises(StoreError):
            decode(AwsChunkedDecoder(5, None, NAME), body[:-cut])


def test_a_signed_trailer_as_minio_go_writes_it() -> None:
    """The trailer's line ends in LF CR LF, its signature follows; both are covered."""
    body = signed_body([b"a" * 100], {NAME: "AAAAAA=="}).replace(b"AAAAAA==\r\n", b"AAAAAA==\n\r\n")
    assert decode(AwsChunkedDecoder(100, verifier(), NAME), body, 3) == b"a" * 100
    with pytest.raises(SignatureDoesNotMatch):
        decode(AwsChunkedDecoder(100, verifier(), NAME), body.replace(b"AAAAAA==", b"AAAAAB=="))


def test_a_signed_trailer_needs_its_signature() -> None:
    """Without x-amz-trailer-signature, or with something behind it, the trailer is malformed."""
    body = signed_body([b"a" * 100], {NAME: "AAAAAA=="})
    line = body[body.index(b"x-amz-trailer-signature") : -2]
    behind = body[:-2] + b"x-amz-checksum-crc32:A\r\n\r\n"
    for bad in (body.replace(line, b""), body.replace(line, line + line), behind):
        with pytest.raises(MalformedTrailer):
            decode(AwsChunkedDecoder(100, verifier(), NAME), bad)


def test_a_trailer_has_an_end() -> None:
    """Lines are given up when they grow too long, trailers at their first line that was not announced."""
    decoder = AwsChunkedDecoder(0, None, NAME)
    decoder.feed(b"0\r\n" + b"a" * 250)
    with pytest.raises(IncompleteBody, match="too long"):
        decoder.feed(b"a" * 10)
    with pytest.raises(MalformedTrailer):
        AwsChunkedDecoder(0, None, NAME).feed(b"0\r\n" + b"\n\r\n" * 2000)


def test_a_huge_signed_chunk_is_refused_before_it_is_received() -> None:
    """There is a most that is taken before a signature is checked."""
    with pytest.raises(InvalidRequest, match="17000000"):
        AwsChunkedDecoder(1 << 30, verifier()).feed(b"%x;chunk-signature=0\r\n" % 17_000_000)


def test_a_writable_buffer_may_be_used_again() -> None:
    """Nothing is kept of what was fed: the caller may receive into the same memory again."""
    body = signed_body([b"a" * 8192, b"b" * 10])
    decoder, out = AwsChunkedDecoder(8202, verifier()), b""
    buffer = bytearray(1000)
    for at in range(0, len(body), 1000):
        piece = body[at : at + 1000]
        buffer[: len(piece)] = piece
        out += b"".join(bytes(part) for part in decoder.feed(memoryview(buffer)[: len(piece)])[0])
        buffer[:] = bytes(1000)
    decoder.finish()
    assert out == b"a" * 8192 + b"b" * 10


@pytest.mark.parametrize("signed", [False, True])
def test_content_is_not_copied(signed: bool) -> None:
    """What is given out are views of what came in."""
    data = signed_body([b"hello"]) if signed else b"5\r\nhello\r\n0\r\n\r\n"
    (piece,) = AwsChunkedDecoder(5, verifier() if signed else None).feed(data)[0]
    assert piece.obj is data
