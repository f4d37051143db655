"""A request's body on its way in: pulled from the server, out of its aws-chunked framing, with what it must hash to.

The first pull lets a client that waits for 100-continue send; so nothing here is called before everything that can
refuse the request has had its say.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

import trio
from msgspec import Struct

from lightningstor.chunks.api import Buffer
from lightningstor.chunks.digest import digest_inline
from lightningstor.errors import BadDigest, IncompleteBody, StoreError
from lightningstor.s3.call import Call, Exchange
from lightningstor.s3.wire.checksums import SAY_NOTHING, Checksum, content_md5, decode_checksum, requested_checksum
from lightningstor.s3.wire.chunked import AwsChunkedDecoder, ChunkVerifier
from lightningstor.s3.wire.faults import InvalidRequest, MissingContentLength, XAmzContentSHA256Mismatch
from lightningstor.s3.wire.payload import PayloadPlan, plan_payload
from lightningstor.s3.wire.refusals import MaxMessageLengthExceeded, RequestTimeout
from lightningstor.store.api import DirectSource, ExpectedDigest
from lightningstor.structs import mutable

__all__ = ["RequestBody", "open_body", "read_document"]

_PIECE: Final = 1 << 20
_TIMED_OUT: Final = 408
_MAX_CHUNKS: Final = 2_048
"""So many aws-chunks are decoded in one go, in some 5 ms; then other tasks have their turn."""
_MANY_PIECES: Final = 256
"""Pieces so small that a copy of them together costs less than handing on each."""


_ANNOUNCED: Final = b"x-amz-sdk-checksum-algorithm"
_SEVERAL: Final = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."


def open_body(call: Call, *, checksum_is_its_own: bool = True) -> RequestBody:
    """The body of a request that takes one. Nothing is read yet.

    Args:
        checksum_is_its_own: a checksum in the headers is that of this body; in CompleteMultipartUpload it is that of
            the object which the parts make.

    Raises:
        InvalidRequest, InvalidDigest, InvalidArgument, MalformedTrailer, MissingContentLength, IncompleteBody
        NotImplementedHere: what the headers say of the body is wrong, or not offered here.
    """
    headers = call.headers
    plan = plan_payload(headers, call.content_sha256)
    if plan.wire_length is None and b"transfer-encoding" not in headers:
        raise MissingContentLength()
    body = RequestBody(call, call.exchange, plan, plan.length)
    if plan.sha256 is not None:
        body.algorithms.append("sha256")
    if not headers.keys() <= SAY_NOTHING:  # in C, for the plainest of requests
        _open_checked(body, headers, checksum_is_its_own)
    return body


def _open_checked(body: RequestBody, headers: Mapping[bytes, bytes], checksum_is_its_own: bool) -> None:
    """What the headers say of checksums and of framing."""
    plan = body.plan
    if checksum_is_its_own:
        body.checksum = checksum = requested_checksum(headers)
        if checksum is not None:
            if plan.trailer is not None:
                raise InvalidRequest(_SEVERAL)
            body.checksum_algorithm = checksum.algorithm
        elif plan.trailer is None and _ANNOUNCED in headers:
            raise InvalidRequest(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers"
                " were found."
            )
    if plan.trailer is not None:
        body.checksum_algorithm = plan.trailer_algorithm
    if b"content-md5" in headers:
        body.md5 = content_md5(headers)
        body.algorithms.append("md5")
    if body.checksum_algorithm is not None:
        body.algorithms.append(body.checksum_algorithm.lower())
    if plan.aws_chunked:
        assert plan.length is not None
        verifier = _verifier(body.call) if plan.signed_chunks else None
        body.decoder = AwsChunkedDecoder(plan.length, verifier, plan.trailer)


def _verifier(call: Call) -> ChunkVerifier:
    assert call.signed is not None  # only a version 4 signature covers a payload mode
    key, signed = call.signed
    return ChunkVerifier(key, signed.access_key_id, signed.amz_date, signed.credential.scope, signed.signature)


@mutable
class RequestBody(DirectSource, Struct, eq=False):
    """The content of a request; the store's `BodySource`. A struct, since every PUT makes one.

    Attributes:
        size: the announced length in bytes; None: not announced.
        algorithms: the digests that `expected` speaks of.
        checksum_algorithm: S3's name of the checksum that comes with the content, in a header or a trailer.
        checksum, md5: the digests that came in headers. decoder: takes the content out of aws-chunks.
        _pieces: of the content, decoded and not yet given out, the next one last.
        _undecoded: what follows them, of a body in very many aws-chunks.
    """

    call: Call
    exchange: Exchange
    plan: PayloadPlan
    size: int | None
    algorithms: list[str] = []
    checksum_algorithm: str | None = None
    checksum: Checksum | None = None
    md5: bytes | None = None
    decoder: AwsChunkedDecoder | None = None
    _pieces: list[Buffer] = []
    _undecoded: Buffer = b""
    _received: int = 0
    _ended: bool = False

    @property
    def has_digest(self) -> bool:
        """The content comes with a checksum or a Content-MD5."""
        return self.checksum_algorithm is not None or self.md5 is not None

    async def receive(self) -> Buffer:
        """The next piece of the content; empty at the end.

        Raises:
            IncompleteBody: the content is shorter or longer than announced, or the client left.
            SignatureDoesNotMatch, InvalidChunkSize, MalformedTrailer: in an aws-chunked body.
        """
        decoder, pieces = self.decoder, self._pieces
        while not pieces:
            if decoder is not None and self._undecoded:
                await trio.lowlevel.checkpoint()
                self._decode(decoder, self._undecoded)
                continue
            try:
                raw = b"" if self._ended else await self.exchange.receive_some(_PIECE)
            except ConnectionError as gone:
                raise self._cut_short(gone) from gone
            count = len(raw)
            self.call.bytes_in += count
            if not count:
                self._ended = True
            if decoder is None:
                self._received = received = self._received + count
                size = self.size
                if size is not None and (received > size or (not count and received < size)):
                    raise IncompleteBody("the body does not have its announced length", size, received)
                return raw
            if not count:
                decoder.finish()
                return b""
            self._decode(decoder, raw)
        return pieces.pop()

    def _decode(self, decoder: AwsChunkedDecoder, raw: Buffer) -> None:
        """Take the content out of a piece of the body, or of its beginning if that has very many chunks."""
        content, taken = decoder.feed(raw, _MAX_CHUNKS)
        self._undecoded = memoryview(raw)[taken:] if taken < len(raw) else b""
        self._pieces.extend(reversed(content) if len(content) < _MANY_PIECES else [b"".join(content)])

    def receive_whole(self) -> bytes | None:
        """See `DirectSource`. Not for an aws-chunked body, whose framing has an end to be looked at."""
        if self.decoder is not None:
            return None
        whole = self.exchange.receive_whole()
        if whole is not None:
            self._ended = True
            self._received = self.call.bytes_in = len(whole)
        return whole

    def receive_now(self, room: memoryview) -> int:
        """See `DirectSource`. An aws-chunked body is taken out of its framing where it lies."""
        if self._pieces or self._undecoded:
            return 0
        try:
            count = self.exchange.receive_now(room)
        except ConnectionError as gone:
            raise self._cut_short(gone) from gone
        self.call.bytes_in += count
        decoder = self.decoder
        if decoder is None:
            self._received += count
            return count
        content, taken = decoder.feed(room[:count], _MAX_CHUNKS)
        if taken < count:
            self._undecoded = bytes(room[taken:count])
        at = 0
        for piece in content:
            room[at : at + len(piece)] = piece
            at += len(piece)
        return at

    async def wait_more(self) -> bool:
        """See `DirectSource`."""
        if self._pieces or self._undecoded:
            return False
        try:
            return await self.exchange.wait_more()
        except ConnectionError as gone:
            raise self._cut_short(gone) from gone

    def _cut_short(self, gone: ConnectionError) -> StoreError:
        """What it means that the server will not get all of the body."""
        self.call.aborted = True
        if getattr(gone, "status", None) == _TIMED_OUT:
            return RequestTimeout()
        return IncompleteBody("the request ended early", self.size, self._received)

    def expected(self) -> Sequence[ExpectedDigest]:
        """After the end: what the content must hash to.

        Raises:
            InvalidRequest: the trailer's checksum is not one.
        """
        expected: list[ExpectedDigest] = []
        sha256 = self.plan.sha256
        if sha256 is not None:

            def mismatch(computed: bytes) -> StoreError:
                return XAmzContentSHA256Mismatch(sha256, computed.hex())

            expected.append(ExpectedDigest("sha256", bytes.fromhex(sha256), mismatch))
        if len(self.algorithms) == len(expected):
            return expected
        if self.md5 is not None:
            expected.append(_expected("md5", self.md5))
        checksum, trailer = self.checksum, self.plan.trailer
        if checksum is not None:
            expected.append(_expected(checksum.algorithm.lower(), checksum.digest))
        elif trailer is not None and self.decoder is not None and self.checksum_algorithm is not None:
            digest = decode_checksum(self.checksum_algorithm, self.decoder.trailers[trailer], trailer)
            expected.append(_expected(self.checksum_algorithm.lower(), digest))
        return expected


def _expected(algorithm: str, digest: bytes) -> ExpectedDigest:
    def mismatch(computed: bytes) -> StoreError:
        return BadDigest(algorithm, b64encode(digest).decode(), b64encode(computed).decode())

    return ExpectedDigest(algorithm, digest, mismatch)


async def read_document(call: Call) -> bytes:
    """The whole body of an operation that takes a document, verified; empty where none was sent.

    Raises:
        MaxMessageLengthExceeded: longer than the operation allows.
        InvalidRequest: the operation wants a checksum, and there is none.
        BadDigest, XAmzContentSHA256Mismatch: it is not what its sender hashed. And what `open_body` raises.
    """
    operation, headers = call.operation, call.headers
    assert operation.input is not None
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return b""
    body = open_body(call, checksum_is_its_own="checksum_crc32" not in operation.input.members)
    limit = min(operation.body_limit, call.endpoint.settings.max_document_size)
    if body.size is not None and body.size > limit:
        raise MaxMessageLengthExceeded(limit)
    if operation.requires_checksum and not body.has_digest:
        raise InvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    pieces: list[bytes] = []
    held = 0
    while piece := await body.receive():
        held += len(piece)
        if held > limit:
            raise MaxMessageLengthExceeded(limit)
        pieces.append(bytes(piece))
    data = b"".join(pieces)
    digests = digest_inline(body.algorithms, data)
    for expected in body.expected():
        computed = digests[expected.algorithm]
        if computed != expected.digest:
            raise expected.mismatch(computed)
    return data
