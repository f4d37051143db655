"""Signature Version 2: agreement with botocore, and refusals."""

from __future__ import annotations

import hmac
import time
from base64 import b64encode
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.errors import StoreError
from lightningstor.s3.wire import sigv2
from lightningstor.s3.wire.faults import (
    AuthorizationQueryParametersError,
    InvalidArgument,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from lightningstor.s3.wire.operations import OPERATIONS

CREDENTIALS = Credentials("AKIA", "secret")
NOW = int(time.time() * 1000)  # botocore signs with the clock of the machine
_KEY = st.text(st.sampled_from(list("aZ0-_.~/ +%é&=?#")), min_size=1, max_size=10)


def presigned(path: str, method: str = "GET", query: str = "") -> tuple[bytes, bytes]:
    """Path and query of a URL that botocore presigned for a minute."""
    request = AWSRequest(method, f"http://localhost:9000{path}" + (f"?{query}" if query else ""))
    HmacV1QueryAuth(CREDENTIALS, 60).add_auth(request)
    return path.encode(), urlsplit(request.url).query.encode()


def verify(method: str, path: bytes, query: bytes, now_ms: int = NOW, secret: bytes = b"secret") -> None:
    signed = sigv2.parse_presigned_v2(dict(parse_qsl(query.decode(), keep_blank_values=True)))
    sigv2.verify_v2(signed, method, path, query, {b"host": b"localhost:9000"}, secret, now_ms)


@settings(max_examples=100, deadline=None)
@given(_KEY)
def test_botocore_and_we_sign_alike(key: str) -> None:
    """Presigned URLs and headers of botocore verify, whatever the key."""
    path = "/bucket/" + quote(key, safe="/~")
    for query in ("", "versionId=abc", "response-content-type=text%2Fplain", "uploads", "uploadId=x&partNumber=1&acl"):
        verify("GET", *presigned(path, query=query))
    request = AWSRequest("PUT", f"http://localhost:9000{path}", headers={"x-amz-meta-b": "1", "x-amz-meta-a": "2 3"})
    HmacV1Auth(CREDENTIALS).add_auth(request)
    headers = {name.lower().encode(): value.encode() for name, value in request.headers.items()}
    signed = sigv2.parse_header_v2(headers)
    sigv2.verify_v2(signed, "PUT", path.encode(), b"", headers, b"secret", NOW)
    with pytest.raises(RequestTimeTooSkewed):
        sigv2.verify_v2(signed, "PUT", path.encode(), b"", headers, b"secret", NOW + 2_000_000)


def test_the_end_of_a_presigned_url() -> None:
    """It is good to the second of Expires, and not a millisecond longer."""
    path, query = presigned("/bucket/key")
    ends_ms = int(dict(parse_qsl(query.decode()))["Expires"]) * 1000
    verify("GET", path, query, ends_ms)
    with pytest.raises(RequestExpired):
        verify("GET", path, query, ends_ms + 1)


def test_what_is_signed_cannot_be_changed() -> None:
    """Another method, path, sub-resource, expiry or secret is refused."""
    path, query = presigned("/bucket/key", query="versionId=abc")
    for change in (
        lambda: verify("PUT", path, query),
        lambda: verify("GET", path + b"x", query),
        lambda: verify("GET", path, query.replace(b"abc", b"abd")),
        lambda: verify("GET", path, query + b"&acl"),
        lambda: verify("GET", path, query.replace(b"Expires=1", b"Expires=2")),
        lambda: verify("GET", path, query, secret=b"other"),
    ):
        with pytest.raises(SignatureDoesNotMatch):
            change()


def test_a_bucket_in_the_host_is_part_of_the_resource() -> None:
    """Virtual-host style signs /bucket/key though the path is /key."""
    _, query = presigned("/bucket/key")
    signed = sigv2.parse_presigned_v2(dict(parse_qsl(query.decode())))
    sigv2.verify_v2(signed, "GET", b"/key", query, {}, b"secret", NOW, virtual_host_bucket="bucket")


@pytest.mark.parametrize("query", [{}, {"AWSAccessKeyId": "a", "Signature": "b"}])
def test_missing_parameters(query: dict[str, str]) -> None:
    """All three parameters must come, and Expires must be a number."""
    for given_query in (query, {**query, "AWSAccessKeyId": "a", "Signature": "b", "Expires": "soon"}):
        with pytest.raises(AuthorizationQueryParametersError):
            sigv2.parse_presigned_v2(given_query)
    for text in (b"AWS ", b"AWS key", b"AWS :sig", b"AWS key:"):
        with pytest.raises(InvalidArgument):
            sigv2.parse_header_v2({b"authorization": text})


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["AWSAccessKeyId", "Signature", "Expires"]), st.text()), st.binary(), st.binary()
)
def test_garbage_is_refused_and_nothing_else(query: dict[str, str], path: bytes, raw_query: bytes) -> None:
    """Whatever comes, only the declared faults are raised."""
    with pytest.raises(StoreError):
        sigv2.verify_v2(sigv2.parse_presigned_v2(query), "GET", path, raw_query, {}, b"secret", NOW)


def signed_by_hand(method: str, resource: str, *lines: str) -> str:
    """A signature written from the documentation: Expires is 2000000000."""
    to_sign = "\n".join((method, "", "", "2000000000", *lines, resource))
    return quote(b64encode(hmac.new(b"secret", to_sign.encode(), "sha1").digest()), safe="")


def verify_by_hand(
    method: str, path: str, query: str, signature: str, headers: dict[bytes, bytes] | None = None
) -> None:
    full = f"{query}&AWSAccessKeyId=AKIA&Expires=2000000000&Signature={signature}".lstrip("&").encode()
    signed = sigv2.parse_presigned_v2(dict(parse_qsl(full.decode(), keep_blank_values=True)))
    sigv2.verify_v2(signed, method, path.encode(), full, headers or {}, b"secret", NOW)


def test_clients_differ_about_empty_values_and_escapes() -> None:
    """`uploads=` is signed as such or without the sign; the path as it is sent or as it is encoded anew."""
    for resource in ("/b/k?uploads", "/b/k?uploads="):
        verify_by_hand("POST", "/b/k", "uploads=", signed_by_hand("POST", resource))
    for resource in ("/b/it's!", "/b/it%27s%21"):
        verify_by_hand("GET", "/b/it's!", "", signed_by_hand("GET", resource))
    with pytest.raises(SignatureDoesNotMatch):
        verify_by_hand("POST", "/b/k", "uploads=x", signed_by_hand("POST", "/b/k?uploads"))


def test_headers_moved_into_the_url_are_signed() -> None:
    """An x-amz- parameter counts as a header, so it is covered like one: none can be added, changed or dropped."""
    signature = signed_by_hand("PUT", "/b/k", "x-amz-acl:private", "x-amz-meta-a:b c")
    verify_by_hand("PUT", "/b/k", "x-amz-acl=private&x-amz-meta-a=b+c", signature)
    verify_by_hand("PUT", "/b/k", "X-Amz-Meta-A=b%20c", signature, {b"x-amz-acl": b"private"})
    for query in (
        "x-amz-acl=public&x-amz-meta-a=b+c",
        "x-amz-acl=private",
        "x-amz-acl=private&x-amz-meta-a=b+c&x-amz-z=",
    ):
        with pytest.raises(SignatureDoesNotMatch):
            verify_by_hand("PUT", "/b/k", query, signature)


def test_everything_that_selects_an_operation_is_signed() -> None:
    """No parameter that makes another operation of a request can be added to a URL that was signed without it."""
    selectors = {name.partition("=")[0] for row in OPERATIONS for name in row.query}
    # No sub-resources but options: the bare GET of a bucket lists it, too; `id` goes with a signed sub-resource only.
    assert selectors - sigv2.SIGNED_PARAMETERS <= {"list-type", "id"}
