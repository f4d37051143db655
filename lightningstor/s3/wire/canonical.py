"""The canonical forms that Signature Version 4 signs: path, query, headers.

S3 does not normalise paths: it decodes each path once and encodes it once ("Authenticating requests: using the
Authorization header", S3 API). So `//` and `..` stay, `%2f` becomes `%2F` and no separator, a bare `+` becomes `%2B`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

__all__ = ["canonical_headers", "canonical_path", "canonical_query", "split_query"]

_PLAIN_PATH: Final = re.compile(rb"[A-Za-z0-9/._~-]*\Z").match
_PLAIN_QUERY: Final = re.compile(rb"[A-Za-z0-9._~=&-]*\Z").match


def canonical_path(raw: bytes) -> bytes:
    """The path as it is signed; `raw` as it came, undecoded."""
    if _PLAIN_PATH(raw):
        return raw or b"/"
    segments = [quote_from_bytes(unquote_to_bytes(segment), safe="~") for segment in raw.split(b"/")]
    return "/".join(segments).encode()


def split_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The parameters in order, still encoded; one without "=" has an empty value."""
    pairs = []
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((name, value))
    return pairs


def _encoded(component: bytes) -> bytes:
    # In a query "+" can only have been meant as a space: the clients that sign "+" send it as %2B.
    return quote_from_bytes(unquote_to_bytes(component.replace(b"+", b"%20")), safe="~").encode()


def canonical_query(raw: bytes, without: Iterable[bytes] = ()) -> bytes:
    """The query as it is signed: encoded anew, sorted by name and then by value; duplicates stay.

    Args:
        without: names of parameters to leave out (X-Amz-Signature).
    """
    if not raw:
        return b""
    dropped = frozenset(without)
    pairs = split_query(raw)
    if not _PLAIN_QUERY(raw):
        pairs = [(_encoded(name), _encoded(value)) for name, value in pairs]
    kept = [pair for pair in pairs if pair[0] not in dropped] if dropped else pairs
    if len(kept) > 1:
        kept.sort()
    return b"&".join([name + b"=" + value for name, value in kept])


def canonical_headers(headers: Mapping[bytes, bytes], names: Iterable[bytes]) -> bytes:
    """The canonical headers: "name:value" lines in the given order; a missing one has an empty value."""
    lines = []
    for name in names:
        value = headers.get(name, b"")
        if b" " in value or b"\t" in value:
            value = b" ".join(value.split())
        lines.append(name + b":" + value + b"\n")
    return b"".join(lines)
