"""The ordered set beneath the store in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.kv import sorted_keys
from lightningstor.kv.sorted_keys import SortedKeys

keys = st.binary(max_size=3)


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_keys, "_BLOCK", 3)
        yield


@given(added=st.lists(keys, max_size=60), removed=st.lists(keys, max_size=40), start=keys, end=keys)
@settings(deadline=None)
def test_is_a_sorted_list(added: list[bytes], removed: list[bytes], start: bytes, end: bytes) -> None:
    """Whatever is added and removed, the keys between two bounds are those of a sorted list, in both directions."""
    ours = SortedKeys()
    plain: set[bytes] = set()
    for key in added:
        if key not in plain:
            ours.add(key)
            plain.add(key)
    for key in removed:
        if key in plain:
            ours.remove(key)
            plain.remove(key)
    inside = sorted(key for key in plain if start <= key < end)
    assert list(ours.between(start, end)) == inside
    assert list(ours.between_reversed(start, end)) == inside[::-1]
    assert list(ours.between(b"", b"\xff" * 4)) == sorted(plain)
    assert len(ours) == len(plain)
