"""Keys of small bodies and their ids."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.kv.bodies import BODIES_END, BODY_PREFIX, bodies_between, body_id, body_key
from lightningstor.model import keys

ids = st.one_of(st.integers(0, 2**63 - 1), st.sampled_from([0, 1, 15, 16, 2**62, 2**63 - 1]))
near_keys = st.builds(
    lambda number, cut, more: body_key(number)[:cut] + more, ids, st.integers(0, 35), st.binary(max_size=2)
)
some_bound = st.one_of(st.binary(max_size=4), near_keys, st.sampled_from([BODY_PREFIX, BODIES_END, b"\xff"]))


@given(ids)
def test_id_and_key_stand_for_each_other(number: int) -> None:
    """Every id has one key, which is the one that the store writes the body under."""
    assert body_id(body_key(number)) == number
    assert body_key(number) == keys.data(number)


@pytest.mark.parametrize(
    "suffix",
    [
        b"",
        b"0",
        b"000000000000000",
        b"00000000000000000",
        b"000000000000000A",
        b"000000000000000g",
        b"0000_0000_0000_0",
        b"+000000000000000",
        b" 00000000000000 ",
        b"0x00000000000000",
        b"8000000000000000",
        b"ffffffffffffffff",
        b"000000000000000\0",
        b"\xd9\xa1000000000000",
    ],
)
def test_other_suffixes_are_ordinary_keys(suffix: bytes) -> None:
    """What is not 16 lower-case digits of at most 63 bits is no body, whatever int() would make of it."""
    assert body_id(BODY_PREFIX + suffix) is None


def test_other_prefixes_are_ordinary_keys() -> None:
    """The digits alone, or under another prefix, are no body."""
    assert body_id(b"lightningstor/datb/0000000000000001") is None
    assert body_id(b"0000000000000001") is None


@given(some_bound, some_bound, ids)
def test_range_of_ids_is_the_range_of_keys(start: bytes, end: bytes, number: int) -> None:
    """An id is between the bounds exactly when its key is."""
    assert (number in bodies_between(start, end)) == (start <= body_key(number) < end)
