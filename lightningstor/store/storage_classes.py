"""Which storage classes an object may have. All that are taken are kept alike; the name is stored and shown."""

from __future__ import annotations

from typing import Final

from lightningstor.errors import UnsupportedStorageClass

__all__ = ["STANDARD", "storage_class_of"]

STANDARD: Final = "STANDARD"
_KEPT_CLASSES: Final = frozenset(
    {STANDARD, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
)
# The archives need RestoreObject before they can be read; the others are places that this store is not.
_NOT_OFFERED: Final = frozenset(
    {"GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"}
)


def storage_class_of(wanted: str | None) -> str:
    """The storage class to keep.

    Raises:
        UnsupportedStorageClass: it is none of S3's, or one that is not offered here.
    """
    if wanted is None:
        return STANDARD
    if wanted not in _KEPT_CLASSES:
        raise UnsupportedStorageClass(wanted, known=wanted in _NOT_OFFERED)
    return wanted
