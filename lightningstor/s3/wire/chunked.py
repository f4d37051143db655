"""aws-chunked: the framing inside a body whose signature or checksum follows the content.

    body    = *( size [";chunk-signature=" signature] CRLF data CRLF ) last-chunk
    last    = "0" [";chunk-signature=" signature] CRLF *( name ":" value CRLF ) CRLF

    SIZE ──size>0──▶ DATA ──size bytes──▶ DATA_END ──CRLF──▶ SIZE;   SIZE ──size=0──▶ TRAILER ──empty line──▶ DONE

Each chunk's signature covers the one before it, the first the request's own ("Signature calculations for the
authorization header: transferring a payload in multiple chunks", S3 API Reference). An HTTP chunked transfer coding
is undone before; this framing lies inside it.
"""

from __future__ import annotations

import hmac
from enum import Enum, auto
from hashlib import sha256
from typing import Final

from attrs import define, field

from lightningstor.errors import IncompleteBody
from lightningstor.s3.wire.faults import InvalidChunkSize, MalformedTrailer, SignatureDoesNotMatch
from lightningstor.s3.wire.sigv4 import SigningKey

__all__ = ["MIN_SIGNED_CHUNK", "AwsChunkedDecoder", "ChunkVerifier"]

MIN_SIGNED_CHUNK: Final = 8192
"""The least size of a signed chunk that is not the last, in bytes."""

_MAX_SIGNED_CHUNK: Final = 16 << 20
"""A signed chunk is held until its signature is checked, so its size is bounded."""

_MAX_LINE: Final = 512
_MAX_TRAILER: Final = 4096
_EMPTY: Final = sha256(b"").hexdigest()


@define
class ChunkVerifier:
    """Checks the chain of chunk signatures.

    Args:
        key: the signing key of the request.
        access_key_id, amz_date, scope: of the request.
        previous: the last signature in the chain; the request's own at first.
    """

    key: SigningKey
    access_key_id: str
    amz_date: str
    scope: str
    previous: str

    def check_chunk(self, digest: str, signature: str) -> None:
        """Raises SignatureDoesNotMatch unless `signature` is that of a chunk with this SHA-256 (hex)."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{digest}", signature)

    def check_trailer(self, trailer: bytes, signature: str) -> None:
        """Raises SignatureDoesNotMatch unless `signature` is that of these trailer lines ("name:value⏎")."""
        self._check("AWS4-HMAC-SHA256-TRAILER", sha256(trailer).hexdigest(), signature)

    def _check(self, algorithm: str, covered: str, signature: str) -> None:
        to_sign = f"{algorithm}\n{self.amz_date}\n{self.scope}\n{self.previous}\n{covered}"
        computed = self.key.sign(to_sign.encode())
        if not hmac.compare_digest(computed.encode(), signature.encode("utf-8", "surrogateescape")):
            raise SignatureDoesNotMatch(self.access_key_id, signature, to_sign)
        self.previous = computed


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


@define
class AwsChunkedDecoder:
    """Decode one aws-chunked body, checking every chunk's signature before its bytes are given out.

    Args:
        decoded_length: of the content as announced, in bytes.
        verifier: checks signatures, in order; None: chunks are not signed.
        trailer: the trailer header that is announced; None: there must be none.
    """

    decoded_length: int
    verifier: ChunkVerifier | None = None
    trailer: str | None = None
    trailers: dict[str, str] = field(init=False, factory=dict)
    """The trailer's headers, once `done`."""
    received: int = field(init=False, default=0)
    """Bytes of content so far, as the sizes of the chunks announce them."""
    _state: _State = field(init=False, default=_State.SIZE)
    _line: bytearray = field(init=False, factory=bytearray)
    _left: int = field(init=False, default=0)
    _chunk: int = field(init=False, default=0)
    _held: list[bytes] = field(init=False, factory=list)
    _signature: str = field(init=False, default="")
    _short_chunk: tuple[int, int] | None = field(init=False, default=None)
    _signed_lines: bytearray = field(init=False, factory=bytearray)
    _trailer_signature: str | None = field(init=False, default=None)

    @property
    def done(self) -> bool:
        """The body is complete, its length as announced, and everything in it verified."""
        return self._state is _State.DONE

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes | memoryview]:
        """Take a piece of the body; gives the content that is verified with it.

        Returns:
            Pieces in order. Of an unsigned body they are views of `data`, good as long as that is.

        Raises:
            IncompleteBody: bad framing, or a length other than announced.
            SignatureDoesNotMatch: a chunk's signature is wrong. Nothing of that chunk was returned.
            InvalidChunkSize, MalformedTrailer
        """
        out: list[bytes | memoryview] = []
        view = memoryview(data)
        at, end = 0, len(view)
        while at < end:
            if self._state is _State.DATA:
                taken = min(self._left, end - at)
                self._take(view[at : at + taken], out)
                at += taken
            elif self._state is _State.DONE:
                raise IncompleteBody("bytes follow the end of the aws-chunked body")
            else:
                at = self._take_line(view, at, end, out)
        return out

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            IncompleteBody: the body was not complete.
        """
        if self._state is not _State.DONE:
            raise IncompleteBody("the aws-chunked body ends early", self.decoded_length, self.received)

    def _take(self, piece: memoryview, out: list[bytes | memoryview]) -> None:
        self._left -= len(piece)
        if self.verifier is None:
            out.append(piece)
        else:
            self._held.append(bytes(piece))
        if not self._left:
            self._state = _State.DATA_END
            if self.verifier is not None:
                self._release(self.verifier, out)

    def _release(self, verifier: ChunkVerifier, out: list[bytes | memoryview]) -> None:
        digest = sha256()
        for piece in self._held:
            digest.update(piece)
        verifier.check_chunk(digest.hexdigest(), self._signature)
        out += self._held
        self._held = []

    def _take_line(self, view: memoryview, at: int, end: int, out: list[bytes | memoryview]) -> int:
        """Gather a line that ends in CRLF, and act on it."""
        limit = _MAX_TRAILER if self._state is _State.TRAILER else _MAX_LINE
        window = bytes(view[at : min(end, at + limit + 2)])
        line_feed = window.find(b"\n")
        taken = len(window) if line_feed < 0 else line_feed + 1
        self._line += window[:taken]
        if len(self._line) > limit:
            raise IncompleteBody("a line of the aws-chunked framing is too long")
        if line_feed >= 0:
            if not self._line.endswith(b"\r\n"):
                raise IncompleteBody("a line of the aws-chunked framing does not end in CR LF")
            line = bytes(self._line[:-2])
            self._line.clear()
            if self._state is _State.SIZE:
                self._begin_chunk(line, out)
            elif self._state is _State.DATA_END:
                if line:
                    raise IncompleteBody("a chunk is longer than its size says")
                self._state = _State.SIZE
            else:
                self._take_trailer(line)
        return at + taken

    def _begin_chunk(self, line: bytes, out: list[bytes | memoryview]) -> None:
        digits, _, extension = line.partition(b";")
        if not digits or len(digits) > 16 or digits.strip(b"0123456789abcdefABCDEF"):
            raise IncompleteBody("a chunk's size is not a hexadecimal number")
        size = int(digits, 16)
        if self.verifier is None:
            if extension:
                raise IncompleteBody("a chunk of an unsigned body carries an extension")
        else:
            self._check_signed_size(size, extension)
        self.received += size
        if self.received > self.decoded_length:
            raise IncompleteBody("the chunks hold more than announced", self.decoded_length, self.received)
        self._chunk += 1
        self._left = size
        if size:
            self._state = _State.DATA
            return
        if self.received != self.decoded_length:
            raise IncompleteBody("the chunks hold less than announced", self.decoded_length, self.received)
        if self.verifier is not None:
            self._release(self.verifier, out)
        self._state = _State.TRAILER

    def _check_signed_size(self, size: int, extension: bytes) -> None:
        name, _, signature = extension.partition(b"=")
        if name.strip() != b"chunk-signature":
            raise IncompleteBody("a chunk of a signed body carries no chunk-signature")
        self._signature = signature.strip().decode("latin-1")
        if size > _MAX_SIGNED_CHUNK:
            raise InvalidChunkSize(self._chunk + 1, size)
        if size and self._short_chunk is not None:
            raise InvalidChunkSize(*self._short_chunk)
        if 0 < size < MIN_SIGNED_CHUNK:
            self._short_chunk = (self._chunk + 1, size)

    def _take_trailer(self, line: bytes) -> None:
        if not line:
            self._end()
            return
        raw_name, colon, raw_value = line.partition(b":")
        name, value = raw_name.decode("latin-1").strip().lower(), raw_value.decode("latin-1").strip()
        if not colon or not name:
            raise MalformedTrailer("a line of the trailer has no colon")
        if name == "x-amz-trailer-signature":
            self._trailer_signature = value
            return
        if name != self.trailer or name in self.trailers:
            raise MalformedTrailer(f"the trailer holds {name!r}, announced was {self.trailer!r}")
        self.trailers[name] = value
        self._signed_lines += f"{name}:{value}\n".encode("latin-1")

    def _end(self) -> None:
        if self.trailer is not None and self.trailer not in self.trailers:
            raise MalformedTrailer(f"the trailer {self.trailer!r} was announced and did not come")
        if self.verifier is not None and self.trailer is not None:
            if self._trailer_signature is None:
                raise MalformedTrailer("x-amz-trailer-signature is missing")
            self.verifier.check_trailer(bytes(self._signed_lines), self._trailer_signature)
        self._state = _State.DONE
