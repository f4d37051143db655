"""The checksums that S3 knows: their names, headers, lengths, and what may be asked of them.

Source: "Checking object integrity in Amazon S3", User Guide; PutObject and CreateMultipartUpload, API Reference.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple

from lightningstor.s3.wire.faults import InvalidDigest, InvalidRequest, NotImplementedHere

__all__ = [
    "ALGORITHMS",
    "COMPOSITE",
    "FULL_OBJECT",
    "HEADER_PREFIX",
    "MULTIPART_TYPES",
    "Checksum",
    "checksum_header",
    "content_md5",
    "decode_checksum",
    "default_type",
    "known_algorithm",
    "requested_checksum",
]

HEADER_PREFIX: Final = b"x-amz-checksum-"
COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"

ALGORITHMS: Final[Mapping[str, int]] = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
}
"""Algorithms that are computed here, and the bytes of their digests."""

_NOT_HERE: Final = frozenset({"XXHASH3", "XXHASH64", "XXHASH128"})
"""In S3's model; no library that we stand on has them, so they are refused and not ignored."""

MULTIPART_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "CRC32": frozenset({COMPOSITE, FULL_OBJECT}),
    "CRC32C": frozenset({COMPOSITE, FULL_OBJECT}),
    "CRC64NVME": frozenset({FULL_OBJECT}),
    "SHA1": frozenset({COMPOSITE}),
    "SHA256": frozenset({COMPOSITE}),
}
"""How the checksum of a multipart object may be made, by algorithm; others are not offered for multipart."""

_HEADERS: Final = {HEADER_PREFIX + name.lower().encode(): name for name in (*ALGORITHMS, *_NOT_HERE)}


class Checksum(NamedTuple):
    """A checksum that a request announces: S3's name of the algorithm, the raw digest, and the text as it came."""

    algorithm: str
    digest: bytes
    value: str


def checksum_header(algorithm: str) -> bytes:
    """`x-amz-checksum-crc32` and its kin."""
    return HEADER_PREFIX + algorithm.lower().encode()


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


def default_type(algorithm: str) -> str:
    """How a multipart object's checksum is made where nothing is said."""
    return FULL_OBJECT if algorithm == "CRC64NVME" else COMPOSITE


def decode_checksum(algorithm: str, value: str, where: str) -> bytes:
    """The raw digest of a base64 value.

    Args:
        where: the header or element that it came in, for the message.

    Raises:
        InvalidRequest
    """
    try:
        digest = b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != ALGORITHMS[algorithm]:
        raise InvalidRequest(f"Value for {where} header is invalid.")
    return digest


def requested_checksum(headers: Mapping[bytes, bytes]) -> Checksum | None:
    """The checksum that came in a header.

    Raises:
        InvalidRequest: more than one, a malformed one, or another than x-amz-sdk-checksum-algorithm names.
    """
    found: Checksum | None = None
    for header, algorithm in _HEADERS.items():
        raw = headers.get(header)
        if raw is None:
            continue
        if found is not None:
            raise InvalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
        known_algorithm(algorithm)
        value = raw.decode("latin-1").strip()
        found = Checksum(algorithm, decode_checksum(algorithm, value, header.decode()), value)
    announced = headers.get(b"x-amz-sdk-checksum-algorithm")
    if announced is not None:
        algorithm = known_algorithm(announced.decode("latin-1").strip())
        if found is not None and found.algorithm != algorithm:
            raise InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return found


def content_md5(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The digest in Content-MD5.

    Raises:
        InvalidDigest: not the base64 of 16 bytes.
    """
    raw = headers.get(b"content-md5")
    if raw is None:
        return None
    text = raw.decode("latin-1").strip()
    try:
        digest = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != 16:
        raise InvalidDigest(text)
    return digest
