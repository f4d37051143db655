"""The canonical forms that signatures cover: path, query, headers.

S3 does not normalise paths: it decodes each once and encodes it once ("Authenticating Requests: Using the
Authorization Header", S3 API Reference), so `//` and `..` stay. Clients don't agree on the rest: one signs `%2F`
inside a key as it is and the next as a separator; one sends `!` bare and signs `%21`, the next signs what it sent. All
of these readings decode to the same bytes, so a signature that holds under any of them was made for this very request:
`path_readings` and `query_readings` list them, the usual one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = [
    "HEADER_NAME",
    "canonical_path",
    "canonical_query",
    "header_value",
    "host_readings",
    "path_readings",
    "query_readings",
    "split_query",
]

HEADER_NAME: Final = b"abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"
"""What the name of a header consists of, in lower case (RFC 9110 §5.6.2)."""

_UNRESERVED: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PLAIN_PATH: Final = _UNRESERVED + b"/"
_PLAIN_QUERY: Final = _UNRESERVED + b"=&"
_ENCODED: Final = tuple(bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte for byte in range(256))


def _encoded(data: bytes) -> bytes:
    return b"".join([_ENCODED[byte] for byte in data]) if data.translate(None, _UNRESERVED) else data


def canonical_path(raw: bytes) -> bytes:
    """The path as nearly every client signs it.

    Args:
        raw: as it came, undecoded; each segment is decoded once and encoded once, so `%2F` stays `%2F`, a bare `+`
            becomes `%2B` and `%7e` becomes `~`.
    """
    if not raw.translate(None, _PLAIN_PATH):
        return raw or b"/"
    return b"/".join([_encoded(unquote_to_bytes(segment)) for segment in raw.split(b"/")])


def path_readings(raw: bytes) -> list[bytes]:
    """Every form of the path that a client may have signed: with `%2F` kept, with it decoded, and as it was sent."""
    decoded = b"/".join([_encoded(segment) for segment in unquote_to_bytes(raw).split(b"/")])
    return _distinct(canonical_path(raw), decoded, raw)


def split_query(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The parameters in order, still encoded; one without "=" has an empty value."""
    pairs = []
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((name, value))
    return pairs


def _recoded(component: bytes) -> bytes:
    if not component.translate(None, _UNRESERVED):
        return component
    # A bare "+" in a query means a space, and is signed as one; who means a plus sends %2B.
    return _encoded(unquote_to_bytes(component.replace(b"+", b" ")))


def canonical_query(raw: bytes, without: bytes | None = None) -> bytes:
    """The query as it is signed: encoded anew, sorted by name and then by value; duplicates and empty values stay.

    Args:
        raw: as it came, undecoded.
        without: name of the parameter to leave out, the signature.
    """
    if not raw:
        return raw
    pairs = split_query(raw)
    if raw.translate(None, _PLAIN_QUERY):
        pairs = [(_recoded(name), _recoded(value)) for name, value in pairs]
    else:
        # A value may hold "=" bare; a canonical one cannot.
        pairs = [(name, value.replace(b"=", b"%3D")) for name, value in pairs]
    return _joined(pairs, without)


def _joined(pairs: list[tuple[bytes, bytes]], without: bytes | None) -> bytes:
    if without is not None:
        pairs = [pair for pair in pairs if pair[0] != without]
    pairs.sort()
    return b"&".join([name + b"=" + value for name, value in pairs])


def query_readings(raw: bytes, without: bytes | None = None) -> list[bytes]:
    """Every form of the query that a client may have signed: encoded anew, and sorted only."""
    return _distinct(canonical_query(raw, without), _joined(split_query(raw), without))


def _distinct(*readings: bytes) -> list[bytes]:
    # Parts of what is signed are told apart by line feeds, so a part that holds one could pose as several.
    return [reading for reading in dict.fromkeys(readings) if b"\n" not in reading]


def header_value(value: bytes) -> bytes:
    """A header's value as it is signed: trimmed, runs of white space folded to one space."""
    return b" ".join(value.split()) if b" " in value or b"\t" in value else value


def host_readings(headers: Mapping[bytes, bytes], others: tuple[bytes, ...]) -> Iterator[Mapping[bytes, bytes]]:
    """The headers, and then the same with each other value of Host."""
    yield headers
    for host in others:
        yield {**headers, b"host": host}
