"""What an S3 endpoint needs to know about itself; the daemon fills it from the configuration."""

from __future__ import annotations

import enum

from attrs import field, frozen

__all__ = ["AccessLogLimits", "S3Settings", "SignatureV2"]


@frozen
class AccessLogLimits:
    """When lines of server access logs are delivered, and how many may wait.

    Args:
        interval_s: the oldest line waits no longer than this.
        object_bytes: lines of one bucket beyond which they are delivered at once.
        waiting_bytes: lines of all buckets; what comes beyond is dropped and counted.
    """

    interval_s: float = 300.0
    object_bytes: int = 1 << 20
    waiting_bytes: int = 64 << 20


class SignatureV2(enum.Enum):
    """Where the old signatures are taken: boto3 and s3cmd still presign with them at a custom endpoint."""

    OFF = "off"
    PRESIGNED = "presigned"
    ON = "on"


@frozen
class S3Settings:
    """Settings of one S3 endpoint. Sizes in bytes, durations in the unit that the name ends with.

    Args:
        region: the region that every bucket lies in.
        strict_region: refuse signatures and location constraints for another region.
        strict_names: bucket names without dots (SPEC.md §3.1).
        signature_v2: see `SignatureV2`.
        domains: host names below which a bucket may stand (`bucket.localhost`); compared without case and port.
        host_aliases: other `Host` values under which a presigned URL may have been signed.
        max_keys_per_list: the most entries that one page of a listing holds.
        max_document_size: of an XML body, where its operation does not set a smaller limit itself.
        keepalive_after_s: how long CompleteMultipartUpload and the copies may take before the answer starts
            with whitespace; then it goes on at the same interval.
        clock_skew_ms: how far a request's date may be from our clock.
        access_log: when access logs are delivered.
    """

    region: str = "us-east-1"
    strict_region: bool = False
    strict_names: bool = False
    signature_v2: SignatureV2 = SignatureV2.PRESIGNED
    domains: tuple[str, ...] = ("localhost",)
    host_aliases: tuple[str, ...] = ()
    max_keys_per_list: int = 1000
    max_document_size: int = 4 << 20
    keepalive_after_s: float = 10.0
    clock_skew_ms: int = 900_000
    access_log: AccessLogLimits = field(factory=AccessLogLimits)
