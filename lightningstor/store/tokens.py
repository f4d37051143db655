"""Continuation tokens: where a listing goes on, opaque to the client."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from lightningstor.errors import InvalidArgument

__all__ = ["decode_token", "encode_token"]

_FORMAT: Final = b"1"


def encode_token(after: str) -> str:
    """The token that makes the next page begin behind `after`."""
    return urlsafe_b64encode(_FORMAT + after.encode()).decode()


def decode_token(token: str, argument: str) -> str:
    """The name that a token stands for.

    Args:
        argument: the query parameter that it came in, for the message.

    Raises:
        InvalidArgument: we did not make this token.
    """
    try:
        raw = urlsafe_b64decode(token.encode("ascii"))
        if raw[:1] == _FORMAT:
            return raw[1:].decode("utf-8")
    except (UnicodeError, binascii.Error):
        pass
    raise InvalidArgument("The continuation token provided is incorrect", argument, token)
