"""Which operation a request is, and what those without a handler answer."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.errors import StoreError
from lightningstor.s3.errors import explain
from lightningstor.s3.handlers import HANDLERS
from lightningstor.s3.wire.compatibility import PAGE, compatibility
from lightningstor.s3.wire.faults import InvalidArgument, NotImplementedHere
from lightningstor.s3.wire.operation import OPTIONS, Fixed, NotConfigured, Operation, Scope
from lightningstor.s3.wire.operations import BY_NAME, OPERATIONS
from lightningstor.s3.wire.refusals import (
    AccessControlListNotSupported,
    CrossOriginRefused,
    MethodNotAllowed,
    NotConfiguredHere,
    PreflightIncomplete,
)
from lightningstor.s3.wire.routing import match
from lightningstor.s3.wire.unimplemented import answer_unimplemented, refuse_preflight

COPY = {b"x-amz-copy-source": b"/b/k"}
MATCHED = [row for row in OPERATIONS if row.superseded_by is None and not row.elsewhere]
UNIMPLEMENTED = [row for row in MATCHED if not row.implemented and row.signed]


def parameters(*selectors: str) -> dict[str, str]:
    """The query that selectors stand for."""
    return {name: value for name, _, value in (selector.partition("=") for selector in selectors)}


# Matching


@pytest.mark.parametrize("operation", MATCHED, ids=lambda operation: operation.name)
def test_every_row_is_matched_by_its_own_request(operation: Operation) -> None:
    """Method, scope, selectors and header lead back to the row; other parameters don't disturb."""
    query = parameters(*operation.query)
    headers = COPY if operation.header else {}
    assert match(operation.method, operation.scope, query, headers) is operation
    noise = {"x-id": operation.name, "X-Amz-Signature": "0", "prefix": "a", "max-keys": "1", "versionId": "v"}
    assert match(operation.method, operation.scope, noise | query, headers) is operation
    assert match(operation.method, operation.scope, query | noise, headers) is operation


@pytest.mark.parametrize(
    ("method", "scope", "query", "headers", "name"),
    [
        ("GET", Scope.SERVICE, "", {}, "ListBuckets"),
        ("GET", Scope.BUCKET, "", {}, "ListObjects"),
        ("GET", Scope.BUCKET, "prefix=a&marker=b", {}, "ListObjects"),
        ("GET", Scope.BUCKET, "list-type=2&prefix=a", {}, "ListObjectsV2"),
        ("GET", Scope.BUCKET, "versions&key-marker=a", {}, "ListObjectVersions"),
        ("GET", Scope.OBJECT, "", {}, "GetObject"),
        ("GET", Scope.OBJECT, "partNumber=2", {}, "GetObject"),
        ("HEAD", Scope.OBJECT, "partNumber=2&versionId=v", {}, "HeadObject"),
        ("GET", Scope.OBJECT, "uploadId=u", {}, "ListParts"),
        ("GET", Scope.OBJECT, "id=5&list-type=2&select-type=2", {}, "GetObject"),
        ("PUT", Scope.OBJECT, "", {}, "PutObject"),
        ("PUT", Scope.OBJECT, "", COPY, "CopyObject"),
        ("PUT", Scope.OBJECT, "partNumber=1&uploadId=u", {}, "UploadPart"),
        ("PUT", Scope.OBJECT, "uploadId=u&partNumber=1", COPY, "UploadPartCopy"),
        ("PUT", Scope.OBJECT, "tagging", COPY, "PutObjectTagging"),
        ("GET", Scope.OBJECT, "", COPY, "GetObject"),
        ("POST", Scope.OBJECT, "uploads", {}, "CreateMultipartUpload"),
        ("POST", Scope.OBJECT, "uploadId=u", {}, "CompleteMultipartUpload"),
        ("DELETE", Scope.OBJECT, "uploadId=u", {}, "AbortMultipartUpload"),
        ("DELETE", Scope.OBJECT, "versionId=v", {}, "DeleteObject"),
        ("POST", Scope.BUCKET, "delete", {}, "DeleteObjects"),
        ("POST", Scope.BUCKET, "", {}, "PostObject"),
        ("GET", Scope.BUCKET, "analytics", {}, "ListBucketAnalyticsConfigurations"),
        ("GET", Scope.BUCKET, "analytics&id=a", {}, "GetBucketAnalyticsConfiguration"),
        ("GET", Scope.BUCKET, "lifecycle", {}, "GetBucketLifecycleConfiguration"),
        ("PUT", Scope.BUCKET, "notification", {}, "PutBucketNotificationConfiguration"),
        ("POST", Scope.OBJECT, "select&select-type=2", {}, "SelectObjectContent"),
        ("OPTIONS", Scope.OBJECT, "uploads", {}, "OptionsObject"),
        ("OPTIONS", Scope.BUCKET, "", {}, "OptionsBucket"),
    ],
)
def test_requests_and_their_operations(
    method: str, scope: Scope, query: str, headers: dict[bytes, bytes], name: str
) -> None:
    """Requests as clients send them."""
    assert match(method, scope, parameters(*filter(None, query.split("&"))), headers).name == name


@pytest.mark.parametrize(
    ("method", "scope", "query", "resource_type", "allowed"),
    [
        ("PATCH", Scope.OBJECT, "", "OBJECT", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("POST", Scope.OBJECT, "", "OBJECT", {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}),
        ("DELETE", Scope.SERVICE, "", "SERVICE", {"GET"}),
        ("POST", Scope.SERVICE, "", "SERVICE", {"GET"}),
        ("POST", Scope.BUCKET, "versioning", "VERSIONING", {"GET", "PUT"}),
        ("DELETE", Scope.BUCKET, "acl", "ACL", {"GET", "PUT"}),
        ("HEAD", Scope.OBJECT, "tagging", "TAGGING", {"GET", "PUT", "DELETE"}),
        ("GET", Scope.BUCKET, "delete", "DELETE", {"POST"}),
        ("get", Scope.BUCKET, "", "BUCKET", {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"}),
    ],
)
def test_another_method_is_not_allowed(
    method: str, scope: Scope, query: str, resource_type: str, allowed: set[str]
) -> None:
    """The error names the resource and the methods that it has (RFC 9110 §15.5.6)."""
    with pytest.raises(MethodNotAllowed) as caught:
        match(method, scope, parameters(*filter(None, [query])), {})
    assert (caught.value.method, caught.value.resource_type) == (method, resource_type)
    assert set(caught.value.allowed) == allowed


@pytest.mark.parametrize(
    ("method", "scope", "query", "sentence"),
    [
        ("GET", Scope.BUCKET, "acl&policy", "Conflicting query string parameters: acl, policy"),
        ("PUT", Scope.OBJECT, "tagging&retention", "Conflicting query string parameters: retention, tagging"),
        ("GET", Scope.OBJECT, "location", "There is no such thing as the ?location sub-resource for a key"),
        ("PUT", Scope.OBJECT, "policy", "There is no such thing as the ?policy sub-resource for a key"),
        ("GET", Scope.BUCKET, "torrent", "There is no such thing as the ?torrent sub-resource for a bucket"),
        ("GET", Scope.SERVICE, "location", "There is no such thing as the ?location sub-resource for a service"),
        ("GET", Scope.BUCKET, "list-type=3", "Invalid List Type specified in Query"),
        ("GET", Scope.BUCKET, "list-type", "Invalid List Type specified in Query"),
        ("PUT", Scope.OBJECT, "uploadId=u", "The parameter partNumber must be given with uploadId"),
        ("PUT", Scope.OBJECT, "partNumber=1", "The parameter uploadId must be given with partNumber"),
        ("PUT", Scope.BUCKET, "metrics", "The parameter id must be given with metrics"),
        ("POST", Scope.OBJECT, "select", "The parameter select-type=2 must be given with select"),
    ],
)
def test_a_query_that_selects_nothing_is_an_invalid_argument(
    method: str, scope: Scope, query: str, sentence: str
) -> None:
    """Two sub-resources, one of another scope, or half of a pair: never the plain operation instead."""
    with pytest.raises(InvalidArgument) as caught:
        match(method, scope, parameters(*query.split("&")), {})
    assert caught.value.reason == sentence


def test_no_sub_resource_of_a_write_falls_through_to_the_plain_operation() -> None:
    """A PUT, POST or DELETE that names any sub-resource of S3 never becomes PutObject, CreateBucket and so on."""
    names = {selector for row in OPERATIONS for selector in row.query[:1]} - {"list-type=2", "partNumber"}
    plain = {row for row in OPERATIONS if not row.query}
    for method in ("PUT", "POST", "DELETE"):
        for scope in Scope:
            for name in names:
                try:
                    assert match(method, scope, {name: ""}, {}) not in plain
                except StoreError:
                    continue


@given(
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"]) | st.text(),
    st.sampled_from(list(Scope)),
    st.dictionaries(
        st.sampled_from(sorted({s.partition("=")[0] for row in OPERATIONS for s in row.query})) | st.text(), st.text()
    ),
    st.booleans(),
)
def test_every_request_is_an_operation_or_an_error_of_ours(
    method: str, scope: Scope, query: dict[str, str], copy: bool
) -> None:
    """What is matched has the request's method and scope, and its selectors are in the query."""
    try:
        operation = match(method, scope, query, COPY if copy else {})
    except StoreError:
        return
    assert (operation.method, operation.scope) == (method, scope)
    for selector in operation.query:
        name, equals, value = selector.partition("=")
        assert name in query
        assert not equals or query[name] == value


# Handlers


def test_every_implemented_row_has_its_handler_and_vice_versa() -> None:
    """A row with DTOs is implemented; the rest answer for themselves."""
    assert {row.name for row in OPERATIONS if row.implemented} == set(HANDLERS)


@pytest.mark.parametrize("operation", UNIMPLEMENTED, ids=lambda operation: operation.name)
def test_a_row_without_handler_answers_honestly(operation: Operation) -> None:
    """What S3 answers while nothing is configured, or a refusal: never a plain 200."""
    if isinstance(operation.unconfigured, Fixed):
        status, _headers, body = answer_unimplemented(operation, "b")
        assert operation.method in ("GET", "DELETE")
        assert (status == 204) == (operation.method == "DELETE")
        if operation.method == "GET":
            assert ElementTree.fromstring(body).tag.startswith("{http://s3.amazonaws.com/doc/2006-03-01/}")
        else:
            assert body == b""
        return
    with pytest.raises(StoreError) as caught:
        answer_unimplemented(operation, "b")
    expected = (
        AccessControlListNotSupported
        if operation.acl
        else NotConfiguredHere
        if isinstance(operation.unconfigured, NotConfigured)
        else NotImplementedHere
    )
    assert type(caught.value) is expected
    if expected is NotImplementedHere:
        assert explain(caught.value).status == 501


def test_nothing_that_sets_is_answered_with_success() -> None:
    """A configuration that cannot be kept is never accepted."""
    for operation in UNIMPLEMENTED:
        if operation.method in ("PUT", "POST"):
            assert operation.unconfigured is None, operation.name


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration", 404),
        ("GetBucketCors", "NoSuchCORSConfiguration", 404),
        ("GetBucketPolicy", "NoSuchBucketPolicy", 404),
        ("GetBucketPolicyStatus", "NoSuchBucketPolicy", 404),
        ("GetBucketWebsite", "NoSuchWebsiteConfiguration", 404),
        ("GetBucketEncryption", "ServerSideEncryptionConfigurationNotFoundError", 404),
        ("GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError", 404),
        ("GetBucketOwnershipControls", "OwnershipControlsNotFoundError", 404),
        ("GetPublicAccessBlock", "NoSuchPublicAccessBlockConfiguration", 404),
        ("GetBucketReplication", "ReplicationConfigurationNotFoundError", 404),
        ("GetBucketMetricsConfiguration", "NoSuchConfiguration", 404),
        ("GetObjectRetention", "InvalidRequest", 400),
        ("PutBucketAcl", "AccessControlListNotSupported", 400),
        ("PutObjectAcl", "AccessControlListNotSupported", 400),
        ("PutBucketPolicy", "NotImplemented", 501),
        ("GetObjectTorrent", "NotImplemented", 501),
        ("PostObject", "NotImplemented", 501),
    ],
)
def test_the_codes_that_clients_wait_for(name: str, code: str, status: int) -> None:
    """Terraform reads each of these codes as "not configured" and nothing else."""
    with pytest.raises(StoreError) as caught:
        answer_unimplemented(BY_NAME[name], "b")
    told = explain(caught.value)
    assert (told.code, told.status) == (code, status)


def test_every_unconfigured_sub_resource_has_its_code() -> None:
    """No row names a sub-resource that the map of errors does not know."""
    for operation in OPERATIONS:
        if isinstance(operation.unconfigured, NotConfigured) and operation.signed:
            assert explain(NotConfiguredHere(operation.unconfigured.what, "b")).code != "InternalError"


def test_a_preflight_is_refused_as_s3_does_without_cors_rules() -> None:
    """400 without Origin or method, 403 with them; whether the bucket exists makes no difference."""
    operation = BY_NAME["OptionsObject"]
    assert operation.method == OPTIONS
    assert not operation.signed
    bare = refuse_preflight(operation, {})
    assert isinstance(bare, PreflightIncomplete)
    assert explain(bare).message == "Insufficient information. Origin request header needed."
    half = refuse_preflight(operation, {b"origin": b"https://example.com"})
    assert explain(half)[:2] == ("BadRequest", 400)
    whole = refuse_preflight(operation, {b"origin": b"o", b"access-control-request-method": b"PUT"})
    assert isinstance(whole, CrossOriginRefused)
    assert explain(whole).elements == (("Method", "PUT"), ("ResourceType", "OBJECT"))
    assert explain(whole)[:2] == ("AccessForbidden", 403)


# Rows


def test_actions_have_the_form_of_the_specification() -> None:
    """Ours as SPEC §7.3 writes them, S3's as IAM does."""
    specified = {
        "buckets:create", "buckets:get", "buckets:list", "buckets:delete", "objects:put", "objects:get",
        "objects:list", "objects:delete", "objects:copy", "uploads:create", "uploads:complete", "uploads:abort",
    }  # fmt: skip
    used = {row.action.removeprefix("lightningstor:") for row in OPERATIONS}
    assert specified <= used
    assert used - specified == {"buckets:update", "uploads:list"}
    for row in OPERATIONS:
        assert row.action.startswith("lightningstor:")
        assert row.iam_action.partition(":")[0] in ("s3", "s3express", "s3-object-lambda")


def test_the_compatibility_page_is_current() -> None:
    """docs/s3-compatibility.md is what the table says today: `make docs` writes it."""
    assert (Path(__file__).parents[3] / PAGE).read_text(encoding="utf-8") == compatibility()
