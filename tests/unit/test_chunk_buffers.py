"""Buffers of bodies, and the pool that keeps them."""

from __future__ import annotations

from lightningstor.chunks.buffers import LEAST_BUFFER, PIECE_SIZE, BufferPool, buffer_size


def test_buffers_do_not_overlap() -> None:
    """What is written into one buffer of a pool is in no other, however large they are."""
    pool = BufferPool()
    sizes = [PIECE_SIZE, PIECE_SIZE, PIECE_SIZE, LEAST_BUFFER, LEAST_BUFFER, 2 * LEAST_BUFFER]
    buffers = [pool.take(size) for size in sizes]
    for number, buffer in enumerate(buffers):
        buffer[:] = bytes([number]) * len(buffer)
    assert [len(buffer) for buffer in buffers] == sizes
    assert [set(buffer) for buffer in buffers] == [{number} for number in range(len(sizes))]


def test_large_buffers_come_in_pairs() -> None:
    """Two of the largest share a huge page; the second waits in the pool until it is asked for."""
    pool = BufferPool()
    first, second, third = (pool.take(PIECE_SIZE) for _ in range(3))
    assert first.obj is second.obj
    assert third.obj is not first.obj


def test_a_full_pool_makes_no_pairs() -> None:
    """Where a second half could not wait to be used, a buffer has pages of its own and no more of them."""
    pool = BufferPool(keep_bytes=PIECE_SIZE - 1)
    assert len(pool.take(PIECE_SIZE).obj) == PIECE_SIZE


def test_pool_gives_out_what_it_got_back() -> None:
    """A buffer that was given back is used again, and only for its own size."""
    pool = BufferPool()
    for size in (LEAST_BUFFER, PIECE_SIZE):
        buffer = pool.take(size)
        pool.put(buffer)
        assert pool.take(2 * LEAST_BUFFER) is not buffer
        assert pool.take(size) is buffer


def test_pool_keeps_no_more_than_its_limit() -> None:
    """What does not fit is dropped; the halves of a huge page count as any other buffer."""
    pool = BufferPool(keep_bytes=PIECE_SIZE)
    taken = [pool.take(PIECE_SIZE) for _ in range(4)]
    for buffer in taken:
        pool.put(buffer)
    assert pool.take(PIECE_SIZE) is taken[0]
    assert all(pool.take(PIECE_SIZE) is not buffer for buffer in taken)


def test_sizes_are_powers_of_two() -> None:
    """A pool has few sizes, so that what waits fits the next body too."""
    assert [buffer_size(wanted) for wanted in (1, LEAST_BUFFER, LEAST_BUFFER + 1, PIECE_SIZE, 5 * PIECE_SIZE)] == [
        LEAST_BUFFER,
        LEAST_BUFFER,
        2 * LEAST_BUFFER,
        PIECE_SIZE,
        PIECE_SIZE,
    ]
