"""What the admin API takes and gives. Times are milliseconds since the Unix epoch, sizes bytes.

Unknown fields are refused, so that a misspelt one is never lost; a listing's `next` is what the next page's `after` is.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "Answer",
    "BucketInfo",
    "BucketList",
    "BucketQuery",
    "BucketsQuery",
    "JobInfo",
    "JobList",
    "Moment",
    "NewBucket",
    "PageQuery",
    "Problem",
    "ProblemDetail",
    "Request",
    "ServerInfo",
    "UploadInfo",
    "UploadList",
    "Versioning",
    "WhoAmI",
    "Whole",
    "Words",
]

Versioning = Literal["Disabled", "Enabled", "Suspended"]
Limit = Annotated[int, Meta(ge=1, le=1000, description="Entries of one page.")]
Moment = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="Milliseconds since the Unix epoch.")]
"""Until the end of the year 9999, which is as far as clocks of clients can tell."""
Whole = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Words = Annotated[str, Meta(max_length=256)]
"""For people to read."""
Tags = dict[str, str]


class Request(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Base of what a client sends."""


class Answer(Struct, kw_only=True):
    """Base of what a client gets."""


class ProblemDetail(Answer):
    """What went wrong. `code` is S3's where S3 has one."""

    code: str
    message: str
    request_id: str


class Problem(Answer):
    """An error."""

    error: ProblemDetail


class PageQuery(Request):
    """Which page of a listing."""

    after: str = ""
    limit: Limit = 1000


class WhoAmI(Answer):
    """The caller."""

    id: str
    org: str
    project: str | None
    display_name: str
    canonical_id: str
    admin: bool


class ServerInfo(Answer):
    """The daemon."""

    version: str
    region: str
    ready: bool
    reasons: dict[str, str]


class BucketsQuery(PageQuery):
    """Which buckets; by default those that the caller sees."""

    org: str | None = None
    project: str | None = None
    prefix: str = ""


class NewBucket(Request):
    """A bucket to make. Without `org` it is made in the caller's scope."""

    name: str
    org: str | None = None
    project: str | None = None
    versioning: Versioning = "Disabled"
    tags: Tags | None = None


class BucketChange(Request):
    """What to change; what is left out stays."""

    versioning: Literal["Enabled", "Suspended"] | None = None
    tags: Tags | None = None


class BucketInfo(Answer):
    """A bucket. `objects` and `bytes` count all versions; `bytes` the parts of open uploads too."""

    name: str
    org: str
    project: str | None
    versioning: Versioning
    region: str
    created_at: int
    created_by: str
    tags: Tags
    objects: int
    bytes: int


class BucketList(Answer):
    """A page of buckets, by name."""

    items: list[BucketInfo]
    next: str | None


class BucketQuery(Request):
    """Whose bucket it is, by default the caller's own. Where names are scoped, it says which one is meant."""

    org: str | None = None
    project: str | None = None


class UploadsQuery(PageQuery):
    """Which uploads: those of keys that begin with `prefix`. `after` is a key; `after_upload` an upload of it."""

    prefix: str = ""
    after_upload: str | None = None
    org: str | None = None
    project: str | None = None


class UploadInfo(Answer):
    """A multipart upload that is not completed."""

    upload_id: str
    bucket: str
    key: str
    initiated_at: int
    initiated_by: str
    storage_class: str


class UploadList(Answer):
    """A page of open uploads, by key, oldest first."""

    items: list[UploadInfo]
    next: str | None
    next_upload: str | None


class AbortQuery(BucketQuery, kw_only=True):
    """The key of the upload to abort."""

    key: str


class JobInfo(Answer):
    """A background job: what it does now, or what it did last."""

    name: str
    state: str
    period_s: float


class JobList(Answer):
    """All background jobs."""

    items: list[JobInfo]
