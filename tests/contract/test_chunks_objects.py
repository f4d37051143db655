"""Objects into chunks and back: what comes out, and what a writer that is left early leaves."""

from __future__ import annotations

import hashlib
import random

import pytest

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.digest import DigestPipeline
from lightningstor.model.keys import chunk_id
from tests.contract.chunk_managers import KIB, MIB, Setup, content, cut, over_memory


@pytest.mark.parametrize("size", [0, 1, 64 * KIB, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 123])
async def test_what_is_stored_is_retrieved(setup: Setup, size: int) -> None:
    """An object of any size comes back whole; its chunks are full but for the last and lie end to end."""
    data = content(size)
    refs = await setup.manager.store_object(7, data)
    assert [ref.chunk_id for ref in refs] == [chunk_id(7, index) for index in range(len(refs))]
    assert [ref.offset for ref in refs] == list(range(0, size, MIB))
    assert sum(ref.size for ref in refs) == size
    assert await setup.manager.retrieve_object(refs) == data
    assert await setup.manager.delete_object(refs) == len(refs)
    assert await setup.store.list_chunks("", 9) == []


async def test_every_range_is_a_slice(setup: Setup) -> None:
    """A range of an object is the slice of its bytes, within a chunk and across several."""
    data = content(3 * MIB + 777)
    refs = await setup.manager.store_object(1, data)
    rng = random.Random(4)
    edges = [0, 1, 64 * KIB, MIB - 1, MIB, MIB + 1, 3 * MIB, len(data) - 1, len(data)]
    ranges = [(a, b) for a in edges for b in edges if a <= b] + [
        sorted((rng.randint(0, len(data)), rng.randint(0, len(data)))) for _ in range(30)
    ]
    for start, end in ranges:
        assert await setup.manager.retrieve_range(refs, start, end - start) == data[start:end], (start, end)


@pytest.mark.parametrize("most", [700, 20 * KIB, 300 * KIB, 3 * MIB])
async def test_pieces_do_not_matter(setup: Setup, most: int) -> None:
    """However an object is cut into pieces, its bytes are the same; with the size announced and without."""
    data = content(2 * MIB + 99_999)
    for data_id, size in enumerate((None, len(data), 5, len(data) + MIB), 1):
        async with setup.manager.writer(data_id, size=size) as writer:
            for piece in cut(data, random.Random(data_id), most):
                await writer.append(piece)
            refs = await writer.finish()
            assert writer.received == len(data)
            assert await setup.manager.retrieve_object(refs) == data


async def test_a_piece_may_change_when_append_has_returned(setup: Setup) -> None:
    """A caller that receives into one buffer again and again may do so."""
    buffer = bytearray(300 * KIB)
    expected = b""
    async with setup.manager.writer(1) as writer:
        for seed in range(9):
            buffer[:] = content(len(buffer), seed)
            expected += buffer
            await writer.append(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
        assert await setup.manager.retrieve_object(await writer.finish()) == expected


async def test_digests_are_of_all_the_bytes(setup: Setup) -> None:
    """Digests computed beside the writing equal those computed at once, for one batch and for many."""
    for data_id, size in enumerate((0, 1, 300 * KIB, MIB, 9 * MIB + 1), 1):
        data = content(size)
        digests = DigestPipeline(["md5", "sha256", "sha1", "crc32"], setup.world)
        async with setup.manager.writer(data_id, size=size, digests=digests) as writer:
            for piece in cut(data, random.Random(size), 700 * KIB):
                await writer.append(piece)
            await writer.finish()
        found = digests.digests()
        assert {each: found[each] for each in ("md5", "sha256", "sha1")} == {
            each: hashlib.new(each, data).digest() for each in ("md5", "sha256", "sha1")
        }


async def test_references_come_while_the_object_is_written(setup: Setup) -> None:
    """Sealed references are given out once, in order, early; `finish` gives the rest."""
    taken: list[ChunkRef] = []
    early = 0
    async with setup.manager.writer(3) as writer:
        for _ in range(12):
            await writer.append(content(MIB))
            taken += writer.take_sealed()
            early = len(taken)
        taken += await writer.finish()
        assert writer.take_sealed() == []
    assert early >= 8
    assert [ref.offset for ref in taken] == [index * MIB for index in range(12)]


async def test_a_context_that_does_not_keep_removes_everything(setup: Setup) -> None:
    """Leaving the writer before its end, or after it without `keep`, leaves no chunk."""
    for finish in (False, True):
        async with setup.manager.writer(1) as writer:
            await writer.append(content(3 * MIB + 5))
            if finish:
                assert len(await writer.finish()) == 4
        assert await setup.store.list_chunks("", 9) == []
        with pytest.raises(ValueError, match="has ended"):
            await writer.append(b"x")


async def test_abort_after_keep_removes_what_was_not_published(setup: Setup) -> None:
    """A commit that certainly failed lets the caller remove the chunks after all; twice is no error."""
    async with setup.manager.writer(1) as writer:
        await writer.append(content(2 * MIB))
        await writer.finish()
        writer.keep()
    assert len(await setup.store.list_chunks("", 9)) == 2
    await writer.abort()
    await writer.abort()
    assert await setup.store.list_chunks("", 9) == []


@pytest.mark.parametrize("size", [1, 64 * KIB, MIB, 2 * MIB, 3 * MIB + 123])
async def test_a_body_received_into_the_room_is_stored(setup: Setup, size: int) -> None:
    """However much of the room is filled at once, and left empty meanwhile, bytes and digests are right."""
    data = content(size)
    for data_id, announced in enumerate((None, size), 1):
        rng = random.Random(data_id)
        digests = DigestPipeline(["md5", "sha256"], setup.world)
        async with setup.manager.writer(data_id, size=announced, digests=digests) as writer:
            while writer.received < size:
                room = await writer.room()
                count = min(len(room), size - writer.received, rng.randint(0, 200 * KIB))
                if count:
                    room[:count] = data[writer.received : writer.received + count]
                    writer.filled(count)
                else:
                    writer.leave_room()
            refs = await writer.finish()
            writer.keep()
        assert digests.digests() == {name: hashlib.new(name, data).digest() for name in ("md5", "sha256")}
        assert await setup.manager.retrieve_object(refs) == data


async def test_chunk_size_has_limits() -> None:
    """A chunk size outside 1 to 64 MiB is refused at the start."""
    for size in (0, MIB - 1, 64 * MIB + 1):
        with pytest.raises(ValueError, match="chunk size"):
            async with over_memory(chunk_size=size):
                pass
