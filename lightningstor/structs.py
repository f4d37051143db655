"""Structs that are set again and again."""

from __future__ import annotations

from typing import TypeVar

import msgspec

__all__ = ["mutable"]

T = TypeVar("T", bound=msgspec.Struct)


def mutable(cls: type[T]) -> type[T]:
    """A struct whose attributes are set as quickly as those of any class with slots; a class decorator.

    A struct has a `__setattr__` of its own, which looks whether the collector of cycles should begin to track it.
    CPython's quick way of storing (`STORE_ATTR_SLOT`) is not taken then: 25 ns instead of 4, and a request's structs
    are set some thirty times. For structs that hold at least one container from the start, and so are tracked anyway,
    or that have `gc=False`.
    """
    cls.__setattr__ = object.__setattr__  # type: ignore[method-assign]
    cls.__delattr__ = object.__delattr__  # type: ignore[method-assign]
    return cls
