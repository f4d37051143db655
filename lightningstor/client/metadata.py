"""Headers that a call carries: what may stand in them, and how a deadline is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

__all__ = ["Headers", "encode_metadata", "encode_timeout"]

Headers: TypeAlias = list[tuple[bytes, bytes]]

_NAME: Final = re.compile(r"[0-9a-z_.-]+\Z")
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z")
_RESERVED: Final = frozenset({"te", "content-type", "user-agent", "connection", "host", "content-length"})
_UNITS: Final = ((b"n", 1e9), (b"u", 1e6), (b"m", 1e3), (b"S", 1.0), (b"M", 1 / 60), (b"H", 1 / 3600))
_DIGITS_END: Final = 100_000_000


def encode_metadata(metadata: Mapping[str, str]) -> Headers:
    """Headers for HTTP/2.

    Raises:
        ValueError: a name or value that must not stand in one, and would let a caller's data pass for a header; the
            value, which may be a secret, is not repeated.
    """
    for name, value in metadata.items():
        if not _NAME.match(name) or name.startswith("grpc-") or name in _RESERVED:
            raise ValueError(
                f"{name!r} cannot be a metadata name: lower-case letters, digits, _ . - and none of gRPC's"
            )
        if not _VALUE.match(value):
            raise ValueError(f"the value of {name} is empty, or not of printable ASCII without spaces at its ends")
    return [(name.encode(), value.encode()) for name, value in metadata.items()]


def encode_timeout(seconds: float) -> bytes:
    """A grpc-timeout, as finely as its eight digits allow; at least 1 ns, since 0 would be no time at all."""
    for unit, per_second in _UNITS:
        count = int(seconds * per_second)
        if count < _DIGITS_END:
            return b"%d%b" % (max(count, 1), unit)
    return b"99999999H"
