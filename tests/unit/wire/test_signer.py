"""The client's side: what we sign, botocore signs alike; what we presign, the verifier takes."""

from __future__ import annotations

from datetime import datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, quote

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.errors import StoreError
from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.canonical import canonical_path
from lightningstor.s3.wire.dates import parse_amz_time
from lightningstor.s3.wire.faults import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    HeadersNotSigned,
    SignatureDoesNotMatch,
)
from lightningstor.s3.wire.signer import Signer, presign, sign_headers

SIGNER = Signer("AKIAEXAMPLE", b"secret/+key", "eu-west-1")
CREDENTIALS = Credentials("AKIAEXAMPLE", "secret/+key")
HOST = b"localhost:9000"
NOW_MS = parse_amz_time("20260102T030405Z")
_KEYS = st.text(st.sampled_from(list("aZ0-_.~/ +%é&=?#'()!$,:;@")), min_size=1, max_size=12)


def verify(
    method: str, path: bytes, query: bytes, headers: dict[bytes, bytes], now_ms: int = NOW_MS
) -> sigv4.SignedRequest:
    """Parse and verify a request that `SIGNER` signed."""
    signed = (
        sigv4.parse_authorization(headers)
        if b"authorization" in headers
        else sigv4.parse_presigned(dict(parse_qsl(query.decode(), keep_blank_values=True)), headers)
    )
    sigv4.verify(signed, method, path, query, headers, SIGNER.secret, now_ms, region="eu-west-1")
    return signed


@settings(max_examples=60, deadline=None)
@given(_KEYS, st.dictionaries(_KEYS, _KEYS, max_size=3))  # botocore presigns one value of each parameter only
def test_botocore_signs_alike(key: str, parameters: dict[str, str]) -> None:
    """The same request at the same moment has the same signature, in the header and in the URL."""
    path = "/bucket/" + quote(key, safe="/~")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters.items())
    url = f"http://localhost:9000{path}" + (f"?{query}" if query else "")
    with patch("botocore.auth.get_current_datetime", return_value=datetime(2026, 1, 2, 3, 4, 5)):
        request = AWSRequest("GET", url, headers={"x-amz-meta-a": "b"})
        request.context["client_config"] = None
        S3SigV4Auth(CREDENTIALS, "s3", "eu-west-1").add_auth(request)
        presigned = AWSRequest("GET", url)
        S3SigV4QueryAuth(CREDENTIALS, "s3", "eu-west-1", expires=60).add_auth(presigned)
    ours = sign_headers(SIGNER, "GET", path.encode(), query.encode(), {b"host": HOST, b"x-amz-meta-a": b"b"}, NOW_MS)
    theirs = request.headers["Authorization"].replace(", ", ",")
    assert ours[b"authorization"].decode() == theirs
    url_path = presign(SIGNER, "GET", path.encode(), query.encode(), HOST, NOW_MS, 60)
    assert url_path.rpartition(b"=")[2].decode() == presigned.url.rpartition("=")[2]


def test_a_presigned_url_verifies() -> None:
    """Ours are taken; headers that go with them must be sent as they were signed, and no other x-amz- with them."""
    path, _, query = presign(
        SIGNER, "PUT", b"/b/k", b"versionId=1", HOST, NOW_MS, 604_800, {b"x-amz-acl": b"private"}
    ).partition(b"?")
    headers = {b"host": HOST, b"x-amz-acl": b"private"}
    assert verify("PUT", path, query, headers).expires_s == 604_800
    with pytest.raises(SignatureDoesNotMatch):
        verify("PUT", path, query, {b"host": HOST, b"x-amz-acl": b"public-read"})
    with pytest.raises(SignatureDoesNotMatch):
        verify("PUT", path, query, {b"host": HOST})
    with pytest.raises(HeadersNotSigned):
        verify("PUT", path, query, {**headers, b"x-amz-meta-a": b"b"})


@pytest.mark.parametrize("expires_s", [0, -1, 604_801])
def test_a_life_out_of_range_is_our_callers_mistake(expires_s: int) -> None:
    """We do not make URLs that we would refuse."""
    with pytest.raises(ValueError, match="604800"):
        presign(SIGNER, "GET", b"/b/k", b"", HOST, NOW_MS, expires_s)


@pytest.mark.parametrize(
    ("signed_path", "sent_path"),
    [
        (b"/b/a%2Fb", b"/b/a%2fb"),
        (b"/b/a/b", b"/b/a%2Fb"),
        (b"/b/%21%27", b"/b/!'"),
        (b"/b/a%2Bb", b"/b/a+b"),
        (b"/b/~", b"/b/%7E"),
    ],
)
def test_the_path_may_be_sent_in_other_escapes_than_it_was_signed(signed_path: bytes, sent_path: bytes) -> None:
    """Clients and proxies escape more or less than they sign; what counts is what the path means."""
    headers = sign_headers(SIGNER, "GET", signed_path, b"", {b"host": HOST}, NOW_MS)
    verify("GET", sent_path, b"", headers)
    with pytest.raises(SignatureDoesNotMatch):
        verify("GET", sent_path + b"x", b"", headers)


def test_a_client_that_signs_what_it_sends() -> None:
    """A path or a query that is signed without any encoding is taken as well, byte for byte only."""
    path, query = b"/b/it's(1)!", b"prefix=a/b:c&delimiter=/"
    headers = {b"host": HOST, b"x-amz-date": b"20260102T030405Z", b"x-amz-content-sha256": b"UNSIGNED-PAYLOAD"}
    names = b"host;x-amz-content-sha256;x-amz-date"
    canonical = b"GET\n%b\ndelimiter=/&prefix=a/b:c\nhost:%b\nx-amz-content-sha256:UNSIGNED-PAYLOAD\n" % (path, HOST)
    canonical += b"x-amz-date:20260102T030405Z\n\n%b\nUNSIGNED-PAYLOAD" % names
    draft = b"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260102/eu-west-1/s3/aws4_request,SignedHeaders=%b,Signature=%b"
    unsigned = sigv4.parse_authorization({**headers, b"authorization": draft % (names, b"0")})
    signature = SIGNER.key(NOW_MS).sign(sigv4.string_to_sign(unsigned, canonical))
    headers[b"authorization"] = draft % (names, signature.encode())
    verify("GET", path, query, headers)
    with pytest.raises(SignatureDoesNotMatch):
        verify("GET", path, b"prefix=a/b+c&delimiter=/", headers)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_of_a_presigned_url_is_refused(data: st.DataObject) -> None:
    """Delete, insert or replace bytes anywhere in a URL: refused, unless it still means the same (PROOF 30, 37)."""
    url = presign(SIGNER, "GET", b"/b/key%20one", b"versionId=1", HOST, NOW_MS, 60)
    at = data.draw(st.integers(1, len(url)))
    cut = data.draw(st.integers(0, 3))
    new = data.draw(st.binary(max_size=3).map(lambda raw: bytes(byte for byte in raw if 32 < byte < 127)))
    path, _, query = (url[:at] + new + url[at + cut :]).partition(b"?")
    try:
        verify("GET", path, query, {b"host": HOST})
    except StoreError:
        return
    meant, got = ({*parse_qsl(text.partition(b"?")[2], keep_blank_values=True)} for text in (url, path + b"?" + query))
    assert meant == got
    assert canonical_path(path) == b"/b/key%20one"


def test_signed_names_that_are_none() -> None:
    """A line feed or a space among the signed names could pose as a header: such lists are not read at all."""
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "AKIA/20260102/eu-west-1/s3/aws4_request",
        "X-Amz-Date": "20260102T030405Z",
        "X-Amz-Expires": "60",
        "X-Amz-Signature": "0" * 64,
    }
    for listed in ("host\nx:1", "host;", ";host", "host x", "hosté", "host;;date", "host:a", "host;host"):
        with pytest.raises(StoreError):
            sigv4.parse_presigned({**query, "X-Amz-SignedHeaders": listed}, {})
    assert sigv4.parse_presigned({**query, "X-Amz-SignedHeaders": "host;a%b"}, {}).credential.names == (b"host", b"a%b")
    headers = sign_headers(SIGNER, "GET", b"/b/k", b"", {b"host": HOST, b"x-amz-meta-%s%%": b"50%"}, NOW_MS)
    verify("GET", b"/b/k", b"", headers)


def test_the_day_of_the_credential_is_that_of_the_request() -> None:
    """A URL whose scope is another day's is refused for that, before any key is derived."""
    url = presign(SIGNER, "GET", b"/b/k", b"", HOST, NOW_MS, 60)
    query = dict(parse_qsl(url.partition(b"?")[2].decode()))
    with pytest.raises(AuthorizationQueryParametersError, match="20260103"):
        sigv4.parse_presigned({**query, "X-Amz-Credential": "AKIA/20260103/eu-west-1/s3/aws4_request"}, {})
    for credential in ("AKIA/2026010/eu-west-1/s3/aws4_request", "AKIA/20260102/eu-west-1/s3/aws5", "a/b/c/d", "/////"):
        with pytest.raises(AuthorizationQueryParametersError):
            sigv4.parse_presigned({**query, "X-Amz-Credential": credential}, {})


def test_the_authorization_header_says_everything_once() -> None:
    """A field that is repeated or unknown, or two headers in one, is refused and not half read."""
    headers = sign_headers(SIGNER, "GET", b"/b/k", b"", {b"host": HOST}, NOW_MS)
    right = headers[b"authorization"]
    for wrong in (right + b"," + right, right + b",SignedHeaders=host", right + b",Extra=1", right + b",Signature=0"):
        with pytest.raises(AuthorizationHeaderMalformed):
            sigv4.parse_authorization({**headers, b"authorization": wrong})
    spaced = right.replace(b",", b",  ")
    assert verify("GET", b"/b/k", b"", {**headers, b"authorization": spaced}).region == "eu-west-1"


def test_strangers_do_not_fill_the_caches() -> None:
    """What is parsed before the caller is known is kept only if it is short: a long list of names is not."""
    cache = sigv4._cached_header_credential
    listed = b";".join(b"x%d" % number for number in range(2000))
    before = cache.cache_info().currsize
    for number in range(3):
        headers = sign_headers(SIGNER, "GET", b"/b/k", b"", {b"host": HOST}, NOW_MS)
        headers[b"authorization"] = headers[b"authorization"].replace(b"=host;", b"=host;%b;y%d;" % (listed, number))
        assert len(sigv4.parse_authorization(headers).credential.names) > 2000
    assert cache.cache_info().currsize == before
    assert cache.cache_info().maxsize is not None
