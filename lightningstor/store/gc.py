"""Collection: what commits have queued is freed, once it is due and nobody reads it.

Every step can be repeated: a crash half-way leaves the row in the queue, and freeing what is free already is no error.
"""

from __future__ import annotations

from attrs import define

from lightningstor.kv.api import Check, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import GC_ENTRY, MANIFEST, MULTIPART_UPLOAD, PART_LIST, RECORD_FORMAT, UPLOAD_PART
from lightningstor.model.records import BodyRef, GcEntry, PartEntry
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.part_list import part_list_rows
from lightningstor.store.refund import refund_upload

__all__ = ["Collector"]

_PAGE = 256
_TXN_ROWS = 100  # etcd takes 128 operations in one transaction
_PARTS_PAGE = 32


@define
class Collector:
    """Frees queued bytes. One runs at a time."""

    ctx: StoreContext
    _cursor: bytes = keys.GC

    async def run(self) -> int:
        """One pass over everything that is due now; gives the number of entries freed."""
        freed = 0
        self._cursor = keys.GC
        end = keys.gc_due_before(self.ctx.world.clock.now_ms())
        while rows := await self.ctx.kv.scan(self._cursor, end, _PAGE):
            self._cursor = rows[-1].key + b"\0"
            freed += await self._free_page(rows)
        return freed

    async def backlog(self, limit: int = 10_000) -> int:
        """Entries in the queue, due or not, counted up to `limit`."""
        return len(await self.ctx.kv.scan(keys.GC, keys.GC_END, limit))

    async def _free_page(self, rows: list[Row]) -> int:
        """Small bodies of a page go in one transaction; the others each on their own."""
        together: list[bytes] = []
        freed = 0
        for row in rows:
            entry = GC_ENTRY.decode(row.value, row.key)
            if entry.body is not None and entry.body.data_id in self.ctx.pins:
                continue
            if entry.kind == "data":
                assert entry.body is not None
                together += [row.key, *await self._free_body(entry.body)]
            elif entry.kind == "upload":
                if entry.refund:
                    await refund_upload(self.ctx, row.key)
                await self._free_upload(entry)
                together.append(row.key)
            elif entry.kind == "record":
                assert entry.upload_id is not None
                together += [row.key, keys.upload(entry.upload_id)]
            elif entry.kind == "bucket":
                await self._end_uploads(entry)
                together.append(row.key)
            freed += 1
            if len(together) >= _TXN_ROWS:
                await commit(self.ctx.kv, Txn(deletes=together))
                together = []
        if together:
            await commit(self.ctx.kv, Txn(deletes=together))
        return freed

    async def _free_body(self, body: BodyRef) -> list[bytes]:
        """Delete the body's chunks; give the rows that are to go once that is done."""
        data_id = int(body.data_id, 16)
        if body.layout == "inline":
            return [keys.data(data_id)]
        rows = [keys.manifest(data_id, segment) for segment in range(len(body.starts))]
        for row in await self.ctx.kv.get_many(rows):
            if row is None:
                continue
            if body.layout == "chunks":
                for ref in MANIFEST.decode(row.value, row.key).chunks:
                    await self.ctx.chunks.store.delete_chunk(ref.chunk_id)
            else:
                for part in PART_LIST.decode(row.value, row.key).parts:
                    if part.body is not None:
                        await commit(self.ctx.kv, Txn(deletes=await self._free_body(part.body)))
        return rows

    async def _free_upload(self, entry: GcEntry) -> None:
        """Remove an ended upload's part rows, and the bytes of those parts that its object does not use."""
        assert entry.upload_id is not None
        used = await self._parts_used(entry.composed)
        prefix = keys.parts_of(entry.upload_id)
        while rows := await self.ctx.kv.scan(prefix, keys.end_of(prefix), _PARTS_PAGE):
            deletes: list[bytes] = []
            for row in rows:
                part = UPLOAD_PART.decode(row.value, row.key)
                deletes.append(row.key)
                if part.body is not None and part.body.data_id not in used:
                    deletes += await self._free_body(part.body)
            await commit(self.ctx.kv, Txn([Check(row.key, row.revision) for row in rows], (), deletes))

    async def _parts_used(self, composed: BodyRef | None) -> set[str]:
        if composed is None:
            return set()
        data_id = int(composed.data_id, 16)
        used: set[str] = set()
        for row in await self.ctx.kv.get_many([keys.manifest(data_id, i) for i in range(len(composed.starts))]):
            if row is not None:
                parts: tuple[PartEntry, ...] = PART_LIST.decode(row.value, row.key).parts
                used.update(part.body.data_id for part in parts if part.body is not None)
        return used

    async def _end_uploads(self, entry: GcEntry) -> None:
        """The bucket is gone: end the uploads that were open in it."""
        assert entry.bucket_id is not None
        prefix = keys.upload_indexes_of(entry.bucket_id)
        while rows := await self.ctx.kv.scan(prefix, keys.end_of(prefix), _PAGE):
            for row in rows:
                _, upload_id = keys.split_version(row.key, prefix)
                await self._free_upload(GcEntry(RECORD_FORMAT, "upload", upload_id=upload_id))
                record = await self.ctx.kv.get(keys.upload(upload_id))
                named = part_list_rows(MULTIPART_UPLOAD.decode(record.value, record.key)) if record else []
                await commit(self.ctx.kv, Txn(deletes=[row.key, keys.upload(upload_id), *named]))
