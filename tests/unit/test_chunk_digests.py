"""Digests and the combining of CRCs, against published values and against each other."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.chunks.crc_combine import COMBINABLE, crc_combine, crc_combine_bytes
from lightningstor.chunks.digest import ALGORITHMS, INLINE_MAX, DigestPipeline, digest_inline
from lightningstor.ports import World, production_world
from lightningstor.testing.sim_world import SimBlocking

# The CRC catalogue's check values, of the nine ASCII digits (CRC-32/ISO-HDLC, CRC-32/ISCSI, CRC-64/NVME), and RFC 1321,
# FIPS 180 ones of "abc".
CHECK = {"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}
ABC = {
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}


def test_published_values() -> None:
    """Every algorithm gives the value that its standard publishes; a CRC is big-endian, as S3 encodes it."""
    assert {each: found.hex() for each, found in digest_inline(CHECK, b"123456789").items()} == CHECK
    assert {each: found.hex() for each, found in digest_inline(ABC, b"abc").items()} == ABC
    assert set(CHECK) | set(ABC) == ALGORITHMS
    assert base64.b64encode(digest_inline(["crc32"], b"123456789")["crc32"]) == b"y/Q5Jg=="


@given(one=st.binary(max_size=4_000), two=st.binary(max_size=4_000))
def test_combining_is_appending(one: bytes, two: bytes) -> None:
    """The CRC combined out of two pieces' CRCs is that of the pieces joined."""
    for algorithm in COMBINABLE:
        first, second, joined = (digest_inline([algorithm], data)[algorithm] for data in (one, two, one + two))
        assert crc_combine_bytes(algorithm, first, second, len(two)) == joined
        combined = crc_combine(algorithm, int.from_bytes(first), int.from_bytes(second), len(two))
        assert combined == int.from_bytes(joined)


@given(
    crcs=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3),
    lengths=st.lists(st.integers(1, 5 << 40), min_size=2, max_size=2),
)
def test_combining_is_associative(crcs: list[int], lengths: list[int]) -> None:
    """Parts of up to 5 TiB may be joined from the left or from the right."""
    a, b, c = crcs
    for algorithm in COMBINABLE:
        left = crc_combine(algorithm, crc_combine(algorithm, a, b, lengths[0]), c, lengths[1])
        right = crc_combine(algorithm, a, crc_combine(algorithm, b, c, lengths[1]), sum(lengths))
        assert left == right


def test_combining_over_a_long_gap() -> None:
    """A piece of 4 MiB of zeros behind a first one: combined, and computed by zlib over all of it."""
    zeros = bytes(4 << 20)
    assert crc_combine("crc32", zlib.crc32(b"head"), zlib.crc32(zeros), len(zeros)) == zlib.crc32(b"head" + zeros)


def test_only_crcs_can_be_combined() -> None:
    """Combining digests that are no CRCs is refused, as is a negative length."""
    for algorithm in ("md5", "sha256", "crc16"):
        with pytest.raises(ValueError, match="no CRC"):
            crc_combine(algorithm, 1, 2, 3)
    with pytest.raises(ValueError, match="length2"):
        crc_combine("crc32", 1, 2, -1)


def test_an_unknown_algorithm_is_refused() -> None:
    """A digest that there is none of is named in the error."""
    with pytest.raises(ValueError, match="no digest 'md4'"):
        digest_inline(["md4"], b"")
    with pytest.raises(ValueError, match="no digest 'md4'"):
        DigestPipeline(["md5", "md4"], production_world())


@pytest.mark.parametrize("algorithms", [["md5"], ["sha256", "crc32c"], sorted(ALGORITHMS), []])
@pytest.mark.parametrize("threads", [False, True])
async def test_a_pipeline_streams(algorithms: list[str], threads: bool) -> None:
    """Digests taken batch by batch, small ones in place and large ones in threads, equal those taken at once."""
    world = production_world() if threads else World(blocking=SimBlocking(1, 1e-9))
    pieces = [hashlib.shake_128(bytes([n])).digest(size) for n, size in enumerate((0, 1, 70_000, INLINE_MAX, 200_000))]
    pipeline = DigestPipeline(algorithms, world)
    for at in range(0, len(pieces), 2):
        await pipeline.update([memoryview(piece) for piece in pieces[at : at + 2]])
    assert pipeline.digests() == digest_inline(algorithms, b"".join(pieces))


def test_lanes_part_the_slow_digests() -> None:
    """MD5 has its own hop when another slow digest is wanted, and shares it with CRCs, which are nearly free."""

    def lanes(*algorithms: str) -> list[set[str]]:
        return [set(lane.digests()) for lane in DigestPipeline(algorithms, production_world()).lanes]

    assert lanes("md5", "crc32", "md5") == [{"md5", "crc32"}]
    assert lanes("md5", "sha256", "crc64nvme") == [{"md5", "crc64nvme"}, {"sha256"}]
    assert lanes("sha256", "crc32") == [{"sha256", "crc32"}]
    assert lanes() == []
