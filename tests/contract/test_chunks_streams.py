"""Streams of stored bytes: what a range needs, no byte that is wrong, and how long a piece is good for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from attrs import evolve

from lightningstor.chunks.api import ChunkRef
from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.errors import BytesCorrupt, BytesMissing
from lightningstor.ports import production_world
from tests.contract.chunk_managers import KIB, MIB, Setup, content


async def test_references_may_come_one_by_one(setup: Setup) -> None:
    """A stream asks for references as it needs them, and no further than its range goes."""
    data = content(4 * MIB)
    refs = await setup.manager.store_object(1, data)
    asked = []

    async def segments() -> AsyncIterator[ChunkRef]:
        for ref in refs:
            asked.append(ref)
            yield ref

    async with aclosing(segments()) as given, setup.manager.stream(given, MIB + 5, MIB) as stream:
        assert b"".join([bytes(piece) async for piece in stream]) == data[MIB + 5 : 2 * MIB + 5]
    assert len(asked) == 3


async def test_a_range_counts_from_the_first_reference_given(setup: Setup) -> None:
    """A caller that knows the segment may leave out the references before it."""
    data = content(3 * MIB)
    refs = await setup.manager.store_object(1, data)
    assert await setup.manager.retrieve_range(refs[1:], 10, MIB) == data[MIB + 10 : 2 * MIB + 10]


async def test_references_that_end_too_early(setup: Setup) -> None:
    """Fewer references than the range needs are BytesMissing, behind the bytes that are there."""
    data = content(2 * MIB)
    refs = await setup.manager.store_object(1, data)
    async with setup.manager.stream(refs[:1], 0, len(data)) as stream:
        assert await stream.read() == data[:MIB]
        with pytest.raises(BytesMissing):
            await stream.read()
    async with setup.manager.stream([], 0, 1) as stream:
        with pytest.raises(BytesMissing):
            await stream.read()


async def test_a_missing_chunk_is_found_when_it_is_reached(setup: Setup) -> None:
    """Of an object whose second chunk is gone the first can be read, and the second is BytesMissing."""
    data = content(2 * MIB)
    refs = await setup.manager.store_object(1, data)
    await setup.store.delete_chunk(refs[1].chunk_id)
    async with setup.manager.stream(refs, 0, len(data)) as stream:
        assert await stream.read() == data[:MIB]
        with pytest.raises(BytesMissing):
            await stream.read()


async def test_no_wrong_byte_is_given_out(setup: Setup) -> None:
    """Chunks exchanged in the list of references give an error, not each other's bytes."""
    refs = await setup.manager.store_object(1, content(2 * MIB))
    forged = [evolve(refs[0], chunk_id=refs[1].chunk_id), evolve(refs[1], chunk_id=refs[0].chunk_id)]
    async with setup.manager.stream(forged, 0, 2 * MIB) as stream:
        with pytest.raises(BytesCorrupt):
            await stream.read()


async def test_a_flipped_bit_is_never_streamed(tmp_path: Path, figure: Callable[[str], None], proof_full: bool) -> None:
    """One bit flipped at every 4 KiB of an object's files: the stream ends in an error before that byte, every time."""
    size = (64 if proof_full else 3) * MIB
    data = content(size)
    world = production_world()
    found = 0
    async with open_local_chunks(tmp_path, world) as store, open_chunk_manager(store, world=world) as manager:
        refs = await manager.store_object(1, data)
        for place in range(0, size, 4 * KIB):
            ref = refs[place // manager.chunk_size]
            path = f"{store.directory_of(ref.chunk_id)}/{ref.chunk_id}"
            flip(path, place - ref.offset, 1 << place // (4 * KIB) % 8)
            # A client that began in the block before: it gets that block and no more.
            start = max(0, place // (64 * KIB) - 1) * 64 * KIB
            async with manager.stream(refs, start, min(size - start, 128 * KIB)) as stream:
                got = b""
                try:
                    got += await stream.read()
                    got += await stream.read()
                except BytesCorrupt:
                    found += 1
                assert start + len(got) <= place
                assert got == data[start : start + len(got)]
            flip(path, place - ref.offset, 1 << place // (4 * KIB) % 8)
        assert await manager.retrieve_object(refs) == data
    assert found == size // (4 * KIB)
    figure(f"{found} of {size // (4 * KIB)} flipped bits found")


def flip(path: str, place: int, bit: int) -> None:
    """Flip a bit of a file."""
    descriptor = os.open(path, os.O_RDWR)
    os.pwrite(descriptor, bytes([os.pread(descriptor, 1, place)[0] ^ bit]), place)
    os.close(descriptor)


async def test_a_piece_is_not_good_for_ever(setup: Setup) -> None:
    """A piece used after the next was asked for raises an error; it never shows other bytes."""
    refs = await setup.manager.store_object(1, content(3 * MIB))
    async with setup.manager.stream(refs, 0, 3 * MIB) as stream:
        first = await stream.read()
        second = await stream.read()
        with pytest.raises(ValueError, match="released"):
            bytes(first)
    with pytest.raises(ValueError, match="released"):
        bytes(second)
    assert not await stream.read()


async def test_pieces_are_large_and_aligned(setup: Setup) -> None:
    """Behind an odd start every piece but the last ends with a block and holds up to 1 MiB; then the room is free."""
    async with open_chunk_manager(setup.store, world=setup.world, chunk_size=4 * MIB) as manager:
        refs = await manager.store_object(5, content(4 * MIB))
        async with manager.stream(refs, 100, 3 * MIB) as stream:
            sizes = [len(piece) async for piece in stream]
            assert manager.budget.statistics().read_bytes == 0
    assert sizes == [MIB - 100, MIB, MIB, 100]
