"""A body for tests that put objects into an embedded store."""

from __future__ import annotations

__all__ = ["Content"]


class Content:
    """A body that lies in memory."""

    algorithms = ()

    def __init__(self, content: bytes) -> None:
        self.size: int | None = len(content)
        self._rest = content

    async def receive(self) -> bytes:
        piece, self._rest = self._rest, b""
        return piece

    def expected(self) -> tuple[()]:
        return ()
