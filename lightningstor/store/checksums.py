"""The checksums that objects have: lengths of their digests, their form as text, and how multipart objects come by one.

Source: "Checking object integrity in Amazon S3", User Guide.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from lightningstor.errors import InvalidRequest

__all__ = ["ALGORITHMS", "COMPOSITE", "FULL_OBJECT", "MULTIPART_TYPES", "check_multipart_type", "decode_base64"]

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

MULTIPART_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "CRC32": frozenset({COMPOSITE, FULL_OBJECT}),
    "CRC32C": frozenset({COMPOSITE, FULL_OBJECT}),
    "CRC64NVME": frozenset({FULL_OBJECT}),
    "SHA1": frozenset({COMPOSITE}),
    "SHA256": frozenset({COMPOSITE}),
}
"""How the checksum of a multipart object may be made, by algorithm; others are not offered for multipart."""


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


def decode_base64(value: str) -> bytes | None:
    """Bytes of a base64 text, which has one form only: padded, without spaces and without stray bits at its end."""
    try:
        data = b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if b64encode(data) == value.encode() else None
