"""Ids and secrets of identities: what one may be, and drawing new ones."""

from __future__ import annotations

import re
from base64 import b32encode
from typing import Final

from lightningstor.iam.errors import InvalidEntity
from lightningstor.ports import Entropy

__all__ = ["check_id", "new_access_key_id", "new_id", "new_secret"]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+=-]{0,127}\Z")
_RESERVED: Final = ("by-name",)
"""Components of the key space that stand where an organisation could."""


def check_id(kind: str, value: str) -> str:
    """The id, if it can be one.

    Raises:
        InvalidEntity
    """
    if not _ID.match(value):
        raise InvalidEntity(
            kind, f"an id has 1 to 128 letters, digits and _ . @ + = -, and begins with a letter or digit: {value!r}"
        )
    if value in _RESERVED:
        raise InvalidEntity(kind, f"the id {value!r} is reserved")
    return value


def new_id(entropy: Entropy) -> str:
    """16 letters and digits that nothing else is called."""
    return b32encode(entropy.token_bytes(10)).decode().lower()


def new_access_key_id(entropy: Entropy) -> str:
    """An access key id of S3's form: 20 capital letters and digits."""
    return "LSAK" + b32encode(entropy.token_bytes(10)).decode()


def new_secret(entropy: Entropy) -> str:
    """40 letters and digits, 200 bits."""
    return b32encode(entropy.token_bytes(25)).decode().lower()
