"""aws-chunked: the framing inside a body whose signature or checksum follows the content.

    body    = *( size [";chunk-signature=" signature] CRLF data CRLF ) last-chunk
    last    = "0" [";chunk-signature=" signature] CRLF *( name ":" value ( CRLF / LF CRLF ) ) CRLF

    SIZE ──size>0──▶ DATA ──size bytes──▶ DATA_END ──CRLF──▶ SIZE;   SIZE ──size=0──▶ TRAILER ──empty line──▶ DONE

Each chunk's signature covers the one before it, the first the request's own ("Signature calculations for the
authorization header: transferring a payload in multiple chunks", S3 API Reference; its examples end a trailer's line in
LF CR LF, and so does minio-go). An HTTP chunked transfer coding is undone before; this framing lies inside it.
"""

from __future__ import annotations

import hmac
import sys
from enum import Enum, auto
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from attrs import define, field

from lightningstor.errors import IncompleteBody
from lightningstor.s3.wire.faults import InvalidChunkSize, InvalidRequest, MalformedTrailer, SignatureDoesNotMatch
from lightningstor.s3.wire.signing_key import SigningKey

if TYPE_CHECKING:
    from _hashlib import HASH

__all__ = ["MAX_SIGNED_CHUNK", "MIN_SIGNED_CHUNK", "AwsChunkedDecoder", "ChunkVerifier"]

MIN_SIGNED_CHUNK: Final = 8192
"""The least size of a signed chunk that is not the last, in bytes."""

MAX_SIGNED_CHUNK: Final = 16 << 20
"""The most that is taken before a signature is checked. Clients use 64 KiB to 1 MiB."""

_MAX_LINE: Final = 256
_EMPTY: Final = sha256(b"").hexdigest()
_HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
_SIGNATURE: Final = "x-amz-trailer-signature"


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
        computed = self.key.sign(to_sign.encode("utf-8", "surrogateescape"))
        if not hmac.compare_digest(computed.encode(), signature.encode("utf-8", "surrogateescape")):
            raise SignatureDoesNotMatch(self.access_key_id, signature, to_sign)
        self.previous = computed


class _State(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    DONE = auto()


@define(eq=False)
class AwsChunkedDecoder:
    """Decode one aws-chunked body, checking every chunk's signature at its end.

    So the content that was given out counts for nothing until `finish` has returned.

    Hashing makes `feed` of a signed body cost 0.8 ms a MiB; it may be called in a thread, one call at a time.

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
    _line: bytes = field(init=False, default=b"")  # the begun line, which has its limit; a trailer has few lines
    _left: int = field(init=False, default=0)
    _chunk: int = field(init=False, default=0)
    _digest: HASH = field(init=False, factory=sha256)
    _signature: str = field(init=False, default="")
    _short_chunk: tuple[int, int] | None = field(init=False, default=None)
    _trailer_signature: str | None = field(init=False, default=None)
    _line_feed: bool = field(init=False, default=False)  # the last line ended in LF alone: CR LF has to follow
    _may_end: bool = field(init=False, default=False)  # that CR LF has come, and may have been the empty line as well

    @property
    def done(self) -> bool:
        """The body is complete, its length as announced, and everything in it verified."""
        return self._state is _State.DONE

    def feed(self, data: bytes | bytearray | memoryview, max_chunks: int = sys.maxsize) -> tuple[list[memoryview], int]:
        """Take a piece of the body; gives the content in it.

        Args:
            max_chunks: stop behind the first line of so many chunks, at least 1.

        Returns:
            Pieces in order, views of `data` that are good as long as that is; and how many bytes of `data` were taken.
            The next call is to begin with the rest.

        Raises:
            IncompleteBody: bad framing, or a length other than announced.
            SignatureDoesNotMatch: a chunk's signature is wrong.
            InvalidChunkSize, InvalidRequest, MalformedTrailer
        """
        out: list[memoryview] = []
        view = memoryview(data)
        at, end = 0, len(view)
        stop = self._chunk + max_chunks
        while at < end and self._chunk < stop:
            if self._state is _State.DATA:
                taken = min(self._left, end - at)
                self._take(view[at : at + taken], out)
                at += taken
            elif self._state is _State.DONE:
                raise IncompleteBody("bytes follow the end of the aws-chunked body")
            else:
                at = self._take_line(view, at)
        return out, at

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            IncompleteBody: the body was not complete.
            MalformedTrailer, SignatureDoesNotMatch: of a trailer that ends with the body.
        """
        if self._may_end and not self._line:
            self._end()
        if self._state is not _State.DONE:
            raise IncompleteBody("the aws-chunked body ends early", self.decoded_length, self.received)

    def _take(self, piece: memoryview, out: list[memoryview]) -> None:
        self._left -= len(piece)
        out.append(piece)
        verifier = self.verifier
        if verifier is not None:
            self._digest.update(piece)
            if not self._left:
                self._check_signature(verifier)
        if not self._left:
            self._state = _State.DATA_END

    def _check_signature(self, verifier: ChunkVerifier) -> None:
        verifier.check_chunk(self._digest.hexdigest(), self._signature)
        self._digest = sha256()

    def _take_line(self, view: memoryview, at: int) -> int:
        """Gather a line, and act on it once it is whole; gives where to go on."""
        window = bytes(view[at : at + _MAX_LINE])
        start = 0
        if self._state is _State.DATA_END and not self._line and window[:2] == b"\r\n":
            self._state, start = _State.SIZE, 2  # nearly always: the next chunk's line follows in the same window
        line_feed = window.find(b"\n", start)
        line = self._line + window[start : len(window) if line_feed < 0 else line_feed]
        if len(line) > _MAX_LINE:
            raise IncompleteBody("a line of the aws-chunked framing is too long")
        if line_feed < 0:
            self._line = line
            return at + len(window)
        self._line = b""
        if self._state is _State.TRAILER:
            self._take_trailer(line)
        elif line[-1:] != b"\r":
            raise IncompleteBody("a line of the aws-chunked framing does not end in CR LF")
        elif self._state is _State.SIZE:
            self._begin_chunk(line[:-1])
        elif len(line) > 1:
            raise IncompleteBody("a chunk is longer than its size says")
        else:
            self._state = _State.SIZE
        return at + line_feed + 1

    def _begin_chunk(self, line: bytes) -> None:
        digits, _, extension = line.partition(b";")
        if not 0 < len(digits) <= 16 or digits.translate(None, _HEX_DIGITS):
            raise IncompleteBody("a chunk's size is not a hexadecimal number")
        size = int(digits, 16)
        self._chunk += 1
        verifier = self.verifier
        if verifier is not None:
            self._check_signed_chunk(size, extension)
        elif extension:
            raise IncompleteBody("a chunk of an unsigned body carries an extension")
        self.received += size
        if self.received > self.decoded_length:
            raise IncompleteBody("the chunks hold more than announced", self.decoded_length, self.received)
        if size:
            self._left = size
            self._state = _State.DATA
            return
        if self.received != self.decoded_length:
            raise IncompleteBody("the chunks hold less than announced", self.decoded_length, self.received)
        if verifier is not None:
            self._check_signature(verifier)
        self._state = _State.TRAILER

    def _check_signed_chunk(self, size: int, extension: bytes) -> None:
        name, _, signature = extension.partition(b"=")
        if name.strip() != b"chunk-signature":
            raise IncompleteBody("a chunk of a signed body carries no chunk-signature")
        self._signature = signature.strip().decode("latin-1")
        if size > MAX_SIGNED_CHUNK:
            raise InvalidRequest(f"Chunk {self._chunk} has {size} bytes; signed ones have {MAX_SIGNED_CHUNK} at most.")
        if size and self._short_chunk is not None:
            raise InvalidChunkSize(*self._short_chunk)
        if 0 < size < MIN_SIGNED_CHUNK:
            self._short_chunk = (self._chunk, size)

    def _take_trailer(self, line: bytes) -> None:
        empty = line == b"\r"
        if self._line_feed:
            if not empty:
                raise MalformedTrailer("a line of the trailer does not end in CR LF")
            self._line_feed, self._may_end = False, True
            return
        self._may_end = False
        if empty:
            self._end()
            return
        self._line_feed = line[-1:] != b"\r"
        raw_name, colon, raw_value = line.removesuffix(b"\r").partition(b":")
        name, value = raw_name.decode("latin-1").strip(" ").lower(), raw_value.decode("latin-1").strip(" ")
        if not colon or not name:
            raise MalformedTrailer("a line of the trailer is not a name, a colon and a value")
        if name == _SIGNATURE and self.verifier is not None and self._trailer_signature is None:
            self._trailer_signature = value
        elif name != self.trailer or name in self.trailers or self._trailer_signature is not None:
            raise MalformedTrailer(f"the trailer holds {name!r}, announced was {self.trailer!r}")
        else:
            self.trailers[name] = value

    def _end(self) -> None:
        if self.trailer is not None and self.trailer not in self.trailers:
            raise MalformedTrailer(f"the trailer {self.trailer!r} was announced and did not come")
        if self.verifier is not None and (self.trailer is not None or self._trailer_signature is not None):
            if self._trailer_signature is None:
                raise MalformedTrailer(f"{_SIGNATURE} is missing")
            lines = "".join([f"{name}:{value}\n" for name, value in self.trailers.items()])
            self.verifier.check_trailer(lines.encode("latin-1"), self._trailer_signature)
        self._state, self._may_end = _State.DONE, False
