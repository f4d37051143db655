"""Exception groups, taken apart."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["leaves"]


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, however deep; of an error that is no group, itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
