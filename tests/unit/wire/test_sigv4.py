"""Signature Version 4: AWS's own examples, agreement with botocore, and refusal of everything else (PROOF 30, 31)."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from lightningstor.errors import AccessDenied, StoreError
from lightningstor.s3.wire import sigv4
from lightningstor.s3.wire.dates import amz_time, parse_amz_time
from lightningstor.s3.wire.faults import (
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    HeadersNotSigned,
    InvalidArgument,
    InvalidRequest,
    NotImplementedHere,
    RequestExpired,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
)
from tests.conftest import Figure

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXAMPLE_TIME = "20130524T000000Z"
EXAMPLE_MS = parse_amz_time(EXAMPLE_TIME)
HOST = b"examplebucket.s3.amazonaws.com"
PUT_SHA256 = b"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

# "Examples: signature calculations", Amazon S3 API Reference: method, path, query, headers, signature.
EXAMPLES = [
    (
        "GET",
        b"/test.txt",
        b"",
        {b"range": b"bytes=0-9"},
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT",
        b"/test$file.text",
        b"",
        {
            b"date": b"Fri, 24 May 2013 00:00:00 GMT",
            b"x-amz-storage-class": b"REDUCED_REDUNDANCY",
            b"x-amz-content-sha256": PUT_SHA256,
        },
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    ("GET", b"/", b"lifecycle", {}, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    ("GET", b"/", b"max-keys=2&prefix=J", {}, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]


def example_headers(extra: dict[bytes, bytes], signature: str) -> dict[bytes, bytes]:
    headers = {
        b"host": HOST,
        b"x-amz-date": EXAMPLE_TIME.encode(),
        b"x-amz-content-sha256": sigv4.EMPTY_SHA256.encode(),
        **extra,
    }
    names = b";".join(sorted(headers))
    headers[b"authorization"] = (
        b"AWS4-HMAC-SHA256 Credential=%s/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s"
        % (KEY.encode(), names, signature.encode())
    )
    return headers


def check(method: str, path: bytes, query: bytes, headers: dict[bytes, bytes], **options: object) -> None:
    """Parse and verify, in whichever form the signature came."""
    if b"authorization" in headers:
        signed = sigv4.parse_authorization(headers)
    else:
        signed = sigv4.parse_presigned(dict(parse_qsl(query.decode(), keep_blank_values=True)), headers)
    now = options.pop("now_ms", EXAMPLE_MS)
    secret = options.pop("secret", SECRET)
    sigv4.verify(signed, method, path, query, headers, secret, now, region="us-east-1", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "path", "query", "extra", "signature"), EXAMPLES)
def test_the_documented_examples_verify(
    method: str, path: bytes, query: bytes, extra: dict[bytes, bytes], signature: str
) -> None:
    """The signatures printed in the API reference are those that we compute."""
    check(method, path, query, example_headers(extra, signature))


def test_the_documented_presigned_url_verifies() -> None:
    """The presigned example of the API reference, and the edges of its life."""
    query = (
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256"
        b"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    headers = {b"host": HOST}
    check("GET", b"/test.txt", query, headers)
    check("GET", b"/test.txt", query, headers, now_ms=EXAMPLE_MS + 86_400_000)
    with pytest.raises(RequestExpired):
        check("GET", b"/test.txt", query, headers, now_ms=EXAMPLE_MS + 86_400_001)
    check("GET", b"/test.txt", query, headers, now_ms=EXAMPLE_MS - 900_000)
    with pytest.raises(RequestExpired):
        check("GET", b"/test.txt", query, headers, now_ms=EXAMPLE_MS - 900_001)
    check("GET", b"/test.txt", query, {b"host": b"alias:9000"}, hosts=(b"other", HOST))
    with pytest.raises(SignatureDoesNotMatch):
        check("GET", b"/test.txt", query, {b"host": b"alias:9000"})


_NAME = st.text(st.sampled_from(list("aZ0-_.~/ +%é&=?#\U0001f600*'()!$,:;@")), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(_NAME, st.lists(st.tuples(_NAME, _NAME), max_size=4), st.text(st.sampled_from("a b"), max_size=6))
def test_botocore_and_we_sign_alike(key: str, parameters: list[tuple[str, str]], meta: str) -> None:
    """Header and presigned signatures of botocore verify, whatever the key, the query and the metadata."""
    path = "/bucket/" + quote(key, safe="/~")
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in parameters)
    url = f"http://localhost:9000{path}" + (f"?{query}" if query else "")
    credentials = Credentials(KEY, SECRET.decode())
    now = int(time.time() * 1000)  # botocore signs with the clock of the machine
    request = AWSRequest("GET", url, headers={"x-amz-meta-a": meta})
    request.context["client_config"] = None
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    presigned = AWSRequest("GET", url)
    S3SigV4QueryAuth(credentials, "s3", "us-east-1", expires=60).add_auth(presigned)
    headers = {name.lower().encode(): value.encode("latin-1") for name, value in request.headers.items()}
    headers[b"host"] = b"localhost:9000"
    # An HTTP parser hands values over without white space around them.
    check("GET", path.encode(), query.encode(), {name: value.strip() for name, value in headers.items()}, now_ms=now)
    parts = urlsplit(presigned.url)
    check("GET", path.encode(), parts.query.encode(), {b"host": b"localhost:9000"}, now_ms=now)


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_every_flipped_byte_is_refused(example: int, figure: Figure) -> None:
    """One bit changed in path, query, a signed header or the signature: never accepted, and nothing else raised."""
    method, path, query, extra, signature = EXAMPLES[example]
    headers = example_headers(extra, signature)
    tried = 0
    for where in ("path", "query", *headers):
        original = path if where == "path" else query if where == "query" else headers[where]  # type: ignore[index]
        for at in range(len(original)):
            flipped = bytearray(original)
            flipped[at] ^= 1
            changed = dict(headers)
            new_path, new_query = path, query
            if where == "path":
                new_path = bytes(flipped)
            elif where == "query":
                new_query = bytes(flipped)
            else:
                changed[where] = bytes(flipped)  # type: ignore[index]
            if where == b"authorization" and KEY.encode() not in flipped:
                continue  # the access key id is not signed: another one finds another secret, or none
            with pytest.raises(StoreError):
                check(method, new_path, new_query, changed)
            tried += 1
    figure(f"{tried} flipped bytes refused")
    assert tried > 200


@pytest.mark.parametrize(("offset_s", "accepted"), [(900, True), (-900, True), (901, False), (-901, False)])
def test_the_edges_of_the_skew(offset_s: int, accepted: bool) -> None:
    """Fifteen minutes are allowed, a second more is not."""
    method, path, query, extra, signature = EXAMPLES[0]
    headers = example_headers(extra, signature)
    if accepted:
        check(method, path, query, headers, now_ms=EXAMPLE_MS + offset_s * 1000)
    else:
        with pytest.raises(RequestTimeTooSkewed):
            check(method, path, query, headers, now_ms=EXAMPLE_MS + offset_s * 1000)


@pytest.mark.parametrize("expires", ["0", "-1", "604801", "x", "", "1e3", "99999999999999999999"])
def test_expires_out_of_range(expires: str) -> None:
    """X-Amz-Expires is 1 to 604,800 seconds."""
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{KEY}/20130524/us-east-1/s3/aws4_request",
        "X-Amz-Date": EXAMPLE_TIME,
        "X-Amz-Expires": expires,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    with pytest.raises(AuthorizationQueryParametersError):
        sigv4.parse_presigned(query, {b"host": HOST})
    assert sigv4.parse_presigned({**query, "X-Amz-Expires": "604800"}, {b"host": HOST}).expires_s == 604_800


def test_headers_that_must_be_signed() -> None:
    """An unsigned host or x-amz-* header is refused before the signature is looked at."""
    method, path, query, extra, signature = EXAMPLES[0]
    headers = example_headers(extra, signature)
    with pytest.raises(HeadersNotSigned) as caught:
        check(method, path, query, {**headers, b"x-amz-acl": b"private"})
    assert caught.value.headers == "x-amz-acl"
    without = headers[b"authorization"].replace(b"SignedHeaders=host;", b"SignedHeaders=")
    with pytest.raises(HeadersNotSigned):
        check(method, path, query, {**headers, b"authorization": without})


@pytest.mark.parametrize(
    ("authorization", "error"),
    [
        (b"", InvalidArgument),
        (b"Basic abc", InvalidArgument),
        (b"AWS4-HMAC-SHA256 ", AuthorizationHeaderMalformed),
        (b"AWS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b", AuthorizationHeaderMalformed),
        (b"AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,Signature=b", AuthorizationHeaderMalformed),
        (
            b"AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request,SignedHeaders=host,Signature=b",
            AuthorizationHeaderMalformed,
        ),
        (
            b"AWS4-HMAC-SHA256 Credential=a/20130525/r/s3/aws4_request,SignedHeaders=host,Signature=b",
            AuthorizationHeaderMalformed,
        ),
        (b"AWS4-ECDSA-P256-SHA256 Credential=a", NotImplementedHere),
    ],
)
def test_headers_that_cannot_be_read(authorization: bytes, error: type[StoreError]) -> None:
    """Each malformed Authorization header is told what is wrong with it."""
    headers = {**example_headers({}, "0"), b"authorization": authorization}
    with pytest.raises(error):
        sigv4.parse_authorization(headers)


def test_headers_that_are_missing() -> None:
    """A time and a payload hash must come; Date may stand in for x-amz-date."""
    headers = example_headers({}, "0" * 64)
    for name, error in ((b"x-amz-date", AccessDenied), (b"x-amz-content-sha256", InvalidRequest)):
        with pytest.raises(error):
            sigv4.parse_authorization({key: value for key, value in headers.items() if key != name})
    del headers[b"x-amz-date"]
    other = {key: value for key, value in headers.items() if key != b"x-amz-content-sha256"}
    other[b"authorization"] = b"AWS4-ECDSA-P256-SHA256 Credential=a,Signature=b"
    with pytest.raises(NotImplementedHere):  # what its scheme cannot do is said before what it lacks
        sigv4.parse_authorization(other)
    headers[b"date"] = b"Fri, 24 May 2013 00:00:00 GMT"
    assert sigv4.parse_authorization(headers).amz_date == EXAMPLE_TIME


def test_a_strict_region_is_named_in_the_refusal() -> None:
    """Any region is accepted unless the endpoint is strict about its own."""
    method, path, query, extra, signature = EXAMPLES[0]
    headers = example_headers(extra, signature)
    signed = sigv4.parse_authorization(headers)
    sigv4.verify(signed, method, path, query, headers, SECRET, EXAMPLE_MS, region="eu-west-1")
    with pytest.raises(AuthorizationHeaderMalformed) as caught:
        sigv4.verify(signed, method, path, query, headers, SECRET, EXAMPLE_MS, region="eu-west-1", strict_region=True)
    assert caught.value.region == "eu-west-1"


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([b"authorization", b"x-amz-date", b"date", b"x-amz-content-sha256", b"host"]), st.binary()
    ),
    st.dictionaries(st.sampled_from([*sigv4.PRESIGNED_PARAMETERS, "X-Amz-Content-Sha256"]), st.text()),
    st.binary(),
    st.binary(),
)
def test_garbage_is_refused_and_nothing_else(
    headers: dict[bytes, bytes], query: dict[str, str], path: bytes, raw_query: bytes
) -> None:
    """Whatever comes, only the declared faults are raised (PROOF 37, short)."""
    headers.setdefault(b"authorization", b"AWS4-HMAC-SHA256 ")
    for parse in (lambda: sigv4.parse_authorization(headers), lambda: sigv4.parse_presigned(query, headers)):
        with pytest.raises(StoreError):
            sigv4.verify(parse(), "GET", path, raw_query, headers, SECRET, EXAMPLE_MS, region="us-east-1")


def test_times_round_trip() -> None:
    """The compact form of a time is read back."""
    assert amz_time(parse_amz_time("20240229T235959Z")) == "20240229T235959Z"
    for text in ("20130524T000000", "20131324T000000Z", "2013-05-24T00:00Z", "20130524X000000Z", ""):
        with pytest.raises(ValueError):  # noqa: PT011 - it says no more than that
            parse_amz_time(text)
