"""What can go wrong with chunks and with nothing else."""

from __future__ import annotations

import errno
from typing import Final

from attrs import define

from lightningstor.errors import StoreError

__all__ = ["FULL", "OUT_OF_DESCRIPTORS", "OutOfDescriptors"]

FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No room on the device, in a quota, or in the process's limit for files."""

OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@define(slots=True)
class OutOfDescriptors(StoreError):
    """The process has no file descriptor to spare, or the kernel no memory. It is no fault of the device, it passes,
    and nothing was stored."""

    reason: str
