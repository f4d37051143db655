"""The methods of ObjectService and BucketService, and which of them may be repeated.

Repeatable is what leaves the same state when it is carried out twice (RFC 9110 §9.2.2): reads, and writes that set
something to what it then already is. A second PutObject or CopyObject makes a second version in a versioned bucket; a
second CreateBucket is refused as the caller's own, and a conditional write would fail on what it has itself written.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from lightningstor.client.channel import Method
from lightningstor.rpc.gen import bucket_service_pb2 as buckets
from lightningstor.rpc.gen import object_service_pb2 as objects
from lightningstor.rpc.gen import types_pb2 as types

__all__ = ["BUCKETS", "OBJECTS"]

BUCKETS: Final = "lightningstor.v1.BucketService"
OBJECTS: Final = "lightningstor.v1.ObjectService"


def always(_: Any) -> bool:
    """Repeating it does no harm."""
    return True


def never(_: Any) -> bool:
    """Repeating it may do something twice."""
    return False


def _unconditional(request: Any) -> bool:
    return not any(request.HasField(name) for name in ("if_match", "if_none_match"))


def _names_version(request: objects.DeleteObjectRequest) -> bool:
    """Without one, each delete in a versioned bucket makes a marker."""
    return request.HasField("version_id") and not request.HasField("if_match")


def _names_versions(request: objects.DeleteObjectsRequest) -> bool:
    return all(one.HasField("version_id") and not one.HasField("if_match") for one in request.objects)


PUT_OBJECT: Final = Method(f"{OBJECTS}/PutObject", objects.PutObjectResponse, never)
GET_OBJECT: Final = Method(f"{OBJECTS}/GetObject", objects.GetObjectResponse, always)
HEAD_OBJECT: Final = Method(f"{OBJECTS}/HeadObject", objects.HeadObjectResponse, always)
DELETE_OBJECT: Final = Method(f"{OBJECTS}/DeleteObject", objects.DeleteObjectResponse, _names_version)
DELETE_OBJECTS: Final = Method(f"{OBJECTS}/DeleteObjects", objects.DeleteObjectsResponse, _names_versions)
COPY_OBJECT: Final = Method(f"{OBJECTS}/CopyObject", objects.CopyObjectResponse, never)
LIST_OBJECTS: Final = Method(f"{OBJECTS}/ListObjects", objects.ListObjectsResponse, always)
LIST_OBJECT_VERSIONS: Final = Method(f"{OBJECTS}/ListObjectVersions", objects.ListObjectVersionsResponse, always)
CREATE_MULTIPART_UPLOAD: Final = Method(
    f"{OBJECTS}/CreateMultipartUpload", objects.CreateMultipartUploadResponse, never
)
UPLOAD_PART: Final = Method(f"{OBJECTS}/UploadPart", objects.UploadPartResponse, always)
COMPLETE_MULTIPART_UPLOAD: Final = Method(
    f"{OBJECTS}/CompleteMultipartUpload", objects.CompleteMultipartUploadResponse, _unconditional
)
ABORT_MULTIPART_UPLOAD: Final = Method(f"{OBJECTS}/AbortMultipartUpload", objects.AbortMultipartUploadResponse, always)
LIST_MULTIPART_UPLOADS: Final = Method(f"{OBJECTS}/ListMultipartUploads", objects.ListMultipartUploadsResponse, always)
LIST_PARTS: Final = Method(f"{OBJECTS}/ListParts", objects.ListPartsResponse, always)

CREATE_BUCKET: Final = Method(f"{BUCKETS}/CreateBucket", types.Bucket, never)
HEAD_BUCKET: Final = Method(f"{BUCKETS}/HeadBucket", buckets.HeadBucketResponse, always)
DELETE_BUCKET: Final = Method(f"{BUCKETS}/DeleteBucket", buckets.DeleteBucketResponse, never)
LIST_BUCKETS: Final = Method(f"{BUCKETS}/ListBuckets", buckets.ListBucketsResponse, always)
GET_BUCKET_VERSIONING: Final = Method(f"{BUCKETS}/GetBucketVersioning", types.VersioningConfig, always)
PUT_BUCKET_VERSIONING: Final = Method(f"{BUCKETS}/PutBucketVersioning", types.VersioningConfig, always)
GET_BUCKET_TAGGING: Final = Method(f"{BUCKETS}/GetBucketTagging", buckets.BucketTagging, always)
PUT_BUCKET_TAGGING: Final = Method(f"{BUCKETS}/PutBucketTagging", buckets.BucketTagging, always)
DELETE_BUCKET_TAGGING: Final = Method(f"{BUCKETS}/DeleteBucketTagging", Empty, always)
