"""What every request to the admin port has, whichever half answers it."""

from __future__ import annotations

from collections.abc import Iterable

from lightningstor.ports import World

__all__ = ["joined_headers", "next_request_id"]


def next_request_id(world: World) -> str:
    """16 capital hex digits, as S3's."""
    return world.entropy.token_bytes(8).hex().upper()


def joined_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by lower-case name, the values of a repeated one joined by a comma (RFC 9110 §5.2)."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers
