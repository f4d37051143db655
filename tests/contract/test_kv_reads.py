"""Rows, bodies and scans of every metadata store: what was written, in the order of bytes."""

from __future__ import annotations

import pytest

from lightningstor.kv.api import Kv, Put, Row, Txn
from lightningstor.kv.bodies import body_key
from tests.contract.kv_stores import BODY, ODD_KEYS, applied, put


async def test_absent_key_is_none(kv: Kv) -> None:
    """A key that was never written has no row."""
    assert await kv.get(b"nothing") is None
    assert await kv.get(BODY % 1) is None
    assert await kv.get_many([b"nothing", BODY % 1]) == [None, None]


@pytest.mark.parametrize("key", [b"key", b"", b"\0", b"a\0b", b"\xff\xff", b"k" * 2_000, BODY % 1])
async def test_row_reads_as_written(kv: Kv, key: bytes) -> None:
    """A row has the key and value of its put and the revision of its commit; keys and values are any bytes."""
    for value in (b"", b"\0", bytes(range(256)) * 300):
        revision = await put(kv, (key, value))
        row = Row(key, value, revision)
        assert await kv.get(key) == row
        assert await kv.get_many([key]) == [row]
        assert await kv.scan(key, key + b"\0", 5) == [row]


@pytest.mark.parametrize("number", [0, 1, (1 << 63) - 1, 1 << 63])
async def test_body_reads_as_written(kv: Kv, number: int) -> None:
    """A body by its id is the value under its key: whatever was there before, whichever was read before it."""
    key, other = body_key(number), body_key(7)
    assert await kv.get_body(number) is None
    await put(kv, (other, b"other"))
    for value in (b"", b"\0", bytes(range(256)) * 300, None):
        await applied(kv, Txn(deletes=[key]) if value is None else Txn(puts=[Put(key, value)]))
        assert await kv.get_body(number) == value
        assert await kv.get_body(number ^ 2) is None
        assert await kv.get_body(7) == b"other"
        assert await kv.get_body(number) == value


async def test_get_many_keeps_the_keys_order(kv: Kv) -> None:
    """get_many answers in the order asked, with None for what is absent, for repeated keys and both kinds of row."""
    await put(kv, (b"a", b"1"), (b"b", b"2"), (BODY % 7, b"3"))
    keys = [BODY % 7, b"b", b"nothing", b"a", b"b"]
    rows = await kv.get_many(keys)
    assert [row and (row.key, row.value) for row in rows] == [
        (BODY % 7, b"3"),
        (b"b", b"2"),
        None,
        (b"a", b"1"),
        (b"b", b"2"),
    ]
    assert await kv.get_many(keys) == rows
    assert await kv.get_many([]) == []


async def test_scan_is_in_byte_order(kv: Kv) -> None:
    """Rows come in the order of their keys' bytes: NUL, prefixes of others, bodies among their neighbours."""
    await put(kv, *((key, b"v" + key) for key in reversed(ODD_KEYS)))
    rows = await kv.scan(b"", b"\xff\xff\xff", 1_000)
    assert [row.key for row in rows] == sorted(ODD_KEYS)
    assert [row.value for row in rows] == [b"v" + key for key in sorted(ODD_KEYS)]
    assert await kv.scan(b"", b"\xff\xff\xff", 1_000, reverse=True) == rows[::-1]


async def test_scan_bounds(kv: Kv) -> None:
    """`start` is in, `end` is out, at every pair of bounds, in both directions and with every limit."""
    await put(kv, *((key, b"") for key in ODD_KEYS))
    ordered = sorted(ODD_KEYS)
    bounds = [b"", b"A", b"lightningstor/data/00000000000000", b"lightningstor/e", *ordered[::3]]
    for start in bounds:
        for end in bounds:
            inside = [key for key in ordered if start <= key < end]
            for limit in (1, 3, 100):
                assert [row.key for row in await kv.scan(start, end, limit)] == inside[:limit]
                backward = await kv.scan(start, end, limit, reverse=True)
                assert [row.key for row in backward] == inside[::-1][:limit]


async def test_scan_of_nothing(kv: Kv) -> None:
    """A scan with limit 0, of an empty range or of a range that ends before it starts gives no rows."""
    await put(kv, (b"a", b""), (b"b", b""))
    assert await kv.scan(b"a", b"z", 0) == []
    assert await kv.scan(b"a", b"a", 10) == []
    assert await kv.scan(b"b", b"a", 10) == []
    assert await kv.scan(b"b", b"a", 10, reverse=True) == []


async def test_paging_visits_every_row_once(kv: Kv) -> None:
    """Pages that start behind the last key of the one before make up the whole."""
    keys = [b"k%03d" % number for number in range(100)]
    await put(kv, *((key, b"") for key in keys))
    seen: list[bytes] = []
    while page := await kv.scan(seen[-1] + b"\0" if seen else b"", b"\xff", 7):
        seen += [row.key for row in page]
    assert seen == keys
