"""The checksum of a small body: over its data id and its bytes, so that a row put in another's place is found too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightningstor.chunks.api import Buffer

__all__ = ["inline_crc"]

_crc32c: Callable[[Any, int], int] | None = None


def inline_crc(data_id: str, data: Buffer) -> str:
    """CRC32C over the data id's 16 hex digits and the bytes, as 8 hex digits."""
    global _crc32c
    if _crc32c is None:  # awscrt takes 0.05 s to import, so not before the first body
        from awscrt.checksums import crc32c

        _crc32c = crc32c
    return f"{_crc32c(data, _crc32c(data_id.encode(), 0)):08x}"
