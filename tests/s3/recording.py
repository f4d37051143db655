"""A metadata store that tells what was asked of it; everything passes through to a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from lightningstor.kv.api import Kv, KvCapabilities, KvReads, Outcome, Row, Txn
from lightningstor.kv.bodies import body_key


@define
class RecordingKv:
    """Notes the keys that are read and counts the commits."""

    inner: Kv
    read: list[bytes] = field(factory=list)
    commits: int = 0

    @property
    def capabilities(self) -> KvCapabilities:
        return self.inner.capabilities

    def is_newest(self, row: Row) -> bool:
        """Nothing may be concluded from what was read before, so every look is seen here."""
        return False

    @property
    def read_only_reason(self) -> str | None:
        return self.inner.read_only_reason

    def forget(self) -> None:
        """Begin anew."""
        self.read.clear()
        self.commits = 0

    async def get(self, key: bytes) -> Row | None:
        self.read.append(key)
        return await self.inner.get(key)

    async def get_body(self, number: int) -> bytes | None:
        self.read.append(body_key(number))
        return await self.inner.get_body(number)

    async def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        self.read += keys
        return await self.inner.get_many(keys)

    async def scan(self, start: bytes, end: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        self.read.append(start)
        return await self.inner.scan(start, end, limit, reverse=reverse)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[KvReads]:
        self.read.append(b"snapshot")
        async with self.inner.snapshot() as reads:
            yield reads

    async def commit(self, txn: Txn) -> Outcome:
        self.commits += 1
        return await self.inner.commit(txn)
