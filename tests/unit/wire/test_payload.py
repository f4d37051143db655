"""Payload modes, checksums, conditions and ranges: what each header means, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.errors import IncompleteBody, InvalidRange, NotModified, PreconditionFailed, StoreError
from lightningstor.s3.wire import checksums, ranges
from lightningstor.s3.wire.conditions import read_conditions
from lightningstor.s3.wire.dates import parse_http_time
from lightningstor.s3.wire.faults import (
    InvalidArgument,
    InvalidDigest,
    InvalidRequest,
    MissingContentLength,
    NotImplementedHere,
)
from lightningstor.s3.wire.payload import PayloadPlan, plan_payload, stored_content_encoding
from lightningstor.store.checksums import check_multipart_type
from lightningstor.store.conditions import ReadConditions, write_if_match, write_if_none_match
from lightningstor.store.ranges import parse_range

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("headers", "sha256", "plan"),
    [
        ({b"content-length": b"5"}, SHA, PayloadPlan(5, SHA, False, False, None, 5)),
        ({b"content-length": b"5"}, "UNSIGNED-PAYLOAD", PayloadPlan(5, None, False, False, None, 5)),
        ({b"content-length": b"5"}, None, PayloadPlan(5, None, False, False, None, 5)),
        (
            {b"content-length": b"99", b"x-amz-decoded-content-length": b"5"},
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            PayloadPlan(5, None, True, True, None, 99),
        ),
        (
            {b"x-amz-decoded-content-length": b"5", b"x-amz-trailer": b"x-amz-checksum-crc32"},
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            PayloadPlan(5, None, True, False, "x-amz-checksum-crc32", None),
        ),
        (
            {b"x-amz-decoded-content-length": b"5", b"x-amz-trailer": b"x-amz-checksum-sha256"},
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            PayloadPlan(5, None, True, True, "x-amz-checksum-sha256", None),
        ),
    ],
)
def test_modes(headers: dict[bytes, bytes], sha256: str | None, plan: PayloadPlan) -> None:
    """Each value of x-amz-content-sha256 has its plan."""
    assert plan_payload(headers, sha256) == plan


@pytest.mark.parametrize(
    ("headers", "sha256", "error"),
    [
        ({}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", MissingContentLength),
        ({b"x-amz-decoded-content-length": b"x"}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", InvalidArgument),
        ({}, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", NotImplementedHere),
        ({}, "nonsense", InvalidArgument),
        ({}, "ab" * 31, InvalidArgument),
        (
            {b"x-amz-decoded-content-length": b"9", b"content-length": b"5"},
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            IncompleteBody,
        ),
        (
            {b"x-amz-decoded-content-length": b"5", b"x-amz-trailer": b"x-other"},
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            InvalidRequest,
        ),
        (
            {b"x-amz-decoded-content-length": b"5", b"x-amz-trailer": b"x-amz-checksum-crc32,x-amz-checksum-sha1"},
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            InvalidRequest,
        ),
    ],
)
def test_modes_that_are_refused(headers: dict[bytes, bytes], sha256: str, error: type[StoreError]) -> None:
    """What contradicts itself, is malformed or is not implemented is told so."""
    with pytest.raises(error):
        plan_payload(headers, sha256)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(None, None), ("aws-chunked", None), ("gzip, aws-chunked", "gzip"), ("AWS-Chunked,br", "br"), ("gzip", "gzip")],
)
def test_aws_chunked_is_no_content_encoding(value: str | None, kept: str | None) -> None:
    """It is stripped; what remains is kept with the object."""
    assert stored_content_encoding(value) == kept


def test_checksums_of_headers() -> None:
    """One checksum may come; malformed, several or contradicting ones are refused."""
    found = checksums.requested_checksum({b"x-amz-checksum-crc32": b"NhCmhg=="})
    assert found is not None
    assert (found.algorithm, found.digest.hex()) == ("CRC32", "3610a686")
    for headers in (
        {b"x-amz-checksum-crc32": b"NhCm"},
        {b"x-amz-checksum-crc32": b"!"},
        {b"x-amz-checksum-crc32": b"NhCmhg==", b"x-amz-checksum-sha1": b"A" * 27 + b"="},
        {b"x-amz-checksum-crc32": b"NhCmhg==", b"x-amz-sdk-checksum-algorithm": b"SHA1"},
        {b"x-amz-sdk-checksum-algorithm": b"SUM"},
    ):
        with pytest.raises(InvalidRequest):
            checksums.requested_checksum(headers)
    with pytest.raises(NotImplementedHere):
        checksums.requested_checksum({b"x-amz-checksum-xxhash64": b"AAAAAAAAAAA="})
    assert checksums.requested_checksum({b"x-amz-checksum-mode": b"ENABLED"}) is None


def test_content_md5() -> None:
    """Base64 of 16 bytes, or InvalidDigest."""
    assert checksums.content_md5({b"content-md5": b"XUFAKrxLKna5cZ2REBfFkg=="}) is not None
    assert checksums.content_md5({}) is None
    for value in (b"", b"XUFA", b"not base64!"):
        with pytest.raises(InvalidDigest):
            checksums.content_md5({b"content-md5": value})


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-", 10, (2, 8)),
        ("bytes=2-100", 10, (2, 8)),
        ("bytes=-3", 10, (7, 3)),
        ("bytes=-30", 10, (0, 10)),
        ("Bytes = 1-2", 10, (1, 2)),
        ("bytes=3-2", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=1-2,4-5", 10, None),
        ("items=1-2", 10, None),
        ("bytes", 10, None),
        ("bytes=-", 10, None),
        ("bytes=--1", 10, None),
    ],
)
def test_ranges(value: str, size: int, expected: tuple[int, int] | None) -> None:
    """What can be read is served, what cannot is ignored."""
    assert parse_range(value, size) == expected


@pytest.mark.parametrize(("value", "size"), [("bytes=10-", 10), ("bytes=0-0", 0), ("bytes=-0", 10), ("bytes=-1", 0)])
def test_ranges_beyond_the_object(value: str, size: int) -> None:
    """A range without a byte of the object is InvalidRange."""
    with pytest.raises(InvalidRange):
        parse_range(value, size)


@given(st.text(), st.integers(0, 1 << 40))
def test_a_range_lies_in_the_object(value: str, size: int) -> None:
    """Whatever the header says, what is served lies in the object."""
    try:
        found = parse_range("bytes=" + value, size)
    except InvalidRange:
        return
    if found is not None:
        offset, length = found
        assert 0 <= offset < offset + length <= size


def test_copy_source_ranges() -> None:
    """Only bytes=first-last within the source."""
    assert ranges.copy_source_range("bytes=0-9", 10) == (0, 10)
    for value in ("bytes=0-10", "bytes=5-", "bytes=-5", "0-9", "bytes=9-0", "bytes=a-b"):
        with pytest.raises(InvalidArgument):
            ranges.copy_source_range(value, 10)


def test_if_range() -> None:
    """The ETag or the exact date; a weak tag never matches (RFC 9110 §13.1.5)."""
    date = parse_http_time("Fri, 24 May 2013 00:00:00 GMT")
    assert date is not None
    assert ranges.if_range_holds('"abc"', "abc", 0)
    assert not ranges.if_range_holds('"abd"', "abc", 0)
    assert not ranges.if_range_holds('W/"abc"', "abc", 0)
    assert ranges.if_range_holds("Fri, 24 May 2013 00:00:00 GMT", "abc", date + 999)
    assert not ranges.if_range_holds("Fri, 24 May 2013 00:00:01 GMT", "abc", date)


MODIFIED = 1_369_353_600_000
BEFORE, AT, AFTER = (f"Fri, 24 May 2013 00:00:0{n} GMT" for n in (0, 1, 2))


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        (read_conditions(if_match='"e"'), None),
        (read_conditions(if_match="e"), None),
        (read_conditions(if_match="*"), None),
        (read_conditions(if_match='"x", "e"'), None),
        (read_conditions(if_match='"x"'), PreconditionFailed),
        (read_conditions(if_none_match='"e"'), NotModified),
        (read_conditions(if_none_match='W/"e"'), NotModified),
        (read_conditions(if_none_match='"x"'), None),
        (read_conditions(if_modified_since=AT), NotModified),
        (read_conditions(if_modified_since=BEFORE), None),
        (read_conditions(if_modified_since="no date"), None),
        (read_conditions(if_unmodified_since=AT), None),
        (read_conditions(if_unmodified_since=BEFORE), PreconditionFailed),
        (read_conditions(if_match='"e"', if_unmodified_since=BEFORE), None),
        (read_conditions(if_none_match='"x"', if_modified_since=AFTER), None),
        (read_conditions(if_none_match='"e"', if_modified_since=BEFORE), NotModified),
        (read_conditions(if_none_match='"e"', prefix="x-amz-copy-source-"), PreconditionFailed),
    ],
)
def test_conditions_of_reads(conditions: ReadConditions, outcome: type[StoreError] | None) -> None:
    """RFC 9110 §13.2.2: the ETag's condition decides where there is one."""
    modified = MODIFIED + 1500
    if outcome is None:
        conditions.check("e", modified)
    else:
        with pytest.raises(outcome):
            conditions.check("e", modified)


def test_conditions_of_writes() -> None:
    """One ETag, or *; S3 takes nothing else."""
    assert write_if_match('"abc"') == "abc"
    assert write_if_match("*") == "*"
    assert write_if_match(None) is None
    assert write_if_none_match("*") is True
    assert write_if_none_match(None) is False
    for call in (lambda: write_if_match('"a","b"'), lambda: write_if_none_match('"a"')):
        with pytest.raises(NotImplementedHere):
            call()


def test_a_weak_tag_never_matches_strongly() -> None:
    """If-Match compares strongly (RFC 9110 §13.1.1): a weak tag is no object's, for readers and writers."""
    with pytest.raises(PreconditionFailed):
        read_conditions(if_match='W/"e"').check("e", MODIFIED)
    read_conditions(if_match='W/"e", "e"').check("e", MODIFIED)
    assert write_if_match('W/"abc"') == 'W/"abc"'


def test_numbers_beyond_every_object() -> None:
    """A range that ends far beyond the object ends with it, and one that begins there has no byte of it."""
    assert parse_range("bytes=3-" + "9" * 30, 10) == (3, 7)
    assert parse_range("bytes=-" + "9" * 5000, 10) == (0, 10)
    assert parse_range("bytes=" + "0" * 30 + "3-4", 10) == (3, 2)
    with pytest.raises(InvalidRange):
        parse_range("bytes=" + "9" * 30 + "-", 10)


def test_a_payload_hash_without_a_signature_of_version_4() -> None:
    """The header speaks for itself: an unsigned or a version 2 request is framed, or hashed, as it says."""
    headers = {b"content-length": b"99", b"x-amz-decoded-content-length": b"5"}
    unsigned = {**headers, b"x-amz-content-sha256": b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
    assert plan_payload(unsigned, None).aws_chunked
    assert plan_payload({b"content-length": b"5", b"x-amz-content-sha256": SHA.encode()}, None).sha256 == SHA
    with pytest.raises(InvalidRequest):
        plan_payload({**headers, b"x-amz-content-sha256": b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, None)


@pytest.mark.parametrize(
    ("headers", "mode"),
    [
        ({b"content-encoding": b"aws-chunked"}, "UNSIGNED-PAYLOAD"),
        ({b"content-encoding": b"gzip, AWS-chunked"}, SHA),
        ({b"x-amz-trailer": b"x-amz-checksum-crc32"}, "UNSIGNED-PAYLOAD"),
        (
            {b"x-amz-trailer": b"x-amz-checksum-crc32", b"x-amz-decoded-content-length": b"5"},
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        ),
        (
            {
                b"x-amz-trailer": b"x-amz-checksum-crc32",
                b"x-amz-sdk-checksum-algorithm": b"SHA1",
                b"x-amz-decoded-content-length": b"5",
            },
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        ),
    ],
)
def test_framing_that_contradicts_itself(headers: dict[bytes, bytes], mode: str) -> None:
    """What announces a framing or a trailer that its hash does not have is refused, and not stored as it stands."""
    with pytest.raises(InvalidRequest):
        plan_payload(headers, mode)


def test_base64_has_one_form() -> None:
    """Missing padding, blanks and stray bits at the end are no checksum, though a lenient decoder takes them."""
    for value in ("NhCmhg", "NhCmhg= =", "NhCmhh==", "NhCmhg==\n", "NhCm\u00e9g=="):
        with pytest.raises(InvalidRequest, match=r"Value for x-amz-checksum-crc32 header is invalid\."):
            checksums.decode_checksum("CRC32", value, "x-amz-checksum-crc32")


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [("CRC64NVME", None), ("CRC64NVME", "FULL_OBJECT"), ("crc32", "COMPOSITE"), ("CRC32C", None), ("SHA1", None)],
)
def test_kinds_of_multipart_checksums(algorithm: str, wanted: str | None) -> None:
    """CRC32 and CRC32C have both kinds, CRC64NVME that of the whole, the SHAs that of the parts."""
    check_multipart_type(algorithm, wanted)


@pytest.mark.parametrize(
    ("algorithm", "wanted"),
    [
        ("CRC64NVME", "COMPOSITE"),
        ("SHA1", "FULL_OBJECT"),
        ("SHA1", "HALF"),
        ("SUM", None),
        ("MD5", "COMPOSITE"),
        ("XXHASH3", None),
    ],
)
def test_kinds_that_there_are_not(algorithm: str, wanted: str | None) -> None:
    """A digest of the whole cannot be made of the parts' SHA, and CRC64NVME is always of the whole."""
    with pytest.raises(InvalidRequest):
        check_multipart_type(algorithm, wanted)
