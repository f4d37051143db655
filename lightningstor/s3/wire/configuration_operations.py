"""The rows of the operation table that are about a bucket's configuration, of which a bucket has none yet.

Reading one gets what S3 answers where nothing is configured; setting one is 501; there is nothing to remove.
"""

from __future__ import annotations

from typing import Any, Final

from lightningstor.s3.wire.actions import BUCKETS_GET, BUCKETS_UPDATE
from lightningstor.s3.wire.operation import DELETE, GET, POST, PUT, Body, Fixed, NotConfigured, Operation, Scope

__all__ = ["CONFIGURATION"]

BUCKET: Final = Scope.BUCKET

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


def _empty(root: str, content: str = "") -> Fixed:
    """An answer with this root element and this in it."""
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return Fixed(f'{declaration}<{root} xmlns="{_NAMESPACE}">{content}</{root}>'.encode())


_GONE: Final = Fixed(status=204)
_NO_CONFIGURATION: Final = NotConfigured("configuration")
_NO_METADATA_TABLE: Final = NotConfigured("metadataConfiguration")
_LAST_PAGE: Final = "<IsTruncated>false</IsTruncated>"


def _read(name: str, query: str, iam: str, unconfigured: NotConfigured | Fixed | None, **more: Any) -> Operation:
    """A row that reads a bucket's configuration, which no bucket has yet."""
    return Operation(name, GET, BUCKET, (query,), action=BUCKETS_GET, iam_action=iam, unconfigured=unconfigured, **more)


def _write(name: str, query: str, iam: str, *, checksum: bool = True, method: str = PUT, **more: Any) -> Operation:
    """A row that sets a bucket's configuration: not implemented, whatever it says."""
    return Operation(
        name,
        method,
        BUCKET,
        (query,),
        body=Body.XML,
        action=BUCKETS_UPDATE,
        iam_action=iam,
        requires_checksum=checksum,
        **more,
    )


def _remove(name: str, query: str, iam: str) -> Operation:
    """A row that removes a bucket's configuration. There is none, so it is gone, as was asked: S3 answers 204."""
    return Operation(
        name, DELETE, BUCKET, (query,), action=BUCKETS_UPDATE, iam_action=iam, success=204, unconfigured=_GONE
    )


_BUCKET_CONFIGURATION: Final[tuple[Operation, ...]] = (
    Operation(
        "PutBucketAcl", PUT, BUCKET, ("acl",), body=Body.XML, action=BUCKETS_UPDATE, iam_action="s3:PutBucketAcl",
        requires_checksum=True, acl=True, note="ACLs are disabled: AccessControlListNotSupported.",
    ),
    _read("GetBucketAbac", "abac", "s3:GetBucketAbac", _empty("AbacStatus", "<Status>Disabled</Status>")),
    _write("PutBucketAbac", "abac", "s3:PutBucketAbac", checksum=False),
    _read(
        "GetBucketAccelerateConfiguration", "accelerate", "s3:GetAccelerateConfiguration",
        _empty("AccelerateConfiguration"),
    ),
    _write("PutBucketAccelerateConfiguration", "accelerate", "s3:PutAccelerateConfiguration", checksum=False),
    _read("GetBucketCors", "cors", "s3:GetBucketCORS", NotConfigured("cors")),
    _write("PutBucketCors", "cors", "s3:PutBucketCORS"),
    _remove("DeleteBucketCors", "cors", "s3:PutBucketCORS"),
    _read("GetBucketEncryption", "encryption", "s3:GetEncryptionConfiguration", NotConfigured("encryption")),
    _write("PutBucketEncryption", "encryption", "s3:PutEncryptionConfiguration"),
    _remove("DeleteBucketEncryption", "encryption", "s3:PutEncryptionConfiguration"),
    _read(
        "GetBucketLifecycleConfiguration", "lifecycle", "s3:GetLifecycleConfiguration", NotConfigured("lifecycle")
    ),
    _read(
        "GetBucketLifecycle", "lifecycle", "s3:GetLifecycleConfiguration", NotConfigured("lifecycle"),
        superseded_by="GetBucketLifecycleConfiguration",
    ),
    _write("PutBucketLifecycleConfiguration", "lifecycle", "s3:PutLifecycleConfiguration"),
    _write(
        "PutBucketLifecycle", "lifecycle", "s3:PutLifecycleConfiguration",
        superseded_by="PutBucketLifecycleConfiguration",
    ),
    _remove("DeleteBucketLifecycle", "lifecycle", "s3:PutLifecycleConfiguration"),
    _read(
        "GetBucketNotificationConfiguration", "notification", "s3:GetBucketNotification",
        _empty("NotificationConfiguration"),
    ),
    _read(
        "GetBucketNotification", "notification", "s3:GetBucketNotification", _empty("NotificationConfiguration"),
        superseded_by="GetBucketNotificationConfiguration",
    ),
    _write("PutBucketNotificationConfiguration", "notification", "s3:PutBucketNotification", checksum=False),
    _write(
        "PutBucketNotification", "notification", "s3:PutBucketNotification",
        superseded_by="PutBucketNotificationConfiguration",
    ),
    _read("GetObjectLockConfiguration", "object-lock", "s3:GetBucketObjectLockConfiguration",
          NotConfigured("object-lock")),
    _write("PutObjectLockConfiguration", "object-lock", "s3:PutBucketObjectLockConfiguration"),
    _read(
        "GetBucketOwnershipControls", "ownershipControls", "s3:GetBucketOwnershipControls",
        NotConfigured("ownershipControls"),
    ),
    _write("PutBucketOwnershipControls", "ownershipControls", "s3:PutBucketOwnershipControls"),
    _remove("DeleteBucketOwnershipControls", "ownershipControls", "s3:PutBucketOwnershipControls"),
    _read("GetBucketPolicy", "policy", "s3:GetBucketPolicy", NotConfigured("policy")),
    Operation(
        "PutBucketPolicy", PUT, BUCKET, ("policy",), body=Body.RAW, action=BUCKETS_UPDATE,
        iam_action="s3:PutBucketPolicy", success=204, requires_checksum=True,
    ),
    _remove("DeleteBucketPolicy", "policy", "s3:DeleteBucketPolicy"),
    _read("GetBucketPolicyStatus", "policyStatus", "s3:GetBucketPolicyStatus", NotConfigured("policy")),
    _read(
        "GetPublicAccessBlock", "publicAccessBlock", "s3:GetBucketPublicAccessBlock",
        NotConfigured("publicAccessBlock"),
    ),
    _write("PutPublicAccessBlock", "publicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    _remove("DeletePublicAccessBlock", "publicAccessBlock", "s3:PutBucketPublicAccessBlock"),
    _read("GetBucketReplication", "replication", "s3:GetReplicationConfiguration", NotConfigured("replication")),
    _write("PutBucketReplication", "replication", "s3:PutReplicationConfiguration"),
    _remove("DeleteBucketReplication", "replication", "s3:PutReplicationConfiguration"),
    _read(
        "GetBucketRequestPayment", "requestPayment", "s3:GetBucketRequestPayment",
        _empty("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>"),
    ),
    _write("PutBucketRequestPayment", "requestPayment", "s3:PutBucketRequestPayment"),
    _read("GetBucketWebsite", "website", "s3:GetBucketWebsite", NotConfigured("website")),
    _write("PutBucketWebsite", "website", "s3:PutBucketWebsite"),
    _remove("DeleteBucketWebsite", "website", "s3:DeleteBucketWebsite"),
)  # fmt: skip


def _numbered(stem: str, query: str, iam: str, result: str) -> tuple[Operation, ...]:
    """The four rows of a configuration that a bucket may have several of, by id."""
    one = (query, "id")
    return (
        Operation(
            f"GetBucket{stem}Configuration", GET, BUCKET, one, action=BUCKETS_GET, iam_action=f"s3:Get{iam}",
            unconfigured=_NO_CONFIGURATION,
        ),
        _read(f"ListBucket{stem}Configurations", query, f"s3:Get{iam}", _empty(result, _LAST_PAGE)),
        Operation(
            f"PutBucket{stem}Configuration", PUT, BUCKET, one, body=Body.XML, action=BUCKETS_UPDATE,
            iam_action=f"s3:Put{iam}",
        ),
        Operation(
            f"DeleteBucket{stem}Configuration", DELETE, BUCKET, one, action=BUCKETS_UPDATE,
            iam_action=f"s3:Put{iam}", success=204, unconfigured=_NO_CONFIGURATION,
        ),
    )  # fmt: skip


_NUMBERED_CONFIGURATION: Final[tuple[Operation, ...]] = (
    *_numbered("Analytics", "analytics", "AnalyticsConfiguration", "ListBucketAnalyticsConfigurationsResult"),
    *_numbered(
        "IntelligentTiering", "intelligent-tiering", "IntelligentTieringConfiguration",
        "ListBucketIntelligentTieringConfigurationsResult",
    ),
    *_numbered("Inventory", "inventory", "InventoryConfiguration", "ListInventoryConfigurationsResult"),
    *_numbered("Metrics", "metrics", "MetricsConfiguration", "ListMetricsConfigurationsResult"),
)  # fmt: skip

_METADATA_TABLES: Final[tuple[Operation, ...]] = (
    _write(
        "CreateBucketMetadataConfiguration", "metadataConfiguration", "s3:CreateBucketMetadataTableConfiguration",
        method=POST,
    ),
    _read(
        "GetBucketMetadataConfiguration", "metadataConfiguration", "s3:GetBucketMetadataTableConfiguration",
        _NO_METADATA_TABLE,
    ),
    _remove(
        "DeleteBucketMetadataConfiguration", "metadataConfiguration", "s3:DeleteBucketMetadataTableConfiguration"
    ),
    _write(
        "CreateBucketMetadataTableConfiguration", "metadataTable", "s3:CreateBucketMetadataTableConfiguration",
        method=POST,
    ),
    _read(
        "GetBucketMetadataTableConfiguration", "metadataTable", "s3:GetBucketMetadataTableConfiguration",
        _NO_METADATA_TABLE,
    ),
    _remove(
        "DeleteBucketMetadataTableConfiguration", "metadataTable", "s3:DeleteBucketMetadataTableConfiguration"
    ),
    _write(
        "UpdateBucketMetadataAnnotationTableConfiguration", "metadataAnnotationTable",
        "s3:UpdateBucketMetadataAnnotationTableConfiguration",
    ),
    _write(
        "UpdateBucketMetadataInventoryTableConfiguration", "metadataInventoryTable",
        "s3:UpdateBucketMetadataInventoryTableConfiguration",
    ),
    _write(
        "UpdateBucketMetadataJournalTableConfiguration", "metadataJournalTable",
        "s3:UpdateBucketMetadataJournalTableConfiguration",
    ),
)  # fmt: skip

CONFIGURATION: Final = (*_BUCKET_CONFIGURATION, *_NUMBERED_CONFIGURATION, *_METADATA_TABLES)
