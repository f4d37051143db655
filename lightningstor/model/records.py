"""The records that the metadata store holds (SPEC.md §3, DESIGN.md §4).

Stored as JSON by `model.codec`; frozen. They are msgspec structs and not attrs classes, since those keep the order of
their fields, leave defaults out and decode in less than half the time (a LIST decodes 1,000). Every stored record
begins with `v`, its format number, which has no default. None can be part of a cycle, so the collector need not look
at them (`gc=False`). To change one: `msgspec.structs.replace`. Times are
milliseconds since the Unix epoch, sizes bytes. `version_id` is always the internal, time-ordered id; S3 shows
"null" where `is_null` is set.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from lightningstor.model.chunk_ref import ChunkRef

__all__ = [
    "DISABLED",
    "ENABLED",
    "SUSPENDED",
    "BodyRef",
    "Bucket",
    "BucketHolders",
    "BucketLogging",
    "BucketName",
    "BucketQuota",
    "CompletedUpload",
    "GcEntry",
    "Manifest",
    "MultipartUpload",
    "ObjectChecksum",
    "ObjectVersion",
    "Owner",
    "PartEntry",
    "PartList",
    "QuotaRecord",
    "StorageLimits",
    "UploadPart",
    "VersionSummary",
]

DISABLED: Final = "Disabled"
ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"


class Owner(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who made something: the principal, and what S3 shows of it."""

    principal_id: str
    canonical_id: str
    display_name: str


class BucketQuota(Struct, frozen=True, omit_defaults=True, gc=False):
    """Limits of one bucket; None: no limit."""

    max_size_bytes: int | None = None
    max_objects: int | None = None


class StorageLimits(Struct, frozen=True, omit_defaults=True, gc=False):
    """Limits of an organisation or a project (SPEC.md §7.4); None: no limit.

    Args:
        max_buckets: buckets; an organisation's projects' count in it.
        max_total_size_bytes: bytes of all its buckets together, each counted as the bucket's usage counts it.
        max_objects_per_bucket: versions that are no delete markers, in each of its buckets.
        max_object_size_bytes: of each object.
    """

    max_buckets: int | None = None
    max_total_size_bytes: int | None = None
    max_objects_per_bucket: int | None = None
    max_object_size_bytes: int | None = None


class QuotaRecord(Struct, frozen=True, omit_defaults=True, gc=False):
    """The limits that were set for an organisation, or for a project of it."""

    v: int
    org_id: str
    project_id: str | None
    limits: StorageLimits


class BucketLogging(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where a bucket's server access logs go.

    Args:
        target_bucket: its name.
        target_prefix: what the delivered objects' keys begin with.
        partitioned: None: the prefix is followed by the time; "DeliveryTime": by account, region, bucket and its date.
    """

    target_bucket: str
    target_prefix: str
    partitioned: str | None = None


class Bucket(Struct, frozen=True, omit_defaults=True, gc=False):
    """A bucket. `deleting_boot`: DeleteBucket is looking whether it is empty, if `StoreContext.in_force` says so."""

    v: int
    bucket_id: str
    name: str
    org_id: str
    project_id: str | None
    versioning: str
    created_at: int
    updated_at: int
    created_by: Owner
    region: str
    storage_class: str = "STANDARD"
    quota: BucketQuota | None = None
    metadata: dict[str, str] | None = None
    tags: dict[str, str] | None = None
    deleting_boot: int | None = None
    logging: BucketLogging | None = None


class BucketName(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who holds a globally unique bucket name."""

    v: int
    org_id: str
    project_id: str | None


class BucketHolders(Struct, frozen=True, omit_defaults=True, gc=False):
    """Who holds a name within an organisation: it itself, or some of its projects."""

    v: int
    organisation: bool = False
    projects: tuple[str, ...] = ()


class ObjectChecksum(Struct, frozen=True, omit_defaults=True, gc=False):
    """A checksum as S3 shows it: `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1`, `SHA256`…; base64, with `-N` if COMPOSITE."""

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"


class BodyRef(Struct, frozen=True, omit_defaults=True, gc=False):
    """Where an object's or a part's bytes lie.

    Args:
        data_id: their name, 16 hex digits.
        layout: "inline": one row under `data/`; "chunks": the manifest lists chunks; "parts": it lists parts.
        crc: for "inline", CRC32C over the data id and the bytes, 8 hex digits.
        starts: offset of the first byte of each manifest segment.
    """

    data_id: str
    layout: str
    crc: str | None = None
    starts: tuple[int, ...] = ()


class ObjectVersion(Struct, frozen=True, omit_defaults=True, gc=False):
    """One version of an object, or a delete marker (which has no body, and size 0).

    Args:
        etag: hex MD5, or `md5-of-md5s-N`; without quotes.
        headers: the standard headers kept with it, lowercase names: content-encoding, cache-control…
        parts_count: N of a multipart object; None otherwise.
    """

    v: int
    version_id: str
    is_null: bool
    size: int
    etag: str
    created_at: int
    owner: Owner
    storage_class: str = "STANDARD"
    delete_marker: bool = False
    content_type: str | None = None
    headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    tags: dict[str, str] | None = None
    checksum: ObjectChecksum | None = None
    body: BodyRef | None = None
    parts_count: int | None = None

    @property
    def shown_id(self) -> str:
        """The version id that S3 shows."""
        return "null" if self.is_null else self.version_id


class VersionSummary(Struct, frozen=True, omit_defaults=True, gc=False):
    """What a listing needs of an `ObjectVersion`: decoded from the same row, the rest skipped."""

    v: int
    version_id: str
    is_null: bool
    size: int
    etag: str
    created_at: int
    storage_class: str = "STANDARD"
    delete_marker: bool = False
    checksum: ObjectChecksum | None = None

    @property
    def shown_id(self) -> str:
        """The version id that S3 shows."""
        return "null" if self.is_null else self.version_id


class Manifest(Struct, frozen=True, omit_defaults=True, gc=False):
    """One segment of a large body: its chunks in order, offsets counted from the body's first byte."""

    v: int
    chunks: tuple[ChunkRef, ...]


class PartEntry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One part of a completed multipart object, in its part list."""

    number: int
    offset: int
    size: int
    etag: str
    body: BodyRef | None
    checksum: ObjectChecksum | None = None


class PartList(Struct, frozen=True, omit_defaults=True, gc=False):
    """One segment of a multipart object's list of parts."""

    v: int
    parts: tuple[PartEntry, ...]


class UploadPart(Struct, frozen=True, omit_defaults=True, gc=False):
    """One uploaded part of an upload that is not completed (SPEC.md §3.4)."""

    v: int
    number: int
    etag: str
    size: int
    uploaded_at: int
    body: BodyRef | None
    checksum: ObjectChecksum | None = None


class CompletedUpload(Struct, frozen=True, omit_defaults=True, gc=False):
    """What CompleteMultipartUpload answered, kept a day so that a retried one gets the same."""

    version_id: str
    is_null: bool
    etag: str
    size: int
    checksum: ObjectChecksum | None


class MultipartUpload(Struct, frozen=True, omit_defaults=True, gc=False):
    """A multipart upload.

    Args:
        status: "InProgress", "Completing", "Completed" or "Aborted".
        completing_boot: it is being completed, if `StoreContext.in_force` says so.
        part_list: while completing, the data id of the list of parts that is being written.
    """

    v: int
    upload_id: str
    bucket_id: str
    bucket: str
    key: str
    org_id: str
    project_id: str | None
    initiated_at: int
    initiated_by: Owner
    storage_class: str = "STANDARD"
    content_type: str | None = None
    headers: dict[str, str] | None = None
    metadata: dict[str, str] | None = None
    tags: dict[str, str] | None = None
    checksum_algorithm: str | None = None
    checksum_type: str | None = None
    status: str = "InProgress"
    completing_boot: int | None = None
    part_list: str | None = None
    finished_at: int | None = None
    result: CompletedUpload | None = None


class GcEntry(Struct, frozen=True, omit_defaults=True, gc=False):
    """Something to free. `kind` "data": the body; "upload": the parts of an ended upload; "bucket": its open uploads.

    Args:
        composed: for an upload that was completed, the body whose part list names the parts to keep.
        refund: whether the parts' bytes still count in the bucket's usage.
    """

    v: int
    kind: str
    body: BodyRef | None = None
    upload_id: str | None = None
    composed: BodyRef | None = None
    refund: bool = False
    org_id: str | None = None
    project_id: str | None = None
    bucket_id: str | None = None
