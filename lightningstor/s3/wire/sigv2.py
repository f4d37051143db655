"""Signature Version 2: what boto3, the AWS CLI v1, s3cmd and s3fs still presign with at an endpoint of one's own.

    string to sign = method ⏎ Content-MD5 ⏎ Content-Type ⏎ date or expiry ⏎ x-amz- headers, sorted ⏎ resource
    signature      = base64(HMAC-SHA1(secret, string to sign))

Source: "Authenticating requests using the REST API (signature version 2)", Amazon S3 User Guide. Of the query only the
sub-resources below are signed, so nothing else in it may change what is done.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from lightningstor.s3.wire.canonical import split_query
from lightningstor.s3.wire.dates import amz_time, parse_http_time
from lightningstor.s3.wire.faults import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    MissingSecurityHeader,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)

__all__ = ["SignedV2", "parse_header_v2", "parse_presigned_v2", "string_to_sign_v2", "verify_v2"]

_SIGNED_PARAMETERS: Final = frozenset(
    {
        "accelerate",
        "acl",
        "analytics",
        "attributes",
        "cors",
        "defaultObjectAcl",
        "delete",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "partNumber",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "renameObject",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "select-type",
        "session",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)


class SignedV2(NamedTuple):
    """What a request says about its signature; `expires_s`: of a presigned URL, in seconds since the Unix epoch."""

    access_key_id: str
    signature: str
    expires_s: int | None


def parse_header_v2(headers: Mapping[bytes, bytes]) -> SignedV2:
    """Read "Authorization: AWS key:signature".

    Raises:
        AuthorizationHeaderMalformed
    """
    text = headers[b"authorization"].decode("latin-1")
    access_key_id, colon, signature = text.removeprefix("AWS ").strip().rpartition(":")
    if not colon or not access_key_id or not signature:
        raise AuthorizationHeaderMalformed("The authorization header is malformed; expecting AWS <AKID>:<signature>.")
    return SignedV2(access_key_id, signature, None)


def parse_presigned_v2(query: Mapping[str, str]) -> SignedV2:
    """Read a presigned URL's AWSAccessKeyId, Expires and Signature.

    Raises:
        AuthorizationQueryParametersError
    """
    for name in ("AWSAccessKeyId", "Signature", "Expires"):
        if not query.get(name):
            raise AuthorizationQueryParametersError(
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters; "
                f"{name} is missing."
            )
    text = query["Expires"]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise AuthorizationQueryParametersError("Expires should be a number of seconds since the epoch")
    return SignedV2(query["AWSAccessKeyId"], query["Signature"], int(text))


def string_to_sign_v2(
    signed: SignedV2,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    virtual_host_bucket: str | None,
) -> str:
    """The string that the secret signs.

    Args:
        virtual_host_bucket: the bucket, where it stands in the host name and not in the path.
    """
    amz = sorted(
        (name.decode("latin-1"), " ".join(value.decode("latin-1").split()))
        for name, value in headers.items()
        if name.startswith(b"x-amz-")
    )
    if signed.expires_s is not None:
        date = str(signed.expires_s)
    else:
        date = "" if b"x-amz-date" in headers else headers.get(b"date", b"").decode("latin-1")
    lines = [
        method,
        headers.get(b"content-md5", b"").decode("latin-1"),
        headers.get(b"content-type", b"").decode("latin-1"),
        date,
        *(f"{name}:{value}" for name, value in amz),
    ]
    resource = raw_path.decode("latin-1")
    if virtual_host_bucket is not None:
        resource = f"/{virtual_host_bucket}{resource}"
    return "\n".join(lines) + "\n" + resource + _signed_query(raw_query)


def _signed_query(raw_query: bytes) -> str:
    """The signed sub-resources, sorted by name; their values as they mean, not as they are encoded."""
    found = []
    for raw_name, raw_value in split_query(raw_query):
        name = unquote_to_bytes(raw_name).decode("latin-1")
        if name in _SIGNED_PARAMETERS:
            value = unquote_to_bytes(raw_value.replace(b"+", b"%20")).decode("latin-1")
            found.append((name, f"{name}={value}" if value else name))
    return "?" + "&".join(text for _, text in sorted(found)) if found else ""


def verify_v2(
    signed: SignedV2,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    secret: str,
    now_ms: int,
    *,
    virtual_host_bucket: str | None = None,
    max_skew_ms: int = 15 * 60_000,
) -> None:
    """Check time and signature.

    Raises:
        RequestExpired, RequestTimeTooSkewed, MissingSecurityHeader, SignatureDoesNotMatch
    """
    if signed.expires_s is not None:
        if now_ms > signed.expires_s * 1000:
            raise RequestExpired("Request has expired", amz_time(signed.expires_s * 1000), amz_time(now_ms))
    else:
        _check_date(headers, now_ms, max_skew_ms)
    to_sign = string_to_sign_v2(signed, method, raw_path, raw_query, headers, virtual_host_bucket)
    computed = b64encode(hmac.digest(secret.encode(), to_sign.encode("latin-1"), "sha1"))
    if not hmac.compare_digest(computed, signed.signature.encode("utf-8", "surrogateescape")):
        raise SignatureDoesNotMatch(signed.access_key_id, signed.signature, to_sign)


def _check_date(headers: Mapping[bytes, bytes], now_ms: int, max_skew_ms: int) -> None:
    raw = headers.get(b"x-amz-date") or headers.get(b"date")
    if raw is None:
        raise MissingSecurityHeader("date")
    text = raw.decode("latin-1")
    time_ms = parse_http_time(text)
    if time_ms is None:
        raise MissingSecurityHeader("date")
    if abs(time_ms - now_ms) > max_skew_ms:
        raise RequestTimeTooSkewed(text, amz_time(now_ms), max_skew_ms)
