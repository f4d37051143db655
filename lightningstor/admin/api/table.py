"""THE table of the admin API: a row for every endpoint. Routes, checks and the OpenAPI document are made from it."""

from __future__ import annotations

from typing import Final

from lightningstor.admin.api import about, buckets, shapes
from lightningstor.admin.api.endpoint import Access, Endpoint

__all__ = ["ENDPOINTS"]

GET, POST, PUT, PATCH, DELETE = "GET", "POST", "PUT", "PATCH", "DELETE"
_KNOWN: Final = Access.ANYONE_KNOWN

ENDPOINTS: Final = (
    Endpoint(
        "whoAmI",
        GET,
        "/whoami",
        "The caller.",
        about.who_am_i,
        answer=shapes.WhoAmI,
        access=_KNOWN,
    ),
    Endpoint(
        "getServer",
        GET,
        "/server",
        "Version, region and readiness of the daemon.",
        about.server_info,
        answer=shapes.ServerInfo,
    ),
    Endpoint(
        "listJobs",
        GET,
        "/jobs",
        "What runs in the background.",
        about.list_jobs,
        answer=shapes.JobList,
    ),
    Endpoint(
        "listBuckets",
        GET,
        "/buckets",
        "Buckets of an organisation or project.",
        buckets.list_buckets,
        query=shapes.BucketsQuery,
        answer=shapes.BucketList,
        access=_KNOWN,
    ),
    Endpoint(
        "createBucket",
        POST,
        "/buckets",
        "Make a bucket.",
        buckets.create_bucket,
        body=shapes.NewBucket,
        answer=shapes.BucketInfo,
        status=201,
        access=_KNOWN,
    ),
    Endpoint(
        "getBucket",
        GET,
        "/buckets/{bucket}",
        "A bucket with its usage.",
        buckets.get_bucket,
        answer=shapes.BucketInfo,
        access=_KNOWN,
    ),
    Endpoint(
        "changeBucket",
        PATCH,
        "/buckets/{bucket}",
        "Change versioning or tags of a bucket.",
        buckets.change_bucket,
        body=shapes.BucketChange,
        answer=shapes.BucketInfo,
        access=_KNOWN,
    ),
    Endpoint(
        "deleteBucket",
        DELETE,
        "/buckets/{bucket}",
        "Delete an empty bucket.",
        buckets.delete_bucket,
        status=204,
        access=_KNOWN,
    ),
    Endpoint(
        "listUploads",
        GET,
        "/buckets/{bucket}/uploads",
        "Open multipart uploads of a bucket.",
        buckets.list_uploads,
        query=shapes.UploadsQuery,
        answer=shapes.UploadList,
        access=_KNOWN,
    ),
    Endpoint(
        "abortUpload",
        DELETE,
        "/buckets/{bucket}/uploads/{upload_id}",
        "Abort a multipart upload and free its parts.",
        buckets.abort_upload,
        query=shapes.AbortQuery,
        status=204,
        access=_KNOWN,
    ),
)
