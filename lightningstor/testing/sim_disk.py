"""A disk in memory that can lose power, fail and fill up, for tests that no real disk can be put through.

Names and files are apart, and each has a cached and a durable state, as POSIX allows at its worst: what was not
synced may be there after a power cut, or not, or in parts; a directory entry lasts only once its directory is synced;
a sync that failed drops what it should have written, so that the next one succeeds without having saved anything.
Everything random comes from the seed.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from attrs import define, field

from lightningstor.chunks.api import Buffer

__all__ = ["PowerCut", "SimDisk"]

_PAGE: Final = 4096
_FIRST_DESCRIPTOR: Final = 1000
_Effect: TypeAlias = Callable[[], object]


class PowerCut(BaseException):
    """The power went. Not an Exception: no handler of the program under test may absorb it."""


@define(eq=False)
class _File:
    cached: bytearray = field(factory=bytearray)
    durable: bytes = b""
    dirty: set[int] = field(factory=set)  # pages written since the last sync that the next one can still save
    lost: set[int] = field(factory=set)  # pages that a failed sync dropped: only memory has them

    def after_cut(self, rng: random.Random) -> _File:
        """What of it is on the medium: every unsynced page may have got there, and the length with it."""
        longest = max(len(self.durable), len(self.cached))
        unsure = self.dirty | self.lost
        length = rng.choice((len(self.durable), len(self.cached), rng.randint(len(self.durable), longest)))
        found = bytearray(self.durable.ljust(length, b"\0")[:length])
        for page in sorted(unsure):
            if rng.random() < 0.5:
                start = page * _PAGE
                found[start : start + _PAGE] = self.cached[start : start + _PAGE][: max(0, length - start)]
        return _File(found, bytes(found))


@define(eq=False)
class _Directory:
    cached: dict[str, _File | _Directory] = field(factory=dict)
    durable: dict[str, _File | _Directory] = field(factory=dict)
    pending: list[tuple[str, _File | _Directory | None]] = field(factory=list)

    def put(self, name: str, node: _File | _Directory | None) -> None:
        if node is None:
            del self.cached[name]
        else:
            self.cached[name] = node
        self.pending.append((name, node))

    def after_cut(self, rng: random.Random) -> _Directory:
        """What of it is on the medium: each unsynced change of an entry may have got there."""
        names = dict(self.durable)
        for name, node in self.pending:
            if rng.random() < 0.5:
                if node is None:
                    names.pop(name, None)
                else:
                    names[name] = node
        found = {name: node.after_cut(rng) for name, node in names.items()}
        return _Directory(dict(found), dict(found))


@define(eq=False)
class SimDisk:
    """A `lightningstor.chunks.disk.Disk`. Its calls must not run at the same time: use an inline Blocking.

    Args:
        seed: of everything random.
        cut_at: the power goes at the operation of this number (1 is the first), before or after its effect.
        fail_at: errors by the number of the operation that they hit. A write that fails has written a part.
        capacity: bytes of file data that fit; None: any number.
        cached_reads: how often, 0 to 1, `open_cached` and `read_cached` find in memory what they want.
    """

    seed: int = 0
    cut_at: int | None = None
    fail_at: dict[int, int] = field(factory=dict)
    capacity: int | None = None
    cached_reads: float = 0.5
    operations: int = field(default=0, init=False)
    trace: list[tuple[str, str]] = field(factory=list, init=False)
    _dead: bool = field(default=False, init=False)
    _rng: random.Random = field(init=False)
    _root: _Directory = field(factory=_Directory, init=False)
    _open: dict[int, tuple[str, _File]] = field(factory=dict, init=False)
    _next_descriptor: int = field(default=_FIRST_DESCRIPTOR, init=False)

    def __attrs_post_init__(self) -> None:
        self._rng = random.Random(self.seed)

    # For tests

    @property
    def open_descriptors(self) -> list[str]:
        """The paths of the files that are open."""
        return [path for path, _ in self._open.values()]

    def files(self) -> dict[str, bytes]:
        """Every file as a program sees it now, by path."""
        found: dict[str, bytes] = {}

        def collect(prefix: str, directory: _Directory) -> None:
            for name, node in directory.cached.items():
                if isinstance(node, _Directory):
                    collect(f"{prefix}/{name}", node)
                else:
                    found[f"{prefix}/{name}"] = bytes(node.cached)

        collect("", self._root)
        return found

    def overwrite(self, path: str, content: Buffer) -> None:
        """Change a file behind the program's back."""
        node = self._node(path)
        assert isinstance(node, _File)
        node.cached[:] = content

    def after_power_cut(self, seed: int | None = None) -> SimDisk:
        """The disk as the next start of the machine finds it; the power may have gone now or at `cut_at`."""
        found = SimDisk(self.seed if seed is None else seed)
        found._root = self._root.after_cut(found._rng)
        return found

    # Disk

    def make_directory(self, path: str) -> None:
        def effect() -> None:
            parent, name = self._parent(path)
            if name not in parent.cached:
                parent.put(name, _Directory())
            elif not isinstance(parent.cached[name], _Directory):
                raise FileExistsError(errno.EEXIST, "there is a file", path)

        self._operate("make_directory", path, effect)

    def sync_directory(self, path: str) -> None:
        directory = self._node(path)
        if not isinstance(directory, _Directory):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)

        def effect() -> None:
            directory.durable = dict(directory.cached)
            directory.pending.clear()

        self._operate("sync_directory", path, effect)

    def create(self, path: str) -> int:
        def effect() -> None:
            parent, name = self._parent(path)
            if name in parent.cached:
                raise FileExistsError(errno.EEXIST, "it is there", path)
            parent.put(name, _File())

        self._operate("create", path, effect)
        return self._new_descriptor(path)

    def open(self, path: str) -> int:
        self._operate("open", path, lambda: self._node(path))
        return self._new_descriptor(path)

    def open_cached(self, path: str) -> int | None:
        if self._rng.random() >= self.cached_reads:
            return None
        try:
            return self.open(path)
        except OSError:
            return None

    def close(self, descriptor: int) -> None:
        if not self._dead:
            self._file(descriptor)
        self._open.pop(descriptor, None)

    def size(self, descriptor: int) -> int:
        return len(self._file(descriptor)[1].cached)

    def write(self, descriptor: int, pieces: Sequence[Buffer], offset: int) -> None:
        path, file = self._file(descriptor)
        data = b"".join(pieces)

        def put(content: bytes) -> None:
            if len(file.cached) < offset:
                file.cached.extend(bytes(offset - len(file.cached)))
            file.cached[offset : offset + len(content)] = content
            file.dirty.update(range(offset // _PAGE, -(-(offset + len(content)) // _PAGE)))

        def effect() -> None:
            if self.capacity is not None:
                room = self.capacity - sum(map(len, self.files().values()))
                if room < len(data):
                    put(data[: max(0, room)])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            put(data)

        def part() -> None:
            put(data[: self._rng.randint(0, len(data))])

        self._operate("write", path, effect, part)

    def sync(self, descriptor: int) -> None:
        path, file = self._file(descriptor)

        def effect() -> None:
            saved = bytearray(file.cached)
            for page in file.lost:
                start = page * _PAGE
                old = file.durable[start : start + _PAGE]
                saved[start : start + _PAGE] = old.ljust(len(saved[start : start + _PAGE]), b"\0")
            file.durable = bytes(saved)
            file.dirty.clear()

        def dropped() -> None:
            file.lost |= file.dirty
            file.dirty.clear()

        self._operate("sync", path, effect, dropped)

    def read(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        path, file = self._file(descriptor)
        self._operate("read", path, lambda: None)
        found = 0
        for buffer in buffers:
            piece = file.cached[offset + found : offset + found + len(buffer)]
            buffer[: len(piece)] = piece
            found += len(piece)
        return found

    def read_cached(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        if self._rng.random() >= self.cached_reads:
            return 0
        _, file = self._file(descriptor)
        wanted = sum(map(len, buffers))
        piece = file.cached[offset : offset + self._rng.randint(0, 2 * wanted)][:wanted]
        at = 0
        for buffer in buffers:
            part = piece[at : at + len(buffer)]
            buffer[: len(part)] = part
            at += len(part)
        return len(piece)

    def will_need(self, descriptor: int, offset: int, length: int) -> None:
        self._file(descriptor)

    def unlink(self, path: str) -> None:
        def effect() -> None:
            parent, name = self._parent(path)
            if name not in parent.cached:
                raise FileNotFoundError(errno.ENOENT, "no such file", path)
            parent.put(name, None)

        self._operate("unlink", path, effect)

    def exists(self, path: str) -> bool:
        try:
            self._node(path)
        except FileNotFoundError:
            return False
        return True

    def list_directory(self, path: str) -> list[str]:
        directory = self._node(path)
        if not isinstance(directory, _Directory):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)
        names = list(directory.cached)
        self._rng.shuffle(names)
        return names

    # Within

    def _operate(self, name: str, path: str, effect: _Effect, failing: _Effect | None = None) -> None:
        """One operation that the device takes part in: it may work, fail, or be where the power goes."""
        if self._dead:
            # Clean-up code must not touch the disk after the cut.
            raise PowerCut
        self.operations += 1
        self.trace.append((name, path))
        error = self.fail_at.get(self.operations)
        if error is not None:
            if failing is not None:
                failing()
            raise OSError(error, os.strerror(error), path)
        if self.operations == self.cut_at:
            if self._rng.random() < 0.5:
                (failing or effect)()
            self._dead = True
            raise PowerCut
        effect()

    def _parent(self, path: str) -> tuple[_Directory, str]:
        directory, name = os.path.split(path)
        parent = self._node(directory)
        if not isinstance(parent, _Directory):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)
        return parent, name

    def _node(self, path: str) -> _File | _Directory:
        if self._dead:
            raise PowerCut
        node: _File | _Directory = self._root
        for name in path.split("/"):
            if name:
                if not isinstance(node, _Directory) or name not in node.cached:
                    raise FileNotFoundError(errno.ENOENT, "no such file or directory", path)
                node = node.cached[name]
        return node

    def _new_descriptor(self, path: str) -> int:
        node = self._node(path)
        if not isinstance(node, _File):
            raise IsADirectoryError(errno.EISDIR, "a directory", path)
        self._next_descriptor += 1
        self._open[self._next_descriptor] = (path, node)
        return self._next_descriptor

    def _file(self, descriptor: int) -> tuple[str, _File]:
        if self._dead:
            raise PowerCut
        if descriptor not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[descriptor]
