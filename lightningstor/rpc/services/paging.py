"""What the listings' pages have in common."""

from __future__ import annotations

import json

from lightningstor.errors import InvalidArgument
from lightningstor.store.tokens import decode_token, encode_token

__all__ = ["page_limit", "pair_of_token", "token_of_pair"]


def page_limit(wanted: int | None, most: int) -> int:
    """How many entries a page holds: what the client wants, but no more than `most`; 0 is allowed, as in S3."""
    return most if wanted is None else min(wanted, most)


def token_of_pair(name: str | None, detail: str | None) -> str | None:
    """The token that makes the next page begin behind a name, and what of it was told already; None: no name."""
    return None if name is None else encode_token(json.dumps([name, detail]))


def pair_of_token(token: str) -> tuple[str, str | None]:
    """What `token_of_pair` made a token of; ("", None) without a token.

    Raises:
        InvalidArgument: we did not make this token.
    """
    if not token:
        return "", None
    text = decode_token(token, "continuation_token")
    try:
        match json.loads(text):
            case [str(name), str() | None as detail]:
                return name, detail
    except ValueError:
        pass
    raise InvalidArgument("The continuation token provided is incorrect", "continuation_token", token)
