"""What callers of the store hand over and get back: drafts, conditions, bodies, pages.

The operations themselves are methods of `lightningstor.store.store.Store`. Nothing here knows of S3, HTTP or gRPC.
What every PUT makes is a msgspec struct: a frozen attrs class takes 1 µs longer to make.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic, Protocol, TypeVar

from attrs import field, frozen
from msgspec import Struct

from lightningstor.chunks.api import Buffer
from lightningstor.errors import StoreError
from lightningstor.model.records import (
    Bucket,
    MultipartUpload,
    ObjectChecksum,
    ObjectVersion,
    Owner,
    UploadPart,
    VersionSummary,
)

__all__ = [
    "DEFAULT_CONTENT_TYPE",
    "BodySource",
    "CompletePart",
    "Deleted",
    "Deletion",
    "DirectSource",
    "ExpectedDigest",
    "Listing",
    "ObjectDraft",
    "Page",
    "PartSlice",
    "ReadPlan",
    "StoreLimits",
    "UploadDraft",
    "UploadSummary",
    "VersionEntry",
    "WriteConditions",
    "Written",
]

T = TypeVar("T")

DEFAULT_CONTENT_TYPE: Final = "binary/octet-stream"
"""What an object is taken for whose maker did not say, as in S3."""


@frozen
class StoreLimits:
    """Every limit of the store; sizes in bytes, times in milliseconds unless the name says otherwise."""

    max_object_size_bytes: int = 5 << 40
    max_put_size_bytes: int = 5 << 30
    min_part_size_bytes: int = 5 << 20
    max_part_size_bytes: int = 5 << 30
    max_parts: int = 10_000
    max_key_bytes: int = 1024
    max_metadata_bytes: int = 2048
    max_object_tags: int = 10
    max_bucket_tags: int = 50
    max_keys_per_list: int = 1000
    max_inline_bytes: int = 64 << 10
    max_buckets: int = 10_000
    upload_timeout_ms: int = 168 * 3_600_000
    completed_upload_kept_ms: int = 24 * 3_600_000
    gc_grace_ms: int = 60_000
    commit_deadline_ms: int = 10_000


class ExpectedDigest(Struct, frozen=True):
    """What the received bytes must hash to before they may be published.

    Args:
        algorithm: "md5", "sha1", "sha256", "sha512", "crc32", "crc32c" or "crc64nvme".
        digest: the raw digest (a CRC big-endian).
        mismatch: makes the error to raise out of the digest that was computed.
    """

    algorithm: str
    digest: bytes
    mismatch: Callable[[bytes], StoreError]


class BodySource(Protocol):
    """Content on its way in."""

    @property
    def size(self) -> int | None:
        """The announced length of the content in bytes, if one was announced."""
        ...

    @property
    def algorithms(self) -> Sequence[str]:
        """The digests that `expected` will speak of (known before the first byte)."""
        ...

    async def receive(self) -> Buffer:
        """The next piece, of any size; empty at the end. A view is good until the next call.

        Raises:
            StoreError: the content is broken (length, framing, a chunk's signature) or its sender has gone.
        """
        ...

    def expected(self) -> Sequence[ExpectedDigest]:
        """After the end: what the content must hash to."""
        ...


class DirectSource:
    """A BodySource that can receive into the store's own memory: saves a copy, and memory outside of the budget.

    A class to inherit from and no protocol: looking at every PUT whether it follows one costs 20 µs.
    """

    __slots__ = ()

    def receive_whole(self) -> bytes | None:
        """All the content, if it is here and nothing of it was received yet; None: the other ways have it.

        Raises:
            StoreError: as `BodySource.receive` does.
        """
        raise NotImplementedError

    def receive_now(self, room: memoryview) -> int:
        """Put the next content that has come into `room`, from its start; how many bytes. 0: call `wait_more` first.

        Raises:
            StoreError: as `BodySource.receive` does.
        """
        raise NotImplementedError

    async def wait_more(self) -> bool:
        """Wait until `receive_now` may have something. False: it never will; `BodySource.receive` has the rest.

        Raises:
            StoreError: as `BodySource.receive` does.
        """
        raise NotImplementedError


class ObjectDraft(Struct, frozen=True, gc=False):
    """Everything of a new object but its bytes.

    Args:
        checksum_algorithm: the S3 name of the checksum to compute and keep; None: CRC64NVME.
    """

    owner: Owner
    content_type: str | None = None
    headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    tags: dict[str, str] | None = None
    storage_class: str = "STANDARD"
    checksum_algorithm: str | None = None


@frozen
class UploadDraft:
    """Everything of a new multipart upload.

    Args:
        checksum_type: "COMPOSITE", "FULL_OBJECT" or None, which is the algorithm's default.
    """

    object: ObjectDraft
    checksum_type: str | None = None


class WriteConditions(Struct, frozen=True, gc=False):
    """What the key's current version must be when the write is published.

    Args:
        if_match: an ETag without quotes, or "*" (any object); a missing object is NoSuchKey.
        if_none_match: True: there must be no object (If-None-Match: *).
    """

    if_match: str | None = None
    if_none_match: bool = False


class Written(Struct, frozen=True, gc=False):
    """A published object version, and whether its bucket keeps versions (so that S3 shows the version id)."""

    bucket: Bucket
    version: ObjectVersion


@frozen
class Deleted:
    """What a delete did.

    Args:
        version_id: of the version removed, or of the delete marker made; as S3 shows it; None without versioning.
        delete_marker: a marker was made, or the version removed was one.
    """

    version_id: str | None = None
    delete_marker: bool = False


@frozen
class Deletion:
    """One of the objects of DeleteObjects.

    Args:
        if_match: as the client wrote it: an ETag or "*".
    """

    key: str
    version_id: str | None = None
    if_match: str | None = None


class ReadPlan(Struct, frozen=True, gc=False):
    """Which bytes to read: `length` from `offset`."""

    offset: int
    length: int


@frozen
class PartSlice:
    """Where part `number` of an object lies in it, of `count` parts in all; an object that is not multipart has 1."""

    number: int
    offset: int
    length: int
    count: int
    checksum: ObjectChecksum | None = None


@frozen
class Page(Generic[T]):
    """Some items in order, and whether more follow. Continue after the last one's name."""

    items: Sequence[T]
    truncated: bool


@frozen
class Listing:
    """A page of current objects and common prefixes, each ascending; together at most the limit.

    Args:
        objects: (key, version) pairs.
        prefixes: common prefixes.
        next_after: pass it as `after` to go on: a key, or a common prefix, and then all keys under it are passed over.
    """

    objects: Sequence[tuple[str, VersionSummary]]
    prefixes: Sequence[str]
    truncated: bool
    next_after: str | None


@frozen
class VersionEntry:
    """One version in ListObjectVersions."""

    key: str
    version: VersionSummary
    is_latest: bool


@frozen
class VersionListing:
    """A page of versions (keys ascending, newest first) and common prefixes."""

    versions: Sequence[VersionEntry]
    prefixes: Sequence[str]
    truncated: bool
    next_key: str | None
    next_version_id: str | None


@frozen
class UploadSummary:
    """An open upload in ListMultipartUploads."""

    key: str
    upload: MultipartUpload


@frozen
class UploadListing:
    """A page of open uploads (keys ascending, oldest first) and common prefixes."""

    uploads: Sequence[UploadSummary]
    prefixes: Sequence[str]
    truncated: bool
    next_key: str | None
    next_upload_id: str | None


@frozen
class PartListing:
    """A page of the parts of an open upload."""

    upload: MultipartUpload
    parts: Sequence[UploadPart]
    truncated: bool
    next_number: int | None


@frozen
class CompletePart:
    """A part as CompleteMultipartUpload names it; ETag without quotes; checksums by S3 algorithm name."""

    number: int
    etag: str
    checksums: dict[str, str] = field(factory=dict)
