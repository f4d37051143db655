"""A store with much to collect, what must be found in it after a crash, and the scripts that crashes meet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

from lightningstor.chunks.api import Buffer
from lightningstor.store.api import (
    CompletePart,
    ExpectedDigest,
    ObjectDraft,
    StoreLimits,
    UploadDraft,
    WriteConditions,
)
from lightningstor.store.store import Store
from tests.harness.fuse import Fuse, FusedDisk, fused_vfs
from tests.harness.killed import Journal
from tests.store.conftest import disk_store
from tests.store.content import OWNER, BytesBody, make_bucket, md5, put, random_bytes

__all__ = [
    "BUSY",
    "LIMITS",
    "Ledger",
    "OpenUpload",
    "collect_all",
    "complete",
    "complete_all",
    "fill",
    "recover",
    "said",
]

LIMITS = StoreLimits(min_part_size_bytes=1, max_inline_bytes=4 << 10, gc_grace_ms=0)
"""Parts of any size, chunked bodies from 4 KiB on, and what is freed is due at once."""

INLINE, CHUNK, CHUNKS = 10, 9_000, (1 << 20) + 7
"""A body in the metadata, one of one chunk and one of two."""

_WIDE_PARTS = 1_050
"""More than one segment of a list of parts holds."""

BUSY: list[tuple[str, bytes | None]] = [
    ("busy-a", random_bytes(CHUNK, 81)),
    ("busy-b", random_bytes(INLINE, 82)),
    ("busy-a", random_bytes(CHUNKS, 83)),
    ("busy-b", None),
    ("busy-a", random_bytes(INLINE, 84)),
    ("busy-b", random_bytes(CHUNK, 85)),
    ("busy-a", None),
]
"""What a writer does in the bucket "plain" beside the collector: contents, or a deletion."""


@define
class OpenUpload:
    """An upload, its parts, and which of them a completion is to use."""

    bucket: str
    key: str
    upload_id: str
    parts: dict[int, bytes]
    used: Sequence[int]

    def listed(self, numbers: Sequence[int]) -> list[CompletePart]:
        return [CompletePart(number, md5(self.parts[number])) for number in numbers]

    def content(self, numbers: Sequence[int]) -> bytes:
        return b"".join(self.parts[number] for number in numbers)


@define
class Ledger:
    """What the store holds before a script runs.

    Args:
        objects: the contents of current objects.
        versions: those of all versions of versioned buckets.
        completing: the uploads that `complete_all` completes. standing: those that nobody touches.
        dropped: the one that `collect_all` aborts. late: a bucket that it deletes.
    """

    objects: dict[tuple[str, str], bytes | None] = field(factory=dict)
    versions: dict[tuple[str, str, str], bytes] = field(factory=dict)
    completing: dict[str, OpenUpload] = field(factory=dict)
    standing: list[OpenUpload] = field(factory=list)
    dropped: OpenUpload | None = None
    late: str = "late"


async def begin(
    store: Store, bucket: str, key: str, parts: dict[int, bytes], used: Sequence[int] = (), replaced: int = 0
) -> OpenUpload:
    """An open upload; the part of number `replaced` is put twice."""
    draft = UploadDraft(ObjectDraft(OWNER))
    upload_id = (await store.uploads.create(bucket, key, draft)).upload_id
    if replaced:
        await store.uploads.put_part(bucket, key, upload_id, replaced, BytesBody(parts[replaced][::-1]))
    for number, data in parts.items():
        await store.uploads.put_part(bucket, key, upload_id, number, BytesBody(data))
    return OpenUpload(bucket, key, upload_id, parts, used or list(parts))


def some_parts(seed: int) -> dict[int, bytes]:
    """Five parts of every layout."""
    sizes = (CHUNK, INLINE, CHUNKS, CHUNK, INLINE + 1)
    return {number: random_bytes(size, seed * 10 + number) for number, size in enumerate(sizes, 1)}


async def complete(store: Store, upload: OpenUpload, numbers: Sequence[int] | None = None) -> tuple[str, str]:
    """(version id, entity tag) of the completed object."""
    parts = upload.listed(upload.used if numbers is None else numbers)
    written = await store.completions.complete(
        upload.bucket, upload.key, upload.upload_id, parts, conditions=WriteConditions()
    )
    return written.version.version_id, written.version.etag


async def fill(root: Path, *, wide: bool) -> Ledger:
    """Make the store: what must stay, what is to be freed, and the uploads that scripts end.

    Args:
        wide: with an upload whose list of parts takes two segments.
    """
    ledger = Ledger()
    async with disk_store(root, LIMITS) as store:
        for name in ("plain", "doomed", "late"):
            await make_bucket(store, name)
        await make_bucket(store, "versioned", versioned=True)
        await _fill_kept(store, ledger)
        await _fill_garbage(store)
        await _fill_uploads(store, ledger)
        if wide:
            parts = {number: b"%d;" % number for number in range(1, _WIDE_PARTS + 1)}
            ledger.completing["wide"] = await begin(store, "plain", "wide", parts, list(parts)[1:])
            ledger.objects["plain", "wide"] = None
    return ledger


async def _fill_kept(store: Store, ledger: Ledger) -> None:
    for number, size in enumerate((INLINE, CHUNK, CHUNKS)):
        content = random_bytes(size, number)
        await put(store, f"kept-{size}", content, "plain")
        ledger.objects["plain", f"kept-{size}"] = content
    for key in ("kept", "versions"):
        for number, size in enumerate((CHUNK, INLINE, CHUNK)):
            content = random_bytes(size, 10 + number)
            written = await put(store, key, content, "versioned")
            ledger.versions["versioned", key, written.version.version_id] = content
        ledger.objects["versioned", key] = content
    composed = await begin(store, "plain", "composed", some_parts(2), (1, 2, 3), replaced=1)
    await complete(store, composed)
    ledger.objects["plain", "composed"] = composed.content((1, 2, 3))
    ledger.objects["plain", "onto"] = random_bytes(CHUNK, 20)
    await put(store, "onto", random_bytes(CHUNK, 20), "plain")


async def _fill_garbage(store: Store) -> None:
    """Replaced and deleted objects, versions, ended uploads and a deleted bucket, of every layout."""
    for size in (INLINE, CHUNK, CHUNKS):
        await put(store, "gone", random_bytes(size, 30), "plain")
    await complete(store, await begin(store, "plain", "gone", some_parts(3), (1, 2, 4)))
    await store.deletes.delete("plain", "gone", OWNER)
    for size in (INLINE, CHUNK):
        version = (await put(store, "gone", random_bytes(size, 31), "versioned")).version.version_id
        await store.deletes.delete("versioned", "gone", OWNER, version)
    for number in (4, 5):
        aborted = await begin(store, "plain", f"aborted-{number}", some_parts(number), replaced=4)
        await store.uploads.abort("plain", aborted.key, aborted.upload_id)
    await begin(store, "doomed", "open", some_parts(6))
    aborted = await begin(store, "doomed", "aborted", some_parts(7))
    await store.uploads.abort("doomed", "aborted", aborted.upload_id)
    await store.buckets.delete("doomed")


async def _fill_uploads(store: Store, ledger: Ledger) -> None:
    ledger.standing += [
        await begin(store, "plain", "standing", some_parts(50), replaced=3),
        await begin(store, "versioned", "standing", some_parts(51)),
    ]
    await begin(store, "late", "open", some_parts(52))
    ledger.dropped = await begin(store, "plain", "dropped", some_parts(53), replaced=1)
    for name, bucket in (("onto", "plain"), ("versions", "versioned"), ("fresh", "plain")):
        parts = some_parts(60 + len(name))
        ledger.completing[name] = await begin(store, bucket, name, parts, (1, 3, 5), replaced=1)
        ledger.objects.setdefault((bucket, name), None)


class _Stalled:
    """A body of which the last bytes never come."""

    algorithms: Sequence[str] = ()
    size = 3 * CHUNKS

    def __init__(self) -> None:
        self.stalled = trio.Event()
        self._left = 5 * CHUNKS // 2

    async def receive(self) -> Buffer:
        if self._left <= 0:
            self.stalled.set()
            await trio.sleep_forever()
        self._left -= 1 << 18
        return bytes(1 << 18)

    def expected(self) -> Sequence[ExpectedDigest]:
        return ()


@asynccontextmanager
async def _opened(root: Path, fuse: Fuse) -> AsyncIterator[Store]:
    vfs = fused_vfs(fuse)
    async with disk_store(root, LIMITS, disk=FusedDisk(fuse), vfs="fused") as store:
        yield store
    del vfs


@asynccontextmanager
async def _beside_uploads(store: Store) -> AsyncIterator[None]:
    """With a PUT and an UploadPart that have written chunks and wait for more, which a crash makes orphans."""
    upload_id = (await store.uploads.create("plain", "half", UploadDraft(ObjectDraft(OWNER)))).upload_id
    body, part = _Stalled(), _Stalled()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.puts.put, "plain", "half", ObjectDraft(OWNER), body, WriteConditions())
        nursery.start_soon(store.uploads.put_part, "plain", "half", upload_id, 1, part)
        await body.stalled.wait()
        await part.stalled.wait()
        yield
        nursery.cancel_scope.cancel()


async def complete_all(ledger: Ledger, root: Path, journal: Journal, fuse: Fuse) -> None:
    """Complete the uploads one after the other."""
    async with _opened(root, fuse) as store, _beside_uploads(store):
        fuse.light()
        for name, upload in ledger.completing.items():
            journal.say(begun=name)
            version_id, etag = await complete(store, upload)
            journal.say(done=name, version_id=version_id, etag=etag)


async def collect_all(ledger: Ledger, root: Path, journal: Journal, fuse: Fuse) -> None:
    """Collect beside a writer, then once more what that, an abort and the deletion of a bucket have left."""
    async with _opened(root, fuse) as store, _beside_uploads(store):
        fuse.light()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, store, journal)
            journal.say(freed=await store.collector.run())
        assert ledger.dropped is not None
        journal.say(begun="abort")
        await store.uploads.abort("plain", ledger.dropped.key, ledger.dropped.upload_id)
        journal.say(done="abort")
        journal.say(begun="late")
        await store.buckets.delete(ledger.late)
        journal.say(done="late")
        journal.say(freed=await store.collector.run())


async def _write(store: Store, journal: Journal) -> None:
    for number, (key, content) in enumerate(BUSY):
        journal.say(begun=number)
        if content is None:
            await store.deletes.delete("plain", key, OWNER)
        else:
            await put(store, key, content, "plain")
        journal.say(done=number)


async def recover(root: Path, journal: Journal, fuse: Fuse) -> None:
    """Open the store and run the jobs' cycle; the fuse counts from the start."""
    fuse.light()
    async with _opened(root, fuse) as store:
        removed = await store.scrubber.remove_orphans()
        journal.say(removed=removed, freed=await store.collector.run())


def said(lines: list[dict[str, Any]], what: str) -> list[Any]:
    """The values of that name, in order."""
    return [line[what] for line in lines if what in line]
