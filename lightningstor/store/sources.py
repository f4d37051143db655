"""Content that a program has already: what embedders hand to `Store.puts.put`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lightningstor.chunks.api import Buffer
from lightningstor.store.api import ExpectedDigest

__all__ = ["BytesSource"]

_PIECE: Final = 1 << 20


class BytesSource:
    """Bytes in memory as the content of a put.

    Args:
        data: must not change until the put has returned.
        expected: digests to hold it against, if somebody gave any.
    """

    def __init__(self, data: Buffer, expected: Sequence[ExpectedDigest] = ()) -> None:
        self._data = memoryview(data)
        self._at = 0
        self._expected = tuple(expected)

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def algorithms(self) -> Sequence[str]:
        return [digest.algorithm for digest in self._expected]

    async def receive(self) -> Buffer:
        piece = self._data[self._at : self._at + _PIECE]
        self._at += len(piece)
        return piece

    def expected(self) -> Sequence[ExpectedDigest]:
        return self._expected
