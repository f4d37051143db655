"""What a request itself can be wrong about: its signature, its body's framing, its arguments.

Named after S3's codes; `lightningstor.s3.errors` says how each is answered. Those that other protocols raise too are
in `lightningstor.errors`.
"""

from __future__ import annotations

from attrs import define

from lightningstor.errors import InvalidArgument, InvalidRequest, NotImplementedHere, StoreError

__all__ = [
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "ExpiresOutOfRange",
    "HeadersNotSigned",
    "IllegalLocationConstraint",
    "IllegalVersioningConfiguration",
    "InvalidAccessKeyId",
    "InvalidArgument",
    "InvalidChunkSize",
    "InvalidDigest",
    "InvalidLocationConstraint",
    "InvalidRequest",
    "InvalidToken",
    "InvalidURI",
    "MalformedTrailer",
    "MissingAuthentication",
    "MissingContentLength",
    "NotImplementedHere",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "XAmzContentSHA256Mismatch",
]


# Who asks


@define(slots=True)
class MissingAuthentication(StoreError):
    """The request carries no credentials, and nothing here is open to everybody."""


@define(slots=True)
class InvalidAccessKeyId(StoreError):
    """The access key id is not known."""

    access_key_id: str


@define(slots=True)
class InvalidToken(StoreError):
    """The request carries a session token, and this access key has none."""

    reason: str = "The provided token is malformed or otherwise invalid."


@define(slots=True)
class SignatureDoesNotMatch(StoreError):
    """The signature is not the one that we compute; carries what we signed, so that a client can be put right."""

    access_key_id: str
    signature_provided: str
    string_to_sign: str
    canonical_request: str | None = None


@define(slots=True)
class AuthorizationHeaderMalformed(StoreError):
    """The Authorization header cannot be read, or names another region or service; `region` is the one expected."""

    reason: str
    region: str | None = None


@define(slots=True)
class AuthorizationQueryParametersError(StoreError):
    """A presigned URL's parameters are missing, cannot be read or are out of range."""

    reason: str


@define(slots=True)
class ExpiresOutOfRange(AuthorizationQueryParametersError):
    """X-Amz-Expires of a presigned URL is not 1 to 604,800 seconds; S3 says so under a 403."""


@define(slots=True)
class HeadersNotSigned(StoreError):
    """Headers that must be signed (host, x-amz-*) are not."""

    headers: str


@define(slots=True)
class RequestTimeTooSkewed(StoreError):
    """The request's time is too far from ours; times in ISO 8601, the limit in milliseconds."""

    request_time: str
    server_time: str
    max_skew_ms: int


@define(slots=True)
class RequestExpired(StoreError):
    """A presigned URL's time is over, or has not begun; times in ISO 8601."""

    reason: str
    expires: str
    server_time: str
    expires_s: int | None = None


# What it brings


@define(slots=True)
class InvalidDigest(StoreError):
    """Content-MD5 is not the base64 of 16 bytes."""

    content_md5: str


@define(slots=True)
class XAmzContentSHA256Mismatch(StoreError):
    """The body's SHA-256 is not the one in x-amz-content-sha256; both in hex."""

    client: str
    server: str


@define(slots=True)
class InvalidChunkSize(StoreError):
    """A signed chunk that is not the last has fewer bytes than the least allowed."""

    chunk: int
    size: int


@define(slots=True)
class MalformedTrailer(StoreError):
    """The body's trailer is not the one announced in x-amz-trailer, or cannot be read."""

    reason: str


@define(slots=True)
class MissingContentLength(StoreError):
    """The request has a body and does not say how long it is."""


# What it asks for


@define(slots=True)
class InvalidURI(StoreError):
    """The request's path cannot be read: bad percent-encoding, or not UTF-8."""

    uri: str | None = None


@define(slots=True)
class InvalidLocationConstraint(StoreError):
    """The location constraint is no region."""

    location: str


@define(slots=True)
class IllegalLocationConstraint(StoreError):
    """The location constraint is another region than the endpoint's (`[s3] strict_region`)."""

    location: str


@define(slots=True)
class IllegalVersioningConfiguration(StoreError):
    """The versioning configuration has no status, or asks for what cannot be."""

    reason: str
