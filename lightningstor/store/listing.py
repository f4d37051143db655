"""Listing: pages of objects, versions and open uploads, each page of one moment.

A page is cut by walking rows in order and, behind a common prefix, jumping over everything that it stands for.
"""

from __future__ import annotations

from attrs import define

from lightningstor.kv.api import KvReads, Row
from lightningstor.model import keys
from lightningstor.model.codec import MULTIPART_UPLOAD, OBJECT_VERSION, VERSION_SUMMARY
from lightningstor.model.records import Bucket, VersionSummary
from lightningstor.store.api import Listing, UploadListing, UploadSummary, VersionEntry, VersionListing
from lightningstor.store.catalog import BucketCatalog
from lightningstor.store.context import StoreContext

__all__ = ["Listings"]

_BATCH_MAX = 1000


class _Cursor:
    """Rows of one key space in order, fetched in batches, with jumps."""

    def __init__(self, reads: KvReads, start: bytes, end: bytes, batch: int) -> None:
        self._reads = reads
        self._start = start
        self._end = end
        self._batch = batch
        self._rows: list[Row] = []
        self._next = 0
        self._exhausted = False

    async def peek(self) -> Row | None:
        """The row under the cursor; None behind the last."""
        while self._next >= len(self._rows):
            if self._exhausted or self._start >= self._end:
                return None
            self._rows = await self._reads.scan(self._start, self._end, self._batch)
            self._next = 0
            self._exhausted = len(self._rows) < self._batch
            if self._rows:
                self._start = self._rows[-1].key + b"\0"
        return self._rows[self._next]

    def advance(self) -> None:
        self._next += 1

    def jump(self, target: bytes) -> None:
        """Go on at the first row whose key is `target` or greater."""
        rows = self._rows
        if rows and rows[-1].key >= target:
            while rows[self._next].key < target:
                self._next += 1
            return
        self._next = len(rows)
        self._start = max(self._start, target)


def _common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """The part of the key up to the first delimiter behind the prefix, with it."""
    if not delimiter:
        return None
    at = key.find(delimiter, len(prefix))
    return None if at < 0 else key[: at + len(delimiter)]


def _first_after(base: bytes, prefix: str, delimiter: str, after: str) -> bytes:
    """Where a page that continues behind `after` begins; a common prefix is passed over with all that it holds."""
    start = base + keys.escape(prefix)
    if not after or after < prefix:
        return start
    if _common_prefix(after, prefix, delimiter) == after and after.startswith(prefix):
        return keys.end_of(base + keys.escape(after))
    return max(start, base + keys.escape(after) + b"\0")


@define
class Listings:
    """The listing operations of one store."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def objects(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int
    ) -> Listing:
        """Current objects whose key begins with `prefix` and is greater than `after`, by key.

        Raises:
            NoSuchBucket
        """
        located = (await self.catalog.locate(bucket)).bucket
        if limit <= 0:
            return Listing((), (), truncated=False, next_after=None)
        base = keys.objects_of(located.org_id, located.bucket_id)
        end = keys.end_of(base + keys.escape(prefix))
        start = _first_after(base, prefix, delimiter, after)
        objects: list[tuple[str, VersionSummary]] = []
        prefixes: list[str] = []
        batch = min(limit + 1, _BATCH_MAX + 1)
        last = ""
        decode, decode_all = VERSION_SUMMARY.decode, VERSION_SUMMARY.decode_all
        cut = len(base)
        async with self.ctx.kv.snapshot() as snapshot:
            while start < end:
                rows = await snapshot.scan(start, end, batch)
                jump = b""
                # Behind a common prefix rows are passed over unread; without a delimiter all are wanted.
                versions = None if delimiter else decode_all([(row.value, row.key) for row in rows])
                for index, row in enumerate(rows):
                    row_key = row.key
                    if row_key < jump:
                        continue
                    version = decode(row.value, row_key) if versions is None else versions[index]
                    if version.delete_marker:
                        continue
                    component = row_key[cut:]
                    key = component.decode() if b"\0" not in component else keys.unescape(component)
                    if len(objects) + len(prefixes) >= limit:
                        return Listing(objects, prefixes, truncated=True, next_after=last)
                    common = _common_prefix(key, prefix, delimiter) if delimiter else None
                    if common is None:
                        objects.append((key, version))
                        last = key
                    else:
                        prefixes.append(common)
                        last = common
                        jump = keys.end_of(base + keys.escape(common))
                if len(rows) < batch:
                    break
                start = max(rows[-1].key + b"\0", jump)
        return Listing(objects, prefixes, truncated=False, next_after=None)

    async def versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        version_id_marker: str | None = None,
        limit: int,
    ) -> VersionListing:
        """Versions and delete markers: keys ascending, newest first; the current one is the first of its key.

        Args:
            key_marker: only keys greater than this one; with `version_id_marker`, also what follows that version of it.
        """
        located = (await self.catalog.locate(bucket)).bucket
        if limit <= 0:
            return VersionListing((), (), truncated=False, next_key=None, next_version_id=None)
        async with self.ctx.kv.snapshot() as snapshot:
            merged = await _VersionsMerged.open(
                snapshot, located, prefix, delimiter, key_marker, version_id_marker, min(limit + 1, _BATCH_MAX)
            )
            found: list[VersionEntry] = []
            prefixes: list[str] = []
            while (entry := await merged.next()) is not None:
                if len(found) + len(prefixes) >= limit:
                    return VersionListing(found, prefixes, True, *merged.last)
                common = _common_prefix(entry.key, prefix, delimiter)
                if common is None:
                    found.append(entry)
                    merged.last = (entry.key, entry.version.shown_id)
                else:
                    prefixes.append(common)
                    merged.last = (common, None)
                    merged.jump(common)
            return VersionListing(found, prefixes, truncated=False, next_key=None, next_version_id=None)

    async def uploads(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        upload_id_marker: str | None = None,
        limit: int,
    ) -> UploadListing:
        """Open uploads: keys ascending, oldest first. Markers as in `versions`."""
        located = (await self.catalog.locate(bucket)).bucket
        if limit <= 0:
            return UploadListing((), (), truncated=False, next_key=None, next_upload_id=None)
        base = keys.upload_indexes_of(located.bucket_id)
        start = _first_after(base, prefix, delimiter, key_marker)
        if key_marker and upload_id_marker is not None:
            start = max(base + keys.escape(prefix), keys.upload_index(located.bucket_id, key_marker, upload_id_marker))
            start += b"\0"
        elif key_marker and start == keys.upload_index_of(located.bucket_id, key_marker):
            start = keys.end_of_key(start)
        async with self.ctx.kv.snapshot() as snapshot:
            cursor = _Cursor(snapshot, start, keys.end_of(base + keys.escape(prefix)), min(limit + 1, _BATCH_MAX))
            found: list[tuple[str, str]] = []
            prefixes: list[str] = []
            last: tuple[str | None, str | None] = (None, None)
            truncated = False
            while (row := await cursor.peek()) is not None:
                if len(found) + len(prefixes) >= limit:
                    truncated = True
                    break
                key, upload_id = keys.split_version(row.key, base)
                common = _common_prefix(key, prefix, delimiter)
                if common is None:
                    found.append((key, upload_id))
                    last = (key, upload_id)
                    cursor.advance()
                else:
                    prefixes.append(common)
                    last = (common, None)
                    cursor.jump(keys.end_of(base + keys.escape(common)))
            rows = await snapshot.get_many([keys.upload(upload_id) for _, upload_id in found])
        uploads = [
            UploadSummary(key, MULTIPART_UPLOAD.decode(row.value, row.key))
            for (key, _), row in zip(found, rows, strict=True)
            if row is not None
        ]
        return UploadListing(uploads, prefixes, truncated, *(last if truncated else (None, None)))


class _VersionsMerged:
    """The rows of both spaces as one stream: of each key the current version, then the others, newest first."""

    def __init__(self, current: _Cursor, older: _Cursor, current_base: bytes, older_base: bytes) -> None:
        self._current = current
        self._older = older
        self._current_base = current_base
        self._older_base = older_base
        self.last: tuple[str | None, str | None] = (None, None)

    @classmethod
    async def open(
        cls,
        reads: KvReads,
        bucket: Bucket,
        prefix: str,
        delimiter: str,
        key_marker: str,
        version_id_marker: str | None,
        batch: int,
    ) -> _VersionsMerged:
        bases = (keys.objects_of(bucket.org_id, bucket.bucket_id), keys.versions_of(bucket.org_id, bucket.bucket_id))
        current_start, older_start = (_first_after(base, prefix, delimiter, key_marker) for base in bases)
        if key_marker:
            behind_key = keys.end_of_key(keys.versions_of_key(bucket.org_id, bucket.bucket_id, key_marker))
            if older_start <= behind_key:
                older_start = behind_key
                if version_id_marker is not None:
                    older_start = await _behind_version(reads, bucket, key_marker, version_id_marker)
        ends = [keys.end_of(base + keys.escape(prefix)) for base in bases]
        return cls(_Cursor(reads, current_start, ends[0], batch), _Cursor(reads, older_start, ends[1], batch), *bases)

    async def next(self) -> VersionEntry | None:
        current, older = await self._current.peek(), await self._older.peek()
        if current is None and older is None:
            return None
        current_name = None if current is None else current.key[len(self._current_base) :]
        older_name = None if older is None else older.key[len(self._older_base) :].rpartition(b"\0")[0]
        if current is not None and current_name is not None and (older_name is None or current_name <= older_name):
            self._current.advance()
            version = VERSION_SUMMARY.decode(current.value, current.key)
            return VersionEntry(keys.unescape(current_name), version, is_latest=True)
        assert older is not None
        assert older_name is not None
        self._older.advance()
        return VersionEntry(keys.unescape(older_name), VERSION_SUMMARY.decode(older.value, older.key), is_latest=False)

    def jump(self, common: str) -> None:
        """Pass over all keys that begin with `common`."""
        self._current.jump(keys.end_of(self._current_base + keys.escape(common)))
        self._older.jump(keys.end_of(self._older_base + keys.escape(common)))


async def _behind_version(reads: KvReads, bucket: Bucket, key: str, version_id: str) -> bytes:
    """Where the non-current versions that follow the one named begin: all of the key's, if that is the current one."""
    scope = (bucket.org_id, bucket.bucket_id, key)
    row = await reads.get(keys.object_current(*scope))
    if row is not None and OBJECT_VERSION.decode(row.value, row.key).shown_id == version_id:
        return keys.versions_of_key(*scope)
    if version_id == "null":
        pointer = await reads.get(keys.null_pointer(*scope))
        if pointer is None:
            return keys.end_of_key(keys.versions_of_key(*scope))
        version_id = pointer.value.decode()
    return keys.version(*scope, version_id) + b"\0"
