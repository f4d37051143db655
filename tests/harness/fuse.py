"""A process that dies by SIGKILL at a given step of its event loop, or as it is about to touch a file."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import apsw
import trio
from attrs import frozen

from lightningstor.chunks.api import Buffer
from lightningstor.chunks.disk import OsDisk
from tests.contract.kv_worlds import FaultyVfs

__all__ = ["Fuse", "FusedDisk", "Point", "fused_vfs"]

PointKind = Literal["step", "file"]


@frozen
class Point:
    """When to die: before the n-th step of any task, or before the n-th write, flush, truncation, making or removal of
    a file or directory by any thread. Number 0: never.
    """

    kind: PointKind
    number: int


class Fuse(trio.abc.Instrument):
    """Counts once it is lit, and kills its process at the point.

    Attributes:
        counts: steps and calls on files since it was lit.
    """

    def __init__(self, point: Point) -> None:
        self.counts: Counter[str] = Counter()
        self._point = point
        self._lit = False
        self._lock = threading.Lock()

    def light(self) -> None:
        """Count from here on."""
        self._lit = True

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.burn("step")

    def burn(self, kind: PointKind) -> None:
        """Something of that kind is about to happen."""
        if not self._lit:
            return
        with self._lock:
            self.counts[kind] += 1
            reached = kind == self._point.kind and self.counts[kind] == self._point.number
        if reached:
            os.kill(os.getpid(), signal.SIGKILL)


class FusedDisk(OsDisk):
    """The operating system's files, with a fuse in whatever changes them."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse

    def make_directory(self, path: str) -> None:
        self._fuse.burn("file")
        super().make_directory(path)

    def sync_directory(self, path: str) -> None:
        self._fuse.burn("file")
        super().sync_directory(path)

    def create(self, path: str) -> int:
        self._fuse.burn("file")
        return super().create(path)

    def write(self, descriptor: int, pieces: Sequence[Buffer], offset: int) -> None:
        self._fuse.burn("file")
        super().write(descriptor, pieces, offset)

    def sync(self, descriptor: int) -> None:
        self._fuse.burn("file")
        super().sync(descriptor)

    def unlink(self, path: str) -> None:
        self._fuse.burn("file")
        super().unlink(path)


class _FusedVfs(FaultyVfs):
    """SQLite's files, with a fuse in each write and flush."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__("fused")
        self.fault = lambda operation, kind: None if operation == "read" else fuse.burn("file")


def fused_vfs(fuse: Fuse) -> apsw.VFS:
    """A VFS that lives as long as it is held; its name is "fused"."""
    return _FusedVfs(fuse)
