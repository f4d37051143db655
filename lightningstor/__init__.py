"""LightningStor: an S3-compatible object store.

To embed it, import `open` (a store in this process) or `serve` (a whole daemon in a nursery) from here. They are
looked up when first used, so that importing the package alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightningstor import errors as errors
    from lightningstor.daemon.embedded import open as open
    from lightningstor.daemon.supervisor import serve as serve

__all__ = ["__version__", "errors", "open", "serve"]

__version__ = "0.1.0"

_HOMES = {"open": "lightningstor.daemon.embedded", "serve": "lightningstor.daemon.supervisor"}


def __getattr__(name: str) -> object:
    import importlib

    if name == "errors":
        return importlib.import_module("lightningstor.errors")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
