"""Binding requests and rendering answers: what is taken, what is refused, what a hostile value does."""

from __future__ import annotations

import email.header
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.errors import StoreError
from lightningstor.s3.wire import dto
from lightningstor.s3.wire.bind import bind
from lightningstor.s3.wire.faults import InvalidArgument, NotImplementedHere
from lightningstor.s3.wire.operation import Body, Operation
from lightningstor.s3.wire.operations import BY_NAME, OPERATIONS
from lightningstor.s3.wire.refusals import AccessControlListNotSupported, MissingRequestBody
from lightningstor.s3.wire.render import header_value, metadata_value, render

IMPLEMENTED = [operation for operation in OPERATIONS if operation.implemented]

# What a bare request of an operation needs besides bucket and key.
NEEDED_QUERY = {"uploadId": "u1", "partNumber": "3"}
NEEDED_HEADERS = {"x-amz-copy-source": b"/b/k", "x-amz-object-attributes": b"ETag"}
BODIES = {
    "PutBucketVersioning": b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    "PutBucketLogging": b"<BucketLoggingStatus/>",
    "PutBucketTagging": b"<Tagging><TagSet/></Tagging>",
    "PutObjectTagging": b"<Tagging><TagSet/></Tagging>",
    "DeleteObjects": b"<Delete><Object><Key>k</Key></Object></Delete>",
}


def bind_bare(name: str, headers: Mapping[str, bytes] | None = None, query: Mapping[str, str] | None = None) -> Any:
    """Bind the least request of an operation, and these headers and parameters with it."""
    operation = BY_NAME[name]
    assert operation.input is not None
    members = operation.input.members.values()
    needed = {member.wire for member in members if member.required}
    all_headers = {wire: value for wire, value in NEEDED_HEADERS.items() if wire in needed} | dict(headers or {})
    all_query = {wire: value for wire, value in NEEDED_QUERY.items() if wire in needed} | dict(query or {})
    return bind(
        operation,
        "bucket" if operation.scope >= 1 else None,
        "key" if operation.scope == 2 else None,
        all_query,
        {wire.lower().encode(): value for wire, value in all_headers.items()},
        BODIES.get(name),
    )


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_the_least_request_binds(operation: Operation) -> None:
    """Every implemented operation binds with nothing but what its model requires."""
    request = bind_bare(operation.name)
    assert type(request) is operation.input


def test_bucket_and_key_are_the_targets() -> None:
    """The bucket and the key are taken as they are."""
    request = bind(BY_NAME["GetObject"], "b", "a//../%2F", {}, {})
    assert (request.bucket, request.key) == ("b", "a//../%2F")


# Nothing is accepted and ignored


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_every_refused_header_is_refused(operation: Operation) -> None:
    """Each header that the model has and we don't implement gets an error, whatever its letters' case."""
    assert operation.input is not None
    for refusal in operation.input.refused:
        expected = AccessControlListNotSupported if refusal.grant else NotImplementedHere
        with pytest.raises(expected):
            bind_bare(operation.name, {refusal.wire: b"AES256"})


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_what_asks_for_nothing_is_not_refused(operation: Operation) -> None:
    """A refused header whose value asks for what happens anyway is let through."""
    assert operation.input is not None
    harmless = {refusal.wire: refusal.harmless[0].encode() for refusal in operation.input.refused if refusal.harmless}
    bind_bare(operation.name, harmless)


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_an_unknown_amz_header_is_refused(operation: Operation) -> None:
    """A header `x-amz-…` that S3's model of today does not have is not ignored."""
    with pytest.raises(NotImplementedHere) as caught:
        bind_bare(operation.name, {"x-amz-of-the-future": b"1"})
    assert caught.value.what == "x-amz-of-the-future"


@pytest.mark.parametrize("operation", IMPLEMENTED, ids=lambda operation: operation.name)
def test_transport_headers_pass(operation: Operation) -> None:
    """What authentication, payload and SDKs add is no matter of the operation."""
    bind_bare(
        operation.name,
        {
            "Host": b"h",
            "Authorization": b"AWS4-HMAC-SHA256 Credential=a",
            "x-amz-date": b"20260102T030405Z",
            "x-amz-content-sha256": b"UNSIGNED-PAYLOAD",
            "x-amz-security-token": b"t",
            "x-amz-decoded-content-length": b"3",
            "x-amz-trailer": b"x-amz-checksum-crc32",
            "x-amz-sdk-checksum-algorithm": b"CRC32",
            "x-amz-user-agent": b"aws-sdk-js/3",
            "x-amz-expected-bucket-owner": b"1",
            "amz-sdk-invocation-id": b"1",
            "amz-sdk-request": b"attempt=1",
            "x-forwarded-for": b"::1",
        },
    )


@pytest.mark.parametrize(
    "operation", [row for row in IMPLEMENTED if row.body is Body.XML], ids=lambda operation: operation.name
)
def test_checksums_of_an_xml_body_pass(operation: Operation) -> None:
    """A body that is checked as it is read may bring any checksum, modelled or not."""
    bind_bare(operation.name, {"x-amz-checksum-crc64nvme": b"AAAAAAAAAAA="})


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("DeleteObject", "If-None-Match"),
        ("DeleteObject", "If-Unmodified-Since"),
        ("UploadPart", "If-Match"),
        ("PutObject", "If-Unmodified-Since"),
        ("PutObject", "Content-Range"),
        ("DeleteBucket", "If-Match"),
        ("CopyObject", "x-amz-server-side-encryption-customer-key"),
        ("CompleteMultipartUpload", "If-Unmodified-Since"),
    ],
)
def test_a_condition_that_is_not_kept_is_refused(name: str, header: str) -> None:
    """A write with a condition that the operation does not have must not happen without it."""
    with pytest.raises(NotImplementedHere):
        bind_bare(name, {header: b"x"})


def test_reads_ignore_what_only_writes_have() -> None:
    """A GET with If-Match and Content-Range: the one is bound, the other has no meaning."""
    request = bind_bare("GetObject", {"If-Match": b'"e"', "Content-Range": b"bytes 0-1/2"})
    assert request.if_match == '"e"'


@pytest.mark.parametrize("name", ["PutObject", "GetObject", "CreateBucket", "DeleteObject", "ListObjectsV2"])
def test_an_unknown_parameter_without_value_is_refused(name: str) -> None:
    """It looks like a sub-resource of a later S3: a PUT to it must not become a PUT of the object."""
    with pytest.raises(NotImplementedHere) as caught:
        bind_bare(name, query={"annotations-of-2031": ""})
    assert caught.value.what == "annotations-of-2031"


@pytest.mark.parametrize(
    "query",
    [
        {"x-id": "GetObject"},
        {"x-id": ""},
        {"metadata": "true"},
        {"X-Amz-Signature": "00", "X-Amz-Expires": "5", "X-Amz-SignedHeaders": "host"},
        {"AWSAccessKeyId": "a", "Signature": "s", "Expires": "1"},
        {"marker": "", "prefix": ""},
    ],
)
def test_parameters_that_s3_ignores_pass(query: dict[str, str]) -> None:
    """SDK remarks, signatures, and parameters of other listings do not disturb."""
    bind_bare("GetObject", query=query)
    bind_bare("ListObjectsV2", query=query)


@pytest.mark.parametrize("name", ["PutObject", "CopyObject", "CreateMultipartUpload"])
@pytest.mark.parametrize("parameter", ["versionId", "uploadId"])
def test_a_particular_that_the_operation_lacks_is_refused(name: str, parameter: str) -> None:
    """A write that names a version or an upload which it cannot address is an error."""
    with pytest.raises(InvalidArgument) as caught:
        bind_bare(name, query={parameter: "1"})
    assert caught.value.name == parameter


# Headers that an SDK has moved into a presigned URL


def test_a_header_in_the_url_counts_as_header() -> None:
    """Presigned URLs of the JS and Go SDKs carry headers as parameters: they bind alike."""
    request = bind_bare("PutObject", query={"x-amz-storage-class": "STANDARD_IA", "X-Amz-Meta-Colour": "blue"})
    assert request.storage_class == "STANDARD_IA"
    assert request.metadata == {"colour": "blue"}


@pytest.mark.parametrize("name", ["a\r\nset-cookie:b", "a b", "\u00e9", "a:"])
def test_a_name_in_the_url_that_no_header_could_have(name: str) -> None:
    """The name of metadata is a header's name when the object is read: it must not be able to hold another header."""
    with pytest.raises(InvalidArgument):
        bind_bare("PutObject", query={f"x-amz-meta-{name}": "v"})


def test_a_refused_header_in_the_url_is_refused() -> None:
    """Encryption asked for in the URL is no less asked for."""
    with pytest.raises(NotImplementedHere):
        bind_bare("PutObject", query={"x-amz-server-side-encryption": "AES256"})
    with pytest.raises(AccessControlListNotSupported):
        bind_bare("PutObject", query={"X-Amz-Acl": "public-read"})
    with pytest.raises(NotImplementedHere):
        bind_bare("GetObject", query={"x-amz-of-the-future": "1"})


def test_a_checksum_in_the_url_is_none_of_the_body() -> None:
    """The JS SDK signs the CRC32 of nothing into its URLs; S3 takes the body all the same."""
    signed = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    request = bind_bare("PutObject", query=signed)
    assert request.checksum_crc32 is None


def test_the_header_wins_over_the_url() -> None:
    """Given in both places, the header is what the request says."""
    request = bind_bare("PutObject", {"x-amz-storage-class": b"STANDARD"}, {"x-amz-storage-class": "ONEZONE_IA"})
    assert request.storage_class == "STANDARD"


# Values


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²", "٣", " 1", "0x1", "2147483648", "9" * 40])
def test_a_bad_number_is_an_invalid_argument(text: str) -> None:
    """It names the argument and its value, as S3 does."""
    with pytest.raises(InvalidArgument) as caught:
        bind_bare("ListObjectsV2", query={"max-keys": text})
    assert (caught.value.name, caught.value.value) == ("max-keys", text)


def test_an_empty_number_is_no_number() -> None:
    """`max-keys=` asks for the default."""
    assert bind_bare("ListObjectsV2", query={"max-keys": ""}).max_keys is None


def test_the_largest_numbers() -> None:
    """31 bits for counts, more for sizes."""
    assert bind_bare("ListObjectsV2", query={"max-keys": "2147483647"}).max_keys == 2_147_483_647
    size = bind_bare("CompleteMultipartUpload", {"x-amz-mp-object-size": b"5497558138880"}).mpu_object_size
    assert size == 5 << 40


def test_a_missing_required_value_is_an_invalid_argument() -> None:
    """GetObjectAttributes without its header, UploadPart with an empty part number."""
    with pytest.raises(InvalidArgument) as caught:
        bind(BY_NAME["GetObjectAttributes"], "b", "k", {"attributes": ""}, {})
    assert caught.value.name == "x-amz-object-attributes"
    with pytest.raises(InvalidArgument):
        bind_bare("UploadPart", query={"partNumber": ""})


@pytest.mark.parametrize(
    ("name", "headers", "query", "argument", "sentence"),
    [
        ("ListObjects", {}, {"encoding-type": "base64"}, "encoding-type", "Invalid Encoding Method"),
        ("CopyObject", {"x-amz-metadata-directive": b"MERGE"}, {}, "x-amz-metadata-directive", "Unknown metadata"),
        ("CopyObject", {"x-amz-tagging-directive": b"MERGE"}, {}, "x-amz-tagging-directive", "Unknown tagging"),
        ("GetObject", {"x-amz-request-payer": b"me"}, {}, "x-amz-request-payer", "Invalid value"),
        ("ListObjectsV2", {}, {"fetch-owner": "yes"}, "fetch-owner", "neither true nor false"),
        ("GetObjectAttributes", {"x-amz-object-attributes": b"ETag,Colour"}, {}, "x-amz-object-attributes", "Invalid"),
    ],
)
def test_a_value_out_of_its_list_is_an_invalid_argument(
    name: str, headers: dict[str, bytes], query: dict[str, str], argument: str, sentence: str
) -> None:
    """The argument is named, with S3's sentence where it has one."""
    with pytest.raises(InvalidArgument) as caught:
        bind_bare(name, headers, query)
    assert caught.value.name == argument
    assert caught.value.reason.startswith(sentence) or sentence in caught.value.reason


def test_a_list_in_a_header_is_split() -> None:
    """Blanks around the commas don't matter, nor do the letters' case."""
    request = bind_bare("GetObjectAttributes", {"x-amz-object-attributes": b"etag, ObjectSize,Checksum"})
    assert request.object_attributes == ("ETag", "ObjectSize", "Checksum")


@pytest.mark.parametrize("text", ["a\r\nSet-Cookie: b=c", "a\nb", "a\x00b", "a\x7fb"])
def test_an_override_cannot_break_out_of_its_header(text: str) -> None:
    """What comes back in the answer's head holds no control character."""
    with pytest.raises(InvalidArgument):
        bind_bare("GetObject", query={"response-content-disposition": text})


def test_a_missing_body_is_told_apart_from_a_bad_one() -> None:
    """An operation that needs a body says so when there is none; one that doesn't binds without."""
    with pytest.raises(MissingRequestBody):
        bind(BY_NAME["PutBucketVersioning"], "b", None, {"versioning": ""}, {}, b"")
    assert bind(BY_NAME["CreateBucket"], "b", None, {}, {}, b"").create_bucket_configuration is None


# User metadata


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        ("é€😀".encode(), "é€😀"),
        (b"caf\xe9", "café"),  # Latin-1, as HTTP once had it
        (b"=?UTF-8?B?w6k=?=", "=?UTF-8?B?w6k=?="),  # a client that encodes also decodes
        (b"", ""),
    ],
)
def test_metadata_is_text(raw: bytes, text: str) -> None:
    """UTF-8 is read as such, other bytes as Latin-1; what the client has encoded itself stays as it is."""
    request = bind_bare("PutObject", {"x-amz-meta-One": raw})
    assert request.metadata == {"one": text}


def test_without_metadata_there_is_none() -> None:
    """No dictionary is made for nothing."""
    assert bind_bare("PutObject").metadata is None


@given(st.text())
def test_metadata_comes_back_readable(text: str) -> None:
    """A value is answered as ASCII that cannot end its header, and decodes (RFC 2047) to what was stored."""
    raw = metadata_value(text)
    assert raw.isascii()
    assert raw.decode().isprintable()
    read = str(email.header.make_header(email.header.decode_header(raw.decode())))
    if text.isascii() and text.isprintable():
        assert raw.decode() == text
    else:
        assert read == text


@given(st.text())
def test_no_text_breaks_out_of_a_header(text: str) -> None:
    """Whatever is stored, a header's value holds no control character."""
    raw = header_value(text)
    assert not any(byte < 0x20 or byte == 0x7F for byte in raw)


# Hostile requests


_NAMES = st.sampled_from(
    sorted(
        {
            member.wire
            for operation in IMPLEMENTED
            if operation.input is not None
            for member in operation.input.members.values()
        }
        | {refusal.wire for operation in IMPLEMENTED if operation.input for refusal in operation.input.refused}
    )
)


@given(
    st.sampled_from(IMPLEMENTED),
    st.dictionaries(_NAMES | st.text(), st.binary()),
    st.dictionaries(_NAMES | st.text(), st.text()),
    st.none() | st.binary(),
)
def test_nothing_but_store_errors_escapes(
    operation: Operation, headers: dict[str, bytes], query: dict[str, str], body: bytes | None
) -> None:
    """Whatever a request holds, binding gives the DTO or one of our errors."""
    raw = {name.lower().encode(): value for name, value in headers.items() if name}
    bucket = None if operation.scope == 0 else "b"
    key = "k" if operation.scope == 2 else None
    try:
        request = bind(operation, bucket, key, query, raw, body)
    except StoreError:
        return
    assert type(request) is operation.input


# Answers


def test_an_answer_without_output_is_a_status() -> None:
    """DeleteBucket has neither headers nor body."""
    assert render(BY_NAME["DeleteBucket"], None) == (204, [], b"")


def test_what_is_not_set_is_not_sent() -> None:
    """Of PutObject's answer only what the handler set."""
    status, headers, body = render(BY_NAME["PutObject"], dto.PutObjectOutput(etag='"e"', version_id="v"))
    assert (status, body) == (200, b"")
    assert headers == [(b"etag", b'"e"'), (b"x-amz-version-id", b"v")]


def test_types_in_headers() -> None:
    """Numbers, truths and times as HTTP has them."""
    _, headers, _ = render(
        BY_NAME["HeadObject"],
        dto.HeadObjectOutput(content_length=0, delete_marker=False, last_modified=0, metadata={"A": "ü"}),
    )
    assert dict(headers) == {
        b"content-length": b"0",
        b"x-amz-delete-marker": b"false",
        b"last-modified": b"Thu, 01 Jan 1970 00:00:00 GMT",
        b"x-amz-meta-a": b"=?UTF-8?B?w7w=?=",
    }


def test_an_xml_body_has_its_content_type() -> None:
    """An answer with a body says what it is."""
    _, headers, body = render(BY_NAME["GetBucketVersioning"], dto.GetBucketVersioningOutput(status="Enabled"))
    assert (b"content-type", b"application/xml") in headers
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<VersioningConfiguration xmlns=')
