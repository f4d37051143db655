"""The one map of errors: complete, S3's own words, and nothing of ours leaks."""

from __future__ import annotations

import importlib
import pkgutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import botocore.parsers
import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lightningstor
from lightningstor import errors as store
from lightningstor.chunks.errors import OutOfDescriptors
from lightningstor.iam import errors as identity
from lightningstor.s3.error_map import ROWS, Row
from lightningstor.s3.errors import explain, render_error
from lightningstor.s3.wire import faults, refusals

LEVELS = {"debug", "info", "warning", "error", "critical"}


def subclasses(root: type[store.StoreError]) -> Iterator[type[store.StoreError]]:
    """All of them, with the root."""
    yield root
    for child in root.__subclasses__():
        yield from subclasses(child)


def every_error() -> set[type[store.StoreError]]:
    """Every StoreError of the package, wherever it is defined."""
    for module in pkgutil.walk_packages(lightningstor.__path__, "lightningstor."):
        if "__main__" not in module.name and ".rpc.gen" not in module.name:
            importlib.import_module(module.name)
    return {error for error in subclasses(store.StoreError) if error.__module__.startswith("lightningstor.")}


# One error of each class, with every attribute set to something that shows.
EXAMPLES: list[store.StoreError] = [
    store.NoSuchBucket("b"),
    store.BucketAlreadyExists("b"),
    store.BucketAlreadyOwnedByYou("b"),
    store.BucketNamesFixed("scoped"),
    store.AuthorizerUnavailable("no answer in time"),
    store.BucketNotEmpty("b"),
    store.InvalidBucketName("B", "capitals"),
    store.InvalidBucketState("b", "no way back"),
    store.NoSuchTagSet("b"),
    store.NoSuchKey("b", "k<&>"),
    store.NoSuchVersion("b", "k", "v"),
    store.InvalidVersionId("?"),
    store.CurrentIsDeleteMarker("b", "k", "v"),
    store.VersionIsDeleteMarker("b", "k", "v", 1_767_323_045_000),
    store.InvalidKey("k", "not UTF-8"),
    store.KeyTooLong(1025, 1024),
    store.MetadataTooLarge(2049, 2048),
    store.InvalidTag("The TagKey you have provided is invalid", "t"),
    store.UnsupportedStorageClass("COLD", False),
    store.UnsupportedStorageClass("GLACIER", True),
    store.PreconditionFailed("If-Match", "e"),
    store.NotModified("e", 1_767_323_045_000, "v"),
    store.WriteConflict("b", "k"),
    store.Contention("b/k"),
    store.InvalidRange("bytes=9-", 9),
    store.InvalidPartNumber(3, 2),
    store.InvalidPartNumber(0, 2),
    store.BadDigest("md5", "a", "b"),
    store.BadDigest("crc32c", "a", "b"),
    store.IncompleteBody("short", 9, 3),
    store.EntityTooLarge(9, 3),
    store.EntityTooSmall(1, 2, 3, "e"),
    store.NoSuchUpload("u"),
    store.InvalidPart("u", 1, "e", "not there"),
    store.InvalidPartOrder("u"),
    store.CompletionInProgress("u"),
    store.UploadSizeMismatch("u", 9, 3),
    store.AccessDenied("a secret reason"),
    store.Unauthenticated("a secret reason"),
    store.AuthorizerUnavailable("a secret reason"),
    identity.NoSuchEntity("principal", "p"),
    identity.EntityExists("principal", "p"),
    identity.EntityInUse("organisation", "o", "it has buckets"),
    identity.EntityFixed("principal", "p"),
    identity.InvalidEntity("principal", "its id is empty"),
    identity.MalformedPolicy("unknown condition operator 'X'"),
    identity.IamLimitExceeded("access keys", 5),
    store.QuotaExceeded("bucket b", "max_objects", 5),
    store.InvalidQuota("max_buckets is -1"),
    store.BytesCorrupt("/secret/path", "a secret reason"),
    store.BytesMissing("/secret/path"),
    store.CommitUndetermined("a secret reason"),
    store.StorageFull("/secret/path"),
    store.StorageReadOnly("a secret reason"),
    OutOfDescriptors("a secret reason"),
    store.StoreClosed(),
    store.AuditUnavailable("a secret reason"),
    store.StoreLocked("/secret/path"),
    store.FormatTooNew("/secret/path", 2, 1),
    refusals.MethodNotAllowed("PATCH", "OBJECT", ("GET", "PUT")),
    refusals.AccessControlListNotSupported("x-amz-acl"),
    refusals.NotConfiguredHere("lifecycle", "b"),
    refusals.MalformedXML("no root", 1, 2),
    refusals.MissingRequestBody(),
    refusals.RequestTimeout(),
    refusals.InvalidTargetBucketForLogging("t"),
    refusals.MaxMessageLengthExceeded(9),
    refusals.PreflightIncomplete("Origin"),
    refusals.CrossOriginRefused("PUT", "OBJECT"),
    faults.MissingAuthentication(),
    faults.InvalidAccessKeyId("AK"),
    faults.InvalidToken(),
    faults.SignatureDoesNotMatch("AK", "sig", "AWS4-HMAC-SHA256\n…", "GET\n/"),
    faults.AuthorizationHeaderMalformed("The authorization header is malformed", "eu-west-1"),
    faults.AuthorizationQueryParametersError("X-Amz-Algorithm is missing"),
    faults.ExpiresOutOfRange("X-Amz-Expires must be less than a week"),
    faults.HeadersNotSigned("x-amz-acl"),
    faults.RequestTimeTooSkewed("then", "now", 900_000),
    faults.RequestExpired("Request has expired", "then", "now", 60),
    faults.InvalidDigest("x"),
    faults.XAmzContentSHA256Mismatch("c", "s"),
    faults.InvalidChunkSize(1, 100),
    faults.MalformedTrailer("odd"),
    faults.MissingContentLength(),
    faults.InvalidURI("%zz"),
    faults.InvalidArgument("Bad", "max-keys", "x"),
    faults.InvalidRequest("Contradiction"),
    faults.NotImplementedHere("x-amz-server-side-encryption"),
    faults.InvalidLocationConstraint("here"),
    faults.IllegalLocationConstraint("there"),
    faults.IllegalVersioningConfiguration("The Versioning element must be specified"),
]


def shown(error: BaseException, method: str = "GET") -> tuple[int, dict[bytes, bytes], dict[str, str | None]]:
    """Status, headers and the elements of the answer."""
    status, headers, body = render_error(
        error, method=method, resource="/b/k", request_id="0123456789ABCDEF", host_id="host"
    )
    elements = {node.tag: node.text for node in ElementTree.fromstring(body)} if body else {}
    return status, dict(headers), elements


def test_every_error_has_a_row_of_its_own() -> None:
    """Whoever adds a StoreError says here what clients are told."""
    missing = every_error() - set(ROWS)
    assert not missing, f"no row in lightningstor/s3/error_map.py: {sorted(error.__name__ for error in missing)}"
    stale = set(ROWS) - every_error()
    assert not stale


def test_every_error_has_an_example_here() -> None:
    """So that the tests below look at all of them."""
    assert {type(error) for error in EXAMPLES} == every_error() - {store.StoreError}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_answer_is_whole(error: store.StoreError) -> None:
    """Code, message, request id and host id; a status of HTTP and gRPC; every attribute that a row names exists."""
    told = explain(error, "GET")
    assert told.code.isalnum()
    assert 300 <= told.status < 600
    assert hasattr(grpc.StatusCode, told.grpc_status)
    assert told.level in LEVELS
    assert "{" not in told.message
    status, headers, elements = shown(error)
    assert status == told.status
    if status == 304:
        assert elements == {}
        return
    assert headers[b"content-type"] == b"application/xml"
    assert elements["Code"] == told.code
    assert elements["Message"] == told.message
    assert elements["Resource"] == "/b/k"
    assert elements["RequestId"] == "0123456789ABCDEF"
    assert elements["HostId"] == "host"


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_clients_retry_what_may_succeed_and_nothing_else(error: store.StoreError) -> None:
    """A 5xx is ours and may pass; a 4xx is the request's. Only 5xx is logged as an error."""
    told = explain(error)
    if told.status >= 500 and told.status != 501:
        assert told.level in ("warning", "error", "critical") or isinstance(
            error, store.StoreClosed | store.AuditUnavailable
        )
    else:
        assert told.level in ("debug", "info", "warning")


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_nothing_of_the_inside_is_told(error: store.StoreError) -> None:
    """Paths and reasons that are the operator's alone are in no answer."""
    assert b"secret" not in render_error(error, method="GET", resource="/", request_id="r", host_id="h")[2]


def test_a_bug_of_ours_tells_nothing() -> None:
    """An unexpected exception is InternalError without a word of its text."""
    status, _, elements = shown(ValueError("a secret reason"))
    assert status == 500
    assert elements == {
        "Code": "InternalError",
        "Message": "We encountered an internal error. Please try again.",
        "Resource": "/b/k",
        "RequestId": "0123456789ABCDEF",
        "HostId": "host",
    }
    assert explain(ValueError()).grpc_status == "INTERNAL"
    assert explain(ValueError()).level == "error"


def test_a_head_has_no_body() -> None:
    """HEAD gets the status and the headers only."""
    answer = render_error(store.NoSuchKey("b", "k"), method="HEAD", resource="/b/k", request_id="r", host_id="h")
    assert answer == (404, [], b"")


# The specification's appendix A
@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (store.NoSuchBucket("b"), "NoSuchBucket", 404),
        (store.NoSuchKey("b", "k"), "NoSuchKey", 404),
        (store.BucketAlreadyExists("b"), "BucketAlreadyExists", 409),
        (store.BucketNotEmpty("b"), "BucketNotEmpty", 409),
        (store.AccessDenied(), "AccessDenied", 403),
        (store.InvalidBucketName("b", ""), "InvalidBucketName", 400),
        (faults.InvalidArgument("r"), "InvalidArgument", 400),
        (store.EntityTooLarge(1, 0), "EntityTooLarge", 400),
        (store.InvalidPart("u", 1, "e"), "InvalidPart", 400),
        (store.InvalidPartOrder("u"), "InvalidPartOrder", 400),
        (store.NoSuchUpload("u"), "NoSuchUpload", 404),
        (store.QuotaExceeded("s", "q", 1), "QuotaExceeded", 403),
        (store.CommitUndetermined("r"), "InternalError", 500),
    ],
)
def test_codes_of_the_specification(error: store.StoreError, code: str, status: int) -> None:
    """SPEC.md, appendix A, to the letter."""
    assert explain(error)[:2] == (code, status)


@pytest.mark.parametrize(
    ("error", "elements"),
    [
        (store.NoSuchBucket("b"), {"BucketName": "b"}),
        (store.NoSuchKey("b", "k<&>"), {"Key": "k<&>"}),
        (store.NoSuchVersion("b", "k", "v"), {"Key": "k", "VersionId": "v"}),
        (store.InvalidVersionId("?"), {"ArgumentName": "versionId", "ArgumentValue": "?"}),
        (store.PreconditionFailed("If-Match", "e"), {"Condition": "If-Match"}),
        (store.BadDigest("md5", "a", "b"), {"ExpectedDigest": "a", "CalculatedDigest": "b"}),
        (store.InvalidRange("bytes=9-", 9), {"RangeRequested": "bytes=9-", "ActualObjectSize": "9"}),
        (store.KeyTooLong(1025, 1024), {"Size": "1025", "MaxSizeAllowed": "1024"}),
        (store.EntityTooLarge(9, 3), {"ProposedSize": "9", "MaxSizeAllowed": "3"}),
        (
            store.EntityTooSmall(1, 2, 3, "e"),
            {"ProposedSize": "2", "MinSizeAllowed": "3", "PartNumber": "1", "ETag": "e"},
        ),
        (store.NoSuchUpload("u"), {"UploadId": "u"}),
        (store.InvalidPart("u", 1, "e"), {"UploadId": "u", "PartNumber": "1", "ETag": "e"}),
        (store.VersionIsDeleteMarker("b", "k", "v", 0), {"Method": "GET", "ResourceType": "DeleteMarker"}),
        (refusals.MethodNotAllowed("PATCH", "OBJECT", ("GET",)), {"Method": "PATCH", "ResourceType": "OBJECT"}),
        (refusals.MalformedXML("r", 1, 2), {"Reason": "r", "Line": "1", "Column": "2"}),
        (refusals.MaxMessageLengthExceeded(9), {"MaxMessageLengthBytes": "9"}),
        (faults.InvalidAccessKeyId("AK"), {"AWSAccessKeyId": "AK"}),
        (
            faults.SignatureDoesNotMatch("AK", "sig", "a\nb", "GET\n/"),
            {
                "AWSAccessKeyId": "AK",
                "SignatureProvided": "sig",
                "StringToSign": "a\nb",
                "StringToSignBytes": "61 0a 62",
                "CanonicalRequest": "GET\n/",
                "CanonicalRequestBytes": "47 45 54 0a 2f",
            },
        ),
        (faults.AuthorizationHeaderMalformed("r", "eu-west-1"), {"Region": "eu-west-1"}),
        (
            faults.RequestTimeTooSkewed("then", "now", 900_000),
            {"RequestTime": "then", "ServerTime": "now", "MaxAllowedSkewMilliseconds": "900000"},
        ),
        (
            faults.RequestExpired("r", "then", "now", 60),
            {"X-Amz-Expires": "60", "Expires": "then", "ServerTime": "now"},
        ),
        (faults.HeadersNotSigned("x-amz-acl"), {"HeadersNotSigned": "x-amz-acl"}),
        (
            faults.XAmzContentSHA256Mismatch("c", "s"),
            {"ClientComputedContentSHA256": "c", "S3ComputedContentSHA256": "s"},
        ),
        (faults.InvalidChunkSize(1, 100), {"Chunk": "1", "BadChunkSize": "100"}),
        (faults.InvalidArgument("r", "max-keys", "x"), {"ArgumentName": "max-keys", "ArgumentValue": "x"}),
        (faults.NotImplementedHere("x-amz-website-redirect-location"), {"Header": "x-amz-website-redirect-location"}),
        (faults.NotImplementedHere("GetObjectTorrent"), {"Operation": "GetObjectTorrent"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, store.StoreError) else "",
)
def test_elements_are_s3s(error: store.StoreError, elements: dict[str, str]) -> None:
    """What S3 tells besides code and message: programs read it."""
    _, _, told = shown(error)
    assert elements.items() <= told.items()


def test_an_element_without_value_is_left_out() -> None:
    """No `<Region>None</Region>`."""
    _, _, elements = shown(faults.AuthorizationHeaderMalformed("r"))
    assert "Region" not in elements
    _, _, elements = shown(faults.SignatureDoesNotMatch("AK", "sig", "s", None))
    assert "CanonicalRequestBytes" not in elements


def test_headers_that_belong_to_a_status() -> None:
    """304 repeats the validators, 405 names what is allowed, 416 tells the size, a delete marker shows itself."""
    assert shown(store.NotModified("e", 1_767_323_045_000, "v"))[1] == {
        b"etag": b'"e"',
        b"last-modified": b"Fri, 02 Jan 2026 03:04:05 GMT",
        b"x-amz-version-id": b"v",
    }
    assert shown(refusals.MethodNotAllowed("PATCH", "OBJECT", ("GET", "PUT")))[1][b"allow"] == b"GET, PUT"
    assert shown(store.InvalidRange("bytes=9-", 9))[1][b"content-range"] == b"bytes */9"
    current = shown(store.CurrentIsDeleteMarker("b", "k", "v"))
    assert current[0] == 404
    assert current[1][b"x-amz-delete-marker"] == b"true"
    version = shown(store.VersionIsDeleteMarker("b", "k", "v", 0))
    assert version[0] == 405
    assert version[1][b"allow"] == b"DELETE"
    assert version[1][b"x-amz-version-id"] == b"v"
    assert b"retry-after" in shown(store.Contention("k"))[1]


def test_a_part_number_out_of_range_is_an_argument() -> None:
    """Outside 1 to 10,000 no object can have the part; within, this one hasn't."""
    assert explain(store.InvalidPartNumber(10_001, 2))[:2] == ("InvalidArgument", 400)
    assert explain(store.InvalidPartNumber(10_000, 2))[:2] == ("InvalidPartNumber", 416)


def test_a_subclass_is_told_as_its_parent() -> None:
    """An embedder's own error is answered like the class that it refines."""

    class Gone(store.NoSuchKey):
        """The object went away."""

    assert explain(Gone("b", "k")).code == "NoSuchKey"


def test_rows_are_frozen() -> None:
    """The map is data that nobody changes."""
    with pytest.raises(AttributeError):
        next(row for row in ROWS.values() if isinstance(row, Row)).code = "x"  # type: ignore[misc]


@given(st.text(), st.text())
def test_no_text_breaks_the_document(key: str, resource: str) -> None:
    """Whatever a request holds, the answer can be read; what XML 1.0 cannot hold stands as a reference."""
    _, _, body = render_error(store.NoSuchKey("b", key), method="GET", resource=resource, request_id="r", host_id="h")
    body.decode("utf-8")
    try:
        elements = {node.tag: node.text or "" for node in ElementTree.fromstring(body)}
    except ElementTree.ParseError:
        assert any(ord(char) < 0x20 or char in "\ufffe\uffff" for char in key + resource)
        return
    if not any("\ud800" <= char <= "\udfff" for char in key):
        assert elements["Key"] == key


def test_botocore_reads_code_and_message() -> None:
    """The error document is what S3's SDKs take for one."""
    status, headers, body = render_error(
        store.NoSuchKey("b", "k"), method="GET", resource="/b/k", request_id="R", host_id="H"
    )
    parsed = botocore.parsers.create_parser("rest-xml").parse(
        {"status_code": status, "headers": {n.decode(): v.decode() for n, v in headers}, "body": body}, None
    )
    assert parsed["Error"]["Code"] == "NoSuchKey"
    assert parsed["Error"]["Message"] == "The specified key does not exist."
    assert parsed["Error"]["Key"] == "k"
