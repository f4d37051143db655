"""The canonical forms: what S3 signs of a path and a query, and what no client's reading may change."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.s3.wire.canonical import (
    canonical_path,
    canonical_query,
    header_value,
    path_readings,
    query_readings,
)

# What can stand in a request line's target: printable ASCII, and bytes above it.
_TARGET = st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte > 32 and byte not in b"?#\x7f"))
_ESCAPED = st.lists(st.sampled_from([b"%2F", b"%2f", b"%7e", b"%C3%A9", b"+", b"%2B", b"a", b"/", b"%", b"!"])).map(
    b"".join
)
_PATHS = st.one_of(_TARGET, _ESCAPED).map(lambda raw: b"/" + raw)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", b"/"),
        (b"/", b"/"),
        (b"/bucket/key-1_2.3~", b"/bucket/key-1_2.3~"),
        (b"/bucket//a/../b/./", b"/bucket//a/../b/./"),
        (b"/bucket/a%2Fb%2fc", b"/bucket/a%2Fb%2Fc"),
        (b"/bucket/a+b%20c", b"/bucket/a%2Bb%20c"),
        (b"/bucket/%7euser", b"/bucket/~user"),
        (b"/bucket/%41!$&'()*,;=:@", b"/bucket/A%21%24%26%27%28%29%2A%2C%3B%3D%3A%40"),
        ("/bucket/é".encode(), b"/bucket/%C3%A9"),
        (b"/bucket/%c3%a9", b"/bucket/%C3%A9"),
        (b"/bucket/%00%", b"/bucket/%00%25"),
    ],
)
def test_paths(raw: bytes, canonical: bytes) -> None:
    """A path is decoded once and encoded once, segment by segment; nothing is normalised."""
    assert canonical_path(raw) == canonical


@given(_PATHS)
def test_a_canonical_path_is_its_own(raw: bytes) -> None:
    """Encoding what is canonical changes nothing, and it still means the same bytes."""
    once = canonical_path(raw)
    assert canonical_path(once) == once
    assert unquote_to_bytes(once) == unquote_to_bytes(raw)


@given(st.text(max_size=20))
def test_paths_that_clients_quote(key: str) -> None:
    """What the usual quoting of a key makes is canonical as it is."""
    path = b"/bucket/" + quote(key, safe="/~").encode()
    assert canonical_path(path) == path


@given(_PATHS)
def test_every_reading_means_the_same(raw: bytes) -> None:
    """No reading of a path decodes to other bytes than the path itself: a signature cannot move to another object."""
    readings = path_readings(raw)
    assert readings[0] == canonical_path(raw)
    assert {unquote_to_bytes(reading) for reading in readings} == {unquote_to_bytes(raw)}


def test_readings_of_an_escaped_slash() -> None:
    """Clients that sign a slash inside a key as it is, and those that sign it decoded, are both understood."""
    assert path_readings(b"/b/a%2fb!") == [b"/b/a%2Fb%21", b"/b/a/b%21", b"/b/a%2fb!"]
    assert path_readings(b"/b/plain") == [b"/b/plain"]


def test_no_reading_holds_a_line_feed() -> None:
    """The lines of a canonical request cannot be forged by a path or a query with a line feed in it."""
    assert path_readings(b"/b/x\ny") == [b"/b/x%0Ay"]
    assert query_readings(b"a=x\ny") == [b"a=x%0Ay"]


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"", b""),
        (b"uploads", b"uploads="),
        (b"b=2&a=1", b"a=1&b=2"),
        (b"a=2&a=1&a", b"a=&a=1&a=2"),
        (b"a-b=1&a=1", b"a=1&a-b=1"),
        (b"prefix=a+b%2B", b"prefix=a%20b%2B"),
        (b"prefix=a/b", b"prefix=a%2Fb"),
        (b"token=ab==", b"token=ab%3D%3D"),
        (b"token=ab%3d%3D", b"token=ab%3D%3D"),
        (b"&a=1&&b=2&", b"a=1&b=2"),
        (b"=x&a", b"=x&a="),
        (b"%41=1&@=2", b"%40=2&A=1"),
    ],
)
def test_queries(raw: bytes, canonical: bytes) -> None:
    """A query is encoded anew and sorted by encoded name and value; a bare plus is a space."""
    assert canonical_query(raw) == canonical


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=5))
def test_queries_that_clients_quote(pairs: list[tuple[str, str]]) -> None:
    """The canonical query holds the same parameters, in the order of their encoded names and values."""
    raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs).encode()
    canonical = canonical_query(raw)
    assert sorted(parse_qsl(canonical.decode(), keep_blank_values=True)) == sorted(pairs)
    pieces = [tuple(piece.split(b"=")) for piece in canonical.split(b"&")] if pairs else []
    assert pieces == sorted(pieces)
    assert canonical_query(canonical) == canonical


@given(_TARGET)
def test_every_reading_of_a_query_means_the_same(raw: bytes) -> None:
    """No reading of a query holds other parameters than the query itself."""

    def meaning(query: bytes) -> list[tuple[bytes, bytes]]:
        pieces = [piece.partition(b"=") for piece in query.replace(b"+", b" ").split(b"&") if piece]
        return sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pieces)

    assert all(meaning(reading) == meaning(raw) for reading in query_readings(raw))


def test_the_signature_is_left_out() -> None:
    """Whatever its place, and only under its own name."""
    raw = b"X-Amz-Signature=abc&X-Amz-Date=1&Y-X-Amz-Signature=d"
    assert canonical_query(raw, b"X-Amz-Signature") == b"X-Amz-Date=1&Y-X-Amz-Signature=d"


@pytest.mark.parametrize(
    ("raw", "value"),
    [(b"a", b"a"), (b" a  b\t c ", b"a b c"), (b"a\tb", b"a b"), (b"", b""), ("voilà".encode(), "voilà".encode())],
)
def test_header_values(raw: bytes, value: bytes) -> None:
    """White space is trimmed and folded; a byte of UTF-8 that Latin-1 would call a blank (0xA0) is none."""
    assert header_value(raw) == value
    assert header_value(quote_from_bytes(raw).encode()) == quote_from_bytes(raw).encode()
