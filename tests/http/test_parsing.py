"""The sans-IO parts by themselves: header blocks, chunked bodies, heads of answers, dates."""

from __future__ import annotations

import re
from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from lightningstor.http.chunked import ChunkedDecoder
from lightningstor.http.faults import Refused
from lightningstor.http.head import HeadParser, RequestHead
from lightningstor.http.respond import HttpDate, head_bytes

# RFC 9112 §3, §5 as we take them; the length and coding rules are those of test_refusals.
_BLOCK = re.compile(
    rb"[A-Z-]+ (/[!-~]*|\*) HTTP/1\.[01]\r\n"
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t \x21-\x7e\x80-\xff]*\r\n)*\r\n"
)

_PARSER = HeadParser()


def _parse(block: bytes) -> RequestHead | None:
    try:
        return _PARSER.parse(block)
    except Refused:
        return None


_REQUEST_LINES = st.sampled_from(
    [b"GET /k HTTP/1.1", b"PUT /k?a=b HTTP/1.1", b"GET /k HTTP/1.0", b"OPTIONS * HTTP/1.1", b"POST //?& HTTP/1.1"]
)
_FIELD_LINES = st.sampled_from(
    [
        b"Host: b",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, x",
        b"Upgrade: websocket",
        b"Expect: 100-continue",
        b"X-A: b",
        b"x-a:\tc ",
    ]
)
_ODD_BYTES = st.sampled_from([b"\r", b"\n", b"\0", b" ", b"\t", b":", b"\x0b", b"\x7f", b"\xe9", b"\r\n ", b",", b"#"])


@st.composite
def _nearly_valid_blocks(draw: st.DrawFn) -> bytes:
    """Header blocks with odd bytes put in here and there."""
    lines = [draw(_REQUEST_LINES), b"Host: a", *draw(st.lists(_FIELD_LINES, max_size=4))]
    block = b"\r\n".join(lines) + b"\r\n\r\n"
    for odd in draw(st.lists(_ODD_BYTES, max_size=2)):
        at = draw(st.integers(0, len(block)))
        block = block[:at] + odd + block[at:]
    return block[: block.find(b"\r\n\r\n") + 4]  # as the engine cuts it


@given(_nearly_valid_blocks())
@example(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n")
@example(b"GET /k HTTP/1.1\r\nHost: a\r\n\nX: y\r\n\r\n")
@example(b"GET /k HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
def test_only_blocks_of_the_strict_grammar_are_taken(block: bytes) -> None:
    """What the parser takes, our own grammar takes too; llhttp's leniencies do not get through."""
    head = _parse(block)
    event("taken" if head else "refused")
    if head is None:
        return
    assert _BLOCK.fullmatch(block), block
    line, *fields = block[:-4].split(b"\r\n")
    method, target, version = line.split(b" ")
    assert (head.method.encode(), head.version.encode()) == (method, version[5:])
    assert (head.raw_path + b"?" + head.query if b"?" in target else head.raw_path) == target
    expected = [(name.lower(), value.strip(b" \t")) for name, _, value in (f.partition(b":") for f in fields)]
    assert head.headers == expected
    assert sum(name == b"host" for name, _ in expected) == 1 or head.version == "1.0"


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_parsed(data: bytes) -> None:
    """Nothing but Refused comes out of the parser, and it is none the worse for it."""
    _parse(data + b"\r\n\r\n")
    head = _parse(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head is not None
    assert (head.raw_path, head.headers) == (b"/k", [(b"host", b"a")])


def test_one_parser_serves_requests_of_every_kind_in_turn() -> None:
    """What a request leaves in the parser (a body to come, a close, an upgrade, an error) the next does not see."""
    blocks = [
        b"PUT /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
        b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"PUT /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /4 HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"broken\r\n\r\n",
        b"GET /5 HTTP/1.0\r\n\r\n",
        b"GET /6 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
    for first in blocks:
        for second in blocks:
            _parse(first)
            head = _parse(second)
            assert (head is None) == (second == b"broken\r\n\r\n")
            assert head is None or head.raw_path == second.split(b" ")[1]


@pytest.mark.parametrize(
    ("fields", "length", "keep_alive", "expects"),
    [
        (b"", 0, True, False),
        (b"Content-Length: 0\r\n", 0, True, False),
        (b"Content-Length: 7\r\nExpect: 100-Continue\r\n", 7, True, True),
        (b"Content-Length: 0\r\nExpect: 100-continue\r\n", 0, True, False),
        (b"Transfer-Encoding: CHUNKED\r\nConnection: close\r\n", -1, False, False),
        (b"Connection: a\r\nConnection: b, CLOSE\r\n", 0, False, False),
        (b"Connection: closed\r\n", 0, True, False),
    ],
)
def test_framing_and_connection_are_read(fields: bytes, length: int, keep_alive: bool, expects: bool) -> None:
    """Length, persistence and expectation, whatever the case of letters."""
    head = _PARSER.parse(b"PUT /k HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    assert (head.length, head.keep_alive, head.expects_continue) == (length, keep_alive, expects)


# Chunked bodies


def _decode(data: bytes, cuts: list[int]) -> tuple[bytes, bytes, bool]:
    decoder = ChunkedDecoder(1000)
    content = b""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        if decoder.done:
            return content, decoder.rest + data[start:], True
        content += decoder.decode(data[start:end])
    return content, decoder.rest, decoder.done


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=5),
    st.sampled_from([b"", b";a=b", b' ; a="x y"', b";"]),
    st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ:\r\n"]),
    st.binary(max_size=20),
    st.lists(st.integers(0, 1000), max_size=5),
)
def test_chunked_bodies_decode_wherever_they_are_cut(
    pieces: list[bytes], extension: bytes, trailer: bytes, after: bytes, cuts: list[int]
) -> None:
    """Content comes out whole and what follows the body is left alone."""
    chunks = b"".join(b"%X%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    data = chunks + b"000" + extension + b"\r\n" + trailer + b"\r\n" + after
    assert _decode(data, cuts) == (b"".join(pieces), after, True)


@given(st.binary(max_size=100), st.lists(st.integers(0, 1000), max_size=4))
@example(b"1_0\r\n", [])
def test_random_bytes_never_break_the_decoder(data: bytes, cuts: list[int]) -> None:
    """Refused is all that comes out, and the same content however the bytes are cut."""
    try:
        whole = _decode(data, [])
    except Refused:
        with pytest.raises(Refused):
            _decode(data, cuts)
    else:
        assert _decode(data, cuts) == whole


@given(
    st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3),
    st.integers(0, 1000),
    st.sampled_from([b"\r", b"\n", b" ", b"g", b"\0", b"-"]),
)
def test_a_byte_put_into_the_framing_is_noticed(pieces: list[bytes], at: int, odd: bytes) -> None:
    """A stray byte anywhere is refused, or leaves the body unfinished, or was in the content."""
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    at %= len(data) + 1
    try:
        content, rest, done = _decode(data[:at] + odd + data[at:], [])
    except Refused:
        return
    assert not done or rest or content != b"".join(pieces)


# Heads of answers


@given(st.lists(st.tuples(st.sampled_from([b"x-a", b"etag", b"date"]), st.binary(max_size=20)), max_size=4))
def test_a_field_cannot_write_another(fields: list[tuple[bytes, bytes]]) -> None:
    """A head has exactly the fields it was given, or is refused."""
    controls = set(range(32)) - {9} | {127}
    if any(controls & set(value) for _, value in fields):
        with pytest.raises(ValueError, match="control"):
            head_bytes(200, fields, b"")
        return
    head = head_bytes(200, fields, b"more: 1\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert lines[1:-3] == [name + b": " + value for name, value in fields]
    assert lines[-3:] == [b"more: 1", b"", b""]


@given(st.integers(0, 4_000_000_000_000))
@example(0)
@example(951_782_400_000)
def test_dates_are_imf_fixdates(now_ms: int) -> None:
    """The same as the standard library writes."""
    date = HttpDate(now_ms)
    assert date.line == b"date: " + formatdate(now_ms // 1000, usegmt=True).encode() + b"\r\n"
    date.refresh(now_ms + 1000)
    assert date.line == b"date: " + formatdate(now_ms // 1000 + 1, usegmt=True).encode() + b"\r\n"
