"""Every metadata store that the contract holds for, and short ways to write and to look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from lightningstor.kv.api import Applied, Kv, Put, Txn
from lightningstor.kv.memory import MemoryKv
from lightningstor.kv.sqlite import open_sqlite_kv
from tests.contract.kv_worlds import InlineBlocking, world

Opener = Callable[[Path], AbstractAsyncContextManager[Kv]]

BODY = b"lightningstor/data/00000000000000%02x"
"""What keys of bodies look like; `BODY % 1` is one."""

ODD_KEYS = [
    b"",
    b"\0",
    b"\0\0",
    b"a",
    b"a\0",
    b"a\0\xff",
    b"a/",
    b"aa",
    b"a\xff",
    b"b",
    b"lightningstor/data/",
    b"lightningstor/data/0",
    b"lightningstor/data/0000000000000001",
    b"lightningstor/data/0000000000000001\0",
    b"lightningstor/data/000000000000000A",
    b"lightningstor/data/000000000000000a",
    b"lightningstor/data/000000000000000a/x",
    b"lightningstor/data/00000000000000_1",
    b"lightningstor/data/7fffffffffffffff",
    b"lightningstor/data/8000000000000000",
    b"lightningstor/data/ffffffffffffffff",
    b"lightningstor/data/zz",
    b"lightningstor/data0",
    b"lightningstor/datb",
    b"\xff",
    b"\xff\xff",
]
"""In what order bytes lie: NUL, prefixes of others, bodies and what only looks like one."""


@asynccontextmanager
async def _memory(_folder: Path) -> AsyncIterator[Kv]:
    yield MemoryKv()


def _sqlite(folder: Path) -> AbstractAsyncContextManager[Kv]:
    return open_sqlite_kv(folder / "kv.sqlite", world(), cache_bytes=0)


def _sqlite_cached(folder: Path) -> AbstractAsyncContextManager[Kv]:
    return open_sqlite_kv(folder / "kv.sqlite", world())


def _sqlite_tiny_cache(folder: Path) -> AbstractAsyncContextManager[Kv]:
    """So small that every few rows push others out; and no threads."""
    return open_sqlite_kv(folder / "kv.sqlite", world(InlineBlocking()), cache_bytes=1_500, log_bytes=1)


OPENERS: dict[str, Opener] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sqlite+cache": _sqlite_cached,
    "sqlite+tiny cache, inline": _sqlite_tiny_cache,
}


async def applied(kv: Kv, txn: Txn) -> int:
    """Commit what must apply; its revision."""
    outcome = await kv.commit(txn)
    assert isinstance(outcome, Applied), outcome
    return outcome.revision


async def put(kv: Kv, *pairs: tuple[bytes, bytes]) -> int:
    return await applied(kv, Txn(puts=[Put(key, value) for key, value in pairs]))


async def keys_of(kv: Kv, start: bytes = b"", end: bytes = b"\xff", limit: int = 1_000) -> list[bytes]:
    return [row.key for row in await kv.scan(start, end, limit)]
