"""Finding a bucket by name. On the way of every request, so decoded records are kept beside their rows."""

from __future__ import annotations

from attrs import frozen

from lightningstor.errors import NoSuchBucket
from lightningstor.kv.api import Kv, Row
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET
from lightningstor.model.records import Bucket
from lightningstor.store.naming import Naming

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

    def __init__(self, kv: Kv, naming: Naming, keep: int = 4096) -> None:
        self._kv = kv
        self.naming = naming
        self._keep = keep
        self._known: dict[str | bytes, Located] = {}

    async def locate(self, name: str) -> Located:
        """The bucket of that name, which is as `Naming.resolve` gave it.

        Raises:
            NoSuchBucket
        """
        place = self.naming.place(name) if self.naming.scoped else name
        known = self._known.get(place)
        if known is not None and self._kv.is_newest(known.name_row) and self._kv.is_newest(known.row):
            return known
        return await self._read(name, place, known)

    async def _read(self, name: str, place: str | bytes, known: Located | None) -> Located:
        kv = self._kv
        name_row = await kv.get(self.naming.name_row(name) if known is None else known.name_row.key)
        if name_row is None:
            self._known.pop(place, None)
            raise NoSuchBucket(name)
        if known is not None and known.name_row.revision == name_row.revision:
            row = await kv.get(known.row.key)
            if row is not None and row.revision == known.row.revision:
                return known
        else:
            row = await kv.get(self.naming.bucket_row(name, name_row))
        if row is None:
            self._known.pop(place, None)
            raise NoSuchBucket(name)
        bucket = BUCKET.decode(row.value, row.key)
        located = Located(bucket, row, name_row, keys.objects_of(bucket.org_id, bucket.bucket_id))
        if len(self._known) >= self._keep:
            self._known.clear()
        self._known[place] = located
        return located
