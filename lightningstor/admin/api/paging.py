"""Pages of what is listed from memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from lightningstor.admin.api.shapes import PageQuery

__all__ = ["page_of"]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_Named)


def page_of(found: Sequence[Item], query: PageQuery) -> tuple[list[Item], str | None]:
    """The page that the query asks for, and what the next one comes after; None: this was the last.

    Args:
        found: all there is, in order of their ids.
    """
    left = [one for one in found if one.id > query.after]
    page = left[: query.limit]
    return page, page[-1].id if len(left) > len(page) else None
