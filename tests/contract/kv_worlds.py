"""Worlds for the metadata store's tests: calls that run at once, that wait to be let through, or on a faulty file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import apsw
import trio
import trio.testing

from lightningstor.kv.api import Outcome, Put, Txn
from lightningstor.kv.batch import BatchWriter
from lightningstor.kv.sqlite import SqliteKv
from lightningstor.ports import Blocking, ThreadBlocking, World

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


_GATE_SECONDS = 10


class InlineBlocking:
    """Runs blocking calls on the event loop's thread, after a checkpoint: no real threads."""

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        with trio.CancelScope(shield=True):
            await trio.lowlevel.checkpoint()
        return function(*args)


class GatedBlocking:
    """Threads, but a batch of transactions is written only when the test lets it through.

    Attributes:
        taken: how many transactions each batch held that reached the gate, in order.
        written: calls of the writer that have returned.
    """

    def __init__(self) -> None:
        self._threads = ThreadBlocking(8)
        self._passes = trio.Semaphore(0)
        self._open = False
        self.taken: list[int] = []
        self._arrived = trio.Condition()

    async def run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        if getattr(function, "__func__", None) is BatchWriter.apply:
            with trio.CancelScope(shield=True):
                async with self._arrived:
                    self.taken.append(len(args[0]))  # type: ignore[arg-type]
                    self._arrived.notify_all()
                if not self._open:
                    with trio.move_on_after(_GATE_SECONDS):  # a test that fails shall not hang
                        await self._passes.acquire()
        return await self._threads.run(function, *args)

    async def wait_taken(self, batches: int) -> None:
        """Wait until so many batches have reached the gate."""
        async with self._arrived:
            while len(self.taken) < batches:
                await self._arrived.wait()

    def let_through(self) -> None:
        """Let one batch through."""
        self._passes.release()

    def open(self) -> None:
        """Let all through from now on."""
        self._open = True
        self._passes.release()


def world(blocking: Blocking | None = None) -> World:
    """The real world, with blocking calls as given, or in a few threads."""
    return World(blocking=blocking or ThreadBlocking(8))


class FaultyVfs(apsw.VFS):
    """The system's files, except for what `fault` says.

    Attributes:
        fault: called with the operation ("write", "sync", "read", "truncate"), the file's name and the offset or
            None before each; it raises what the operation is to fail with.
        calls: all operations so far, as (operation, kind of file: "main", "wal", "other").
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, "")
        self.name = name
        self.fault: Callable[[str, str], None] = lambda operation, kind: None
        self.calls: list[tuple[str, str]] = []

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _FaultyFile:
        return _FaultyFile(self, name, flags)

    def meet(self, operation: str, kind: str) -> None:
        """Count an operation, and fail it if it is to fail."""
        self.calls.append((operation, kind))
        self.fault(operation, kind)


class _FaultyFile(apsw.VFSFile):
    def __init__(self, vfs: FaultyVfs, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._vfs = vfs
        self._kind = (
            "main" if flags[0] & apsw.SQLITE_OPEN_MAIN_DB else "wal" if flags[0] & apsw.SQLITE_OPEN_WAL else "other"
        )
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._vfs.meet("write", self._kind)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        self._vfs.meet("sync", self._kind)
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._vfs.meet("read", self._kind)
        return super().xRead(amount, offset)


def io_error(operation: str) -> apsw.IOError:
    """What SQLite says of EIO in the operation."""
    error = apsw.IOError(f"disk I/O error ({errno.errorcode[errno.EIO]} in {operation})")
    error.extendedresult = {
        "sync": apsw.SQLITE_IOERR_FSYNC,
        "write": apsw.SQLITE_IOERR_WRITE,
        "read": apsw.SQLITE_IOERR_READ,
    }[operation]
    return error


class Committers:
    """Tasks that commit one transaction each, queued in the order of the calls."""

    def __init__(self, kv: SqliteKv, nursery: trio.Nursery) -> None:
        self.outcomes: dict[str, Outcome | Exception] = {}
        self._kv = kv
        self._nursery = nursery

    async def queue(self, name: str, txn: Txn) -> trio.CancelScope:
        """Have a task commit; back when it has queued its transaction. The scope cancels the task."""
        scope = trio.CancelScope()
        depth = self._kv.statistics().queue_depth

        async def commit() -> None:
            with scope:
                try:
                    self.outcomes[name] = await self._kv.commit(txn)
                except Exception as error:
                    self.outcomes[name] = error

        self._nursery.start_soon(commit)
        await trio.testing.wait_all_tasks_blocked()
        assert self._kv.statistics().queue_depth <= depth + 1
        return scope


def one_put(key: bytes, value: bytes = b"") -> Txn:
    return Txn(puts=[Put(key, value)])
