"""Chunk ids as names of files: what is allowed, and in which directory one lies."""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_SHARD_DEPTH", "check_chunk_id", "shard_directory"]

MAX_SHARD_DEPTH: Final = 4

_ALLOWED: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyz-")
_LONGEST: Final = 128


def check_chunk_id(chunk_id: str, shard_depth: int = MAX_SHARD_DEPTH) -> None:
    """Refuse what could lead out of its directory or meet another chunk where case doesn't count.

    Args:
        chunk_id: 9 to 128 lower-case letters, digits and hyphens, the first 2 · `shard_depth` of them no hyphens.

    Raises:
        ValueError: it is none. Ids are made by the store, so that is a fault of ours or a forged record.
    """
    shards = chunk_id[: 2 * shard_depth]
    if not (2 * shard_depth < len(chunk_id) <= _LONGEST and _ALLOWED.issuperset(chunk_id)) or "-" in shards:
        raise ValueError(f"not a chunk id: {chunk_id!r}")


def shard_directory(base: str, chunk_id: str, shard_depth: int) -> str:
    """`{base}/{ab}/{cd}` for `shard_depth` 2 and a chunk id that begins with abcd (SPEC.md §5.2)."""
    if shard_depth == 2:
        return f"{base}/{chunk_id[:2]}/{chunk_id[2:4]}"
    return "/".join((base, *(chunk_id[2 * level : 2 * level + 2] for level in range(shard_depth))))
