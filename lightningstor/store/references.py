"""What a store's records refer to: small bodies, manifests and chunks; and which of those are not there.

A walk over everything, for a store that nobody writes to.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Set
from enum import Enum
from typing import TypeVar

from attrs import define, field, frozen

from lightningstor.errors import BytesCorrupt, FormatTooNew
from lightningstor.kv.api import KvReads, Row
from lightningstor.model import keys
from lightningstor.model.codec import (
    GC_ENTRY,
    MANIFEST,
    MULTIPART_UPLOAD,
    OBJECT_VERSION,
    PART_LIST,
    UPLOAD_PART,
    RecordCodec,
)
from lightningstor.model.records import BodyRef
from lightningstor.store.inline import inline_crc
from lightningstor.store.recount import rows_under

__all__ = ["Finding", "Kind", "References"]

T = TypeVar("T")


class Kind(Enum):
    """What is wrong. The first four are losses, which nothing can repair."""

    UNREADABLE = "a record that cannot be read"
    LOST_BODY = "its body is missing or damaged"
    LOST_MANIFEST = "the manifest of its body is missing"
    LOST_CHUNK = "a chunk of its body is missing"
    ORPHAN_BODY = "a body that nobody refers to"
    ORPHAN_MANIFEST = "a manifest that nobody refers to"
    ORPHAN_CHUNK = "a chunk that nobody refers to"
    WRONG_COUNTER = "a usage counter that differs from a recount"


@frozen
class Finding:
    """One thing that is wrong.

    Args:
        where: a row's key, or a chunk's name.
        detail: more of it, for people.
    """

    kind: Kind
    where: str
    detail: str = ""
    repaired: bool = False

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.where}: {self.kind.value}{detail}{', repaired' if self.repaired else ''}"


@define
class References:
    """The walk, and what it has found.

    Args:
        chunks_there: the names of all chunks in the byte store.
        bodies, manifests: data ids that are referred to. chunks: names.
        losses: what is referred to and not there, and records that cannot be read.
    """

    kv: KvReads
    chunks_there: Set[str]
    bodies: set[int] = field(factory=set)
    manifests: set[int] = field(factory=set)
    chunks: set[str] = field(factory=set)
    losses: list[Finding] = field(factory=list)

    async def read(self) -> None:
        """Walk over all records. Those that must have their bytes come first, those that are being freed last."""
        for prefix in (keys.OBJECTS, keys.VERSIONS):
            async for row in rows_under(self.kv, prefix):
                version = self._decoded(OBJECT_VERSION, row)
                if version is not None and version.body is not None:
                    await self._follow(row.key, version.body, needed=True)
        async for row, body, needed in self._parts():
            await self._follow(row.key, body, needed=needed)
        async for row in rows_under(self.kv, keys.GC):
            entry = self._decoded(GC_ENTRY, row)
            for freed in () if entry is None else (entry.body, entry.composed):
                if freed is not None:
                    await self._follow(row.key, freed, needed=False)

    async def _parts(self) -> AsyncGenerator[tuple[Row, BodyRef, bool], None]:
        """The bodies of all parts, and whether they are needed: those of ended uploads are on their way out."""
        needed = False
        async for row in rows_under(self.kv, keys.UPLOADS):
            if row.key.startswith(keys.UPLOADS_BY_BUCKET):
                continue
            if b"/parts/" in row.key:
                part = self._decoded(UPLOAD_PART, row)
                if part is not None and part.body is not None:
                    yield row, part.body, needed
                continue
            upload = self._decoded(MULTIPART_UPLOAD, row)
            needed = upload is not None and upload.status in ("InProgress", "Completing")
            if upload is not None and upload.part_list is not None:
                self.manifests.add(int(upload.part_list, 16))

    async def _follow(self, where: bytes, body: BodyRef, *, needed: bool) -> None:
        data_id = int(body.data_id, 16)
        if body.layout == "inline":
            self.bodies.add(data_id)
            if needed:
                await self._check_small(where, body, data_id)
            return
        if data_id in self.manifests:
            return
        self.manifests.add(data_id)
        segments = [keys.manifest(data_id, segment) for segment in range(len(body.starts))]
        for key, row in zip(segments, await self.kv.get_many(segments), strict=True):
            if row is not None:
                await self._follow_segment(where, row, body.layout, needed=needed)
            elif needed:
                self._lost(Kind.LOST_MANIFEST, where, key.decode())

    async def _follow_segment(self, where: bytes, row: Row, layout: str, *, needed: bool) -> None:
        if layout == "parts":
            listed = self._decoded(PART_LIST, row)
            for part in () if listed is None else listed.parts:
                if part.body is not None:
                    await self._follow(where, part.body, needed=needed)
            return
        manifest = self._decoded(MANIFEST, row)
        for ref in () if manifest is None else manifest.chunks:
            self.chunks.add(ref.chunk_id)
            if needed and ref.chunk_id not in self.chunks_there:
                self._lost(Kind.LOST_CHUNK, where, f"chunk {ref.chunk_id}")

    async def _check_small(self, where: bytes, body: BodyRef, data_id: int) -> None:
        row = await self.kv.get(keys.data(data_id))
        if row is None:
            self._lost(Kind.LOST_BODY, where, f"no row {keys.data(data_id).decode()}")
        elif inline_crc(body.data_id, row.value) != body.crc:
            self._lost(Kind.LOST_BODY, where, "its checksum differs")

    def _decoded(self, codec: RecordCodec[T], row: Row) -> T | None:
        try:
            return codec.decode(row.value, row.key)
        except (BytesCorrupt, FormatTooNew) as error:
            self._lost(Kind.UNREADABLE, row.key, str(error))
            return None

    def _lost(self, kind: Kind, where: bytes, detail: str) -> None:
        self.losses.append(Finding(kind, where.decode("utf-8", "replace"), detail))
