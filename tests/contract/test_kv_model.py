"""Every metadata store against a dict with revisions."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.kv.api import ABSENT, Add, Applied, Check, Kv, Put, Row, Txn, TxnConflict
from tests.contract.kv_stores import BODY, OPENERS, Opener, applied


class Model:
    """What a store must do, in the plainest words."""

    def __init__(self) -> None:
        self.rows: dict[bytes, tuple[bytes, int]] = {}

    def revision(self, key: bytes) -> int:
        return self.rows.get(key, (b"", ABSENT))[1]

    def conflict(self, txn: Txn) -> TxnConflict | None:
        for check in txn.checks:
            if self.revision(check.key) != check.revision:
                return TxnConflict(check.key)
        sums: dict[bytes, int] = {}
        for add in txn.adds:
            sums[add.key] = sums.get(add.key, int(self.rows.get(add.key, (b"0", 0))[0])) + add.delta
            if add.delta > 0 and add.ceiling is not None and sums[add.key] > add.ceiling:
                return TxnConflict(add.key, add.ceiling)
        return None

    def apply(self, txn: Txn, revision: int) -> None:
        for key in txn.deletes:
            self.rows.pop(key, None)
        for put in txn.puts:
            self.rows[put.key] = (put.value, revision)
        for add in txn.adds:
            count = int(self.rows.get(add.key, (b"0", 0))[0]) + add.delta
            self.rows[add.key] = (b"%d" % count, revision)

    def scan(self, start: bytes, end: bytes, limit: int, reverse: bool) -> list[Row]:
        keys = sorted((key for key in self.rows if start <= key < end), reverse=reverse)[:limit]
        return [Row(key, *self.rows[key]) for key in keys]


MODEL_KEYS = [b"a", b"a\0", b"a\0\xff", b"ab", BODY % 1, BODY % 2, BODY % 1 + b"/x", b"lightningstor/data/-", b"z"]
COUNTERS = [b"n/1", b"n/2"]
some_key = st.sampled_from(MODEL_KEYS)
bounds = st.sampled_from([b"", *MODEL_KEYS, *COUNTERS, b"b", b"lightningstor/data/0", b"\xff"])
checked = st.tuples(st.sampled_from(MODEL_KEYS + COUNTERS), st.sampled_from(["present", "absent", "stale"]))
written = st.dictionaries(some_key, st.one_of(st.none(), st.binary(max_size=40)), max_size=4)
added = st.builds(Add, st.sampled_from(COUNTERS), st.integers(-5, 9), st.one_of(st.none(), st.integers(0, 12)))
transactions = st.tuples(st.lists(checked, max_size=2), written, st.lists(added, max_size=3))
steps = st.one_of(
    st.tuples(st.just("commit"), transactions),
    st.tuples(st.just("concurrently"), st.lists(transactions, min_size=2, max_size=6)),
    st.tuples(st.just("scan"), st.tuples(bounds, bounds, st.integers(0, 30), st.booleans())),
    st.tuples(st.just("snapshot"), st.none()),
    st.tuples(st.just("reopen"), st.none()),
)


def _build(model: Model, parts: tuple[list[tuple[bytes, str]], dict[bytes, bytes | None], list[Add]]) -> Txn:
    checks, writes, adds = parts
    revisions = {"absent": lambda key: ABSENT, "present": model.revision, "stale": lambda key: model.revision(key) - 1}
    return Txn(
        checks=[Check(key, revisions[kind](key)) for key, kind in checks],
        puts=[Put(key, value) for key, value in writes.items() if value is not None],
        deletes=[key for key, value in writes.items() if value is None],
        adds=adds,
    )


async def _agrees(reads: object, model: Model) -> None:
    kv: Kv = reads  # type: ignore[assignment]
    keys = MODEL_KEYS + COUNTERS
    expected = [Row(key, *model.rows[key]) if key in model.rows else None for key in keys]
    assert await kv.get_many(keys) == expected
    assert [await kv.get(key) for key in keys] == expected
    assert await kv.scan(b"", b"\xff", 100) == model.scan(b"", b"\xff", 100, False)


async def _run_concurrently(kv: Kv, model: Model, txns: list[Txn]) -> None:
    """Commit at once; then applying them one by one in the order of revisions must lead to the same."""
    done: list[tuple[int, Txn]] = []

    async def commit(txn: Txn) -> None:
        outcome = await kv.commit(txn)
        if isinstance(outcome, Applied):
            done.append((outcome.revision, txn))
        else:
            assert isinstance(outcome, TxnConflict)

    async with trio.open_nursery() as nursery:
        for txn in txns:
            nursery.start_soon(commit, txn)
    for revision, txn in sorted(done, key=lambda pair: pair[0]):
        assert model.conflict(txn) is None
        model.apply(txn, revision)


async def _follow(opener: Opener, folder: Path, plan: list[tuple[str, object]]) -> None:
    model = Model()
    position = 0
    while True:
        async with opener(folder) as kv:
            await _agrees(kv, model)
            while position < len(plan):
                name, argument = plan[position]
                position += 1
                if name == "reopen" and kv.capabilities.durable:
                    break
                if name == "commit":
                    txn = _build(model, argument)  # type: ignore[arg-type]
                    outcome = await kv.commit(txn)
                    conflict = model.conflict(txn)
                    if conflict is None:
                        assert isinstance(outcome, Applied)
                        assert all(outcome.revision > revision for _, revision in model.rows.values())
                        model.apply(txn, outcome.revision)
                    else:
                        assert outcome == conflict
                    await _agrees(kv, model)
                elif name == "concurrently":
                    await _run_concurrently(kv, model, [_build(model, parts) for parts in argument])  # type: ignore[attr-defined]
                    await _agrees(kv, model)
                elif name == "scan":
                    start, end, limit, reverse = argument  # type: ignore[misc]
                    assert await kv.scan(start, end, limit, reverse=reverse) == model.scan(start, end, limit, reverse)
                elif name == "snapshot":
                    frozen = Model()
                    frozen.rows = dict(model.rows)
                    async with kv.snapshot() as snapshot:
                        revision = await applied(
                            kv, Txn(puts=[Put(b"a", b"later")], deletes=[b"ab", BODY % 1], adds=[Add(b"n/1", 1)])
                        )
                        model.apply(
                            Txn(puts=[Put(b"a", b"later")], deletes=[b"ab", BODY % 1], adds=[Add(b"n/1", 1)]), revision
                        )
                        await _agrees(snapshot, frozen)
                    await _agrees(kv, model)
            else:
                return


@pytest.mark.parametrize("name", OPENERS)
@given(plan=st.lists(steps, max_size=12))
@settings(max_examples=25, deadline=None)
def test_agrees_with_the_model(
    name: str, tmp_path_factory: pytest.TempPathFactory, plan: list[tuple[str, object]]
) -> None:
    """Any sequence of commits, scans, snapshots and restarts gives what a dict with revisions gives."""
    trio.run(_follow, OPENERS[name], tmp_path_factory.mktemp("kv"), plan)
