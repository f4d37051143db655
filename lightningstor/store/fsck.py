"""Holding both sides of a store against each other: what records refer to, and what bodies, manifests and chunks lie
there; and the usage counters against a recount.

For a store that nobody writes to. It needs memory for the name of every chunk and the number of every body.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve

from lightningstor.kv.api import Put, Txn
from lightningstor.model import keys
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.recount import counters, differences, recount, rows_under
from lightningstor.store.references import Finding, Kind, References

__all__ = ["fsck"]

_PAGE = 256
_TXN_ROWS = 100


async def fsck(ctx: StoreContext, *, repair: bool) -> Sequence[Finding]:
    """Everything that is wrong with the store.

    Args:
        repair: set the counters right, and remove what nobody refers to. While a record or a manifest is lost, what it
            referred to looks like an orphan and may be all that is left of it: then no orphan is removed.
    """
    there = await _chunks_there(ctx)
    references = References(ctx.kv, there)
    await references.read()
    kinds = {finding.kind for finding in references.losses}
    orphans = _Orphans(ctx, references, remove=repair and not kinds & {Kind.UNREADABLE, Kind.LOST_MANIFEST})
    findings = [*references.losses, *await orphans.chunks(there), *await orphans.bodies(), *await orphans.manifests()]
    if Kind.UNREADABLE not in kinds:
        findings += await _compare_counters(ctx, repair=repair)
    return findings


async def _chunks_there(ctx: StoreContext) -> set[str]:
    there: set[str] = set()
    after = ""
    while page := await ctx.chunks.store.list_chunks(after, _PAGE):
        after = page[-1]
        there.update(page)
    return there


@define
class _Orphans:
    """Finds what nobody refers to, and removes it if it may."""

    ctx: StoreContext
    references: References
    remove: bool

    async def chunks(self, there: set[str]) -> list[Finding]:
        # A body whose manifest is lost still has its chunks: they are not orphans.
        manifests = self.references.manifests
        found = [
            Finding(Kind.ORPHAN_CHUNK, chunk_id, repaired=self.remove)
            for chunk_id in sorted(there - self.references.chunks)
            if keys.data_id_of_chunk(chunk_id) not in manifests
        ]
        if self.remove:
            for finding in found:
                await self.ctx.chunks.store.delete_chunk(finding.where)
        return found

    async def bodies(self) -> list[Finding]:
        referred = {keys.data(data_id) for data_id in self.references.bodies}
        rows = [row.key async for row in rows_under(self.ctx.kv, keys.DATA) if row.key not in referred]
        return await self._rows(Kind.ORPHAN_BODY, rows)

    async def manifests(self) -> list[Finding]:
        referred = {keys.manifests_of(data_id) for data_id in self.references.manifests}
        rows = [
            row.key
            async for row in rows_under(self.ctx.kv, keys.MANIFESTS)
            if row.key[: row.key.rindex(b"/") + 1] not in referred
        ]
        return await self._rows(Kind.ORPHAN_MANIFEST, rows)

    async def _rows(self, kind: Kind, rows: list[bytes]) -> list[Finding]:
        if self.remove:
            for first in range(0, len(rows), _TXN_ROWS):
                await commit(self.ctx.kv, Txn(deletes=rows[first : first + _TXN_ROWS]))
        return [Finding(kind, key.decode("utf-8", "replace"), repaired=self.remove) for key in rows]


async def _compare_counters(ctx: StoreContext, *, repair: bool) -> list[Finding]:
    found = differences(await counters(ctx.kv), await recount(ctx.kv))
    findings = [
        Finding(
            Kind.WRONG_COUNTER,
            difference.counter.decode(),
            f"it says {difference.counted}, there are {difference.there}",
        )
        for difference in found
    ]
    if not repair:
        return findings
    for first in range(0, len(found), _TXN_ROWS):
        page = found[first : first + _TXN_ROWS]
        puts = [Put(difference.counter, b"%d" % difference.there) for difference in page if difference.there]
        await commit(ctx.kv, Txn(puts=puts, deletes=[each.counter for each in page if not each.there]))
    return [evolve(finding, repaired=True) for finding in findings]
