"""Looking for what a crash left between writing and publishing, and nobody refers to.

A chunk's name tells its data id, and a data id is in use exactly while it has a manifest. A list of parts is in use
while an object names it; until then the record of its upload does. Only what earlier boots made is looked at, so a
write under way is never taken for a leftover.
"""

from __future__ import annotations

from attrs import define

from lightningstor.kv.api import Applied, Check, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import MULTIPART_UPLOAD, encode
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.part_list import part_list_rows, thawed

__all__ = ["Scrubber"]

_PAGE = 256


@define
class Scrubber:
    """Removes leftovers, a page at a time."""

    ctx: StoreContext

    async def remove_orphans(self) -> int:
        """One pass over all open uploads and all chunks; gives the number of lists and chunks removed."""
        removed = await self._remove_part_lists()
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

    async def _remove_part_lists(self) -> int:
        """Of completions that a crash ended: their uploads go on as if they had not been asked for."""
        removed = 0
        start = keys.UPLOADS_BY_BUCKET
        while index := await self.ctx.kv.scan(start, keys.end_of(keys.UPLOADS_BY_BUCKET), _PAGE):
            start = index[-1].key + b"\0"
            for row in await self.ctx.kv.get_many([keys.upload(keys.upload_of_index(row.key)) for row in index]):
                if row is not None:
                    removed += await self._thaw(row)
        return removed

    async def _thaw(self, row: Row) -> bool:
        upload = MULTIPART_UPLOAD.decode(row.value, row.key)
        if upload.status != "Completing" or self.ctx.in_force(upload.completing_boot, upload.upload_id):
            return False
        txn = Txn([Check(row.key, row.revision)], [Put(row.key, encode(thawed(upload)))], part_list_rows(upload))
        return isinstance(await commit(self.ctx.kv, txn), Applied)
