"""The SQLite store's queue: what a batch takes, in what order it is evaluated, and who may leave it."""

from __future__ import annotations

from pathlib import Path

import trio

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Outcome, Put, Row, Txn, TxnConflict
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.kv.statistics import BatchReport
from tests.contract.kv_stores import BODY, keys_of, put
from tests.contract.kv_worlds import Committers, GatedBlocking, one_put, world


async def test_transactions_gather_while_a_batch_commits(tmp_path: Path) -> None:
    """What is queued while one batch is on its way to the disk is the next batch, and shares its flush."""
    gate = GatedBlocking()
    reports: list[BatchReport] = []
    async with (
        open_sqlite_kv(tmp_path / "kv", world(gate), on_batch=reports.append) as kv,
        trio.open_nursery() as nursery,
    ):
        committers = Committers(kv, nursery)
        await committers.queue("first", one_put(b"first"))
        await gate.wait_taken(1)
        for number in range(10):
            await committers.queue(f"{number}", one_put(b"%d" % number))
        assert kv.statistics().queue_depth == 10
        assert committers.outcomes == {}
        gate.open()
    assert gate.taken == [1, 10]
    assert [report.transactions for report in reports] == [1, 10]
    assert all(isinstance(outcome, Applied) for outcome in committers.outcomes.values())


async def test_callers_of_a_batch_share_the_next_one(tmp_path: Path) -> None:
    """One that missed a batch waits for those woken from it, so that it does not go to the disk alone again and again.

    A caller on its own waits for nobody.
    """
    gate = GatedBlocking()
    gate.open()

    async def commit_again_and_again(number: int, times: int) -> None:
        for time in range(times):
            await kv.commit(one_put(b"%d %d" % (number, time)))

    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        await commit_again_and_again(0, 3)
        assert gate.taken == [1, 1, 1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit_again_and_again, 1, 9)
            await gate.wait_taken(4)
            for number in range(2, 33):
                nursery.start_soon(commit_again_and_again, number, 9)
    assert sum(gate.taken) == 3 + 32 * 9
    assert len(gate.taken) <= 3 + 9 + 4


async def test_transactions_of_a_batch_are_evaluated_in_order(tmp_path: Path) -> None:
    """Each transaction sees what those queued before it did; one that fails is dropped alone."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("wait", Txn(puts=[Put(b"m", b"100")]))
            await gate.wait_taken(1)
            create = Txn(checks=[Check(b"a", ABSENT), Check(BODY % 1, ABSENT)], puts=[Put(b"a", b"1")])
            await committers.queue("create", create)
            await committers.queue("too late", create)
            await committers.queue("body", Txn(checks=[Check(BODY % 1, ABSENT)], puts=[Put(BODY % 1, b"1")]))
            await committers.queue("body too late", Txn(checks=[Check(BODY % 1, ABSENT)], puts=[Put(b"x", b"")]))
            await committers.queue("count", Txn(adds=[Add(b"n", 2, ceiling=3)]))
            await committers.queue("over", Txn(puts=[Put(b"y", b"")], adds=[Add(b"m", 1), Add(b"n", 2, ceiling=3)]))
            await committers.queue("one more", Txn(adds=[Add(b"n", 1, ceiling=3)]))
            await committers.queue("delete", Txn(deletes=[b"a", b"m"]))
            await committers.queue("again", Txn(checks=[Check(b"a", ABSENT)], puts=[Put(b"a", b"2")]))
            await committers.queue("count again", Txn(adds=[Add(b"m", 7)]))
            gate.open()
        assert gate.taken == [1, 10]
        outcomes = committers.outcomes
        assert outcomes["too late"] == TxnConflict(b"a")
        assert outcomes["body too late"] == TxnConflict(BODY % 1)
        assert outcomes["over"] == TxnConflict(b"n", 3)
        happened = [
            outcomes[name] for name in ("create", "body", "count", "one more", "delete", "again", "count again")
        ]
        revisions = [outcome.revision for outcome in happened if isinstance(outcome, Applied)]
        assert len(revisions) == 7
        assert revisions == sorted(set(revisions))
        assert await kv.scan(b"", b"\xff", 100) == [
            Row(b"a", b"2", revisions[5]),
            Row(BODY % 1, b"1", revisions[1]),
            Row(b"m", b"7", revisions[6]),
            Row(b"n", b"3", revisions[3]),
        ]


async def test_batches_are_bounded(tmp_path: Path) -> None:
    """A batch takes no more transactions than its limit, and no more after the one that reaches the limit in bytes."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate), batch_limit=4, batch_bytes=1_000) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            for number in range(5):
                await committers.queue(f"small {number}", one_put(b"%d" % number))
            for number in range(3):
                await committers.queue(f"large {number}", one_put(b"l%d" % number, bytes(600)))
            gate.open()
        assert gate.taken == [1, 4, 2, 1]
        assert len(await keys_of(kv)) == 8


async def test_queue_is_bounded(tmp_path: Path) -> None:
    """Beyond the queue's limit callers wait for room, and come to their turn in order, whoever is cancelled."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate), queue_limit=2) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            scopes = {}
            for number in range(9):
                scopes[number] = await committers.queue(f"{number}", one_put(b"%d" % number))
            assert gate.taken == [1]
            assert kv.statistics().queue_depth == 8
            scopes[1].cancel()  # in the queue, which has room now for one; but a newcomer goes behind those who wait
            scopes[5].cancel()  # waiting for room
            await trio.testing.wait_all_tasks_blocked()
            await committers.queue("9", one_put(b"9"))
            assert kv.statistics().queue_depth == 7
            gate.open()
        assert gate.taken == [1, 1, 2, 2, 2]
        rows = sorted(await kv.scan(b"", b"\xff", 100), key=lambda row: row.revision)
        assert [row.key for row in rows] == [b"0", b"2", b"3", b"4", b"6", b"7", b"8", b"9"]
        assert kv.statistics().withdrawn == 1


async def test_transaction_that_breaks_the_contract_fails_alone(tmp_path: Path) -> None:
    """An add to a row that is no counter raises ValueError and changes nothing; the rest of its batch applies."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("text", one_put(b"text", b"no number"))
            await gate.wait_taken(1)
            await committers.queue("bad", Txn(puts=[Put(b"a", b"")], adds=[Add(b"text", 1)]))
            await committers.queue("good", one_put(b"b"))
            gate.open()
        assert isinstance(committers.outcomes["bad"], ValueError)
        assert isinstance(committers.outcomes["good"], Applied)
        assert await keys_of(kv) == [b"b", b"text"]


async def test_nothing_is_known_of_a_row_that_may_change(tmp_path: Path) -> None:
    """From when a transaction that writes it is queued a row is not known to be the newest; others are."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        gate.let_through()
        await kv.commit(Txn(puts=[Put(b"a", b"1"), Put(b"b", b"1")]))
        a, b = await kv.get_many([b"a", b"b"])
        assert a is not None
        assert b is not None
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            scope = await committers.queue("taken", one_put(b"a"))
            assert not kv.is_newest(a)
            assert kv.is_newest(b)
            await gate.wait_taken(2)
            withdrawn = await committers.queue("withdrawn", one_put(b"b"))
            assert not kv.is_newest(b)
            withdrawn.cancel()
            scope.cancel()
            gate.open()
        assert not kv.is_newest(a)
        assert await kv.get(b"b") == b
        assert kv.is_newest(b)


async def test_statistics_count(tmp_path: Path) -> None:
    """The statistics say how transactions ended, and every batch is reported."""
    reports: list[BatchReport] = []
    async with open_sqlite_kv(tmp_path / "kv", world(), on_batch=reports.append) as kv:
        await put(kv, (b"a", b"1"))
        assert isinstance(await kv.commit(Txn(checks=[Check(b"a", ABSENT)])), TxnConflict)
        await kv.get(b"a")
        await kv.get(b"nothing")
        async with kv.snapshot():
            seen = kv.statistics()
    assert (seen.batches, seen.transactions, seen.applied, seen.conflicts, seen.undetermined) == (2, 2, 1, 1, 0)
    assert (seen.queue_depth, seen.snapshots, seen.read_only_reason) == (0, 1, None)
    assert (seen.cache_hits, seen.cache_misses, seen.cache_rows) == (1, 1, 1)
    assert [(report.transactions, report.conflicts) for report in reports] == [(1, 0), (1, 1)]
    assert 0 < reports[0].commit_seconds <= reports[0].batch_seconds
    assert seen.log_bytes == reports[0].log_bytes > 0


async def test_cancelled_while_queued(tmp_path: Path) -> None:
    """A transaction that the writer has not taken is withdrawn when its caller is cancelled: nothing happens."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        async with trio.open_nursery() as nursery:
            committers = Committers(kv, nursery)
            await committers.queue("taken", one_put(b"taken"))
            await gate.wait_taken(1)
            scope = await committers.queue("queued", one_put(b"queued"))
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert scope.cancelled_caught
            gate.open()
        assert set(committers.outcomes) == {"taken"}
        assert await keys_of(kv) == [b"taken"]
        assert await put(kv, (b"queued", b"later"))


async def test_cancelled_when_taken(tmp_path: Path) -> None:
    """Once the writer has taken a transaction its caller waits for the end of it, then meets the cancellation."""
    gate = GatedBlocking()
    async with open_sqlite_kv(tmp_path / "kv", world(gate)) as kv:
        outcome: Outcome | None = None
        reached = False

        async def commit() -> None:
            nonlocal outcome, reached
            outcome = await kv.commit(one_put(b"a"))
            await trio.lowlevel.checkpoint()
            reached = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(commit)
            await gate.wait_taken(1)
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
                assert outcome is None
                gate.open()
        row = await kv.get(b"a")
        assert row is not None
        assert outcome == Applied(row.revision)
        assert not reached


async def test_shielded_commit_in_a_cancelled_store(tmp_path: Path) -> None:
    """While the scope around the store is cancelled, what is committed within a shield is still written."""
    with trio.CancelScope() as scope:
        async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
            scope.cancel()
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
                await put(kv, (b"a", b"1"))
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    async with open_sqlite_kv(tmp_path / "kv", world()) as kv:
        assert await keys_of(kv) == [b"a"]
