"""Value types that validate when they are made, so that an invalid one cannot exist."""

from __future__ import annotations

import re
from typing import Final

from lightningstor.errors import InvalidBucketName, InvalidKey, KeyTooLong

__all__ = ["KEY_BYTES_MAX", "bucket_name", "object_key"]

KEY_BYTES_MAX: Final = 1024
"""S3's limit of an object key, in bytes of UTF-8 (`[limits] max_key_bytes` may lower it)."""

_S3_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_STRICT_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")
_IPV4_SHAPE = re.compile(r"\d+\.\d+\.\d+\.\d+\Z")
_RESERVED_PREFIXES = ("xn--", "sthree-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def bucket_name(name: str, *, strict: bool = False) -> str:
    """The name, if S3's rules for general purpose buckets allow it.

    Args:
        strict: SPEC.md §3.1's narrower rule, without dots (`[s3] strict_names`).

    Raises:
        InvalidBucketName: says which rule.
    """
    if not 3 <= len(name) <= 63:
        raise InvalidBucketName(name, "a bucket name has 3 to 63 characters")
    if not (_STRICT_BUCKET if strict else _S3_BUCKET).match(name):
        allowed = "lowercase letters, digits and hyphens" if strict else "lowercase letters, digits, dots and hyphens"
        raise InvalidBucketName(name, f"a bucket name has {allowed}, and begins and ends with a letter or digit")
    if ".." in name:
        raise InvalidBucketName(name, "a bucket name has no two dots in a row")
    if _IPV4_SHAPE.match(name):
        raise InvalidBucketName(name, "a bucket name is not formatted as an IP address")
    for prefix in _RESERVED_PREFIXES:
        if name.startswith(prefix):
            raise InvalidBucketName(name, f"names that begin with {prefix!r} are reserved by S3")
    for suffix in _RESERVED_SUFFIXES:
        if name.endswith(suffix):
            raise InvalidBucketName(name, f"names that end in {suffix!r} are reserved by S3")
    return name


def object_key(key: str, *, limit: int = KEY_BYTES_MAX) -> str:
    """The key, if it is not empty, is valid Unicode and has at most `limit` bytes of UTF-8.

    Raises:
        InvalidKey, KeyTooLong.
    """
    if not key:
        raise InvalidKey(key, "an object key has at least one character")
    if len(key) * 4 > limit or not key.isascii():
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise InvalidKey(key.encode("utf-8", "backslashreplace").decode(), "not valid UTF-8") from None
        if size > limit:
            raise KeyTooLong(size, limit)
    return key
