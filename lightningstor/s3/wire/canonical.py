"""The canonical forms that Signature Version 4 signs: path, query, headers.

S3 does not normalise paths: it decodes each path once and encodes it once ("Authenticating requests: using the
Authorization header", S3 API). So `//` and `..` stay, `%2f` becomes `%2F` and no separator, a bare `+` becomes `%2B`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

__all__ = ["canonical_header_value", "canonical_path", "canonical_query", "split_query"]

_PLAIN_PATH: Final = re.compile(rb"[A-Za-z0-9/._~-]*\Z").match
_PLAIN_QUERY: Final = re.compile(rb"[A-Za-z0-9._~=&-]*\Z").match
_SPACES: Final = re.compile(r"\s{2,}")


def canonical_path(raw: bytes) -> str:
    """The path as it is signed; `raw` as it came, undecoded."""
    if _PLAIN_PATH(raw):
        return raw.decode("ascii") or "/"
    return "/".join([quote_from_bytes(unquote_to_bytes(segment), safe="~") for segment in raw.split(b"/")])


def split_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The parameters in order, still encoded; one without "=" has an empty value."""
    pairs = []
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((name, value))
    return pairs


def _encoded(component: bytes) -> str:
    # In a query "+" can only have been meant as a space: the clients that sign "+" send it as %2B.
    return quote_from_bytes(unquote_to_bytes(component.replace(b"+", b"%20")), safe="~")


def canonical_query(raw: bytes, without: Iterable[bytes] = ()) -> str:
    """The query as it is signed: encoded anew, sorted by name and then by value; duplicates stay.

    Args:
        without: names of parameters to leave out (X-Amz-Signature).
    """
    if not raw:
        return ""
    dropped = frozenset(without)
    pairs = split_query(raw)
    if _PLAIN_QUERY(raw):
        plain = [(name.decode("ascii"), value.decode("ascii")) for name, value in pairs if name not in dropped]
    else:
        plain = [(_encoded(name), _encoded(value)) for name, value in pairs if unquote_to_bytes(name) not in dropped]
    if len(plain) > 1:
        plain.sort()
    return "&".join([f"{name}={value}" for name, value in plain])


def canonical_header_value(value: bytes) -> str:
    """A header's value as it is signed: trimmed, inner runs of white space folded to one space."""
    text = value.decode("latin-1").strip()
    return _SPACES.sub(" ", text) if "  " in text or "\t" in text else text


def signed_header_block(headers: Mapping[bytes, bytes], names: Iterable[str]) -> str:
    """The canonical headers: "name:value" lines in the given order; a missing one has an empty value."""
    return "".join([f"{name}:{canonical_header_value(headers.get(name.encode('latin-1'), b''))}\n" for name in names])
