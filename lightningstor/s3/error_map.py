"""The one map: for every class of errors S3's code, status, sentence and elements, gRPC's status, and how loudly it is
logged. `lightningstor.s3.errors` answers with it.

Codes and sentences are S3's own, as programs compare them (S3 API reference, "List of error codes", and what S3
answers). What else helps stands in further elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

from lightningstor import errors as store
from lightningstor.chunks.errors import OutOfDescriptors
from lightningstor.iam import errors as identity
from lightningstor.s3.wire import faults, refusals
from lightningstor.s3.wire.operations import BY_NAME
from lightningstor.s3.wire.times import http_time

__all__ = ["BUG", "ROWS", "Headers", "Row"]

Headers: TypeAlias = list[tuple[bytes, bytes]]


@frozen
class Row:
    """What is told of a class of errors.

    Args:
        code: S3's.
        status: HTTP's.
        grpc: the name of gRPC's status.
        sentence: S3's; "{attribute}" stands for an attribute of the error.
        elements: further elements of the XML: the name, and the attribute that it shows (None is left out). "=text"
            is that text, "~method" the request's method, "#attribute" the attribute's bytes in hex.
        headers: makes headers of the error.
        level: of the log line.
    """

    code: str
    status: int
    grpc: str
    sentence: str
    elements: Mapping[str, str] = {}
    headers: Callable[[Any], Headers] | None = None
    level: str = "debug"


# Statuses of gRPC
INVALID: Final = "INVALID_ARGUMENT"
NOT_FOUND: Final = "NOT_FOUND"
EXISTS: Final = "ALREADY_EXISTS"
STATE: Final = "FAILED_PRECONDITION"
DENIED: Final = "PERMISSION_DENIED"
UNAUTHENTICATED: Final = "UNAUTHENTICATED"
RANGE: Final = "OUT_OF_RANGE"
ABORTED: Final = "ABORTED"
EXHAUSTED: Final = "RESOURCE_EXHAUSTED"
UNAVAILABLE: Final = "UNAVAILABLE"
UNIMPLEMENTED: Final = "UNIMPLEMENTED"
INTERNAL: Final = "INTERNAL"
DATA_LOSS: Final = "DATA_LOSS"

# Sentences that more than one row has
_INTERNAL: Final = "We encountered an internal error. Please try again."
_NOT_ALLOWED: Final = "The specified method is not allowed against this resource."
_NO_KEY: Final = "The specified key does not exist."
_NOT_IMPLEMENTED: Final = "A header you provided implies functionality that is not implemented"
_IN_PROGRESS: Final = (
    "A conflicting conditional operation is currently in progress against this resource. Please try again."
)
_BAD_URI: Final = "Couldn't parse the specified URI."
_MALFORMED: Final = "The XML you provided was not well-formed or did not validate against our published schema"


# Headers


def _delete_marker(error: store.CurrentIsDeleteMarker) -> Headers:
    return [(b"x-amz-delete-marker", b"true"), (b"x-amz-version-id", error.version_id.encode())]


def _marker_version(error: store.VersionIsDeleteMarker) -> Headers:
    return [
        (b"x-amz-delete-marker", b"true"),
        (b"x-amz-version-id", error.version_id.encode()),
        (b"last-modified", http_time(error.modified_ms)),
        (b"allow", b"DELETE"),
    ]


def _not_modified(error: store.NotModified) -> Headers:
    # RFC 9110 §15.4.5
    headers = [(b"etag", f'"{error.etag}"'.encode()), (b"last-modified", http_time(error.modified_ms))]
    if error.version_id is not None:
        headers.append((b"x-amz-version-id", error.version_id.encode()))
    return headers


def _unsatisfied_range(error: store.InvalidRange) -> Headers:
    return [(b"content-range", b"bytes */%d" % error.size)]  # RFC 9110 §15.5.17


def _allowed(error: refusals.MethodNotAllowed) -> Headers:
    return [(b"allow", ", ".join(error.allowed).encode())]


def _try_again(error: Any) -> Headers:
    return [(b"retry-after", b"1")]


# Rows that depend on more than the class


def _bad_digest(error: store.BadDigest) -> Row:
    what = "Content-MD5" if error.algorithm.lower() == "md5" else error.algorithm.upper()
    ending = "did not match what we received." if what == "Content-MD5" else "did not match the calculated checksum."
    return Row(
        "BadDigest", 400, INVALID, f"The {what} you specified {ending}",
        {"ExpectedDigest": "expected", "CalculatedDigest": "computed"},
    )  # fmt: skip


_S3_MAX_PARTS: Final = 10_000


def _bad_part_number(error: store.InvalidPartNumber) -> Row:
    if not 1 <= error.part_number <= _S3_MAX_PARTS:
        return Row(
            "InvalidArgument", 400, INVALID, "Part number must be an integer between 1 and 10000, inclusive",
            {"ArgumentValue": "part_number"},
        )  # fmt: skip
    return Row(
        "InvalidPartNumber", 416, RANGE, "The requested partnumber is not satisfiable",
        {"PartNumberRequested": "part_number", "ActualPartCount": "parts"},
    )  # fmt: skip


def _storage_class(error: store.UnsupportedStorageClass) -> Row:
    if error.known:
        return Row(
            "NotImplemented", 501, UNIMPLEMENTED, "The storage class {storage_class} is not offered here",
            {"StorageClassRequested": "storage_class"},
        )  # fmt: skip
    return Row(
        "InvalidStorageClass", 400, INVALID, "The storage class you specified is not valid",
        {"StorageClassRequested": "storage_class"},
    )  # fmt: skip


_BUCKET: Final = {"BucketName": "bucket"}

# What S3 answers while a sub-resource is not configured; by `NotConfigured.what`.
_UNCONFIGURED: Final[dict[str, Row]] = {
    what: Row(code, status, NOT_FOUND if status == 404 else STATE, sentence, _BUCKET, level="debug")
    for what, code, status, sentence in (
        ("configuration", "NoSuchConfiguration", 404, "The specified configuration does not exist."),
        ("cors", "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist"),
        (
            "encryption", "ServerSideEncryptionConfigurationNotFoundError", 404,
            "The server side encryption configuration was not found",
        ),
        ("lifecycle", "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist"),
        ("metadataConfiguration", "MetadataConfigurationNotFound", 404, "The metadata configuration was not found"),
        (
            "object-lock", "ObjectLockConfigurationNotFoundError", 404,
            "Object Lock configuration does not exist for this bucket",
        ),
        ("object-lock of object", "InvalidRequest", 400, "Bucket is missing Object Lock Configuration"),
        ("ownershipControls", "OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found"),
        ("policy", "NoSuchBucketPolicy", 404, "The bucket policy does not exist"),
        (
            "publicAccessBlock", "NoSuchPublicAccessBlockConfiguration", 404,
            "The public access block configuration was not found",
        ),
        (
            "replication", "ReplicationConfigurationNotFoundError", 404,
            "The replication configuration was not found",
        ),
        (
            "website", "NoSuchWebsiteConfiguration", 404,
            "The specified bucket does not have a website configuration",
        ),
    )
}  # fmt: skip


def _not_configured(error: refusals.NotConfiguredHere) -> Row:
    return _UNCONFIGURED[error.what]


def _preflight_incomplete(error: refusals.PreflightIncomplete) -> Row:
    if error.header == "Origin":
        return Row("BadRequest", 400, INVALID, "Insufficient information. Origin request header needed.")
    return Row("BadRequest", 400, INVALID, "Invalid Access-Control-Request-Method: null")


_STORE_ROWS: Final[dict[type[store.StoreError], Row | Callable[[Any], Row]]] = {
    store.StoreError: Row("InternalError", 500, INTERNAL, _INTERNAL, level="error"),
    # Buckets
    store.NoSuchBucket: Row("NoSuchBucket", 404, NOT_FOUND, "The specified bucket does not exist", _BUCKET),
    store.BucketAlreadyExists: Row(
        "BucketAlreadyExists", 409, EXISTS,
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
        "Please select a different name and try again.", _BUCKET,
    ),
    store.BucketAlreadyOwnedByYou: Row(
        "BucketAlreadyOwnedByYou", 409, EXISTS,
        "Your previous request to create the named bucket succeeded and you already own it.", _BUCKET,
    ),
    store.BucketNamesFixed: Row("InternalError", 500, STATE, _INTERNAL, level="error"),
    store.BucketNotEmpty: Row(
        "BucketNotEmpty", 409, STATE, "The bucket you tried to delete is not empty", _BUCKET
    ),
    store.InvalidBucketName: Row(
        "InvalidBucketName", 400, INVALID, "The specified bucket is not valid.",
        {"BucketName": "bucket", "Reason": "reason"},
    ),
    store.InvalidBucketState: Row(
        "InvalidBucketState", 409, STATE, "The request is not valid with the current state of the bucket.",
        {"BucketName": "bucket", "Reason": "reason"},
    ),
    store.NoSuchTagSet: Row("NoSuchTagSet", 404, NOT_FOUND, "The TagSet does not exist", _BUCKET),
    # Objects and versions
    store.NoSuchKey: Row("NoSuchKey", 404, NOT_FOUND, _NO_KEY, {"Key": "key"}),
    store.NoSuchVersion: Row(
        "NoSuchVersion", 404, NOT_FOUND, "The specified version does not exist.",
        {"Key": "key", "VersionId": "version_id"},
    ),
    store.InvalidVersionId: Row(
        "InvalidArgument", 400, INVALID, "Invalid version id specified",
        {"ArgumentName": "=versionId", "ArgumentValue": "version_id"},
    ),
    store.CurrentIsDeleteMarker: Row("NoSuchKey", 404, NOT_FOUND, _NO_KEY, {"Key": "key"}, _delete_marker),
    store.VersionIsDeleteMarker: Row(
        "MethodNotAllowed", 405, STATE, _NOT_ALLOWED, {"Method": "~method", "ResourceType": "=DeleteMarker"},
        _marker_version,
    ),
    store.InvalidKey: Row("InvalidURI", 400, INVALID, _BAD_URI, {"URI": "key", "Reason": "reason"}),
    store.KeyTooLong: Row(
        "KeyTooLongError", 400, INVALID, "Your key is too long", {"Size": "size", "MaxSizeAllowed": "limit"}
    ),
    store.MetadataTooLarge: Row(
        "MetadataTooLarge", 400, INVALID, "Your metadata headers exceed the maximum allowed metadata size",
        {"Size": "size", "MaxSizeAllowed": "limit"},
    ),
    store.InvalidTag: Row("InvalidTag", 400, INVALID, "{reason}", {"TagKey": "key"}),
    store.UnsupportedStorageClass: _storage_class,
    # Conditions
    store.PreconditionFailed: Row(
        "PreconditionFailed", 412, STATE, "At least one of the pre-conditions you specified did not hold",
        {"Condition": "condition"},
    ),
    store.NotModified: Row("NotModified", 304, STATE, "Not Modified", headers=_not_modified, level="debug"),
    store.WriteConflict: Row(
        "ConditionalRequestConflict", 409, ABORTED,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
        {"Key": "key"},
    ),
    store.Contention: Row(
        "SlowDown", 503, ABORTED, "Please reduce your request rate.", headers=_try_again, level="warning"
    ),
    store.InvalidRange: Row(
        "InvalidRange", 416, RANGE, "The requested range is not satisfiable",
        {"RangeRequested": "requested", "ActualObjectSize": "size"}, _unsatisfied_range,
    ),
    store.InvalidPartNumber: _bad_part_number,
    # Content
    store.BadDigest: _bad_digest,
    store.IncompleteBody: Row(
        "IncompleteBody", 400, INVALID,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
        {"NumberBytesExpected": "expected", "NumberBytesProvided": "received", "Reason": "reason"},
    ),
    store.EntityTooLarge: Row(
        "EntityTooLarge", 400, INVALID, "Your proposed upload exceeds the maximum allowed size",
        {"ProposedSize": "size", "MaxSizeAllowed": "limit"},
    ),
    store.EntityTooSmall: Row(
        "EntityTooSmall", 400, INVALID, "Your proposed upload is smaller than the minimum allowed size",
        {"ProposedSize": "size", "MinSizeAllowed": "limit", "PartNumber": "part_number", "ETag": "etag"},
    ),
    # Multipart uploads
    store.NoSuchUpload: Row(
        "NoSuchUpload", 404, NOT_FOUND,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.", {"UploadId": "upload_id"},
    ),
    store.InvalidPart: Row(
        "InvalidPart", 400, INVALID,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
        {"UploadId": "upload_id", "PartNumber": "part_number", "ETag": "etag", "Reason": "reason"},
    ),
    store.InvalidPartOrder: Row(
        "InvalidPartOrder", 400, INVALID,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
        {"UploadId": "upload_id"},
    ),
    store.UploadSizeMismatch: Row(
        "InvalidRequest", 400, INVALID,
        "The provided 'x-amz-mp-object-size' header value does not match what was computed.",
        {"UploadId": "upload_id", "ExpectedSize": "expected", "ComputedSize": "computed"},
    ),
    store.CompletionInProgress: Row("OperationAborted", 409, ABORTED, _IN_PROGRESS, {"UploadId": "upload_id"}),
    # Access and limits. Why access was denied is for the log: it may tell of other tenants.
    store.AccessDenied: Row("AccessDenied", 403, DENIED, "Access Denied"),
    store.AuthorizerUnavailable: Row(
        "ServiceUnavailable", 503, UNAVAILABLE, "Access could not be decided. Please try again.", headers=_try_again,
        level="error",
    ),
    store.Unauthenticated: Row("AccessDenied", 403, UNAUTHENTICATED, "Access Denied"),
    # AWS IAM's codes, for the same facts.
    identity.NoSuchEntity: Row("NoSuchEntity", 404, NOT_FOUND, "There is no {kind} {id}."),
    identity.EntityExists: Row("EntityAlreadyExists", 409, EXISTS, "There is a {kind} {id} already."),
    identity.EntityInUse: Row("DeleteConflict", 409, STATE, "The {kind} {id} cannot be deleted: {reason}."),
    identity.EntityFixed: Row(
        "UnmodifiableEntity", 400, STATE, "The {kind} {id} comes from the configuration and is changed there."
    ),
    identity.InvalidEntity: Row("ValidationError", 400, INVALID, "The {kind} cannot be so: {reason}."),
    identity.MalformedPolicy: Row("MalformedPolicy", 400, INVALID, "{reason}"),
    identity.IamLimitExceeded: Row("LimitExceeded", 409, EXHAUSTED, "No more than {limit} {what}."),
    store.QuotaExceeded: Row(
        "QuotaExceeded", 403, EXHAUSTED, "Storage quota exceeded: {quota} of {scope} is {limit}",
        {"Scope": "scope", "Quota": "quota", "Limit": "limit"},
    ),
    store.InvalidQuota: Row("InvalidArgument", 400, INVALID, "{reason}"),
    # The machine beneath: what it is, the log knows.
    store.BytesCorrupt: Row("InternalError", 500, DATA_LOSS, _INTERNAL, level="critical"),
    store.BytesMissing: Row("InternalError", 500, DATA_LOSS, _INTERNAL, level="critical"),
    store.CommitUndetermined: Row("InternalError", 500, "UNKNOWN", _INTERNAL, level="error"),
    store.StorageFull: Row(
        "InsufficientStorage", 507, EXHAUSTED, "The storage has no room for this request. Nothing was stored.",
        level="error",
    ),
    OutOfDescriptors: Row(
        "SlowDown", 503, UNAVAILABLE, "Please reduce your request rate.", headers=_try_again, level="error"
    ),
    store.StorageReadOnly: Row(
        "ServiceUnavailable", 503, UNAVAILABLE, "The storage takes no writes at present. Reads still work.",
        level="error",
    ),
    # The daemon says once that its log cannot be written; every refused request need not say it again.
    store.AuditUnavailable: Row(
        "ServiceUnavailable", 503, UNAVAILABLE,
        "The audit log cannot be written at present, so no request is served. Please try again later.",
        headers=_try_again, level="debug",
    ),
    store.StoreClosed: Row(
        "ServiceUnavailable", 503, UNAVAILABLE, "Service is unable to handle request.", headers=_try_again
    ),
    store.StoreLocked: Row("InternalError", 500, STATE, _INTERNAL, level="error"),
    store.FormatTooNew: Row("InternalError", 500, STATE, _INTERNAL, level="error"),
}  # fmt: skip

_REFUSAL_ROWS: Final[dict[type[store.StoreError], Row | Callable[[Any], Row]]] = {
    refusals.MethodNotAllowed: Row(
        "MethodNotAllowed", 405, UNIMPLEMENTED, _NOT_ALLOWED, {"Method": "method", "ResourceType": "resource_type"},
        _allowed,
    ),
    refusals.AccessControlListNotSupported: Row(
        "AccessControlListNotSupported", 400, STATE, "The bucket does not allow ACLs"
    ),
    refusals.NotConfiguredHere: _not_configured,
    refusals.MalformedXML: Row(
        "MalformedXML", 400, INVALID, _MALFORMED, {"Reason": "reason", "Line": "line", "Column": "column"}
    ),
    refusals.InvalidTargetBucketForLogging: Row(
        "InvalidTargetBucketForLogging", 400, STATE,
        "The target bucket for logging does not exist or is not owned by the owner of the source bucket",
        {"TargetBucket": "target"},
    ),
    refusals.RequestTimeout: Row(
        "RequestTimeout", 408, "DEADLINE_EXCEEDED",
        "Your socket connection to the server was not read from or written to within the timeout period."
        " Idle connections will be closed.",
    ),
    refusals.MissingRequestBody: Row("MissingRequestBodyError", 400, INVALID, "Request Body is empty"),
    refusals.MaxMessageLengthExceeded: Row(
        "MaxMessageLengthExceeded", 400, INVALID, "Your request was too big.", {"MaxMessageLengthBytes": "limit"}
    ),
    refusals.PreflightIncomplete: _preflight_incomplete,
    refusals.CrossOriginRefused: Row(
        "AccessForbidden", 403, DENIED, "CORSResponse: CORS is not enabled for this bucket.",
        {"Method": "method", "ResourceType": "resource_type"},
    ),
}  # fmt: skip


def _not_implemented(error: faults.NotImplementedHere) -> Row:
    if error.what in BY_NAME:
        return Row("NotImplemented", 501, UNIMPLEMENTED, "{what} is not implemented", {"Operation": "what"})
    if "-" in error.what:
        return Row("NotImplemented", 501, UNIMPLEMENTED, _NOT_IMPLEMENTED, {"Header": "what"})
    return Row("NotImplemented", 501, UNIMPLEMENTED, "{what} is not implemented", {"Parameter": "what"})


_FAULT_ROWS: Final[dict[type[store.StoreError], Row | Callable[[Any], Row]]] = {
    faults.MissingAuthentication: Row("AccessDenied", 403, UNAUTHENTICATED, "Access Denied"),
    faults.InvalidAccessKeyId: Row(
        "InvalidAccessKeyId", 403, UNAUTHENTICATED,
        "The AWS Access Key Id you provided does not exist in our records.", {"AWSAccessKeyId": "access_key_id"},
        level="warning",
    ),
    faults.InvalidToken: Row("InvalidToken", 400, UNAUTHENTICATED, "{reason}"),
    faults.SignatureDoesNotMatch: Row(
        "SignatureDoesNotMatch", 403, UNAUTHENTICATED,
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method.",
        {
            "AWSAccessKeyId": "access_key_id",
            "StringToSign": "string_to_sign",
            "SignatureProvided": "signature_provided",
            "StringToSignBytes": "#string_to_sign",
            "CanonicalRequest": "canonical_request",
            "CanonicalRequestBytes": "#canonical_request",
        },
        level="warning",
    ),
    faults.AuthorizationHeaderMalformed: Row(
        "AuthorizationHeaderMalformed", 400, UNAUTHENTICATED, "{reason}", {"Region": "region"}
    ),
    faults.AuthorizationQueryParametersError: Row(
        "AuthorizationQueryParametersError", 400, UNAUTHENTICATED, "{reason}"
    ),
    faults.ExpiresOutOfRange: Row(
        "AuthorizationQueryParametersError", 403, UNAUTHENTICATED, "{reason}"
    ),
    faults.HeadersNotSigned: Row(
        "AccessDenied", 403, UNAUTHENTICATED, "There were headers present in the request which were not signed",
        {"HeadersNotSigned": "headers"},
    ),
    faults.RequestTimeTooSkewed: Row(
        "RequestTimeTooSkewed", 403, UNAUTHENTICATED,
        "The difference between the request time and the current time is too large.",
        {"RequestTime": "request_time", "ServerTime": "server_time", "MaxAllowedSkewMilliseconds": "max_skew_ms"},
    ),
    faults.RequestExpired: Row(
        "AccessDenied", 403, UNAUTHENTICATED, "{reason}",
        {"X-Amz-Expires": "expires_s", "Expires": "expires", "ServerTime": "server_time"},
    ),
    faults.InvalidDigest: Row(
        "InvalidDigest", 400, INVALID, "The Content-MD5 you specified was invalid.", {"Content-MD5": "content_md5"}
    ),
    faults.XAmzContentSHA256Mismatch: Row(
        "XAmzContentSHA256Mismatch", 400, INVALID,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        {"ClientComputedContentSHA256": "client", "S3ComputedContentSHA256": "server"},
    ),
    faults.InvalidChunkSize: Row(
        "InvalidChunkSizeError", 403, INVALID,
        "Only the last chunk is allowed to have a size less than 8192 bytes",
        {"Chunk": "chunk", "BadChunkSize": "size"},
    ),
    faults.MalformedTrailer: Row(
        "MalformedTrailerError", 400, INVALID,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
        {"Reason": "reason"},
    ),
    faults.MissingContentLength: Row(
        "MissingContentLength", 411, INVALID, "You must provide the Content-Length HTTP header."
    ),
    faults.InvalidURI: Row("InvalidURI", 400, INVALID, _BAD_URI, {"URI": "uri"}),
    faults.InvalidArgument: Row(
        "InvalidArgument", 400, INVALID, "{reason}", {"ArgumentName": "name", "ArgumentValue": "value"}
    ),
    faults.InvalidRequest: Row("InvalidRequest", 400, INVALID, "{reason}"),
    faults.NotImplementedHere: _not_implemented,
    faults.InvalidLocationConstraint: Row(
        "InvalidLocationConstraint", 400, INVALID, "The specified location-constraint is not valid",
        {"LocationConstraint": "location"},
    ),
    faults.IllegalLocationConstraint: Row(
        "IllegalLocationConstraintException", 400, INVALID,
        "The {location} location constraint is incompatible for the region specific endpoint this request was sent to.",
    ),
    faults.IllegalVersioningConfiguration: Row(
        "IllegalVersioningConfigurationException", 400, INVALID, "{reason}"
    ),
}  # fmt: skip

ROWS: Final = _STORE_ROWS | _REFUSAL_ROWS | _FAULT_ROWS
# What is no StoreError is a bug of ours: not a word of its text leaves the process.
BUG: Final = Row("InternalError", 500, INTERNAL, _INTERNAL, level="error")
