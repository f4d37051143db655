"""Bodies to put, and short ways to put and read them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from lightningstor.chunks.api import Buffer
from lightningstor.model.records import ENABLED, Bucket, ObjectVersion, Owner
from lightningstor.store.api import ExpectedDigest, ObjectDraft, WriteConditions, Written
from lightningstor.store.store import Store

OWNER = Owner("tester", "c" * 64, "Tester")
OTHER = Owner("other", "d" * 64, "Other")


def random_bytes(size: int, seed: int = 0) -> bytes:
    """The same bytes for the same seed."""
    return random.Random(seed).randbytes(size)


class BytesBody:
    """A body that is there already, given out in pieces."""

    def __init__(
        self,
        data: bytes,
        *,
        piece: int = 1 << 16,
        announce: bool = True,
        expected: Sequence[ExpectedDigest] = (),
    ) -> None:
        self._data = data
        self._piece = piece
        self._at = 0
        self.size = len(data) if announce else None
        self.algorithms = [digest.algorithm for digest in expected]
        self._expected = expected

    async def receive(self) -> Buffer:
        piece = self._data[self._at : self._at + self._piece]
        self._at += len(piece)
        return piece

    def expected(self) -> Sequence[ExpectedDigest]:
        return self._expected


async def make_bucket(store: Store, name: str = "bucket", *, versioned: bool = False) -> Bucket:
    """A bucket of organisation "org"."""
    bucket = await store.buckets.create(name, OWNER, org_id="org", project_id=None, region="us-east-1")
    return await store.buckets.set_versioning(name, ENABLED) if versioned else bucket


async def put(
    store: Store, key: str, data: bytes = b"data", bucket: str = "bucket", conditions: WriteConditions | None = None
) -> Written:
    """Put an object."""
    draft = ObjectDraft(OWNER, content_type="text/plain")
    return await store.puts.put(bucket, key, draft, BytesBody(data), conditions or WriteConditions())


async def read(store: Store, key: str, bucket: str = "bucket", version_id: str | None = None) -> bytes:
    """An object's bytes, whole."""
    opened = await store.reads.open(bucket, key, version_id, lambda found: None)
    try:
        pieces = [bytes(opened.first)]
        while (piece := await opened.next()) is not None:
            pieces.append(bytes(piece))
    finally:
        await opened.aclose()
    return b"".join(pieces)


async def all_keys(store: Store, bucket: str = "bucket", page: int = 1000, **options: str) -> list[str]:
    """Every key that a listing in pages gives."""
    found: list[str] = []
    after = ""
    while True:
        listing = await store.listings.objects(bucket, limit=page, after=after, **options)
        found += [key for key, _ in listing.objects]
        if not listing.truncated:
            return found
        assert listing.next_after is not None
        after = listing.next_after


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


async def stored_versions(store: Store, bucket: str = "bucket") -> list[tuple[str, str, bool]]:
    """(key, shown version id, is it a marker) of everything that the bucket holds, in listing order."""
    listing = await store.listings.versions(bucket, limit=1000)
    return [(entry.key, entry.version.shown_id, entry.version.delete_marker) for entry in listing.versions]


def shown(version: ObjectVersion) -> str:
    return version.shown_id
