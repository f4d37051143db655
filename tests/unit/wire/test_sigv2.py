"""Signature Version 2: agreement with botocore, and refusals."""

from __future__ import annotations

import time
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
    for query in ("", "versionId=abc", "response-content-type=text%2Fplain", "uploads", "partNumber=1&uploadId=x"):
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
