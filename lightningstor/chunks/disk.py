"""The door to the disk: the few calls that chunks need, synchronous, behind a protocol.

They run inside `world.blocking.run`; only the cached ones, `size` and `close` are cheap enough for the event loop. A
simulated disk implements the same (lightningstor.testing.sim_disk). Errors are the kernel's OSErrors; what they mean
is decided in lightningstor.chunks.local.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Sequence
from typing import Final, Protocol

from lightningstor.chunks.api import Buffer
from lightningstor.chunks.open_cached import cached_opener

__all__ = ["Disk", "OsDisk"]

_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
_HAS_VECTORS: Final = hasattr(os, "pwritev") and hasattr(os, "preadv")
_NO_WAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)
_MAX_VECTORS: Final = 1024
_DIRECT: Final[int] = getattr(os, "O_DIRECT", 0)
_DIRECT_UNIT: Final = 4096
"""What offsets and lengths of direct writes are multiples of; the largest block of any device."""
_LEAST_DIRECT: Final = 64 << 10
_UNSUPPORTED: Final = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS})


class Disk(Protocol):
    """A file system. Descriptors are integers; sizes and offsets are bytes."""

    def make_directory(self, path: str) -> None:
        """Make one directory; no error if it is there."""
        ...

    def sync_directory(self, path: str) -> None:
        """Make the directory's entries durable."""
        ...

    def create(self, path: str) -> int:
        """Create a file that must not exist, for writing."""
        ...

    def open(self, path: str) -> int:
        """Open a file for reading."""
        ...

    def open_cached(self, path: str) -> int | None:
        """Open a file for reading without waiting for the device; None: `open` can do it, or knows why not."""
        ...

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        ...

    def size(self, descriptor: int) -> int:
        """The file's length."""
        ...

    def write(self, descriptor: int, pieces: Sequence[Buffer], offset: int) -> None:
        """Write all the pieces, one behind the other, from `offset`.

        Large ones that begin with a page of memory, at such an offset, may go past the page cache.
        """
        ...

    def sync(self, descriptor: int) -> None:
        """Make the file's data and length durable."""
        ...

    def read(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        """Fill the buffers, one behind the other; the count of bytes is less only at the end of the file."""
        ...

    def read_cached(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        """Fill the buffers as far as that goes without waiting for the device; how many bytes, maybe 0."""
        ...

    def will_need(self, descriptor: int, offset: int, length: int) -> None:
        """Advise that these bytes are read next. Never fails."""
        ...

    def unlink(self, path: str) -> None:
        """Remove a file. FileNotFoundError if there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory."""
        ...

    def list_directory(self, path: str) -> list[str]:
        """The names in a directory, in no order. FileNotFoundError if there is none."""
        ...


class OsDisk:
    """The operating system's file system. Calls that only Linux has are left out elsewhere, at the price of hops.

    Large writes are direct where the file system can do that: the device takes the bytes from our memory. A copy in
    fresh pages of the page cache costs the kernel 0.25 ms a MiB, and ten times that in a virtual machine whose host
    has to find the memory first; nobody may ever read them. Who does reads them from the device once.
    """

    def __init__(self) -> None:
        self._can_read_cached = bool(_NO_WAIT) and _HAS_VECTORS
        self._can_write_direct = bool(_DIRECT) and _HAS_VECTORS
        self._open_cached = cached_opener(os.O_RDONLY | _NO_FOLLOW)

    def make_directory(self, path: str) -> None:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not os.path.isdir(path):
                raise

    def sync_directory(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _sync_all(descriptor)
        finally:
            os.close(descriptor)

    def create(self, path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o600)

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDONLY | _NO_FOLLOW)

    def open_cached(self, path: str) -> int | None:
        return self._open_cached(path)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def size(self, descriptor: int) -> int:
        return os.fstat(descriptor).st_size

    def write(self, descriptor: int, pieces: Sequence[Buffer], offset: int) -> None:
        if not _HAS_VECTORS:
            for piece in pieces:
                offset = _write_piece(descriptor, memoryview(piece), offset)
            return
        direct = self._write_direct(descriptor, pieces, offset)
        if direct:
            pieces, offset = _behind(pieces, direct), offset + direct
        for start in range(0, len(pieces), _MAX_VECTORS):
            group = pieces[start : start + _MAX_VECTORS]
            wanted = sum(map(len, group))
            written = os.pwritev(descriptor, group, offset)
            if written < wanted:
                # A device that is full says so when asked to go on.
                at = offset + written
                for piece in _behind(group, written):
                    at = _write_piece(descriptor, memoryview(piece), at)
            offset += wanted

    def _write_direct(self, descriptor: int, pieces: Sequence[Buffer], offset: int) -> int:
        """Write the whole pages that the pieces begin with past the page cache; how many bytes that were, maybe 0."""
        if not self._can_write_direct or offset % _DIRECT_UNIT:
            return 0
        pages = _whole_pages(pieces)
        if sum(map(len, pages)) < _LEAST_DIRECT:
            return 0
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, _DIRECT)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            # Some file systems keep everything in memory, or elsewhere: don't ask again.
            self._can_write_direct = False
            return 0
        try:
            return os.pwritev(descriptor, pages, offset)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            # The memory doesn't lie as the device wants it.
            return 0
        finally:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, 0)

    def sync(self, descriptor: int) -> None:
        if _FULL_SYNC is not None or not hasattr(os, "fdatasync"):
            _sync_all(descriptor)
        else:
            os.fdatasync(descriptor)

    def read(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        if _HAS_VECTORS:
            wanted = sum(map(len, buffers))
            found = os.preadv(descriptor, buffers, offset)
            if found == wanted or found == 0:
                return found
        else:
            found = 0
        # A signal or a huge request can cut a read short, so only nothing at all means the end.
        skip = found
        for buffer in buffers:
            if skip >= len(buffer):
                skip -= len(buffer)
                continue
            rest, skip = buffer[skip:], 0
            while rest:
                piece = os.pread(descriptor, len(rest), offset + found)
                if not piece:
                    return found
                rest[: len(piece)] = piece
                rest = rest[len(piece) :]
                found += len(piece)
        return found

    def read_cached(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        if not self._can_read_cached:
            return 0
        try:
            return os.preadv(descriptor, buffers, offset, _NO_WAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            # tmpfs and some network file systems: don't ask again.
            self._can_read_cached = False
            return 0

    def will_need(self, descriptor: int, offset: int, length: int) -> None:
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def list_directory(self, path: str) -> list[str]:
        return os.listdir(path)


def _sync_all(descriptor: int) -> None:
    """fsync that reaches the medium: macOS's own leaves the data in the drive's cache."""
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
        else:
            return
    os.fsync(descriptor)


def _whole_pages(pieces: Sequence[Buffer]) -> list[Buffer]:
    """The start of the pieces up to the first that doesn't end with a page, and what of that one does."""
    pages: list[Buffer] = []
    for piece in pieces[:_MAX_VECTORS]:
        whole = len(piece) // _DIRECT_UNIT * _DIRECT_UNIT
        if whole:
            pages.append(piece if whole == len(piece) else memoryview(piece)[:whole])
        if whole < len(piece):
            break
    return pages


def _behind(pieces: Sequence[Buffer], count: int) -> list[Buffer]:
    """What is left of the pieces behind their first `count` bytes."""
    left: list[Buffer] = []
    for piece in pieces:
        if count < len(piece):
            left.append(memoryview(piece)[count:] if count else piece)
        count = max(0, count - len(piece))
    return left


def _write_piece(descriptor: int, rest: memoryview, offset: int) -> int:
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest = rest[written:]
        offset += written
    return offset
