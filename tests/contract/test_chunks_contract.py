"""What every byte store keeps to: files, memory, and files on a simulated disk."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from attrs import evolve, frozen

from lightningstor.chunks.api import ChunkRef, ChunkStore
from lightningstor.chunks.buffers import new_buffer
from lightningstor.chunks.local import LocalFsBackend, open_local_chunks
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.errors import BytesCorrupt, BytesMissing
from lightningstor.ports import World, production_world
from lightningstor.testing.sim_disk import SimDisk
from lightningstor.testing.sim_world import SimBlocking

KIB = 1024
BLOCK = 64 * KIB
SIZES = (0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 12_345)


class Images(Protocol):
    """What lies beneath a store, as somebody with a hex editor sees it: data and footer of each chunk."""

    def read(self, chunk_id: str) -> bytes: ...

    def write(self, chunk_id: str, image: bytes) -> None: ...

    def names(self) -> set[str]: ...


@frozen
class MemoryImages:
    store: MemoryChunkStore

    def read(self, chunk_id: str) -> bytes:
        return bytes(self.store.images[chunk_id])

    def write(self, chunk_id: str, image: bytes) -> None:
        self.store.images[chunk_id] = bytearray(image)

    def names(self) -> set[str]:
        return set(self.store.images)


@frozen
class FileImages:
    store: LocalFsBackend

    def _path(self, chunk_id: str) -> Path:
        return Path(self.store.directory_of(chunk_id), chunk_id)

    def read(self, chunk_id: str) -> bytes:
        return self._path(chunk_id).read_bytes()

    def write(self, chunk_id: str, image: bytes) -> None:
        self._path(chunk_id).write_bytes(image)

    def names(self) -> set[str]:
        return {path.name for path in Path(self.store.base).rglob("*") if path.is_file()}


@frozen
class SimImages:
    store: LocalFsBackend
    disk: SimDisk

    def read(self, chunk_id: str) -> bytes:
        return self.disk.files()[f"{self.store.directory_of(chunk_id)}/{chunk_id}"]

    def write(self, chunk_id: str, image: bytes) -> None:
        self.disk.overwrite(f"{self.store.directory_of(chunk_id)}/{chunk_id}", image)

    def names(self) -> set[str]:
        return {path.rpartition("/")[2] for path in self.disk.files()}


@frozen
class Setup:
    store: ChunkStore
    images: Images


@pytest.fixture(params=["local", "memory", "simulated"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setup]:
    """Each store, empty."""
    if request.param == "memory":
        memory = MemoryChunkStore()
        yield Setup(memory, MemoryImages(memory))
    elif request.param == "local":
        async with open_local_chunks(tmp_path / "chunks", production_world()) as local:
            yield Setup(local, FileImages(local))
    else:
        disk = SimDisk(seed=1)
        async with open_local_chunks("/data/chunks", World(blocking=SimBlocking(1, 1e-9)), disk=disk) as local:
            yield Setup(local, SimImages(local, disk))
            assert disk.open_descriptors == []


@pytest.fixture
def store(setup: Setup) -> ChunkStore:
    """Each store, where a test has no need to look beneath it."""
    return setup.store


def content(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def name(number: int) -> str:
    return f"{number % 256:02x}{number // 256:02x}0000000001aa-{number:06x}"


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_put_is_what_is_got(store: ChunkStore, size: int) -> None:
    """A chunk comes back byte for byte, whatever its size."""
    data = content(size)
    ref = await store.put_chunk(name(1), data)
    assert (ref.chunk_id, ref.offset, ref.size) == (name(1), 0, size)
    assert await store.get_chunk(ref) == data


async def test_every_range_is_a_slice(store: ChunkStore) -> None:
    """A range of a chunk is the slice of its data, at, before and behind the edges of blocks, and empty."""
    data = content(3 * BLOCK + 100)
    ref = await store.put_chunk(name(1), data)
    edges = [edge + step for edge in range(0, 4 * BLOCK, BLOCK) for step in (-1, 0, 1)]
    places = sorted({place for place in [*edges, len(data) - 1, len(data)] if 0 <= place <= len(data)})
    for start in places:
        for end in places:
            if start <= end:
                assert await store.get_chunk_range(ref, start, end - start) == data[start:end], (start, end)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, 101), (101, 0), (50, -1), (1 << 40, 1)])
async def test_a_range_outside_the_chunk_is_refused(store: ChunkStore, offset: int, length: int) -> None:
    """Asking beyond a chunk's data is the caller's mistake, and never gives the footer."""
    ref = await store.put_chunk(name(1), bytes(100))
    with pytest.raises(ValueError, match="outside a chunk of 100"):
        await store.get_chunk_range(ref, offset, length)


async def test_a_reader_reads_in_any_order(store: ChunkStore) -> None:
    """One reader serves many reads into one buffer, forwards and back."""
    data = content(5 * BLOCK + 7)
    ref = await store.put_chunk(name(1), data)
    rng = random.Random(5)
    buffer = new_buffer(6 * BLOCK)
    async with store.open_reader(ref) as reader:
        for _ in range(40):
            start = rng.randint(0, len(data))
            length = rng.randint(0, len(data) - start)
            assert await reader.read(start, length, buffer) == data[start : start + length]


async def test_pieces_do_not_matter(setup: Setup) -> None:
    """However the data is cut into pieces and batches, image and checksum are the same."""
    data = content(2 * BLOCK + 5_000)
    whole = await setup.store.put_chunk(name(1), data)
    image = setup.images.read(name(1))
    rng = random.Random(3)
    for _ in range(10):
        await setup.store.delete_chunk(name(1))
        writer = await setup.store.begin(name(1))
        at = 0
        while at < len(data) and rng.random() < 0.9:
            cuts = sorted(rng.randint(at, len(data)) for _ in range(rng.randint(1, 4)))
            await writer.append([memoryview(data)[a:b] for a, b in zip([at, *cuts], cuts, strict=False)])
            at = cuts[-1]
        assert await writer.seal(0, [data[at:]]) == whole
        assert setup.images.read(name(1)) == image


async def test_seal_keeps_the_offset(store: ChunkStore) -> None:
    """The reference carries the chunk's place in its object."""
    writer = await store.begin(name(1))
    await writer.append([b"abc"])
    assert (await writer.seal(8 << 20)).offset == 8 << 20


async def test_a_missing_chunk_is_missing(store: ChunkStore) -> None:
    """Reading what is not there raises BytesMissing, whole, in part and in pieces."""
    ref = ChunkRef(name(9), 0, 10, "00000000")
    with pytest.raises(BytesMissing):
        await store.get_chunk(ref)
    with pytest.raises(BytesMissing):
        await store.get_chunk_range(ref, 2, 3)
    async with store.open_reader(ref) as reader:
        with pytest.raises(BytesMissing):
            await reader.read(0, 10, new_buffer(BLOCK))


async def test_a_flipped_bit_is_found(setup: Setup) -> None:
    """One bit flipped at every 4 KiB of the data, and in every byte of the footer, is found by reading the chunk."""
    data = content(5 * BLOCK + 1_000)
    ref = await setup.store.put_chunk(name(1), data)
    image = setup.images.read(ref.chunk_id)
    places = [*range(0, len(data), 4 * KIB), len(data) - 1, *range(len(data), len(image))]
    rng = random.Random(1)
    for place in places:
        damaged = bytearray(image)
        damaged[place] ^= 1 << rng.randrange(8)
        setup.images.write(ref.chunk_id, bytes(damaged))
        with pytest.raises(BytesCorrupt):
            await setup.store.get_chunk(ref)
    setup.images.write(ref.chunk_id, image)
    assert await setup.store.get_chunk(ref) == data


async def test_a_range_verifies_its_own_blocks(setup: Setup) -> None:
    """A range that touches a damaged block fails; one that doesn't is still served."""
    data = content(4 * BLOCK)
    ref = await setup.store.put_chunk(name(1), data)
    image = bytearray(setup.images.read(ref.chunk_id))
    image[2 * BLOCK + 77] ^= 1
    setup.images.write(ref.chunk_id, bytes(image))
    for start, end in ((2 * BLOCK, 2 * BLOCK + 1), (BLOCK, 3 * BLOCK), (3 * BLOCK - 1, 3 * BLOCK)):
        with pytest.raises(BytesCorrupt, match="block 2 of 4"):
            await setup.store.get_chunk_range(ref, start, end - start)
    for start, end in ((0, 2 * BLOCK), (3 * BLOCK, 4 * BLOCK)):
        assert await setup.store.get_chunk_range(ref, start, end - start) == data[start:end]


async def test_swapped_chunks_are_found(setup: Setup) -> None:
    """Two whole, valid chunks of one size whose places were exchanged are both found: the footer names its chunk."""
    one = await setup.store.put_chunk(name(1), content(BLOCK, 1))
    two = await setup.store.put_chunk(name(2), content(BLOCK, 2))
    images = setup.images.read(one.chunk_id), setup.images.read(two.chunk_id)
    setup.images.write(one.chunk_id, images[1])
    setup.images.write(two.chunk_id, images[0])
    for ref in (one, two):
        with pytest.raises(BytesCorrupt, match="these are the bytes of chunk"):
            await setup.store.get_chunk(ref)


async def test_an_earlier_state_is_found(setup: Setup) -> None:
    """A valid image of the same chunk id and size with other data is not taken for what the reference means."""
    old = await setup.store.put_chunk(name(1), content(BLOCK, 1))
    image = setup.images.read(old.chunk_id)
    await setup.store.delete_chunk(old.chunk_id)
    new = await setup.store.put_chunk(name(1), content(BLOCK, 2))
    setup.images.write(new.chunk_id, image)
    with pytest.raises(BytesCorrupt, match="not the one that the reference means"):
        await setup.store.get_chunk(new)


async def test_another_length_is_found(setup: Setup) -> None:
    """An image that was cut short, emptied or made longer is found, also by a range that lies in what is left."""
    data = content(2 * BLOCK)
    ref = await setup.store.put_chunk(name(1), data)
    image = setup.images.read(ref.chunk_id)
    lengths = [0, 1, BLOCK, len(data) - 1, len(data), len(image) - 4 * KIB, len(image) - 1]
    for other in [*(image[:length] for length in lengths), image + b"\0", image + bytes(4 * KIB), data + image]:
        setup.images.write(ref.chunk_id, other)
        with pytest.raises(BytesCorrupt):
            await setup.store.get_chunk(ref)
        with pytest.raises(BytesCorrupt):
            await setup.store.get_chunk_range(ref, 0, 1)


async def test_a_wrong_reference_is_found(store: ChunkStore) -> None:
    """A reference whose size or checksum is not the chunk's own gives no bytes."""
    ref = await store.put_chunk(name(1), content(BLOCK + 5))
    for wrong in (evolve(ref, size=BLOCK + 4), evolve(ref, size=BLOCK + 6), evolve(ref, checksum="12345678")):
        with pytest.raises(BytesCorrupt):
            await store.get_chunk(wrong)


async def test_delete_is_idempotent(store: ChunkStore) -> None:
    """The first delete says that there was a chunk, the second that there was none; then it is gone."""
    ref = await store.put_chunk(name(1), b"abc")
    assert await store.chunk_exists(name(1))
    assert await store.delete_chunk(name(1)) is True
    assert await store.delete_chunk(name(1)) is False
    assert not await store.chunk_exists(name(1))
    with pytest.raises(BytesMissing):
        await store.get_chunk(ref)


async def test_a_deleted_chunk_is_read_to_its_end(store: ChunkStore) -> None:
    """A reader that has begun goes on when the chunk is deleted under it."""
    data = content(3 * BLOCK)
    ref = await store.put_chunk(name(1), data)
    buffer = new_buffer(BLOCK)
    async with store.open_reader(ref) as reader:
        assert await reader.read(0, BLOCK, buffer) == data[:BLOCK]
        await store.delete_chunk(name(1))
        assert await reader.read(2 * BLOCK, BLOCK, buffer) == data[2 * BLOCK :]


async def test_list_is_ordered_and_paged(store: ChunkStore) -> None:
    """Every chunk is listed once, ascending, whatever the size of a page; a page goes on behind `after`."""
    names = [name(number) for number in random.Random(2).sample(range(2_000), 60)]
    for each in names:
        await store.put_chunk(each, b"x")
    for limit in (1, 7, 60, 1000):
        found: list[str] = []
        while page := await store.list_chunks(found[-1] if found else "", limit):
            assert len(page) <= limit
            found += page
        assert found == sorted(names)
    assert await store.list_chunks("zzzz", 10) == []


async def test_a_name_between_two_chunks_is_a_place_to_go_on_from(store: ChunkStore) -> None:
    """`after` need not be a chunk: one deleted between two pages doesn't lose the others."""
    names = sorted(name(number) for number in (1, 2, 300, 301, 700))
    for each in names:
        await store.put_chunk(each, b"x")
    await store.delete_chunk(names[1])
    assert await store.list_chunks(names[1], 10) == names[2:]


async def test_abort_leaves_nothing(setup: Setup) -> None:
    """An aborted chunk is gone, with or without bytes written; abort may be called twice."""
    for pieces in ([], [content(BLOCK + 3)]):
        writer = await setup.store.begin(name(1))
        await writer.append(pieces)
        await writer.abort()
        await writer.abort()
        assert setup.images.names() == set()
        with pytest.raises(ValueError, match="has ended"):
            await writer.append([b"x"])


async def test_a_writer_ends_once(store: ChunkStore) -> None:
    """A sealed chunk takes no more bytes, and aborting it late does not remove it."""
    writer = await store.begin(name(1))
    ref = await writer.seal(0, [b"abc"])
    with pytest.raises(ValueError, match="has ended"):
        await writer.append([b"d"])
    with pytest.raises(ValueError, match="has ended"):
        await writer.seal(0)
    await writer.abort()
    assert await store.get_chunk(ref) == b"abc"


async def test_a_chunk_is_never_written_twice(store: ChunkStore) -> None:
    """A second chunk of the same id is refused, and the first one stays as it was."""
    ref = await store.put_chunk(name(1), b"first")
    with pytest.raises(FileExistsError):
        await store.put_chunk(name(1), b"other")
    assert await store.get_chunk(ref) == b"first"


@pytest.mark.parametrize(
    "chunk_id",
    [
        "",
        "abc",
        "abcd",
        "../../etc/passwd",
        "abcd/../../../x",
        "/etc/passwd",
        "ABCD0000",
        "abcd\0efgh",
        "ab-d0000",
        "äbcd0000",
    ],
)
async def test_an_id_cannot_lead_elsewhere(store: ChunkStore, chunk_id: str) -> None:
    """What isn't a chunk id by its letters and length is refused by every call that takes one."""
    ref = ChunkRef(chunk_id, 0, 1, "00000000")
    with pytest.raises(ValueError, match="not a chunk id"):
        await store.begin(chunk_id)
    with pytest.raises(ValueError, match="not a chunk id"):
        await store.get_chunk(ref)
    with pytest.raises(ValueError, match="not a chunk id"):
        await store.delete_chunk(chunk_id)
    with pytest.raises(ValueError, match="not a chunk id"):
        await store.chunk_exists(chunk_id)
