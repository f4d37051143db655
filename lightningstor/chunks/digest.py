"""Digests of a body, computed beside its writing.

MD5 (1.6 ms a MiB) is the slowest step of a PUT, SHA-256 (0.7 ms) the next; the CRCs are nearly free. So a pipeline has
at most two lanes, each a hop of its own per batch: one for MD5 and the CRCs, one for the slow ones besides. Small
bodies are hashed in place: up to 64 KiB a hop costs as much as the hashing.

Digests are raw bytes; a CRC is big-endian, as S3 encodes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from lightningstor.chunks.api import Buffer
from lightningstor.ports import Blocking, World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.hashes import Hash as OpensslHash

__all__ = ["ALGORITHMS", "INLINE_MAX", "DigestLane", "DigestPipeline", "digest_inline"]

INLINE_MAX: Final = 64 << 10
"""Up to this many bytes are hashed without a hop."""


class _Hash(Protocol):
    def update(self, data: Buffer, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A CRC with the interface of hashlib."""

    __slots__ = ("_compute", "_length", "_value")

    def __init__(self, compute: Callable[[Buffer, int], int], length: int) -> None:
        self._compute = compute
        self._length = length
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._length)


_HASHES: Final[dict[str, Callable[..., _Hash]]] = {
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
"""What makes each hash, of the bytes given or of none."""


# isal's CRC32 is twelve times as fast as awscrt's; CRC64NVME only awscrt has. awscrt takes 0.05 s to import, so it
# comes with the first body; `cache` and not an import in the function, which costs 1 µs each time.


@cache
def _crc_functions() -> dict[str, tuple[Callable[[Buffer, int], int], int]]:
    """Each CRC's function and the length of its digest in bytes."""
    from awscrt.checksums import crc32c, crc64nvme
    from isal.isal_zlib import crc32

    return {"crc32": (crc32, 4), "crc32c": (crc32c, 4), "crc64nvme": (crc64nvme, 8)}


@cache
def _openssl_md5() -> Callable[[], OpensslHash]:
    """What makes the state of an MD5. Imported late, as the CRCs are."""
    from cryptography.hazmat.primitives import hashes

    return partial(hashes.Hash, hashes.MD5())


class _Md5:
    """MD5 by the OpenSSL that comes with cryptography, with the interface of hashlib, whose own is the system's.

    Newer ones are faster: 1,500 µs a MiB with 4.0, 1,580 with 3.0.
    """

    __slots__ = ("_state", "update")

    def __init__(self) -> None:
        self._state = _openssl_md5()()
        self.update = self._state.update

    def digest(self) -> bytes:
        return self._state.copy().finalize()


def _crc32() -> _Hash:
    return _Crc(*_crc_functions()["crc32"])


def _crc32c() -> _Hash:
    return _Crc(*_crc_functions()["crc32c"])


def _crc64nvme() -> _Hash:
    return _Crc(*_crc_functions()["crc64nvme"])


_MAKERS: Final[dict[str, Callable[[], _Hash]]] = {
    **_HASHES,
    "md5": _Md5,
    "crc32": _crc32,
    "crc32c": _crc32c,
    "crc64nvme": _crc64nvme,
}

ALGORITHMS: Final = frozenset(_MAKERS)
"""Every algorithm there is here."""

_SECOND_LANE: Final = frozenset({"sha1", "sha256", "sha512"})
_LAST_IN_LANE: Final = ALGORITHMS - _HASHES.keys()
"""The CRCs: a hash has time to fetch the bytes into the core's cache, where a CRC then finds them."""


def _make(algorithm: str) -> _Hash:
    maker = _MAKERS.get(algorithm)
    if maker is None:
        raise _unknown(algorithm)
    return maker()


def _unknown(algorithm: str) -> ValueError:
    return ValueError(f"no digest {algorithm!r}; there are {', '.join(sorted(ALGORITHMS))}")


def digest_inline(algorithms: Iterable[str], data: Buffer) -> dict[str, bytes]:
    """Every algorithm's digest of `data`, computed here and now: 9 µs for MD5 and CRC64NVME of 4 KiB.

    Raises:
        ValueError: an unknown algorithm.
    """
    crcs = _crc_functions()
    digests: dict[str, bytes] = {}
    for algorithm in algorithms:
        crc = crcs.get(algorithm)
        if crc is not None:
            digests[algorithm] = crc[0](data, 0).to_bytes(crc[1], "big")
        elif algorithm in _HASHES:
            digests[algorithm] = _HASHES[algorithm](data).digest()
        else:
            raise _unknown(algorithm)
    return digests


class DigestLane:
    """Some digests that are computed one after the other. `update` is synchronous, for a thread."""

    __slots__ = ("_states",)

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._states = {algorithm: _make(algorithm) for algorithm in algorithms}

    def update(self, pieces: Sequence[Buffer]) -> None:
        """Take the next pieces of the body."""
        for state in self._states.values():
            for piece in pieces:
                state.update(piece)

    def digests(self) -> dict[str, bytes]:
        """The digests of what was taken so far."""
        return {algorithm: state.digest() for algorithm, state in self._states.items()}


class DigestPipeline:
    """Digests of one body, taken batch by batch and in order.

    Hand it to `ChunkManager.writer`, which feeds each lane beside the writing; or feed it with `update`.

    Args:
        algorithms: which digests; each of `ALGORITHMS`, repeats don't matter.
        world: its Blocking runs the lanes.
    """

    def __init__(self, algorithms: Iterable[str], world: World) -> None:
        wanted = set(algorithms)
        second = wanted & _SECOND_LANE if "md5" in wanted else frozenset[str]()
        self.lanes: Final = tuple(
            DigestLane((*(group - _LAST_IN_LANE), *(group & _LAST_IN_LANE)))
            for group in (wanted - second, second)
            if group
        )
        """What may be updated at the same time."""
        self._blocking: Blocking = world.blocking

    async def update(self, pieces: Sequence[Buffer]) -> None:
        """Take the next pieces, which must not change until this returns. A failed or cancelled update ends the use."""
        if sum(map(len, pieces)) <= INLINE_MAX:
            await trio.lowlevel.checkpoint()
            for lane in self.lanes:
                lane.update(pieces)
        elif len(self.lanes) == 1:
            await self._blocking.run(self.lanes[0].update, pieces)
        else:
            async with trio.open_nursery() as nursery:
                for lane in self.lanes:
                    nursery.start_soon(self._blocking.run, lane.update, pieces)

    def digests(self) -> dict[str, bytes]:
        """Every algorithm's digest of what was taken so far."""
        found: dict[str, bytes] = {}
        for lane in self.lanes:
            found |= lane.digests()
        return found
