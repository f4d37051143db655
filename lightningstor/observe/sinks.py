"""Where lines go that must not be lost: a file that is rotated by size, or standard output.

Both block and are called from one thread at a time. A write that fails may be repeated: it goes on behind what was
written of it, so every line stands there once and whole, however often the disk was full.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

__all__ = ["LineSink", "RotatingFile", "StandardOutput"]

_MODE: Final = 0o600
_TAIL: Final = 1 << 20
_NEWLINE: Final = b"\n"


class LineSink(Protocol):
    """Takes whole lines."""

    def open(self) -> None:
        """Get ready. Raises OSError when no line could be written."""
        ...

    def write(self, lines: bytes | bytearray) -> None:
        """Write lines, each with its end. Raises OSError; the same call again then finishes what it began."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


class StandardOutput:
    """The process's standard output.

    Args:
        descriptor: to write to.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._done = 0

    def open(self) -> None:
        """See `LineSink`."""

    def write(self, lines: bytes | bytearray) -> None:
        """See `LineSink`."""
        view = memoryview(lines)
        while self._done < len(lines):
            self._done += os.write(self._descriptor, view[self._done :])
        self._done = 0

    def close(self) -> None:
        """See `LineSink`."""


class RotatingFile:
    """A file that is renamed to `{path}.1` when it is full, `{path}.1` to `{path}.2` and so on.

    Files are for this user alone. One that was moved away from outside (logrotate) is noticed at the next write, and a
    new one begun. What a crash left of a half-written last line is cut off when the file is opened.

    Args:
        path: the file; its directory is made if need be.
        rotate_bytes: its size, which it exceeds by no more than the last lines that were written together.
        keep: how many older ones are kept; the oldest is deleted.
        sync: have every batch on the disk before the call returns, so that a power cut loses none of it either.
    """

    def __init__(self, path: Path, rotate_bytes: int, keep: int, *, sync: bool = False) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._keep = keep
        self._sync = sync
        self._descriptor = -1
        self._inode = 0
        self._size = 0
        self._done = 0

    def open(self) -> None:
        """See `LineSink`."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._begin()

    def write(self, lines: bytes | bytearray) -> None:
        """See `LineSink`."""
        if not self._done:
            self._choose_file(len(lines))
        view = memoryview(lines)
        while self._done < len(lines):
            written = os.write(self._descriptor, view[self._done :])
            self._done += written
            self._size += written
        if self._sync:
            os.fdatasync(self._descriptor) if hasattr(os, "fdatasync") else os.fsync(self._descriptor)
        self._done = 0

    def close(self) -> None:
        """See `LineSink`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _choose_file(self, coming: int) -> None:
        """Rotate if the lines would make the file too large; begin a new one where it was moved or deleted."""
        if self._descriptor < 0 or not self._in_place():
            self._begin()
        elif self._size and self._size + coming > self._rotate_bytes:
            for number in range(self._keep - 1, 0, -1):
                older = self._numbered(number)
                if older.exists():
                    older.replace(self._numbered(number + 1))
            self._path.replace(self._numbered(1))
            self._begin()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _begin(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            size = os.fstat(descriptor).st_size
            whole = _whole_lines(descriptor, size)
            if whole < size:
                os.ftruncate(descriptor, whole)
            inode = os.fstat(descriptor).st_ino
        except BaseException:
            os.close(descriptor)
            raise
        self.close()
        self._descriptor, self._inode, self._size = descriptor, inode, whole


def _whole_lines(descriptor: int, size: int) -> int:
    """Where the last whole line of a file ends."""
    end = size
    while end > 0:
        start = max(0, end - _TAIL)
        found = os.pread(descriptor, end - start, start).rfind(_NEWLINE)
        if found >= 0:
            return start + found + 1
        end = start
    return 0
