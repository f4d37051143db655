"""Which tests may be skipped where every tool is at hand: `tests/allowed-skips.txt`, checked by `.ci/run`."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import frozen

__all__ = ["AllowedSkips", "Skip"]


@frozen
class Skip:
    """One skipped test and the reason that it gave."""

    node_id: str
    reason: str


@frozen
class AllowedSkips:
    """Patterns of node ids, one a line as in a shell; what follows `#` says why each may be skipped."""

    patterns: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> AllowedSkips:
        """Read the file; a pattern without a reason is refused.

        Raises:
            ValueError: a line has no reason.
        """
        patterns = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            pattern, _, reason = (piece.strip() for piece in line.partition("#"))
            if not pattern:
                continue
            if not reason:
                raise ValueError(f"{path}:{number}: say why {pattern} may be skipped: <node id pattern>  # <why>")
            patterns.append(pattern)
        return cls(tuple(patterns))

    def refused(self, skips: Iterable[Skip]) -> list[Skip]:
        """Those of `skips` that no pattern allows."""
        return [skip for skip in skips if not any(fnmatchcase(skip.node_id, pattern) for pattern in self.patterns)]
