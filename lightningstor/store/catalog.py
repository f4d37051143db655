"""Finding a bucket by name. On the way of every request, so decoded records are kept beside their rows."""

from __future__ import annotations

from attrs import frozen

from lightningstor.errors import NoSuchBucket
from lightningstor.kv.api import Kv, Row
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET, BUCKET_NAME
from lightningstor.model.records import Bucket

__all__ = ["BucketCatalog", "Located"]


@frozen(eq=False)
class Located:
    """A bucket, the row it was decoded from, and the row that gives its name to it.

    Args:
        objects: the prefix of its current versions' keys.
    """

    bucket: Bucket
    row: Row
    name_row: Row
    objects: bytes

    def object_key(self, key: str) -> bytes:
        """The row of the key's current version."""
        return self.objects + keys.escape(key)


class BucketCatalog:
    """Buckets by name. A decoded record is used again as long as its rows are the newest."""

    def __init__(self, kv: Kv, keep: int = 4096) -> None:
        self._kv = kv
        self._keep = keep
        self._known: dict[str, Located] = {}

    async def locate(self, name: str) -> Located:
        """The bucket of that name.

        Raises:
            NoSuchBucket
        """
        known = self._known.get(name)
        if known is not None and self._kv.is_newest(known.name_row) and self._kv.is_newest(known.row):
            return known
        return await self._read(name, known)

    async def _read(self, name: str, known: Located | None) -> Located:
        kv = self._kv
        name_row = await kv.get(keys.bucket_by_name(name) if known is None else known.name_row.key)
        if name_row is None:
            self._known.pop(name, None)
            raise NoSuchBucket(name)
        if known is not None and known.name_row.revision == name_row.revision:
            row = await kv.get(known.row.key)
            if row is not None and row.revision == known.row.revision:
                return known
        else:
            holder = BUCKET_NAME.decode(name_row.value, name_row.key)
            row = await kv.get(keys.bucket(holder.org_id, holder.project_id, name))
        if row is None:
            self._known.pop(name, None)
            raise NoSuchBucket(name)
        bucket = BUCKET.decode(row.value, row.key)
        located = Located(bucket, row, name_row, keys.objects_of(bucket.org_id, bucket.bucket_id))
        if len(self._known) >= self._keep:
            self._known.clear()
        self._known[name] = located
        return located
