"""Finding a version of an object, and what stands in its place where there is none."""

from __future__ import annotations

from attrs import define
from msgspec import Struct
from msgspec.structs import replace

from lightningstor.errors import (
    CurrentIsDeleteMarker,
    InvalidVersionId,
    NoSuchKey,
    NoSuchVersion,
    VersionIsDeleteMarker,
)
from lightningstor.kv.api import Applied, Check, KvReads, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import OBJECT_VERSION, encode
from lightningstor.model.records import Bucket, ObjectVersion
from lightningstor.store.catalog import BucketCatalog, Located
from lightningstor.store.context import StoreContext, commit
from lightningstor.store.ids import is_id
from lightningstor.store.publish import Attempts, decode_current, is_deleting
from lightningstor.store.tags import check_object_tags

__all__ = ["Finder", "Found", "resolve_version"]


class Found(Struct, frozen=True, gc=False):
    """A version and the bucket it lies in."""

    bucket: Bucket
    version: ObjectVersion


async def resolve_version(
    kv: KvReads, bucket: Bucket, key: str, version_id: str, current_row: Row | None
) -> tuple[ObjectVersion | None, Row | None]:
    """The version that a caller names ("null" or an id), and its row: the current one or one of the others.

    Raises:
        InvalidVersionId: the text is none of ours.
    """
    current = decode_current(current_row)
    if current is not None and version_id == current.shown_id:
        return current, current_row
    if version_id == "null":
        pointer = await kv.get(keys.null_pointer(bucket.org_id, bucket.bucket_id, key))
        if pointer is None:
            return None, None
        internal_id = pointer.value.decode()
    elif is_id(version_id):
        internal_id = version_id
    else:
        raise InvalidVersionId(version_id)
    row = await kv.get(keys.version(bucket.org_id, bucket.bucket_id, key, internal_id))
    if row is None:
        return None, None
    version = OBJECT_VERSION.decode(row.value, row.key)
    if version.shown_id != version_id:  # the internal id of a null version is nobody's business
        return None, None
    return version, row


@define
class Finder:
    """Reads of records, without bytes."""

    ctx: StoreContext
    catalog: BucketCatalog

    async def find(self, bucket: str | Located, key: str, version_id: str | None = None) -> Found:
        """The current version, or the one named.

        Args:
            bucket: its name; or the bucket itself where it was located just before, for the same request.

        Raises:
            NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidVersionId
            CurrentIsDeleteMarker: the key is deleted. VersionIsDeleteMarker: the version named is a marker.
        """
        located = bucket if isinstance(bucket, Located) else await self.catalog.locate(bucket)
        if version_id is None:
            return _current(located, key, await self.ctx.kv.get(located.object_key(key)))
        found, _ = await self._find_row(located, key, version_id)
        return found

    async def _find_row(self, located: Located, key: str, version_id: str | None) -> tuple[Found, Row]:
        bucket = located.bucket
        row = await self.ctx.kv.get(located.object_key(key))
        if version_id is None:
            found = _current(located, key, row)
            assert row is not None
            return found, row
        named, named_row = await resolve_version(self.ctx.kv, bucket, key, version_id, row)
        if named is None or named_row is None:
            raise NoSuchVersion(bucket.name, key, version_id)
        if named.delete_marker:
            raise VersionIsDeleteMarker(bucket.name, key, named.shown_id, named.created_at)
        return Found(bucket, named), named_row

    async def set_tags(self, bucket: str, key: str, version_id: str | None, tags: dict[str, str] | None) -> Found:
        """Replace an object version's tags; None removes them. The version keeps its id and time.

        Raises:
            As `find`; InvalidTag, Contention.
        """
        if tags:
            check_object_tags(tags, self.ctx.limits)
        attempts = Attempts(self.ctx, f"{bucket}/{key}")
        while True:
            located = await self.catalog.locate(bucket)
            if not is_deleting(self.ctx, located.bucket):
                found, row = await self._find_row(located, key, version_id)
                new = replace(found.version, tags=tags or None)
                outcome = await commit(
                    self.ctx.kv,
                    Txn(
                        [Check(located.row.key, located.row.revision), Check(row.key, row.revision)],
                        [Put(row.key, encode(new))],
                    ),
                )
                if isinstance(outcome, Applied):
                    return Found(located.bucket, new)
            await attempts.pause()


def _current(located: Located, key: str, row: Row | None) -> Found:
    """What the row of a key's current version holds."""
    if row is None:
        raise NoSuchKey(located.bucket.name, key)
    version = OBJECT_VERSION.decode(row.value, row.key)
    if version.delete_marker:
        raise CurrentIsDeleteMarker(located.bucket.name, key, version.shown_id)
    return Found(located.bucket, version)
