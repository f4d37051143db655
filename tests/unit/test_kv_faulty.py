"""The store whose commits fail as planned does what it says."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from lightningstor.errors import StorageFull, StorageReadOnly
from lightningstor.kv.api import Applied, Put, Txn, TxnUndetermined
from lightningstor.kv.memory import MemoryKv
from lightningstor.testing.faulty_kv import Fault, FaultyKv


def _put(key: bytes) -> Txn:
    return Txn(puts=[Put(key, b"")])


@pytest.mark.parametrize("fault", [Fault.UNDETERMINED_APPLIED, Fault.UNDETERMINED_LOST])
async def test_undetermined_commit_happens_or_not_as_planned(fault: Fault) -> None:
    """The planned commit is undetermined, took effect or did not, and is the last that the store takes."""
    kv = FaultyKv(MemoryKv(), {2: fault})
    assert isinstance(await kv.commit(_put(b"a")), Applied)
    assert kv.read_only_reason is None
    outcome = await kv.commit(_put(b"b"))
    assert isinstance(outcome, TxnUndetermined)
    assert (await kv.get(b"b") is not None) == (fault is Fault.UNDETERMINED_APPLIED)
    assert kv.read_only_reason == outcome.reason
    with pytest.raises(StorageReadOnly):
        await kv.commit(_put(b"c"))
    assert await kv.get(b"a") is not None


async def test_full_passes() -> None:
    """A commit that found no room changed nothing; the next one works."""
    kv = FaultyKv(MemoryKv(), {1: Fault.FULL})
    with pytest.raises(StorageFull):
        await kv.commit(_put(b"a"))
    assert isinstance(await kv.commit(_put(b"b")), Applied)
    assert [row.key for row in await kv.scan(b"", b"z", 10)] == [b"b"]


async def test_read_only_stays() -> None:
    """A store planned to be read-only stays so."""
    kv = FaultyKv(MemoryKv(), {1: Fault.READ_ONLY})
    for _ in range(2):
        with pytest.raises(StorageReadOnly):
            await kv.commit(_put(b"a"))
    assert await kv.get_many([b"a"]) == [None]
    async with kv.snapshot() as snapshot:
        assert await snapshot.get(b"a") is None


async def test_hooks_surround_the_commit() -> None:
    """`before` runs when nothing has happened, may delay and be cancelled; `after` when all has."""
    seen: list[tuple[str, int, bool]] = []
    kv = FaultyKv(MemoryKv())
    gate = trio.Event()

    async def before(number: int, txn: Txn) -> None:
        seen.append(("before", number, await kv.get(txn.puts[0].key) is not None))
        await gate.wait()

    async def after(number: int, txn: Txn) -> None:
        seen.append(("after", number, await kv.get(txn.puts[0].key) is not None))

    kv.before, kv.after = before, after
    async with trio.open_nursery() as nursery:
        nursery.start_soon(kv.commit, _put(b"a"))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    gate.set()
    await kv.commit(_put(b"b"))
    assert seen == [("before", 1, False), ("before", 2, False), ("after", 2, True)]
    assert kv.commits == 2
    assert await kv.get(b"a") is None
