"""The cache of rows, without a store: exact, and within its bound, whatever happens in whatever order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.kv.api import ABSENT, Add, Check, Put, Row, Txn
from lightningstor.kv.cache import RowCache

KEYS = [b"a", b"b", b"c", b"d", b"e"]
some_key = st.sampled_from(KEYS)
some_keys = st.sets(some_key, max_size=3)
actions = st.one_of(
    st.tuples(st.just("read"), some_key),
    st.tuples(st.just("queue"), st.tuples(some_keys, some_keys, some_keys)),
    st.tuples(st.just("withdraw"), st.integers(0, 5)),
    st.tuples(st.just("commit"), st.integers(1, 3)),
)


class _Store:
    """Rows, transactions in the queue, and a cache that is told what the real store tells it."""

    def __init__(self, max_bytes: int, counting: bool) -> None:
        self.cache = RowCache(max_bytes, counters=100 if counting else 0)
        self.counting = counting
        self.rows: dict[bytes, Row] = {}
        self.queue: list[tuple[Txn, list[bytes]]] = []
        self.revision = 0
        self.counters: set[bytes] = set()

    def read(self, key: bytes) -> None:
        """A key that a queued transaction writes is never found; one that is found is as it stands in the store."""
        row = self.cache.find(key)
        written = [key for txn, _ in self.queue for key in _keys(txn)]
        if row is not None:
            assert key not in written
            assert row is self.rows[key]
        elif key in self.rows:
            self.cache.offer(self.rows[key])
            if key not in written and key not in self.counters and self.cache.max_bytes >= 2 * 400:
                assert self.cache.find(key) is self.rows[key]
                assert self.proves(Check(key, self.rows[key].revision))
        else:
            self.cache.offer_absent(key)
            if key not in written and key not in self.counters and self.cache.max_bytes:
                assert self.proves(Check(key, ABSENT))

    def proves(self, check: Check) -> bool:
        """Whether the check is known to hold for a transaction that is queued now."""
        keys, unproven = self.cache.queue(Txn(checks=[check]))
        assert keys == []
        return unproven == []

    def nothing_false_is_proved(self) -> None:
        """A check is proved only where it holds, and never while a transaction that writes its key is queued."""
        written = {key for txn, _ in self.queue for key in _keys(txn)}
        for key in KEYS:
            now = self.rows[key].revision if key in self.rows else ABSENT
            for revision in range(self.revision + 1):
                if revision != now or key in written:
                    assert not self.proves(Check(key, revision))

    def enqueue(self, puts: set[bytes], deletes: set[bytes], adds: set[bytes]) -> None:
        txn = Txn(
            puts=[Put(key, bytes(self.revision % 40)) for key in sorted(puts)],
            deletes=sorted(deletes - puts),
            adds=[Add(key, 1) for key in sorted(adds - puts - deletes)],
        )
        self.queue.append((txn, self.cache.queue(txn)[0]))
        self.counters |= {add.key for add in txn.adds} if self.counting else set()

    def withdraw(self, index: int) -> None:
        if index < len(self.queue):
            self.cache.release(self.queue.pop(index)[1])

    def commit(self, count: int) -> None:
        """The first transactions of the queue are settled together."""
        batch, self.queue = self.queue[:count], self.queue[count:]
        written: dict[bytes, Row | None] = {}
        for txn, _ in batch:
            self.revision += 1
            written |= dict.fromkeys(txn.deletes)
            written |= {put.key: Row(put.key, put.value, self.revision) for put in txn.puts}
            written |= {add.key: Row(add.key, b"%d" % self.revision, self.revision) for add in txn.adds}
        for key, row in written.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        for _, keys in batch:
            self.cache.release(keys)
        self.cache.renew(row for row in written.values() if row is not None)


def _keys(txn: Txn) -> list[bytes]:
    return [put.key for put in txn.puts] + list(txn.deletes) + [add.key for add in txn.adds]


@given(
    max_bytes=st.sampled_from([0, 700, 1_200, 1_200, 1_200, 100_000]),
    counting=st.booleans(),
    plan=st.lists(actions, max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_is_exact_and_bounded(max_bytes: int, counting: bool, plan: list[tuple[str, object]]) -> None:
    """What is found is the newest committed row, no queued key is found, and the size is that of what is held.

    Counters are left aside, and where there is no room to remember them they are like other rows.
    """
    store = _Store(max_bytes, counting)
    for name, argument in plan:
        if name == "read":
            store.read(argument)  # type: ignore[arg-type]
        elif name == "queue":
            store.enqueue(*argument)  # type: ignore[misc]
        elif name == "withdraw":
            store.withdraw(argument)  # type: ignore[arg-type]
        else:
            store.commit(argument)  # type: ignore[arg-type]
        store.nothing_false_is_proved()
        cache = store.cache
        assert cache.size <= max_bytes
        assert (cache.size == 0) == (len(cache) == 0)
        assert 250 * len(cache) <= cache.size <= 300 * len(cache)
    for key in KEYS:
        store.read(key)


def test_what_is_used_stays() -> None:
    """Rows that are found again and again outlive any number that are offered once."""
    cache = RowCache(10_000)
    hot = Row(b"hot", b"", 1)
    cache.offer(hot)
    for number in range(1_000):
        cache.offer(Row(b"%d" % number, b"", 1))
        if number % 4 == 0:
            assert cache.find(b"hot") is hot
    assert cache.find(b"1") is None
    assert cache.find(b"999") is not None


def test_all_rows_that_fit_stay() -> None:
    """Nothing goes while there is room, in whatever order rows are found; then one goes for each new one."""
    cache = RowCache(100 * 254)
    rows = [Row(b"%04d" % number, b"", 1) for number in range(150)]
    for row in rows[:100]:
        cache.offer(row)
    for _ in range(3):
        assert all(cache.find(row.key) is row for row in reversed(rows[:100]))
    for row in rows[100:]:
        cache.offer(row)
        assert len(cache) == 100
        assert cache.find(row.key) is row


def test_counts_hits_and_misses() -> None:
    """Every look-up counts once."""
    cache = RowCache(1_000)
    cache.offer(Row(b"a", b"", 1))
    cache.find(b"a")
    cache.find(b"a")
    cache.find(b"b")
    assert (cache.hits, cache.misses) == (2, 1)


def test_older_row_never_replaces_a_newer_one() -> None:
    """An entry yields only to a higher revision."""
    cache = RowCache(1_000)
    cache.offer(Row(b"a", b"new", 2))
    cache.offer(Row(b"a", b"old", 1))
    row = cache.find(b"a")
    assert row is not None
    assert row.revision == 2
    cache.offer(Row(b"a", b"newer", 3))
    row = cache.find(b"a")
    assert row is not None
    assert row.revision == 3
