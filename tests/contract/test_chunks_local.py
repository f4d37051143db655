"""What files add to the contract: durability, a device that fails or is full, directories, descriptors."""

from __future__ import annotations

import errno
import os
import resource
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.buffers import new_buffer
from lightningstor.chunks.disk import OsDisk
from lightningstor.chunks.errors import OutOfDescriptors
from lightningstor.chunks.local import LocalFsBackend, open_local_chunks
from lightningstor.errors import BytesCorrupt, StorageFull, StorageReadOnly
from lightningstor.ports import World, production_world
from lightningstor.testing.sim_disk import PowerCut, SimDisk
from lightningstor.testing.sim_world import run_sim, sim_world

BASE = "/srv/data/chunks"
BLOCK = 65_536


def name(directory: int, number: int) -> str:
    return f"{directory:02x}cd0000000001aa-{number:06x}"


def data_of(chunk_id: str) -> bytes:
    """Each chunk's own content: three pages and a bit."""
    return (chunk_id.encode() * 1000)[:13_000]


async def write(chunks: LocalFsBackend, chunk_id: str, sealed: list[ChunkRef]) -> None:
    """Write a chunk in two pieces; into `sealed` as soon as the store has said that it is durable."""
    data = data_of(chunk_id)
    writer = await chunks.begin(chunk_id)
    await writer.append([data[:5_000]])
    sealed.append(await writer.seal(0, [data[5_000:]]))


async def write_some(world: World, disk: SimDisk, sealed: list[ChunkRef]) -> None:
    """Five chunks at the same time, four of them in one directory, in a store that is just made."""
    async with open_local_chunks(BASE, world, disk=disk) as chunks, trio.open_nursery() as nursery:
        for chunk_id in (*(name(1, number) for number in range(4)), name(2, 9)):
            nursery.start_soon(write, chunks, chunk_id, sealed)


async def assert_whole(world: World, disk: SimDisk, sealed: list[ChunkRef]) -> None:
    """Every sealed chunk can be read, and the listing names it."""
    async with open_local_chunks(BASE, world, disk=disk) as chunks:
        listed = await chunks.list_chunks("", 1000)
        for ref in sealed:
            assert await chunks.get_chunk(ref) == data_of(ref.chunk_id)
            assert ref.chunk_id in listed


def test_a_power_cut_loses_no_sealed_chunk(figure: Callable[[str], None], proof_full: bool) -> None:
    """Power cut at every disk operation: what was sealed before it is there, whole, whatever the cache held."""
    runs = kept = 0
    for seed in range(200 if proof_full else 6):
        cut_at = 0
        cut = True
        while cut:
            cut_at += 1
            disk = SimDisk(seed, cut_at=cut_at)
            sealed: list[ChunkRef] = []
            try:
                run_sim(lambda world, disk=disk, sealed=sealed: write_some(world, disk, sealed), seed=seed)
                cut = False
            except* PowerCut:
                pass
            after = disk.after_power_cut(seed)
            run_sim(lambda world, disk=after, sealed=sealed: assert_whole(world, disk, sealed), seed=seed)
            runs += 1
            kept += len(sealed)
        assert len(sealed) == 5
    figure(f"power cut at {runs} points: 0 of {kept} sealed chunks lost or torn")


class _NeverSynced(SimDisk):
    """As for somebody who takes a write past the page cache (O_DIRECT) for a durable one."""

    def sync(self, descriptor: int) -> None:
        self.size(descriptor)


def test_a_direct_write_is_lost_without_its_sync() -> None:
    """The simulated power cut takes unsynced writes, however they were made: without syncs it finds lost chunks."""
    lost = 0
    for seed in range(10):
        disk = _NeverSynced(seed)
        sealed: list[ChunkRef] = []
        run_sim(lambda world, disk=disk, sealed=sealed: write_some(world, disk, sealed), seed=seed)
        after = disk.after_power_cut(seed)
        try:
            run_sim(lambda world, disk=after, sealed=sealed: assert_whole(world, disk, sealed), seed=seed)
        except* BytesCorrupt:
            lost += 1
    assert lost > 0


def test_a_killed_process_that_made_a_directory_did_not_make_it_durable() -> None:
    """A directory that an earlier process made but had not synced is synced before a chunk in it counts as sealed."""
    for seed in range(20):
        disk = SimDisk(seed)
        for path in ("/srv", "/srv/data", BASE, f"{BASE}/01", f"{BASE}/01/cd"):
            disk.make_directory(path)
        disk.sync_directory("/")
        disk.sync_directory("/srv")  # what is above the base belongs to whoever made it
        sealed: list[ChunkRef] = []

        async def scenario(world: World, disk: SimDisk = disk, sealed: list[ChunkRef] = sealed) -> None:
            async with open_local_chunks(BASE, world, disk=disk) as chunks:
                await write(chunks, name(1, 1), sealed)

        run_sim(scenario, seed=seed)
        after = disk.after_power_cut(seed)
        run_sim(lambda world, disk=after, sealed=sealed: assert_whole(world, disk, sealed), seed=seed)


def test_the_same_seed_gives_the_same_run() -> None:
    """A failure can be replayed: equal seeds give equal traces, others give others."""

    def trace(seed: int) -> list[tuple[str, str]]:
        disk = SimDisk(seed)
        run_sim(lambda world: write_some(world, disk, []), seed=seed)
        return disk.trace

    assert trace(7) == trace(7)
    assert len({tuple(trace(seed)) for seed in range(10)}) > 1


WRITING = ("create", "write", "sync", "sync_directory", "make_directory")


def failing_at(kind: str, error: int, which: int = -1) -> tuple[SimDisk, list[ChunkRef], list[BaseException]]:
    """Two chunks one after the other, the first hit by `error` at its operation `kind`: disk, sealed and errors."""
    probe = SimDisk(3)

    async def writes(world: World, disk: SimDisk, sealed: list[ChunkRef], errors: list[BaseException]) -> None:
        async with open_local_chunks(BASE, world, disk=disk) as chunks:
            for number in range(2):
                try:
                    await write(chunks, name(number, number), sealed)
                except Exception as caught:
                    errors.append(caught)
            if errors:
                assert (chunks.read_only_reason is not None) == (
                    error not in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE)
                )

    run_sim(lambda world: writes(world, probe, [], []), seed=3)
    mine = [number for number, (what, path) in enumerate(probe.trace, 1) if what == kind and "/00" in path]
    disk, sealed, errors = SimDisk(3, fail_at={mine[which]: error}), [], []
    run_sim(lambda world: writes(world, disk, sealed, errors), seed=3)
    assert disk.open_descriptors == []
    return disk, sealed, errors


@pytest.mark.parametrize("kind", WRITING)
def test_a_device_that_fails_a_write_stops_all_writing(kind: str) -> None:
    """EIO of any operation of a write: that write and every later one get StorageReadOnly."""
    disk, sealed, errors = failing_at(kind, errno.EIO)
    assert [type(error) for error in errors] == [StorageReadOnly, StorageReadOnly]
    assert sealed == []
    assert disk.files() == {}


@pytest.mark.parametrize("kind", ["sync", "sync_directory"])
def test_a_failed_sync_is_never_tried_again(kind: str) -> None:
    """After a sync has failed the kernel may call the lost pages clean, so no later sync may make the chunk count."""
    disk, _, _ = failing_at(kind, errno.EIO)
    failed_at = next(iter(disk.fail_at))
    assert {what for what, _ in disk.trace[failed_at:]} <= {"unlink"}


def test_those_who_share_a_failed_sync_all_fail() -> None:
    """Chunks that wait for one directory's sync are refused together when it fails: none of them is sealed."""
    for seed in range(10):
        probe = SimDisk(seed)
        run_sim(lambda world, disk=probe: write_some(world, disk, []), seed=seed)
        syncs = [
            n for n, (what, path) in enumerate(probe.trace, 1) if what == "sync_directory" and path.endswith("01/cd")
        ]
        disk = SimDisk(seed, fail_at={syncs[0]: errno.EIO})
        sealed: list[ChunkRef] = []
        refused: list[StorageReadOnly] = []

        async def scenario(
            world: World,
            disk: SimDisk = disk,
            sealed: list[ChunkRef] = sealed,
            refused: list[StorageReadOnly] = refused,
        ) -> None:
            async def attempt(chunk_id: str) -> None:
                try:
                    await write(chunks, chunk_id, sealed)
                except StorageReadOnly as error:
                    refused.append(error)

            async with open_local_chunks(BASE, world, disk=disk) as chunks, trio.open_nursery() as nursery:
                for chunk_id in (*(name(1, number) for number in range(4)), name(2, 9)):
                    nursery.start_soon(attempt, chunk_id)

        run_sim(scenario, seed=seed)
        assert len(sealed) + len(refused) == 5
        assert not [ref for ref in sealed if ref.chunk_id.startswith("01")]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("kind", WRITING)
def test_a_full_device_refuses_one_chunk(kind: str, error: int) -> None:
    """ENOSPC or EDQUOT of any operation: StorageFull, the partial file gone, and the next chunk is written."""
    disk, sealed, errors = failing_at(kind, error)
    assert [type(caught) for caught in errors] == [StorageFull]
    assert [ref.chunk_id for ref in sealed] == [name(1, 1)]
    assert [path.rpartition("/")[2] for path in disk.files()] == [name(1, 1)]


def test_a_full_disk_frees_what_it_refused() -> None:
    """On a disk with room for one chunk only, the second is refused and leaves room; after a delete it fits."""
    disk = SimDisk(1, capacity=20_000)

    async def scenario(world: World) -> None:
        async with open_local_chunks(BASE, world, disk=disk) as chunks:
            sealed: list[ChunkRef] = []
            await write(chunks, name(1, 1), sealed)
            with pytest.raises(StorageFull):
                await write(chunks, name(1, 2), sealed)
            assert await chunks.get_chunk(sealed[0]) == data_of(name(1, 1))
            await chunks.delete_chunk(name(1, 1))
            await write(chunks, name(1, 3), sealed)
            assert await chunks.list_chunks("", 9) == [name(1, 3)]

    run_sim(scenario, seed=1)


def test_running_out_of_descriptors_is_no_fault_of_the_device() -> None:
    """EMFILE fails the chunk as what it is, and the store goes on taking writes."""
    _, sealed, errors = failing_at("create", errno.EMFILE)
    assert [type(error) for error in errors] == [OutOfDescriptors]
    assert len(sealed) == 1


def test_a_read_only_store_reads_and_deletes() -> None:
    """After a failed write the chunks that are there can still be read, listed and removed."""
    disk = SimDisk(1)

    async def scenario(world: World) -> None:
        async with open_local_chunks(BASE, world, disk=disk) as chunks:
            sealed: list[ChunkRef] = []
            await write(chunks, name(1, 1), sealed)
            disk.fail_at[disk.operations + 1] = errno.EIO
            with pytest.raises(StorageReadOnly, match="Input/output error"):
                await write(chunks, name(1, 2), sealed)
            with pytest.raises(StorageReadOnly):
                await chunks.begin(name(1, 3))
            assert await chunks.get_chunk(sealed[0]) == data_of(name(1, 1))
            assert await chunks.list_chunks("", 9) == [name(1, 1)]
            assert await chunks.delete_chunk(name(1, 1))

    run_sim(scenario, seed=1)


@pytest.mark.parametrize("operation", ["open", "read"])
def test_a_device_that_fails_a_read_gives_no_bytes(operation: str) -> None:
    """EIO on reading is an error of that read, leaves no descriptor, and says nothing about writing."""
    disk = SimDisk(1, cached_reads=0)

    async def scenario(world: World) -> None:
        async with open_local_chunks(BASE, world, disk=disk) as chunks:
            ref = await chunks.put_chunk(name(1, 1), bytes(3 * BLOCK))
            start = len(disk.trace)
            await chunks.get_chunk(ref)
            number = start + [what for what, _ in disk.trace[start:]].index(operation) + 1
            disk.fail_at[disk.operations + number - start] = errno.EIO
            with pytest.raises(BytesCorrupt, match="the device cannot read it"):
                await chunks.get_chunk(ref)
            assert await chunks.get_chunk(ref) == bytes(3 * BLOCK)
            async with chunks.open_reader(ref) as reader:
                await reader.read(0, 10, new_buffer(BLOCK))
                disk.fail_at[disk.operations + 1] = errno.EIO
                with pytest.raises(BytesCorrupt, match="the device cannot read it"):
                    await reader.read(BLOCK, 10, new_buffer(BLOCK))
            assert chunks.read_only_reason is None
            assert disk.open_descriptors == []

    run_sim(scenario, seed=1)


class SlowDirectories(OsDisk):
    """A disk that counts the syncs of directories and takes its time for them."""

    def __init__(self) -> None:
        super().__init__()
        self.synced: list[str] = []

    def sync_directory(self, path: str) -> None:
        self.synced.append(path)
        time.sleep(0.01)
        super().sync_directory(path)


async def test_concurrent_seals_share_syncs(tmp_path: Path) -> None:
    """Thirty chunks sealed at once in one directory need far fewer syncs of it than one each."""
    disk = SlowDirectories()
    async with open_local_chunks(tmp_path, production_world(), disk=disk) as chunks, trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(write, chunks, name(1, number), [])
    assert sum(path.endswith("/01/cd") for path in disk.synced) <= 15
    assert sum(path.endswith("/01") for path in disk.synced) == 1


def path_of(chunks: LocalFsBackend, ref: ChunkRef) -> Path:
    return Path(chunks.directory_of(ref.chunk_id), ref.chunk_id)


def replace_by_link(path: Path, target: Path) -> None:
    path.rename(target)
    path.symlink_to(target)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


async def test_layout_and_modes(tmp_path: Path) -> None:
    """A chunk lies in {base}/{ab}/{cd}/{chunk_id}, for its owner only; `shard_depth` says how deep."""
    for depth, place in ((0, ""), (1, "ab"), (2, "ab/cd"), (3, "ab/cd/00"), (4, "ab/cd/00/00")):
        base = tmp_path / str(depth) / "chunks"
        async with open_local_chunks(base, production_world(), depth) as chunks:
            ref = await chunks.put_chunk("abcd00000000-000000", b"x")
            assert await chunks.list_chunks("", 9) == [ref.chunk_id]
            assert await chunks.get_chunk(ref) == b"x"
        path = base / place / ref.chunk_id
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0 or depth == 0
    with pytest.raises(ValueError, match="shard_depth"):
        async with open_local_chunks(tmp_path, production_world(), 5):
            pass


async def test_chunks_outlive_the_store(tmp_path: Path) -> None:
    """What one store sealed the next one reads, and the first two digits of its ids are enough to find it."""
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        ref = await chunks.put_chunk(name(1, 1), data_of("a"))
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        assert await chunks.get_chunk(ref) == data_of("a")


async def test_strangers_are_passed_over(tmp_path: Path) -> None:
    """Files that are no chunks, or lie where their name doesn't belong, are neither listed nor in the way."""
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        ref = await chunks.put_chunk(name(1, 1), b"x")
        home = tmp_path / "01" / "cd"
        for stranger in (
            home / ".tmp",
            home / "UPPER",
            home / name(7, 7),
            tmp_path / "lost+found",
            tmp_path / "01" / "zz",
        ):
            stranger.write_bytes(b"")
        (tmp_path / "ff").mkdir()
        assert await chunks.list_chunks("", 9) == [ref.chunk_id]


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in a chunk's place is not read: what it leads to is not this store's."""
    async with open_local_chunks(tmp_path / "chunks", production_world()) as chunks:
        ref = await chunks.put_chunk(name(1, 1), b"x")
        replace_by_link(path_of(chunks, ref), tmp_path / "elsewhere")
        with pytest.raises(BytesCorrupt):
            await chunks.get_chunk(ref)


async def test_no_descriptor_stays(tmp_path: Path) -> None:
    """Writing, reading, failing to read and aborting leave as many open descriptors as there were."""
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        await chunks.put_chunk(name(1, 0), b"x")
        before = len(os.listdir("/dev/fd"))
        ref = await chunks.put_chunk(name(1, 1), bytes(3 * BLOCK))
        await chunks.get_chunk(ref)
        cut_short(path_of(chunks, ref))
        with pytest.raises(BytesCorrupt):
            await chunks.get_chunk(ref)
        writer = await chunks.begin(name(1, 2))
        await writer.append([b"x"])
        await writer.abort()
        assert len(os.listdir("/dev/fd")) == before


async def test_a_real_limit_refuses_a_chunk(tmp_path: Path) -> None:
    """A write that the kernel cuts short and then refuses is a refused chunk, not a torn one (RLIMIT_FSIZE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        writer = await chunks.begin(name(1, 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            with pytest.raises(StorageFull):
                await writer.append([bytes(50_000), bytes(100_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await chunks.list_chunks("", 9) == []


async def test_without_the_page_cache_reads_hop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where RWF_NOWAIT is not supported (tmpfs, macOS) reading gives the same bytes, and asks only once."""
    asked: list[int] = []

    def refuse(descriptor: int, buffers: object, offset: int, flags: int = 0) -> int:
        if flags:
            asked.append(flags)
            raise OSError(errno.EOPNOTSUPP, "not supported")
        return real(descriptor, buffers, offset)  # type: ignore[arg-type]

    real = os.preadv
    data = os.urandom(4 * BLOCK)
    async with open_local_chunks(tmp_path, production_world()) as chunks:
        ref = await chunks.put_chunk(name(1, 1), data)
        monkeypatch.setattr(os, "preadv", refuse)
        async with chunks.open_reader(ref) as reader:
            for block in range(4):
                found = await reader.read(block * BLOCK, BLOCK, new_buffer(BLOCK))
                assert found == data[block * BLOCK : (block + 1) * BLOCK]
    assert len(asked) == 1


async def test_a_cancelled_begin_leaves_nothing() -> None:
    """Cancelled while the directory is being made, `begin` makes no chunk, and the next one is not in its way."""
    disk = SimDisk(1)
    async with open_local_chunks(BASE, sim_world(1), disk=disk) as chunks:
        with trio.CancelScope() as scope:
            scope.cancel()
            await chunks.begin(name(1, 1))
        assert disk.files() == {}
        assert await chunks.get_chunk(await chunks.put_chunk(name(1, 1), b"x")) == b"x"
