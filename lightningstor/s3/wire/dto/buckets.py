"""Requests and answers about buckets."""

from __future__ import annotations

from collections.abc import Sequence

from lightningstor.s3.wire.dto.members import (
    INTEGER,
    TEXT,
    TIMESTAMP,
    Dto,
    choice,
    header,
    payload,
    query,
    refuse,
    refuse_grant,
    root_text,
    struct,
    wrapped,
    xml,
)
from lightningstor.s3.wire.dto.shared import (
    ACL_GRANTS,
    CHECKSUM_ALGORITHM,
    MFA,
    REQUEST_PAYER,
    BucketRequest,
    ObjectRequest,
    Owner,
    Tag,
    Tagging,
)

__all__ = [
    "Bucket",
    "BucketLoggingStatus",
    "CreateBucketConfiguration",
    "CreateBucketOutput",
    "CreateBucketRequest",
    "DeleteBucketRequest",
    "DeleteBucketTaggingRequest",
    "GetBucketAclOutput",
    "GetBucketAclRequest",
    "GetBucketLocationOutput",
    "GetBucketLocationRequest",
    "GetBucketLoggingOutput",
    "GetBucketLoggingRequest",
    "GetBucketTaggingOutput",
    "GetBucketTaggingRequest",
    "GetBucketVersioningOutput",
    "GetBucketVersioningRequest",
    "GetObjectAclOutput",
    "GetObjectAclRequest",
    "Grant",
    "Grantee",
    "HeadBucketOutput",
    "HeadBucketRequest",
    "ListBucketsOutput",
    "ListBucketsRequest",
    "LoggingEnabled",
    "PartitionedPrefix",
    "PutBucketLoggingRequest",
    "PutBucketTaggingRequest",
    "PutBucketVersioningRequest",
    "SimplePrefix",
    "TargetObjectKeyFormat",
    "VersioningConfiguration",
]


class ListBucketsRequest(Dto):
    """ListBuckets."""

    max_buckets: int | None = query("max-buckets", INTEGER)
    continuation_token: str | None = query("continuation-token")
    prefix: str | None = query("prefix")
    bucket_region: str | None = query("bucket-region")


class Bucket(Dto):
    """One bucket of a list. `creation_date` in milliseconds."""

    name: str | None = xml("Name")
    creation_date: int | None = xml("CreationDate", TIMESTAMP)
    bucket_region: str | None = xml("BucketRegion")
    bucket_arn: str | None = xml("BucketArn")


class ListBucketsOutput(Dto):
    """The caller's buckets, by name."""

    root = "ListAllMyBucketsResult"
    owner: Owner | None = struct("Owner", Owner)
    buckets: Sequence[Bucket] | None = wrapped("Buckets", "Bucket", Bucket)
    prefix: str | None = xml("Prefix")
    continuation_token: str | None = xml("ContinuationToken")


class CreateBucketConfiguration(Dto):
    """Where a new bucket goes, and its tags. What makes directory buckets is refused."""

    location_constraint: str | None = xml("LocationConstraint")
    tags: tuple[Tag, ...] | None = wrapped("Tags", "Tag", Tag)
    refused = (refuse("Location"), refuse("Bucket"))


class CreateBucketRequest(Dto):
    """CreateBucket."""

    bucket: str
    create_bucket_configuration: CreateBucketConfiguration | None = payload(
        "CreateBucketConfiguration", CreateBucketConfiguration
    )
    refused = (
        *ACL_GRANTS,
        refuse_grant("x-amz-grant-write"),
        refuse("x-amz-bucket-object-lock-enabled", "false"),
        # A new bucket is what the harmless values say.
        refuse("x-amz-object-ownership", "bucketownerenforced"),
        refuse("x-amz-bucket-namespace", "global"),
    )


class CreateBucketOutput(Dto):
    """`location` is the bucket's path."""

    location: str | None = header("Location")
    bucket_arn: str | None = header("x-amz-bucket-arn")


class HeadBucketRequest(BucketRequest):
    """HeadBucket."""


class HeadBucketOutput(Dto):
    """`bucket_region` is told on every answer about a bucket."""

    bucket_arn: str | None = header("x-amz-bucket-arn")
    bucket_region: str | None = header("x-amz-bucket-region")


class DeleteBucketRequest(BucketRequest):
    """DeleteBucket."""


class GetBucketLocationRequest(BucketRequest):
    """GetBucketLocation."""


class GetBucketLocationOutput(Dto):
    """The bucket's region; None for us-east-1, as an empty element."""

    root = "LocationConstraint"
    location_constraint: str | None = root_text()


class GetBucketVersioningRequest(BucketRequest):
    """GetBucketVersioning."""


class GetBucketVersioningOutput(Dto):
    """`status` is Enabled or Suspended, or None while versioning was never enabled."""

    root = "VersioningConfiguration"
    status: str | None = xml("Status", choice("Enabled", "Suspended"))


class VersioningConfiguration(Dto):
    """Versioning, to be set. MFA delete is refused."""

    status: str | None = xml("Status", choice("Enabled", "Suspended"))
    refused = (refuse("MfaDelete", "disabled"),)


class PutBucketVersioningRequest(BucketRequest):
    """PutBucketVersioning."""

    content_md5: str | None = header("Content-MD5")
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    versioning_configuration: VersioningConfiguration = payload(
        "VersioningConfiguration", VersioningConfiguration, required=True
    )
    refused = MFA


class GetBucketLoggingRequest(BucketRequest):
    """GetBucketLogging."""


class SimplePrefix(Dto):
    """Keys of delivered logs: the prefix, then the time."""


class PartitionedPrefix(Dto):
    """Keys of delivered logs: the prefix, then account, region, bucket and date."""

    partition_date_source: str | None = xml("PartitionDateSource", choice("EventTime", "DeliveryTime"))


class TargetObjectKeyFormat(Dto):
    """One of the two."""

    simple_prefix: SimplePrefix | None = struct("SimplePrefix", SimplePrefix)
    partitioned_prefix: PartitionedPrefix | None = struct("PartitionedPrefix", PartitionedPrefix)


class LoggingEnabled(Dto):
    """Where access logs go. Grants are refused: ACLs are disabled."""

    target_bucket: str = xml("TargetBucket", required=True)
    target_prefix: str = xml("TargetPrefix", required=True)
    target_object_key_format: TargetObjectKeyFormat | None = struct("TargetObjectKeyFormat", TargetObjectKeyFormat)
    refused = (refuse("TargetGrants"),)


class BucketLoggingStatus(Dto):
    """Empty: access logs go nowhere."""

    logging_enabled: LoggingEnabled | None = struct("LoggingEnabled", LoggingEnabled)


class GetBucketLoggingOutput(Dto):
    """Where access logs go; empty: nowhere."""

    root = "BucketLoggingStatus"
    logging_enabled: LoggingEnabled | None = struct("LoggingEnabled", LoggingEnabled)


class PutBucketLoggingRequest(BucketRequest):
    """PutBucketLogging."""

    content_md5: str | None = header("Content-MD5")
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    bucket_logging_status: BucketLoggingStatus = payload("BucketLoggingStatus", BucketLoggingStatus, required=True)


class GetBucketTaggingRequest(BucketRequest):
    """GetBucketTagging."""


class GetBucketTaggingOutput(Dto):
    """The bucket's tags."""

    root = "Tagging"
    tag_set: Sequence[Tag] = wrapped("TagSet", "Tag", Tag, required=True)


class PutBucketTaggingRequest(BucketRequest):
    """PutBucketTagging."""

    content_md5: str | None = header("Content-MD5")
    checksum_algorithm: str | None = header("x-amz-sdk-checksum-algorithm", CHECKSUM_ALGORITHM)
    tagging: Tagging = payload("Tagging", Tagging, required=True)


class DeleteBucketTaggingRequest(BucketRequest):
    """DeleteBucketTagging."""


class Grantee(Dto):
    """Who a grant is for."""

    type: str = xml(
        "xsi:type", choice("CanonicalUser", "AmazonCustomerByEmail", "Group"), required=True, attribute=True
    )
    id: str | None = xml("ID")
    display_name: str | None = xml("DisplayName")
    email_address: str | None = xml("EmailAddress")
    uri: str | None = xml("URI")


class Grant(Dto):
    """One grant of an ACL."""

    grantee: Grantee | None = struct("Grantee", Grantee)
    permission: str | None = xml("Permission", choice("FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP"))


class GetBucketAclRequest(BucketRequest):
    """GetBucketAcl."""


class GetBucketAclOutput(Dto):
    """The bucket's ACL."""

    root = "AccessControlPolicy"
    owner: Owner | None = struct("Owner", Owner)
    grants: Sequence[Grant] | None = wrapped("AccessControlList", "Grant", Grant)


class GetObjectAclRequest(ObjectRequest):
    """GetObjectAcl."""

    version_id: str | None = query("versionId", TEXT)
    request_payer: str | None = header("x-amz-request-payer", REQUEST_PAYER)


class GetObjectAclOutput(Dto):
    """The object's ACL."""

    root = "AccessControlPolicy"
    owner: Owner | None = struct("Owner", Owner)
    grants: Sequence[Grant] | None = wrapped("AccessControlList", "Grant", Grant)
