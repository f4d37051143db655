"""From host and path to bucket and key."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.errors import InvalidBucketName, InvalidKey
from lightningstor.s3.addressing import Addressing, Target, decode_query
from lightningstor.s3.wire.faults import InvalidURI

ADDRESSING = Addressing(("localhost", "S3.Example.com"))


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        (b"127.0.0.1:9000", b"/", None, None),
        (b"127.0.0.1:9000", b"/bucket", "bucket", None),
        (b"127.0.0.1:9000", b"/bucket/", "bucket", None),
        (b"127.0.0.1:9000", b"/bucket/key", "bucket", "key"),
        (b"[::1]:9000", b"/bucket/key", "bucket", "key"),
        (b"localhost:9000", b"/bucket/key", "bucket", "key"),
        (b"s3.example.com", b"/bucket/key", "bucket", "key"),
        (b"bucket.localhost:9000", b"/", "bucket", None),
        (b"bucket.localhost:9000", b"/key", "bucket", "key"),
        (b"bucket.localhost", b"/bucket/key", "bucket", "bucket/key"),
        (b"BUCKET.LocalHost:9000", b"/key", "bucket", "key"),
        (b"with.dots.s3.example.COM", b"/key", "with.dots", "key"),
        (b"notlocalhost", b"/bucket/key", "bucket", "key"),
        (b"", b"/bucket/key", "bucket", "key"),
        (b"h", b"/b%75cket/key", "bucket", "key"),
    ],
)
def test_bucket_from_path_or_host(host: bytes, path: bytes, bucket: str | None, key: str | None) -> None:
    """A host below one of the domains names the bucket, without regard to case and port; any other means path style."""
    target = ADDRESSING.locate(host, path)
    assert (target.bucket, target.key) == (bucket, key)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (b"/b//", "/"),
        (b"/b//a", "/a"),
        (b"/b/a//b", "a//b"),
        (b"/b/a/", "a/"),
        (b"/b/../c", "../c"),
        (b"/b/%2e%2e/c", "../c"),
        (b"/b/a%2Fb", "a/b"),
        (b"/b/a%252Fb", "a%2Fb"),
        (b"/b/a+b", "a+b"),
        (b"/b/a%20b", "a b"),
        (b"/b/%00", "\0"),
        (b"/b/a?b", "a?b"),
        (b"/b/\xc3\xa9", "é"),
        (b"/b/%C3%a9", "é"),
        (b"/b/\\", "\\"),
    ],
)
def test_nothing_in_a_key_is_normalised(path: bytes, key: str) -> None:
    """Slashes, dots, escaped slashes, NUL and plus are data; the path is decoded exactly once."""
    assert ADDRESSING.locate(b"h", path).key == key


@given(st.text(min_size=1), st.booleans())
def test_every_key_survives_its_encoding(key: str, virtual_host: bool) -> None:
    """Any Unicode key, encoded as clients do, is located as itself, in either style."""
    try:
        encoded = quote(key, safe="/~").encode()
    except UnicodeEncodeError:
        return  # a lone surrogate, which no client can send
    if virtual_host:
        assert ADDRESSING.locate(b"bucket.localhost", b"/" + encoded) == Target("bucket", key, True)
    else:
        assert ADDRESSING.locate(b"h", b"/bucket/" + encoded) == Target("bucket", key, False)


@pytest.mark.parametrize("path", [b"", b"bucket", b"*", b"/b/%", b"/b/%4", b"/b/%zz", b"/b/%+1", b"/%4/k"])
def test_a_path_that_cannot_be_read_is_refused(path: bytes) -> None:
    """A broken escape must not be guessed at: two URLs would get one meaning."""
    with pytest.raises(InvalidURI):
        ADDRESSING.locate(b"h", path)


@pytest.mark.parametrize("path", [b"/b/%FF", b"/b/\xff", b"/b/%ED%A0%80", b"/b/%C3"])
def test_a_key_that_is_not_utf8_is_refused(path: bytes) -> None:
    """Neither stray bytes nor encoded surrogates get into a key."""
    with pytest.raises(InvalidKey):
        ADDRESSING.locate(b"h", path)


@pytest.mark.parametrize(
    ("host", "path"), [(b"h", b"//key"), (b"h", b"/%FF/key"), (b".localhost", b"/key"), (b"%FF.localhost", b"/")]
)
def test_a_bucket_that_cannot_be_named_is_refused(host: bytes, path: bytes) -> None:
    """An empty bucket name and one that is not UTF-8 are no buckets."""
    with pytest.raises(InvalidBucketName):
        ADDRESSING.locate(host, path)


def test_query_is_decoded_once_and_the_first_of_a_name_counts() -> None:
    """`+` is a space in a query, escapes are undone once, a repeated name keeps its first value, empty ones stay."""
    assert decode_query(b"a=1+2&b=%2B%252&a=9&uploads&&c=") == {"a": "1 2", "b": "+%2", "uploads": "", "c": ""}
    for broken in (b"a=%", b"%zz=1", b"a=%FF"):
        with pytest.raises(InvalidURI):
            decode_query(broken)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_input_gets_past_the_declared_errors(host: bytes, path: bytes) -> None:
    """Whatever the bytes are, they are located or refused with one of the three errors."""
    with suppress(InvalidURI, InvalidKey, InvalidBucketName):
        ADDRESSING.locate(host, path)
