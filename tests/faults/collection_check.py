"""What must be so after a crash amid completions and collection: all that was acknowledged, and nothing besides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import define, field

from lightningstor.errors import NoSuchBucket, NoSuchKey
from lightningstor.store.fsck import fsck
from lightningstor.store.recount import counters, differences, recount
from lightningstor.store.references import References
from lightningstor.store.store import Store
from tests.faults.collection_store import BUSY, LIMITS, Ledger, OpenUpload, complete, said
from tests.store.conftest import disk_store
from tests.store.content import md5, read

__all__ = ["Aftermath"]


@define
class Aftermath:
    """The checks after one crash.

    Args:
        lines: what the killed script has said.
        late: complete the uploads of the script again after the cycle, and not before it.
        every_part: complete those that are open with all their parts, and not with those that the script listed.

    Attributes:
        checked: objects, versions and parts that were held against their bytes.
        orphans, freed: what the cycle has removed.
    """

    ledger: Ledger
    lines: list[dict[str, Any]]
    late: bool
    every_part: bool
    checked: int = 0
    orphans: int = 0
    freed: int = 0
    completed: dict[str, tuple[str, str]] = field(factory=dict)

    async def check(self, root: Path) -> None:
        """Open the store, hold it against the ledger, run the jobs' cycle, and hold it against the ledger again."""
        async with disk_store(root, LIMITS) as store:
            await self._check_contents(store)
            if not self.late:
                await self._complete_again(store)
            self.orphans = await store.scrubber.remove_orphans()
            self.freed = await store.collector.run()
            await self._check_clean(store, root)
            await self._check_contents(store)
            if self.late:
                await self._complete_again(store)
            for upload in self.ledger.standing:
                await complete(store, upload)
                await self._hold(store, upload.bucket, upload.key, [upload.content(list(upload.parts))])
            await store.collector.run()
            await self._check_clean(store, root)
            await self._check_contents(store)

    async def _check_contents(self, store: Store) -> None:
        for (bucket, key, version_id), content in self.ledger.versions.items():
            assert await read(store, key, bucket, version_id) == content, (bucket, key, version_id)
            self.checked += 1
        in_flight = {(upload.bucket, upload.key) for upload in self.ledger.completing.values()}
        for (bucket, key), expected in self.ledger.objects.items():
            if (bucket, key) not in in_flight:
                await self._hold(store, bucket, key, [expected])
        for name, upload in self.ledger.completing.items():
            await self._check_upload(store, name, upload)
        for upload in self.ledger.standing:
            if await _is_open(store, upload):
                await self._check_parts(store, upload)
            else:
                await self._hold(store, upload.bucket, upload.key, [upload.content(list(upload.parts))])
        await self._hold(store, "plain", "half", [None])
        await self._check_busy(store)
        await self._check_ended(store)

    async def _hold(self, store: Store, bucket: str, key: str, allowed: list[bytes | None]) -> bytes | None:
        """The key holds one of these, whole."""
        try:
            found = await read(store, key, bucket)
        except NoSuchKey:
            found = None
        assert found in allowed, f"{bucket}/{key} holds {_told(found)}, not {[_told(content) for content in allowed]}"
        self.checked += 1
        return found

    async def _check_upload(self, store: Store, name: str, upload: OpenUpload) -> None:
        """Either it is open with all its parts, and the old object stands; or its object does, whole."""
        begun, done = name in said(self.lines, "begun"), name in said(self.lines, "done")
        old = self.ledger.objects[upload.bucket, upload.key]
        new = [upload.content(upload.used)]
        if name in self.completed and self.every_part:
            new.append(upload.content(list(upload.parts)))
        settled = done or name in self.completed
        allowed = new if settled else [old, *new] if begun else [old]
        found = await self._hold(store, upload.bucket, upload.key, allowed)
        if found == old:
            assert await _is_open(store, upload), f"{name}: neither the upload nor its object is there"
            await self._check_parts(store, upload)
        else:
            assert not await _is_open(store, upload), f"{name}: the upload is open beside its object"
            version = (await store.objects.find(upload.bucket, upload.key)).version
            answers = [(line["version_id"], line["etag"]) for line in self.lines if line.get("done") == name]
            answers += [self.completed[name]] if name in self.completed else []
            assert all(answer == (version.version_id, version.etag) for answer in answers), f"{name}: {answers}"

    async def _complete_again(self, store: Store) -> None:
        """What a client does that got no answer: the object that is there, or now one; and always the same answer."""
        for name, upload in self.ledger.completing.items():
            was_open = await _is_open(store, upload)
            numbers = list(upload.parts) if self.every_part and was_open else upload.used
            answer = await complete(store, upload, numbers)
            assert await complete(store, upload, numbers) == answer
            self.completed[name] = answer
            await self._hold(store, upload.bucket, upload.key, [upload.content(numbers)])
            await self._check_upload(store, name, upload)

    async def _check_parts(self, store: Store, upload: OpenUpload) -> None:
        listing = await store.uploads.list_parts(upload.bucket, upload.key, upload.upload_id, limit=10_000)
        found = {part.number: (part.size, part.etag) for part in listing.parts}
        expected = {number: (len(data), md5(data)) for number, data in upload.parts.items()}
        assert found == expected, f"{upload.bucket}/{upload.key} has parts {found}, not {expected}"
        self.checked += len(found)

    async def _check_busy(self, store: Store) -> None:
        """What the writer beside the collector has acknowledged; of what it was about, the old or the new."""
        allowed: dict[str, list[bytes | None]] = {key: [None] for key, _ in BUSY}
        for number in (begun for begun in said(self.lines, "begun") if isinstance(begun, int)):
            key, content = BUSY[number]
            done = number in said(self.lines, "done")
            allowed[key] = [content] if done else [*allowed[key], content]
        for key, contents in allowed.items():
            await self._hold(store, "plain", key, contents)

    async def _check_ended(self, store: Store) -> None:
        """The upload that was aborted, and the bucket that was deleted: gone, or there with all that is theirs."""
        dropped = self.ledger.dropped
        assert dropped is not None
        if await _is_open(store, dropped):
            assert "abort" not in said(self.lines, "done")
            await self._check_parts(store, dropped)
        else:
            assert "abort" in said(self.lines, "begun")
        try:
            await store.buckets.get(self.ledger.late)
            assert "late" not in said(self.lines, "done")
            assert len((await store.listings.uploads(self.ledger.late, limit=10)).uploads) == 1
        except NoSuchBucket:
            assert "late" in said(self.lines, "begun")

    async def _check_clean(self, store: Store, root: Path) -> None:
        """Nothing is left to collect, the chunk files are those referred to, and the counters are right."""
        freed, removed = await store.collector.run(), await store.scrubber.remove_orphans()
        assert (freed, removed) == (0, 0), f"a second cycle frees {freed} entries and removes {removed} orphans"
        findings = await fsck(store.ctx, repair=False)
        assert findings == [], [str(finding) for finding in findings]
        there = {path.name for path in (root / "chunks").rglob("*") if path.is_file()}
        references = References(store.ctx.kv, there)
        await references.read()
        assert references.losses == [], references.losses
        assert there == references.chunks, f"files {there - references.chunks}, missing {references.chunks - there}"
        async with store.ctx.kv.snapshot() as snapshot:
            wrong = differences(await counters(snapshot), await recount(snapshot))
        assert wrong == [], wrong


async def _is_open(store: Store, upload: OpenUpload) -> bool:
    listing = await store.listings.uploads(upload.bucket, limit=1000)
    return upload.upload_id in {each.upload.upload_id for each in listing.uploads}


def _told(content: bytes | None) -> str:
    return "nothing" if content is None else f"{len(content)} bytes with MD5 {md5(content)}"
