"""The footer of a chunk: what it says, and that no damage of it goes unseen."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from awscrt.checksums import crc32c
from hypothesis import example, given
from hypothesis import strategies as st

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.footer import (
    BLOCK_SIZE,
    FOOTER_FORMAT,
    TRAILER_LENGTH,
    BlockChecksums,
    check_footer,
    decode_footer,
    footer_length,
    footer_length_at_end,
    verify_blocks,
)
from lightningstor.errors import BytesCorrupt, FormatTooNew

CHUNK = "01cd0000000001aa-000000"


def footer_of(data: bytes, chunk_id: str = CHUNK) -> tuple[bytes, ChunkRef]:
    sums = BlockChecksums()
    sums.update(data)
    footer, checksum = sums.footer(chunk_id)
    return footer, ChunkRef(chunk_id, 0, len(data), checksum)


def with_crc(footer: bytes) -> bytes:
    """The footer with the trailer that fits it, as a writer of it would have made it."""
    head = footer[:-TRAILER_LENGTH]
    return head + struct.pack("<II8s", len(footer), crc32c(head), b"LStorEnd")


def test_layout() -> None:
    """The bytes of a footer are those that its module describes: other programs may read them."""
    data = bytes(range(256)) * 300
    footer, ref = footer_of(data, "abcd0123-000000")
    head = struct.pack("<8sHHIIQI", b"LStorChk", 1, 15, 65_536, 0, 76_800, 2) + b"abcd0123-000000"
    head += struct.pack("<2I", crc32c(data[:65_536]), crc32c(data[65_536:]))
    assert footer == head + struct.pack("<II8s", len(head) + 16, crc32c(head), b"LStorEnd")
    assert ref.checksum == f"{crc32c(head):08x}"


@given(size=st.integers(0, 5 * BLOCK_SIZE), cuts=st.lists(st.integers(0, 5 * BLOCK_SIZE), max_size=8))
@example(size=BLOCK_SIZE, cuts=[])
@example(size=2 * BLOCK_SIZE, cuts=[1, BLOCK_SIZE, BLOCK_SIZE + 1])
def test_pieces_do_not_matter(size: int, cuts: list[int]) -> None:
    """The checksums are the blocks', however the data comes; the footer can be read back and fits its length."""
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    sums = BlockChecksums()
    places = [0, *sorted(min(cut, size) for cut in cuts), size]
    for start, end in pairwise(places):
        sums.update(memoryview(data)[start:end])
    footer, checksum = sums.footer(CHUNK)
    found = decode_footer(footer, "here")
    assert (found.chunk_id, found.data_size, found.checksum) == (CHUNK, size, checksum)
    assert list(found.block_crcs) == [crc32c(data[at : at + BLOCK_SIZE]) for at in range(0, size, BLOCK_SIZE)]
    assert len(footer) == footer_length(size, CHUNK) == footer_length_at_end(footer[-TRAILER_LENGTH:], "here")
    verify_blocks(memoryview(data), found.block_crcs, 0, "here")


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_any_changed_byte_is_found(place: int, flip: int) -> None:
    """No single byte of a footer can change without `check_footer` seeing it."""
    footer, ref = footer_of(bytes(3 * BLOCK_SIZE + 1))
    damaged = bytearray(footer)
    damaged[place % len(footer)] ^= flip
    with pytest.raises(BytesCorrupt):
        check_footer(damaged, ref)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_decoder(junk: bytes) -> None:
    """Whatever lies where a footer should be, only the declared errors escape, with a fitting trailer as well."""
    for footer in (junk, with_crc(junk + bytes(TRAILER_LENGTH)), footer_of(b"x")[0][:-TRAILER_LENGTH] + junk):
        with pytest.raises(BytesCorrupt):
            decode_footer(footer, "here")


def test_fields_that_contradict_each_other() -> None:
    """A footer whose checksum fits but whose fields don't is refused: other magic, block size, encoding or count."""
    footer, _ = footer_of(bytes(2 * BLOCK_SIZE))
    for at, value in (
        (0, b"X"),
        (8, b"\x00"),
        (10, b"\x09"),
        (12, b"\x01"),
        (16, b"\x01"),
        (20, b"\x01"),
        (28, b"\x03"),
    ):
        changed = with_crc(footer[:at] + value + footer[at + len(value) :])
        with pytest.raises(BytesCorrupt):
            decode_footer(changed, "here")


def test_a_newer_format_is_refused() -> None:
    """A whole footer of a newer format is not called damaged; a stranger's footer is."""
    footer, ref = footer_of(b"x")
    with pytest.raises(BytesCorrupt):
        decode_footer(with_crc(b"X" + footer[1:8] + b"\x02" + footer[9:]), "here")
    newer = with_crc(footer[:8] + struct.pack("<H", FOOTER_FORMAT + 1) + footer[10:])
    with pytest.raises(FormatTooNew) as caught:
        check_footer(newer, ref)
    assert (caught.value.found, caught.value.supported) == (FOOTER_FORMAT + 1, FOOTER_FORMAT)


def test_blocks_are_verified_from_any_block_on() -> None:
    """Verifying may begin with any block, and names the one that differs."""
    data = bytearray(4 * BLOCK_SIZE + 10)
    footer, _ = footer_of(data)
    crcs = decode_footer(footer, "here").block_crcs
    verify_blocks(memoryview(data)[2 * BLOCK_SIZE :], crcs, 2, "here")
    data[-1] ^= 1
    with pytest.raises(BytesCorrupt, match="block 4 of 5"):
        verify_blocks(memoryview(data)[2 * BLOCK_SIZE :], crcs, 2, "here")
