"""THE table: one row for every operation of S3.

The router, the authoriser, the metrics label, the audit name, what answers 501 and the compatibility page are all
derived from these rows. A row with DTOs is implemented by the handler of its name in `lightningstor.s3.handlers`.
`tests/s3/test_model_agreement.py` holds every row against botocore's model of S3.

Those about the configuration of buckets stand in `configuration_operations`.
`lightningstor.s3.wire.compatibility` makes the compatibility page of it.
"""

from __future__ import annotations

from typing import Final

from lightningstor.s3.wire import dto
from lightningstor.s3.wire.actions import (
    BUCKETS_CREATE,
    BUCKETS_DELETE,
    BUCKETS_GET,
    BUCKETS_LIST,
    BUCKETS_UPDATE,
    OBJECTS_COPY,
    OBJECTS_DELETE,
    OBJECTS_GET,
    OBJECTS_LIST,
    OBJECTS_PUT,
    UPLOADS_ABORT,
    UPLOADS_COMPLETE,
    UPLOADS_CREATE,
    UPLOADS_LIST,
)
from lightningstor.s3.wire.configuration_operations import CONFIGURATION
from lightningstor.s3.wire.operation import (
    DELETE,
    GET,
    HEAD,
    OPTIONS,
    POST,
    PUT,
    Body,
    NotConfigured,
    Operation,
    Scope,
)

__all__ = ["BY_NAME", "OPERATIONS", "Body", "Operation", "Scope"]

SERVICE: Final = Scope.SERVICE
BUCKET: Final = Scope.BUCKET
OBJECT: Final = Scope.OBJECT

# 1,000 keys of 1,024 bytes with an escape here and there; S3's own limit.
DELETE_BODY_LIMIT: Final = 2 << 20
# 10,000 parts with ETag and checksum, indented.
COMPLETE_BODY_LIMIT: Final = 4 << 20

_NO_OBJECT_LOCK: Final = NotConfigured("object-lock of object")

_IMPLEMENTED: Final[tuple[Operation, ...]] = (
    # The service
    Operation(
        "ListBuckets", GET, SERVICE, (), None, dto.ListBucketsRequest, dto.ListBucketsOutput,
        action=BUCKETS_LIST, iam_action="s3:ListAllMyBuckets",
    ),
    # Buckets
    Operation(
        "CreateBucket", PUT, BUCKET, (), None, dto.CreateBucketRequest, dto.CreateBucketOutput, Body.XML,
        action=BUCKETS_CREATE, iam_action="s3:CreateBucket",
    ),
    Operation(
        "HeadBucket", HEAD, BUCKET, (), None, dto.HeadBucketRequest, dto.HeadBucketOutput,
        action=BUCKETS_GET, iam_action="s3:ListBucket",
    ),
    Operation(
        "DeleteBucket", DELETE, BUCKET, (), None, dto.DeleteBucketRequest, None,
        action=BUCKETS_DELETE, iam_action="s3:DeleteBucket", success=204,
    ),
    Operation(
        "GetBucketLocation", GET, BUCKET, ("location",), None,
        dto.GetBucketLocationRequest, dto.GetBucketLocationOutput,
        action=BUCKETS_GET, iam_action="s3:GetBucketLocation",
    ),
    Operation(
        "GetBucketVersioning", GET, BUCKET, ("versioning",), None,
        dto.GetBucketVersioningRequest, dto.GetBucketVersioningOutput,
        action=BUCKETS_GET, iam_action="s3:GetBucketVersioning",
    ),
    Operation(
        "PutBucketVersioning", PUT, BUCKET, ("versioning",), None, dto.PutBucketVersioningRequest, None, Body.XML,
        action=BUCKETS_UPDATE, iam_action="s3:PutBucketVersioning", requires_checksum=True,
        note="MFA delete is refused.",
    ),
    Operation(
        "GetBucketLogging", GET, BUCKET, ("logging",), None, dto.GetBucketLoggingRequest, dto.GetBucketLoggingOutput,
        action=BUCKETS_GET, iam_action="s3:GetBucketLogging",
    ),
    Operation(
        "PutBucketLogging", PUT, BUCKET, ("logging",), None, dto.PutBucketLoggingRequest, None, Body.XML,
        action=BUCKETS_UPDATE, iam_action="s3:PutBucketLogging", requires_checksum=True,
        note="TargetGrants are refused: ACLs are disabled. Partitioned prefixes have the date of delivery.",
    ),
    Operation(
        "GetBucketTagging", GET, BUCKET, ("tagging",), None, dto.GetBucketTaggingRequest, dto.GetBucketTaggingOutput,
        action=BUCKETS_GET, iam_action="s3:GetBucketTagging",
    ),
    Operation(
        "PutBucketTagging", PUT, BUCKET, ("tagging",), None, dto.PutBucketTaggingRequest, None, Body.XML,
        action=BUCKETS_UPDATE, iam_action="s3:PutBucketTagging", success=204, requires_checksum=True,
    ),
    Operation(
        "DeleteBucketTagging", DELETE, BUCKET, ("tagging",), None, dto.DeleteBucketTaggingRequest, None,
        action=BUCKETS_UPDATE, iam_action="s3:PutBucketTagging", success=204,
    ),
    Operation(
        "GetBucketAcl", GET, BUCKET, ("acl",), None, dto.GetBucketAclRequest, dto.GetBucketAclOutput,
        action=BUCKETS_GET, iam_action="s3:GetBucketAcl", note="The owner has full control: ACLs are disabled.",
    ),
    # Listings
    Operation(
        "ListObjects", GET, BUCKET, (), None, dto.ListObjectsRequest, dto.ListObjectsOutput,
        action=OBJECTS_LIST, iam_action="s3:ListBucket",
    ),
    Operation(
        "ListObjectsV2", GET, BUCKET, ("list-type=2",), None, dto.ListObjectsV2Request, dto.ListObjectsV2Output,
        action=OBJECTS_LIST, iam_action="s3:ListBucket",
    ),
    Operation(
        "ListObjectVersions", GET, BUCKET, ("versions",), None,
        dto.ListObjectVersionsRequest, dto.ListObjectVersionsOutput,
        action=OBJECTS_LIST, iam_action="s3:ListBucketVersions",
    ),
    Operation(
        "ListMultipartUploads", GET, BUCKET, ("uploads",), None,
        dto.ListMultipartUploadsRequest, dto.ListMultipartUploadsOutput,
        action=UPLOADS_LIST, iam_action="s3:ListBucketMultipartUploads",
    ),
    # Objects
    Operation(
        "PutObject", PUT, OBJECT, (), None, dto.PutObjectRequest, dto.PutObjectOutput, Body.STREAM,
        action=OBJECTS_PUT, iam_action="s3:PutObject",
    ),
    Operation(
        "GetObject", GET, OBJECT, (), None, dto.GetObjectRequest, dto.GetObjectOutput,
        action=OBJECTS_GET, iam_action="s3:GetObject", version_iam_action="s3:GetObjectVersion",
    ),
    Operation(
        "HeadObject", HEAD, OBJECT, (), None, dto.HeadObjectRequest, dto.HeadObjectOutput,
        action=OBJECTS_GET, iam_action="s3:GetObject", version_iam_action="s3:GetObjectVersion",
    ),
    Operation(
        "DeleteObject", DELETE, OBJECT, (), None, dto.DeleteObjectRequest, dto.DeleteObjectOutput,
        action=OBJECTS_DELETE, iam_action="s3:DeleteObject", version_iam_action="s3:DeleteObjectVersion", success=204,
    ),
    Operation(
        "DeleteObjects", POST, BUCKET, ("delete",), None, dto.DeleteObjectsRequest, dto.DeleteObjectsOutput, Body.XML,
        body_limit=DELETE_BODY_LIMIT, action=OBJECTS_DELETE, iam_action="s3:DeleteObject",
        version_iam_action="s3:DeleteObjectVersion", requires_checksum=True,
    ),
    Operation(
        "CopyObject", PUT, OBJECT, (), "x-amz-copy-source", dto.CopyObjectRequest, dto.CopyObjectOutput,
        action=OBJECTS_COPY, iam_action="s3:PutObject",
    ),
    Operation(
        "GetObjectAttributes", GET, OBJECT, ("attributes",), None,
        dto.GetObjectAttributesRequest, dto.GetObjectAttributesOutput,
        action=OBJECTS_GET, iam_action="s3:GetObjectAttributes", version_iam_action="s3:GetObjectVersionAttributes",
    ),
    Operation(
        "GetObjectTagging", GET, OBJECT, ("tagging",), None, dto.GetObjectTaggingRequest, dto.GetObjectTaggingOutput,
        action=OBJECTS_GET, iam_action="s3:GetObjectTagging", version_iam_action="s3:GetObjectVersionTagging",
    ),
    Operation(
        "PutObjectTagging", PUT, OBJECT, ("tagging",), None,
        dto.PutObjectTaggingRequest, dto.PutObjectTaggingOutput, Body.XML,
        action=OBJECTS_PUT, iam_action="s3:PutObjectTagging",
        version_iam_action="s3:PutObjectVersionTagging", requires_checksum=True,
    ),
    Operation(
        "DeleteObjectTagging", DELETE, OBJECT, ("tagging",), None,
        dto.DeleteObjectTaggingRequest, dto.DeleteObjectTaggingOutput,
        action=OBJECTS_PUT, iam_action="s3:DeleteObjectTagging",
        version_iam_action="s3:DeleteObjectVersionTagging", success=204,
    ),
    Operation(
        "GetObjectAcl", GET, OBJECT, ("acl",), None, dto.GetObjectAclRequest, dto.GetObjectAclOutput,
        action=OBJECTS_GET, iam_action="s3:GetObjectAcl",
        version_iam_action="s3:GetObjectVersionAcl", note="The owner has full control: ACLs are disabled.",
    ),
    # Multipart uploads
    Operation(
        "CreateMultipartUpload", POST, OBJECT, ("uploads",), None,
        dto.CreateMultipartUploadRequest, dto.CreateMultipartUploadOutput,
        action=UPLOADS_CREATE, iam_action="s3:PutObject",
    ),
    Operation(
        "UploadPart", PUT, OBJECT, ("partNumber", "uploadId"), None,
        dto.UploadPartRequest, dto.UploadPartOutput, Body.STREAM,
        action=UPLOADS_CREATE, iam_action="s3:PutObject",
    ),
    Operation(
        "UploadPartCopy", PUT, OBJECT, ("partNumber", "uploadId"), "x-amz-copy-source",
        dto.UploadPartCopyRequest, dto.UploadPartCopyOutput,
        action=UPLOADS_CREATE, iam_action="s3:PutObject",
    ),
    Operation(
        "CompleteMultipartUpload", POST, OBJECT, ("uploadId",), None,
        dto.CompleteMultipartUploadRequest, dto.CompleteMultipartUploadOutput, Body.XML,
        body_limit=COMPLETE_BODY_LIMIT, action=UPLOADS_COMPLETE, iam_action="s3:PutObject",
    ),
    Operation(
        "AbortMultipartUpload", DELETE, OBJECT, ("uploadId",), None,
        dto.AbortMultipartUploadRequest, dto.AbortMultipartUploadOutput,
        action=UPLOADS_ABORT, iam_action="s3:AbortMultipartUpload", success=204,
    ),
    Operation(
        "ListParts", GET, OBJECT, ("uploadId",), None, dto.ListPartsRequest, dto.ListPartsOutput,
        action=UPLOADS_LIST, iam_action="s3:ListMultipartUploadParts",
    ),
)  # fmt: skip

_OBJECT_FEATURES: Final[tuple[Operation, ...]] = (
    Operation(
        "PutObjectAcl", PUT, OBJECT, ("acl",), body=Body.XML, action=OBJECTS_PUT, iam_action="s3:PutObjectAcl",
        version_iam_action="s3:PutObjectVersionAcl",
        requires_checksum=True, acl=True, note="ACLs are disabled: AccessControlListNotSupported.",
    ),
    Operation(
        "GetObjectLegalHold", GET, OBJECT, ("legal-hold",), action=OBJECTS_GET, iam_action="s3:GetObjectLegalHold",
        unconfigured=_NO_OBJECT_LOCK,
    ),
    Operation(
        "PutObjectLegalHold", PUT, OBJECT, ("legal-hold",), body=Body.XML, action=OBJECTS_PUT,
        iam_action="s3:PutObjectLegalHold", requires_checksum=True,
    ),
    Operation(
        "GetObjectRetention", GET, OBJECT, ("retention",), action=OBJECTS_GET, iam_action="s3:GetObjectRetention",
        unconfigured=_NO_OBJECT_LOCK,
    ),
    Operation(
        "PutObjectRetention", PUT, OBJECT, ("retention",), body=Body.XML, action=OBJECTS_PUT,
        iam_action="s3:PutObjectRetention", requires_checksum=True,
    ),
    Operation(
        "GetObjectTorrent", GET, OBJECT, ("torrent",), action=OBJECTS_GET, iam_action="s3:GetObjectTorrent",
        version_iam_action="s3:GetObjectVersionTorrent"
    ),
    Operation(
        "RestoreObject", POST, OBJECT, ("restore",), body=Body.XML, action=OBJECTS_PUT, iam_action="s3:RestoreObject"
    ),
    Operation(
        "SelectObjectContent", POST, OBJECT, ("select", "select-type=2"), body=Body.XML, action=OBJECTS_GET,
        iam_action="s3:GetObject", note="Closed to new customers of S3 as well.",
    ),
    Operation(
        "RenameObject", PUT, OBJECT, ("renameObject",), action=OBJECTS_PUT, iam_action="s3:PutObject",
        note="S3 has it for directory buckets only.",
    ),
    Operation(
        "UpdateObjectEncryption", PUT, OBJECT, ("encryption",), body=Body.XML, action=OBJECTS_PUT,
        iam_action="s3:UpdateObjectEncryption", requires_checksum=True,
    ),
    Operation(
        "GetObjectAnnotation", GET, OBJECT, ("annotation", "annotationName"), action=OBJECTS_GET,
        iam_action="s3:GetObjectAnnotation",
    ),
    Operation(
        "ListObjectAnnotations", GET, OBJECT, ("annotation",), action=OBJECTS_GET,
        iam_action="s3:ListObjectAnnotations",
    ),
    Operation(
        "PutObjectAnnotation", PUT, OBJECT, ("annotation", "annotationName"), body=Body.STREAM, action=OBJECTS_PUT,
        iam_action="s3:PutObjectAnnotation",
    ),
    Operation(
        "DeleteObjectAnnotation", DELETE, OBJECT, ("annotation", "annotationName"), action=OBJECTS_PUT,
        iam_action="s3:DeleteObjectAnnotation", success=204,
    ),
)  # fmt: skip

_ELSEWHERE: Final[tuple[Operation, ...]] = (
    Operation(
        "CreateSession", GET, BUCKET, ("session",), action=BUCKETS_GET, iam_action="s3express:CreateSession",
        note="S3 has it for directory buckets only.",
    ),
    Operation(
        "ListDirectoryBuckets", GET, SERVICE, action=BUCKETS_LIST, iam_action="s3express:ListAllMyDirectoryBuckets",
        elsewhere=True, note="S3 has it for directory buckets only.",
    ),
    Operation(
        "WriteGetObjectResponse", POST, SERVICE, body=Body.STREAM, action=OBJECTS_GET,
        iam_action="s3-object-lambda:WriteGetObjectResponse", elsewhere=True, note="Part of S3 Object Lambda.",
    ),
    # Not in botocore's model: what browsers send.
    Operation(
        "PostObject", POST, BUCKET, body=Body.STREAM, action=OBJECTS_PUT, iam_action="s3:PutObject",
        note="Uploads by HTML form.",
    ),
    *(
        Operation(
            name, OPTIONS, scope, action=action, iam_action="s3:GetBucketCORS", signed=False,
            unconfigured=NotConfigured("preflight"), note="No bucket allows cross-origin requests yet: 403.",
        )
        for name, scope, action in (
            ("OptionsBucket", BUCKET, BUCKETS_GET),
            ("OptionsObject", OBJECT, OBJECTS_GET),
        )
    ),
)  # fmt: skip

OPERATIONS: Final[tuple[Operation, ...]] = (
    *_IMPLEMENTED,
    *CONFIGURATION,
    *_OBJECT_FEATURES,
    *_ELSEWHERE,
)
BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
