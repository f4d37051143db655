"""How a request's body comes: plain or in aws-chunks, signed or not, with a trailer or without.

x-amz-content-sha256 says which ("Signature calculations: transferring a payload in multiple chunks", S3 API Reference).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from lightningstor.errors import IncompleteBody
from lightningstor.s3.wire.checksums import ALGORITHMS, HEADER_PREFIX, known_algorithm
from lightningstor.s3.wire.faults import (
    InvalidArgument,
    InvalidRequest,
    MalformedTrailer,
    MissingContentLength,
    NotImplementedHere,
)

__all__ = ["PayloadPlan", "plan_payload", "stored_content_encoding"]

_UNSIGNED: Final = "UNSIGNED-PAYLOAD"
_HEX: Final = frozenset("0123456789abcdefABCDEF")


class PayloadPlan(NamedTuple):
    """How to read a body.

    Attributes:
        length: of the content, decoded, in bytes; None where it is not announced (HTTP chunked, undeclared).
        sha256: what the content must hash to, hex; None where it is not signed as a whole.
        aws_chunked: the content is framed in aws-chunks.
        signed_chunks: each chunk carries a signature.
        trailer: the checksum header that follows the last chunk, lower case; None: no trailer.
        wire_length: Content-Length, in bytes.
    """

    length: int | None
    sha256: str | None
    aws_chunked: bool
    signed_chunks: bool
    trailer: str | None
    wire_length: int | None

    @property
    def trailer_algorithm(self) -> str | None:
        """The algorithm of the trailer's checksum, in S3's name."""
        return None if self.trailer is None else self.trailer.rpartition("-")[2].upper()


_MODES: Final[Mapping[str, tuple[bool, bool]]] = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
"""Streaming modes: are chunks signed, is there a trailer."""


def _length(headers: Mapping[bytes, bytes], name: bytes) -> int | None:
    raw = headers.get(name)
    if raw is None:
        return None
    text = raw.strip()
    if not text.isdigit() or len(text) > 18:
        raise InvalidArgument(f"{name.decode()} is not a number of bytes", name.decode(), text.decode("latin-1"))
    return int(text)


def plan_payload(headers: Mapping[bytes, bytes], content_sha256: str | None) -> PayloadPlan:
    """How this request's body is to be read.

    Args:
        headers: by lower-case name.
        content_sha256: what the signature covers in place of the body's hash; None: no signature of version 4.

    Raises:
        InvalidArgument, InvalidRequest, MissingContentLength, IncompleteBody, MalformedTrailer
        NotImplementedHere: the asymmetric (ECDSA) modes.
    """
    wire_length = _length(headers, b"content-length")
    encoding = headers.get(b"content-encoding")
    announces_chunks = encoding is not None and b"aws-chunked" in encoding
    if content_sha256 is None or content_sha256 == _UNSIGNED:
        if announces_chunks and headers.get(b"x-amz-decoded-content-length") is not None:
            raise InvalidRequest("Content-Encoding: aws-chunked needs a STREAMING- value in x-amz-content-sha256")
        return PayloadPlan(wire_length, None, False, False, None, wire_length)
    if len(content_sha256) == 64 and _HEX.issuperset(content_sha256):
        return PayloadPlan(wire_length, content_sha256.lower(), False, False, None, wire_length)
    mode = _MODES.get(content_sha256)
    if mode is None:
        if content_sha256.startswith("STREAMING-AWS4-ECDSA"):
            raise NotImplementedHere(content_sha256)
        raise InvalidArgument(
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
            "x-amz-content-sha256",
            content_sha256,
        )
    signed_chunks, has_trailer = mode
    length = _length(headers, b"x-amz-decoded-content-length")
    if length is None:
        raise MissingContentLength()
    if wire_length is not None and wire_length < length:
        raise IncompleteBody("Content-Length is less than x-amz-decoded-content-length", length, wire_length)
    trailer = _trailer(headers) if has_trailer else None
    return PayloadPlan(length, None, True, signed_chunks, trailer, wire_length)


def _trailer(headers: Mapping[bytes, bytes]) -> str | None:
    raw = headers.get(b"x-amz-trailer")
    if raw is None:
        return None
    name = raw.decode("latin-1").strip().lower()
    if "," in name:
        raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
    prefix = HEADER_PREFIX.decode()
    if not name.startswith(prefix):
        raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
    algorithm = name.removeprefix(prefix).upper()
    if algorithm not in ALGORITHMS:
        known_algorithm(algorithm)
    if name.encode() in headers:
        raise MalformedTrailer(f"{name} came as a header and is announced as a trailer")
    return name


def stored_content_encoding(value: str | None) -> str | None:
    """Content-Encoding as it is kept with the object: without aws-chunked, which is a matter of the transfer."""
    if value is None:
        return None
    kept = [token.strip() for token in value.split(",") if token.strip() and token.strip().lower() != "aws-chunked"]
    return ",".join(kept) or None
