"""The checksums that S3 knows: their names and headers, and what may be asked of them.

Source: "Checking object integrity in Amazon S3", User Guide; PutObject and CreateMultipartUpload, API Reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from lightningstor.s3.wire.faults import InvalidDigest, InvalidRequest, NotImplementedHere
from lightningstor.store.checksums import ALGORITHMS, decode_base64

__all__ = [
    "HEADER_PREFIX",
    "SAY_NOTHING",
    "SEVERAL_CHECKSUMS",
    "Checksum",
    "content_md5",
    "decode_checksum",
    "known_algorithm",
    "requested_checksum",
]

HEADER_PREFIX: Final = b"x-amz-checksum-"
SEVERAL_CHECKSUMS: Final = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."

_NOT_HERE: Final = frozenset({"XXHASH3", "XXHASH64", "XXHASH128"})
"""In S3's model; no library that we stand on has them, so they are refused and not ignored."""

_HEADERS: Final = {HEADER_PREFIX + name.lower().encode(): name for name in (*ALGORITHMS, *_NOT_HERE)}
_DIRECTIVES: Final = frozenset({b"x-amz-checksum-mode", b"x-amz-checksum-type", b"x-amz-checksum-algorithm"})
"""What begins like a checksum's header and is none."""

SAY_NOTHING: Final = frozenset(
    name.encode()
    for name in (
        "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "date", "host",
        "user-agent", "x-amz-content-sha256", "x-amz-date",
    )
)  # fmt: skip
"""Headers that say nothing of checksums, nor of a framing: a request with no other needs no look at each."""


class Checksum(NamedTuple):
    """A checksum that a request announces: S3's name of the algorithm, the raw digest, and the text as it came."""

    algorithm: str
    digest: bytes
    value: str


def known_algorithm(name: str) -> str:
    """The algorithm of that name, in capitals.

    Raises:
        InvalidRequest: S3 has none of that name. NotImplementedHere: S3 has it, this store hasn't.
    """
    upper = name.upper()
    if upper in ALGORITHMS:
        return upper
    if upper in _NOT_HERE:
        raise NotImplementedHere(f"checksum algorithm {upper}")
    raise InvalidRequest(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
        f"[{', '.join(ALGORITHMS)}]"
    )


def decode_checksum(algorithm: str, value: str, where: str) -> bytes:
    """The raw digest of a base64 value.

    Args:
        where: the header or element that it came in, for the message.

    Raises:
        InvalidRequest
    """
    digest = decode_base64(value)
    if digest is None or len(digest) != ALGORITHMS[algorithm]:
        raise InvalidRequest(f"Value for {where} header is invalid.")
    return digest


def requested_checksum(headers: Mapping[bytes, bytes]) -> Checksum | None:
    """The checksum that came in a header.

    Raises:
        InvalidRequest: more than one, a malformed one, one of an unknown algorithm, or another than
            x-amz-sdk-checksum-algorithm names.
        NotImplementedHere: of an algorithm that S3 has and this store hasn't.
    """
    if headers.keys() <= SAY_NOTHING:
        return None
    found: bytes | None = None
    for header in headers:
        if header.startswith(HEADER_PREFIX) and header not in _DIRECTIVES:
            if found is not None:
                raise InvalidRequest(SEVERAL_CHECKSUMS)
            found = header
    checksum = None if found is None else _checksum_in(found, headers[found])
    announced = headers.get(b"x-amz-sdk-checksum-algorithm")
    if announced is not None:
        algorithm = known_algorithm(announced.decode("latin-1").strip())
        if checksum is not None and checksum.algorithm != algorithm:
            raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return checksum


def _checksum_in(header: bytes, raw: bytes) -> Checksum:
    algorithm = _HEADERS.get(header)
    if algorithm is None:
        raise InvalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.")
    known_algorithm(algorithm)
    value = raw.decode("latin-1").strip()
    return Checksum(algorithm, decode_checksum(algorithm, value, header.decode("latin-1")), value)


def content_md5(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The digest in Content-MD5.

    Raises:
        InvalidDigest: not the base64 of 16 bytes.
    """
    raw = headers.get(b"content-md5")
    if raw is None:
        return None
    text = raw.decode("latin-1").strip()
    digest = decode_base64(text)
    if digest is None or len(digest) != 16:
        raise InvalidDigest(text)
    return digest
