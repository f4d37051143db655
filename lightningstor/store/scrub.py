"""Looking for chunks that nobody refers to: what a crash left between sealing and publishing.

A chunk's name tells its data id, and a data id is in use exactly while it has a manifest. Only chunks of earlier boots
are looked at, so a write under way is never taken for a leftover.
"""

from __future__ import annotations

from attrs import define

from lightningstor.model import keys
from lightningstor.store.context import StoreContext

__all__ = ["Scrubber"]

_PAGE = 256


@define
class Scrubber:
    """Removes unreferenced chunks, a page at a time."""

    ctx: StoreContext

    async def remove_orphans(self) -> int:
        """One pass over all chunks; gives the number removed."""
        removed = 0
        after = ""
        while chunk_ids := await self.ctx.chunks.store.list_chunks(after, _PAGE):
            after = chunk_ids[-1]
            removed += await self._remove_of_page(chunk_ids)
        return removed

    async def _remove_of_page(self, chunk_ids: list[str]) -> int:
        old = [
            (chunk_id, data_id)
            for chunk_id in chunk_ids
            if keys.boot_of(data_id := keys.data_id_of_chunk(chunk_id)) < self.ctx.boot
        ]
        rows = await self.ctx.kv.get_many([keys.manifest(data_id, 0) for _, data_id in old])
        orphans = [chunk_id for (chunk_id, _), row in zip(old, rows, strict=True) if row is None]
        for chunk_id in orphans:
            await self.ctx.chunks.store.delete_chunk(chunk_id)
        return len(orphans)
