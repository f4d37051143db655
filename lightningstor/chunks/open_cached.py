"""Opening a file in the event loop, if nothing of it has to come from the device.

openat2(2) with RESOLVE_CACHED (Linux 5.12) walks the path only through what the kernel has in memory, and says EAGAIN
where that does not suffice. A hop to a thread costs more than all the rest of opening a file. Python has no name for
the call, so it goes through ctypes; its number is the same on every architecture that Python runs on but Alpha.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Final

__all__ = ["cached_opener"]

_SYS_OPENAT2: Final = 437
_AT_FDCWD: Final = -100
_RESOLVE_CACHED: Final = 0x20
_NEVER: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG})
"""An older kernel, or a sandbox that does not know the call."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _nothing(_path: str) -> int | None:
    return None


def cached_opener(flags: int) -> Callable[[str], int | None]:
    """A function that opens a file with `flags`, close-on-exec, and gives None if that would wait or fails in any way.

    Whoever gets None opens the file as usual, in a thread, and learns there what is wrong with it.
    """
    if sys.platform != "linux":
        return _nothing
    how = _OpenHow(flags | os.O_CLOEXEC, 0, _RESOLVE_CACHED)
    call = ctypes.CDLL(None, use_errno=True).syscall
    call.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t)
    call.restype = ctypes.c_long
    pointer, size = ctypes.byref(how), ctypes.sizeof(how)
    offered = True

    def open_cached(path: str) -> int | None:
        nonlocal offered
        if not offered:
            return None
        descriptor: int = call(_SYS_OPENAT2, _AT_FDCWD, os.fsencode(path), pointer, size)
        if descriptor >= 0:
            return descriptor
        offered = ctypes.get_errno() not in _NEVER
        return None

    return open_cached
