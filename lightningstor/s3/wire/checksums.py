"""The checksums that S3 knows: their names, headers, lengths, and what may be asked of them.

Source: "Checking object integrity in Amazon S3", User Guide; PutObject and CreateMultipartUpload, API Reference.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

from lightningstor.s3.wire.faults import InvalidDigest, InvalidRequest, NotImplementedHere

__all__ = [
    "ALGORITHMS",
    "COMPOSITE",
    "FULL_OBJECT",
    "HEADER_PREFIX",
    "MULTIPART_TYPES",
    "SEVERAL_CHECKSUMS",
    "Checksum",
    "check_multipart_type",
    "content_md5",
    "decode_checksum",
    "known_algorithm",
    "requested_checksum",
]

HEADER_PREFIX: Final = b"x-amz-checksum-"
COMPOSITE: Final = "COMPOSITE"
FULL_OBJECT: Final = "FULL_OBJECT"
SEVERAL_CHECKSUMS: Final = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."

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
_DIRECTIVES: Final = frozenset({b"x-amz-checksum-mode", b"x-amz-checksum-type", b"x-amz-checksum-algorithm"})
"""What begins like a checksum's header and is none."""


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


def check_multipart_type(algorithm: str, wanted: str | None) -> None:
    """Whether S3 makes a checksum of that kind for a multipart object.

    Args:
        algorithm: S3's name. wanted: "COMPOSITE", "FULL_OBJECT", or None for the algorithm's default.

    Raises:
        InvalidRequest: it does not, or the algorithm is not offered for multipart uploads here.
    """
    types = MULTIPART_TYPES.get(algorithm.upper())
    if types is None:
        raise InvalidRequest(f"The checksum algorithm {algorithm} is not supported for multipart uploads here.")
    if wanted is not None and wanted not in types:
        raise InvalidRequest(
            f"The {wanted} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )


def decode_checksum(algorithm: str, value: str, where: str) -> bytes:
    """The raw digest of a base64 value.

    Args:
        where: the header or element that it came in, for the message.

    Raises:
        InvalidRequest
    """
    digest = _decoded(value)
    if digest is None or len(digest) != ALGORITHMS[algorithm]:
        raise InvalidRequest(f"Value for {where} header is invalid.")
    return digest


def _decoded(value: str) -> bytes | None:
    """Bytes of a base64 text, which has one form only: padded, without spaces and without stray bits at its end."""
    try:
        data = b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64encode(data) == value.encode() else None


def requested_checksum(headers: Mapping[bytes, bytes]) -> Checksum | None:
    """The checksum that came in a header.

    Raises:
        InvalidRequest: more than one, a malformed one, one of an unknown algorithm, or another than
            x-amz-sdk-checksum-algorithm names.
        NotImplementedHere: of an algorithm that S3 has and this store hasn't.
    """
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
    digest = _decoded(text)
    if digest is None or len(digest) != 16:
        raise InvalidDigest(text)
    return digest
