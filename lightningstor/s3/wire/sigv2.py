"""Signature Version 2: what boto3, the AWS CLI v1, s3cmd and s3fs still presign with at an endpoint of one's own.

    string to sign = method ⏎ Content-MD5 ⏎ Content-Type ⏎ date or expiry ⏎ x-amz- headers, sorted ⏎ resource
    signature      = base64(HMAC-SHA1(secret, string to sign))

Source: "Authenticating requests using the REST API (Signature Version 2)", Amazon S3 User Guide. Of the query only the
sub-resources below are signed, so nothing else in it may change what is done.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from lightningstor.errors import AccessDenied
from lightningstor.s3.wire.canonical import path_readings, split_query
from lightningstor.s3.wire.dates import amz_time, parse_http_time
from lightningstor.s3.wire.faults import (
    AuthorizationQueryParametersError,
    InvalidArgument,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)

__all__ = ["SIGNED_PARAMETERS", "SignedV2", "parse_header_v2", "parse_presigned_v2", "string_to_sign_v2", "verify_v2"]

SIGNED_PARAMETERS: Final = frozenset(
    {
        "abac",
        "accelerate",
        "acl",
        "analytics",
        "annotation",
        "annotationName",
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
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
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
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
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
    }
)
"""The parameters that are signed: every one that selects another operation or another version, also those that came
after this signature did, so that nobody can add one to a URL that was signed without it."""

_MAX_SKEW_MS: Final = 15 * 60_000


class SignedV2(NamedTuple):
    """What a request says about its signature; `expires_s`: of a presigned URL, in seconds since the Unix epoch."""

    access_key_id: str
    signature: str
    expires_s: int | None


def parse_header_v2(headers: Mapping[bytes, bytes]) -> SignedV2:
    """Read "Authorization: AWS key:signature", which must be there.

    Raises:
        InvalidArgument
    """
    text = headers[b"authorization"].decode("latin-1")
    access_key_id, colon, signature = text.removeprefix("AWS ").strip().rpartition(":")
    if not colon or not access_key_id or not signature:
        raise InvalidArgument("AWS authorization header is invalid. Expected AwsAccessKeyId:signature", "Authorization")
    return SignedV2(access_key_id, signature, None)


def parse_presigned_v2(query: Mapping[str, str]) -> SignedV2:
    """Read a presigned URL's AWSAccessKeyId, Expires and Signature.

    Args:
        query: decoded, by name.

    Raises:
        AuthorizationQueryParametersError
    """
    if not all(map(query.get, ("AWSAccessKeyId", "Signature", "Expires"))):
        raise AuthorizationQueryParametersError(
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        )
    text = query["Expires"]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise AuthorizationQueryParametersError(f"Invalid date (should be seconds since epoch): {text[:40]}")
    return SignedV2(query["AWSAccessKeyId"], query["Signature"], int(text))


def string_to_sign_v2(
    signed: SignedV2, method: str, resource: bytes, query: bytes, headers: Mapping[bytes, bytes]
) -> bytes:
    """What the secret signs.

    Args:
        resource: the path, encoded, with the bucket. query: `?` and the sub-resources, or nothing.
        headers: by lower-case name, with those that stand in the query.
    """
    amz = sorted(name for name in headers if name.startswith(b"x-amz-"))
    if signed.expires_s is not None:
        date = b"%d" % signed.expires_s
    else:
        date = b"" if b"x-amz-date" in headers else headers.get(b"date", b"").strip()
    return b"\n".join(
        (
            method.encode(),
            headers.get(b"content-md5", b"").strip(),
            headers.get(b"content-type", b"").strip(),
            date,
            *(name + b":" + headers[name].strip() for name in amz),
            resource + query,
        )
    )


def _with_moved(headers: Mapping[bytes, bytes], raw_query: bytes) -> Mapping[bytes, bytes]:
    """The headers, and those `x-amz-…` that whoever presigned has moved into the query, where they count as headers.

    The signature covers them as headers. Those of a request that is signed in its header are treated alike: nobody
    can add one.
    """
    moved: dict[bytes, bytes] = {}
    for raw_name, raw_value in split_query(raw_query):
        name = unquote_to_bytes(raw_name).lower()
        if name.startswith(b"x-amz-") and name not in headers:
            moved.setdefault(name, unquote_to_bytes(raw_value.replace(b"+", b" ")))
    return {**headers, **moved} if moved else headers


def _signed_queries(raw_query: bytes) -> list[bytes]:
    """The sub-resources as they are signed: sorted by name, their values decoded.

    Twice: one client signs `uploads=` as it sends it, and the next the bare name for what it sends as `uploads=`.
    """
    found = []
    for piece in raw_query.split(b"&"):
        raw_name, equals, raw_value = piece.partition(b"=")
        name = unquote_to_bytes(raw_name)
        if name.decode("latin-1") in SIGNED_PARAMETERS:
            found.append((name, equals, unquote_to_bytes(raw_value.replace(b"+", b" "))))
    if not found:
        return [b""]
    found.sort(key=lambda item: item[0])
    as_sent = b"&".join([name + equals + value for name, equals, value in found])
    without = b"&".join([name + equals + value if value else name for name, equals, value in found])
    return list(dict.fromkeys((b"?" + as_sent, b"?" + without)))


def _readings(
    signed: SignedV2,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    virtual_host_bucket: str | None,
) -> Iterator[bytes]:
    prefix = b"" if virtual_host_bucket is None else b"/" + virtual_host_bucket.encode()
    # The path is signed as it is sent; some encode it for the signature otherwise than for the wire.
    for path in dict.fromkeys((raw_path, *path_readings(raw_path))):
        for query in _signed_queries(raw_query):
            yield string_to_sign_v2(signed, method, prefix + path, query, headers)


def verify_v2(
    signed: SignedV2,
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Mapping[bytes, bytes],
    secret: bytes,
    now_ms: int,
    *,
    virtual_host_bucket: str | None = None,
    max_skew_ms: int = _MAX_SKEW_MS,
) -> None:
    """Check time and signature.

    Args:
        method: in capitals. raw_path, raw_query: as they came, undecoded; the path without the query.
        headers: by lower-case name; repeated ones joined by ",".
        secret: of the access key.
        now_ms: our time, in milliseconds since the Unix epoch.
        virtual_host_bucket: the bucket, where it stands in the host name and not in the path.
        max_skew_ms: how far a request's time in a header may be from ours.

    Raises:
        RequestExpired, RequestTimeTooSkewed, SignatureDoesNotMatch
        AccessDenied: the header form without a time that can be read.
    """
    if signed.expires_s is None:
        _check_date(headers, now_ms, max_skew_ms)
    elif now_ms > signed.expires_s * 1000:
        raise RequestExpired("Request has expired", amz_time(signed.expires_s * 1000), amz_time(now_ms))
    given = signed.signature.encode("utf-8", "surrogateescape")
    covered = _with_moved(headers, raw_query)
    readings = list(_readings(signed, method, raw_path, raw_query, covered, virtual_host_bucket))
    for reading in readings:
        if hmac.compare_digest(b64encode(hmac.digest(secret, reading, "sha1")), given):
            return
    raise SignatureDoesNotMatch(signed.access_key_id, signed.signature, readings[0].decode("utf-8", "replace"))


def _check_date(headers: Mapping[bytes, bytes], now_ms: int, max_skew_ms: int) -> None:
    text = (headers.get(b"x-amz-date") or headers.get(b"date", b"")).decode("latin-1")
    time_ms = parse_http_time(text)
    if time_ms is None:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    if abs(time_ms - now_ms) > max_skew_ms:
        raise RequestTimeTooSkewed(text, amz_time(now_ms), max_skew_ms)
