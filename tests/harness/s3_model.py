"""What an S3 bucket holds and lists, in plain dictionaries: what S3 says, not what the store does.

Sources: S3 API reference of each operation; S3 User Guide, "How S3 Versioning works" and "Adding objects to
versioning-suspended buckets".
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias, TypeVar

from attrs import define, evolve, field, frozen

__all__ = [
    "ENABLED",
    "NULL",
    "SUSPENDED",
    "Content",
    "Draft",
    "Facts",
    "Picture",
    "S3Model",
    "Upload",
    "Version",
    "pages_of",
]

ENABLED, SUSPENDED = "Enabled", "Suspended"
NULL = "null"

T = TypeVar("T")
Facts: TypeAlias = tuple[str, int, str, dict[str, str], dict[str, str]]
"""Of an object: ETag, size, SHA-256, metadata, tags."""


@frozen
class Content:
    """Bytes that are made of (seed, size) pairs, so that a long history takes little memory."""

    pieces: tuple[tuple[int, int], ...] = ()

    def __bytes__(self) -> bytes:
        return b"".join(_piece(seed, size) for seed, size in self.pieces)

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(size for _, size in self.pieces)

    @property
    def digest(self) -> str:
        """Of all bytes."""
        return hashlib.sha256(bytes(self)).hexdigest()

    @property
    def md5(self) -> str:
        """The ETag of an object that was put whole, and of a part."""
        return hashlib.md5(bytes(self)).hexdigest()


@lru_cache(maxsize=64)
def _piece(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@frozen
class Draft:
    """An object without its place."""

    content: Content
    metadata: dict[str, str] = field(factory=dict)
    tags: dict[str, str] = field(factory=dict)
    etag: str = field()

    @etag.default
    def _plain(self) -> str:
        return self.content.md5


@frozen
class Version:
    """A version of a key; without an object it is a delete marker. The id is None until it has been learnt."""

    id: str | None
    draft: Draft | None


@frozen
class Upload:
    """An open multipart upload. The id is None until it has been learnt."""

    id: str | None
    key: str
    draft: Draft
    parts: dict[int, Content] = field(factory=dict)

    def composed(self, numbers: Iterable[int]) -> Draft:
        """The object that these parts make."""
        chosen = [self.parts[number] for number in sorted(numbers)]
        digests = b"".join(bytes.fromhex(part.md5) for part in chosen)
        etag = f"{hashlib.md5(digests).hexdigest()}-{len(chosen)}"
        content = Content(tuple(piece for part in chosen for piece in part.pieces))
        return Draft(content, self.draft.metadata, self.draft.tags, etag)


@frozen
class Picture:
    """All that can be seen of a bucket.

    Args:
        versioning: "" where it was never set.
        versions: (key, id, whether it is the latest, None for a marker), as they are listed.
        uploads: (key, id, parts as (number, ETag, size)), as they are listed.
    """

    versioning: str
    versions: Sequence[tuple[str, str | None, bool, Facts | None]]
    uploads: Sequence[tuple[str, str | None, Sequence[tuple[int, str, int]]]]


@define
class S3Model:
    """One bucket. Of each key the newest version comes first."""

    versioning: str = ""
    keys: dict[str, list[Version]] = field(factory=dict)
    uploads: list[Upload] = field(factory=list)

    def copy(self) -> S3Model:
        """Another that changes by itself."""
        return S3Model(self.versioning, {key: list(of) for key, of in self.keys.items()}, list(self.uploads))

    def current(self, key: str) -> Draft | None:
        """The object that a GET of the key gives; None: there is none, or a delete marker is current."""
        versions = self.keys.get(key)
        return versions[0].draft if versions else None

    def put(self, key: str, draft: Draft | None, version_id: str | None) -> None:
        """A new current version, or a delete marker. The id counts where versioning is enabled."""
        older = self.keys.get(key, [])
        if self.versioning == ENABLED:
            self.keys[key] = [Version(version_id, draft), *older]
        else:
            self.keys[key] = [Version(NULL, draft), *(version for version in older if version.id != NULL)]

    def delete(self, key: str, marker_id: str | None) -> None:
        """DeleteObject without a version id."""
        if self.versioning:
            self.put(key, None, marker_id)
        else:
            self.keys.pop(key, None)

    def delete_version(self, key: str, version_id: str) -> None:
        """DeleteObject of a version; of one that is not there: nothing."""
        left = [version for version in self.keys.get(key, []) if version.id != version_id]
        self.keys[key] = left
        if not left:
            del self.keys[key]

    def version(self, key: str, version_id: str | None) -> Version | None:
        """The version of that id; without an id the current one."""
        versions = self.keys.get(key, [])
        return next((one for one in versions if version_id in (None, one.id)), None)

    def version_id(self, key: str, index: int) -> str | None:
        """The id of the key's version at that place; beyond the last the id of some other key's, if there is one."""
        ids = [version.id for version in self.keys.get(key, [])]
        others = [version.id for of in self.keys.values() for version in of if version.id not in (NULL, *ids)]
        return [*ids, *others[:1]][index] if index < len(ids) + len(others[:1]) else None

    def set_tags(self, key: str, version_id: str | None, tags: dict[str, str]) -> None:
        """Put or delete the tags of an object that is there."""
        versions = self.keys[key]
        for index, one in enumerate(versions):
            if version_id in (None, one.id):
                assert one.draft is not None
                versions[index] = evolve(one, draft=evolve(one.draft, tags=tags))
                return

    def change_upload(self, upload: Upload, changed: Upload | None) -> None:
        """Give an open upload another part; None: it is open no longer."""
        at = next(index for index, one in enumerate(self.uploads) if one.id == upload.id)
        self.uploads[at : at + 1] = [] if changed is None else [changed]

    def objects(self) -> list[tuple[str, Draft]]:
        """Current objects in the order of a listing: that of UTF-8, which is Python's order of strings."""
        return [(key, draft) for key in sorted(self.keys) if (draft := self.current(key)) is not None]

    def versions(self) -> list[tuple[str, tuple[Version, bool]]]:
        """Versions and markers in the order of a listing, each with whether it is the latest."""
        return [
            (key, (version, index == 0)) for key in sorted(self.keys) for index, version in enumerate(self.keys[key])
        ]

    def open_uploads(self) -> list[tuple[str, Upload]]:
        """Open uploads in the order of a listing: by key, then by age."""
        return [(upload.key, upload) for upload in sorted(self.uploads, key=lambda upload: upload.key)]

    def picture(self) -> Picture:
        """All that must be seen of the bucket."""
        return Picture(
            self.versioning,
            [(key, one.id, latest, _facts(one.draft)) for key, (one, latest) in self.versions()],
            [
                (key, one.id, [(number, one.parts[number].md5, one.parts[number].size) for number in sorted(one.parts)])
                for key, one in self.open_uploads()
            ],
        )

    def learn(self, seen: Picture) -> bool:
        """Whether the bucket can be the one that was seen; ids that were not known are taken from there."""
        expected = self.picture()
        if (len(expected.versions), len(expected.uploads)) != (len(seen.versions), len(seen.uploads)):
            return False
        for (key, version_id, *_), (_, seen_id, *_) in zip(expected.versions, seen.versions, strict=True):
            if version_id is None and seen_id != NULL:
                self.keys[key] = [evolve(one, id=one.id or seen_id) for one in self.keys[key]]
        for (_, upload), (_, seen_id, _) in zip(self.open_uploads(), seen.uploads, strict=True):
            if upload.id is None:
                self.change_upload(upload, evolve(upload, id=seen_id))
        return self.picture() == seen


def _facts(draft: Draft | None) -> Facts | None:
    if draft is None:
        return None
    return draft.etag, draft.content.size, draft.content.digest, draft.metadata, draft.tags


def pages_of(
    entries: Iterable[tuple[str, T]], prefix: str, delimiter: str, size: int
) -> list[list[tuple[str, T | None]]]:
    """The pages of a listing: what has the prefix; names that go on alike up to a delimiter are one entry, None."""
    found: list[tuple[str, T | None]] = []
    for name, entry in entries:
        if not name.startswith(prefix):
            continue
        head, hit, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
        if not hit:
            found.append((name, entry))
        elif (common := (prefix + head + hit, None)) not in found:
            found.append(common)
    return [found[at : at + size] for at in range(0, len(found), size)] or [[]]
