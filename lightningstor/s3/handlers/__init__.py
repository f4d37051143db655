"""One handler for every implemented row of the operation table.

A handler gets the call and the request's DTO, and gives the answer's DTO, or a `Reply` or `Streamed` of its own making.
The caller is authorised, the bucket found (`call.found`), the body not yet touched unless it is XML.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from lightningstor.s3.call import Call
from lightningstor.s3.handlers import (
    acl,
    attributes,
    bucket_logging,
    buckets,
    copying,
    deleting,
    listing,
    multipart,
    putting,
    reading,
    tagging,
)
from lightningstor.s3.respond import Reply, Streamed
from lightningstor.s3.wire.dto import Dto

__all__ = ["HANDLERS", "PATIENT", "Handler"]

# A request's class differs from handler to handler; the table pairs them, and a test that it does so rightly.
Handler = Callable[[Call, Any], Awaitable[Dto | Reply | Streamed | None]]

HANDLERS: Final[dict[str, Handler]] = {
    "AbortMultipartUpload": multipart.abort_multipart_upload,
    "CompleteMultipartUpload": multipart.complete_multipart_upload,
    "CopyObject": copying.copy_object,
    "CreateBucket": buckets.create_bucket,
    "CreateMultipartUpload": multipart.create_multipart_upload,
    "DeleteBucket": buckets.delete_bucket,
    "DeleteBucketTagging": buckets.delete_bucket_tagging,
    "DeleteObject": deleting.delete_object,
    "DeleteObjectTagging": tagging.delete_object_tagging,
    "DeleteObjects": deleting.delete_objects,
    "GetBucketAcl": acl.get_bucket_acl,
    "GetBucketLocation": buckets.get_bucket_location,
    "GetBucketLogging": bucket_logging.get_bucket_logging,
    "GetBucketTagging": buckets.get_bucket_tagging,
    "GetBucketVersioning": buckets.get_bucket_versioning,
    "GetObject": reading.get_object,
    "GetObjectAcl": acl.get_object_acl,
    "GetObjectAttributes": attributes.get_object_attributes,
    "GetObjectTagging": tagging.get_object_tagging,
    "HeadBucket": buckets.head_bucket,
    "HeadObject": reading.head_object,
    "ListBuckets": buckets.list_buckets,
    "ListMultipartUploads": multipart.list_multipart_uploads,
    "ListObjectVersions": listing.list_object_versions,
    "ListObjects": listing.list_objects,
    "ListObjectsV2": listing.list_objects_v2,
    "ListParts": multipart.list_parts,
    "PutBucketLogging": bucket_logging.put_bucket_logging,
    "PutBucketTagging": buckets.put_bucket_tagging,
    "PutBucketVersioning": buckets.put_bucket_versioning,
    "PutObject": putting.put_object,
    "PutObjectTagging": tagging.put_object_tagging,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": copying.upload_part_copy,
}

PATIENT: Final = frozenset({"CompleteMultipartUpload", "CopyObject", "UploadPartCopy"})
"""Operations that may take long; their answers begin with whitespace then (`respond.send_when_done`)."""
