"""The operating system's disk on a bad day, and a directory's shared syncs."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from lightningstor.chunks import disk as disk_module
from lightningstor.chunks import open_cached
from lightningstor.chunks.api import Buffer
from lightningstor.chunks.buffers import new_buffer
from lightningstor.chunks.disk import OsDisk
from lightningstor.chunks.group_sync import GroupSync
from lightningstor.chunks.open_cached import cached_opener
from lightningstor.ports import Blocking, ThreadBlocking


def pieces_of(*sizes: int) -> list[bytes]:
    return [os.urandom(size) for size in sizes]


@pytest.fixture(params=["whole", "short", "no vectors", "not direct", "never direct"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OsDisk:
    """The disk as it is; with calls that do only a part of what they are asked; where there are no vector calls; on a
    file system that refuses direct writes, when it is asked for them or only when they come."""
    if request.param == "never direct":

        def refuse(descriptor: int, command: int, flags: int) -> int:
            raise OSError(errno.EINVAL, "no direct writes here")

        monkeypatch.setattr(fcntl, "fcntl", refuse)
    elif request.param == "not direct":
        write_anyhow = os.pwritev

        def refuse_direct(descriptor: int, buffers: Sequence[Buffer], offset: int) -> int:
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0):
                raise OSError(errno.EINVAL, "not these buffers")
            return write_anyhow(descriptor, buffers, offset)

        monkeypatch.setattr(os, "pwritev", refuse_direct)
    if request.param == "short":
        pwritev, pwrite, preadv, pread = os.pwritev, os.pwrite, os.preadv, os.pread

        def short_writev(descriptor: int, buffers: Sequence[Buffer], offset: int) -> int:
            joined = b"".join(buffers)
            return pwritev(descriptor, [joined[: max(1, len(joined) * 2 // 3)]], offset)

        def short_readv(descriptor: int, buffers: Sequence[memoryview], offset: int, flags: int = 0) -> int:
            filled = next((index for index, buffer in enumerate(buffers) if buffer), 0)
            part = buffers[filled][: (len(buffers[filled]) + 1) // 2]
            return preadv(descriptor, [*buffers[:filled], part], offset, flags)

        monkeypatch.setattr(os, "pwritev", short_writev)
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[: max(1, len(data) // 2)], at))
        monkeypatch.setattr(os, "preadv", short_readv)
        monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, max(1, size // 3), at))
    elif request.param == "no vectors":
        monkeypatch.setattr(disk_module, "_HAS_VECTORS", False)
    return OsDisk()


@pytest.mark.parametrize("sizes", [(), (0,), (1,), (5_000,), (0, 3, 0, 70_000, 1), (13,) * 3_000])
def test_all_pieces_are_written(disk: OsDisk, tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Every piece gets to its place, however many there are and however little each call writes."""
    pieces = pieces_of(*sizes)
    path = str(tmp_path / "file")
    descriptor = disk.create(path)
    disk.write(descriptor, [b"begin"], 0)
    disk.write(descriptor, [memoryview(piece) for piece in pieces], 5)
    disk.sync(descriptor)
    disk.close(descriptor)
    disk.sync_directory(str(tmp_path))
    assert Path(path).read_bytes() == b"begin" + b"".join(pieces)


@pytest.mark.parametrize("offset", [0, 4096, 1000])
@pytest.mark.parametrize(
    "sizes", [(65536, 65536), (65536, 70_000, 151), (0, 131_072, 0, 151), (60_000, 151), (4096, 9)]
)
def test_pages_of_memory_are_written(disk: OsDisk, tmp_path: Path, sizes: tuple[int, ...], offset: int) -> None:
    """What lies in pages of its own gets to its place like everything else, though it may go past the page cache."""
    buffers = [new_buffer(size) for size in sizes]
    for buffer in buffers:
        buffer[:] = os.urandom(len(buffer))
    path = str(tmp_path / "file")
    descriptor = disk.create(path)
    disk.write(descriptor, buffers, offset)
    disk.write(descriptor, [b"end"], offset + sum(sizes))
    disk.sync(descriptor)
    disk.close(descriptor)
    assert Path(path).read_bytes() == bytes(offset) + b"".join(buffers) + b"end"


def test_large_writes_leave_the_page_cache_alone(tmp_path: Path) -> None:
    """Where the file system writes directly, the whole pages of a large write are not kept in memory."""
    disk = OsDisk()
    path = str(tmp_path / "file")
    buffer = new_buffer(1 << 20)
    descriptor = disk.create(path)
    disk.write(descriptor, [buffer, b"end"], 0)
    disk.sync(descriptor)
    disk.close(descriptor)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except (AttributeError, OSError):
        pytest.skip("no direct writes on this file system")
    descriptor = disk.open(path)
    assert disk.read_cached(descriptor, (new_buffer(4096),), 0) == 0
    disk.close(descriptor)


@pytest.mark.parametrize("sizes", [(10,), (0, 10), (1, 1, 8), (10, 5), (4, 20), (30,), (3, 0, 30, 4)])
def test_buffers_are_filled_in_order(disk: OsDisk, tmp_path: Path, sizes: tuple[int, ...]) -> None:
    """Reading fills one buffer after the other and stops short only at the end of the file."""
    (tmp_path / "file").write_bytes(b"..0123456789abcdef")
    descriptor = disk.open(str(tmp_path / "file"))
    buffers = [memoryview(bytearray(size)) for size in sizes]
    found = disk.read(descriptor, buffers, 2)
    disk.close(descriptor)
    assert found == min(sum(sizes), 16)
    assert b"".join(buffers)[:found] == b"0123456789abcdef"[:found]
    assert not any(b"".join(buffers)[found:])


def test_what_is_in_the_page_cache_is_read_at_once(tmp_path: Path) -> None:
    """`read_cached` gives what was just written, on Linux; elsewhere, and past the end, nothing."""
    disk = OsDisk()
    (tmp_path / "file").write_bytes(b"0123456789")
    descriptor = disk.open(str(tmp_path / "file"))
    buffer = memoryview(bytearray(4))
    assert disk.read_cached(descriptor, (buffer,), 3) in (0, 4)
    assert disk.read_cached(descriptor, (buffer,), 10) == 0
    disk.will_need(descriptor, 0, 10)
    disk.close(descriptor)


def test_a_file_in_memory_is_opened_at_once(tmp_path: Path) -> None:
    """`open_cached` gives what `open` would, or None: for what isn't there and for links always."""
    disk = OsDisk()
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to(path)
    assert disk.open_cached(str(tmp_path / "none")) is None
    assert disk.open_cached(str(tmp_path / "link")) is None
    descriptor = disk.open_cached(str(path))
    if descriptor is None:
        pytest.skip("openat2 with RESOLVE_CACHED needs Linux 5.12, and a sandbox that allows it")
    assert os.read(descriptor, 20) == b"0123456789"
    assert not os.get_inheritable(descriptor)
    disk.close(descriptor)


def test_an_opener_that_is_not_offered_gives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system doesn't know the call every file is opened as usual."""
    monkeypatch.setattr(open_cached, "_RESOLVE_CACHED", 1 << 40)  # EINVAL, as from an older kernel
    opener = cached_opener(os.O_RDONLY)
    (tmp_path / "file").write_bytes(b"0123456789")
    assert [opener(str(tmp_path / "file")) for _ in range(2)] == [None, None]


def test_directories_are_made_once(tmp_path: Path) -> None:
    """Making a directory that is there is no error; making one where a file lies is."""
    disk = OsDisk()
    disk.make_directory(str(tmp_path / "a"))
    disk.make_directory(str(tmp_path / "a"))
    (tmp_path / "b").write_bytes(b"")
    with pytest.raises(FileExistsError):
        disk.make_directory(str(tmp_path / "b"))
    assert sorted(disk.list_directory(str(tmp_path))) == ["a", "b"]
    disk.unlink(str(tmp_path / "b"))
    assert not disk.exists(str(tmp_path / "b"))


# Shared syncs


class Syncs:
    """Syncs of one directory that end when the test says so."""

    def __init__(self) -> None:
        self.started = 0
        self._began = threading.Semaphore(0)
        self._end = threading.Semaphore(0)

    def sync(self) -> None:
        self.started += 1
        self._began.release()
        assert self._end.acquire(timeout=10)

    async def wait_began(self) -> None:
        assert await ThreadBlocking(1).run(self._began.acquire, True, 10)

    def end(self) -> None:
        self._end.release()


async def seal(groups: GroupSync, blocking: Blocking, sync: Callable[[], None], done: Callable[[], None]) -> None:
    """What the sealing of a chunk does about the directory."""
    with groups.member("/d") as group:
        await blocking.run(group.sync, sync)
    done()


async def test_those_who_come_during_a_sync_share_the_next() -> None:
    """A sync that runs may have missed what came after its start: it serves nobody who came then, the next all."""
    groups, syncs, blocking = GroupSync(), Syncs(), ThreadBlocking(32)
    done: list[object] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seal, groups, blocking, syncs.sync, lambda: done.append("first"))
        await syncs.wait_began()
        for number in range(5):
            nursery.start_soon(seal, groups, blocking, syncs.sync, lambda number=number: done.append(number))
        await trio.sleep(0.05)
        assert (done, syncs.started) == ([], 1)
        syncs.end()
        await syncs.wait_began()
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert (done, syncs.started) == (["first"], 2)
        syncs.end()
    assert (sorted(done[1:]), syncs.started) == ([0, 1, 2, 3, 4], 2)


async def test_nobody_tries_a_sync_again_that_has_failed() -> None:
    """The kernel may have dropped the names with the error: all members get it, though a second sync would succeed."""
    groups, tried, blocking, gate = GroupSync(), [], ThreadBlocking(32), threading.Event()

    def fail() -> None:
        tried.append(1)
        if len(tried) == 1:
            gate.wait(10)
            raise OSError(5, "no")

    async def member() -> None:
        with pytest.raises(OSError, match="no"):
            await seal(groups, blocking, fail, lambda: None)

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(member)
        await trio.sleep(0.02)
        gate.set()
    assert len(tried) == 1


async def test_a_sync_without_a_descriptor_spoils_none() -> None:
    """Want of descriptors passes, and says nothing about the device: who comes next syncs for itself."""
    groups, tried, blocking = GroupSync(), [], ThreadBlocking(32)

    def sync() -> None:
        tried.append(1)
        if len(tried) == 1:
            raise OSError(errno.EMFILE, "no descriptor")

    with groups.member("/d"):
        with pytest.raises(OSError, match="no descriptor"):
            await seal(groups, blocking, sync, lambda: None)
        await seal(groups, blocking, sync, lambda: None)
    assert len(tried) == 2
