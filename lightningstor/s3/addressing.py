"""Which bucket and key a request names: path style, or the bucket as part of the host name.

The path is taken as it came on the wire and decoded once. Nothing is normalised: `//`, `..`, `%2F` and `%00`
are data, `+` is a plus. (S3 API, "Virtual hosting of buckets"; RFC 3986 §2.1.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from lightningstor.errors import InvalidBucketName, InvalidKey
from lightningstor.s3.wire.faults import InvalidURI

__all__ = ["Addressing", "Target", "decode_key", "decode_query"]

_HEX = frozenset(b"0123456789abcdefABCDEF")


class Target(Struct, frozen=True, gc=False):
    """What a request is about; `bucket` is None for the service itself, `key` is None for a bucket.

    `virtual_host` tells that the bucket came from the host name (the old signatures cover it then).
    """

    bucket: str | None
    key: str | None
    virtual_host: bool


_SERVICE = Target(None, None, False)
_HOSTS_KEPT = 1024
_ESCAPE: Final = ord("%")


class Addressing:
    """Splits requests into bucket and key.

    Args:
        domains: host names below which buckets stand. A host that is one of them, or anything else, means
            path style.
    """

    __slots__ = ("_domains", "_seen", "_suffixes")

    def __init__(self, domains: Iterable[str]) -> None:
        names = sorted({domain.strip(".").lower().encode("idna") for domain in domains}, key=len, reverse=True)
        self._domains = frozenset(names)
        self._suffixes = tuple(b"." + name for name in names)
        self._seen: dict[bytes, bool] = {}

    def locate(self, host: bytes, raw_path: bytes) -> Target:
        """The target of a request.

        Args:
            host: the Host header, with or without a port.
            raw_path: the path as sent, without the query.

        Raises:
            InvalidBucketName: the path's first segment cannot be a bucket's name.
            InvalidKey: the key is not UTF-8 once it is decoded.
            InvalidURI: an escape is broken, or the path does not begin with a slash.
        """
        if raw_path[:1] != b"/":
            raise InvalidURI()
        virtual = self._seen.get(host)
        if virtual is None:
            virtual = self._names_bucket(host)
        if not virtual and _ESCAPE not in raw_path and raw_path.isascii():  # by far the most
            parts = raw_path.decode().split("/", 2)
            if len(parts) == 3 and parts[1]:
                return Target(parts[1], parts[2] or None, False)
        if virtual:
            key = decode_key(raw_path[1:]) if len(raw_path) > 1 else None
            return Target(self._bucket_of_host(host.partition(b":")[0].lower()), key, True)
        if len(raw_path) == 1:
            return _SERVICE
        bucket, _, rest = raw_path[1:].partition(b"/")
        return Target(_bucket_name(bucket), decode_key(rest) if rest else None, False)

    def _names_bucket(self, host: bytes) -> bool:
        """Whether the host is below one of the domains. Clients ask few hosts, so the answers are kept."""
        name = host.partition(b":")[0].lower()
        known = name.endswith(self._suffixes) and name not in self._domains
        if len(self._seen) >= _HOSTS_KEPT:
            self._seen.clear()
        self._seen[host] = known
        return known

    def _bucket_of_host(self, name: bytes) -> str:
        for suffix in self._suffixes:
            if name.endswith(suffix):
                return _bucket_name(name[: -len(suffix)])
        raise AssertionError("a suffix matched before")


def _bucket_name(raw: bytes) -> str:
    """The name as text; whether it obeys the rules is for the store to say."""
    if b"%" in raw:
        raw = _unquote(raw)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidBucketName(raw.decode("latin-1"), "the name is not valid UTF-8") from None
    if not name:
        raise InvalidBucketName(name, "the name is empty")
    return name


def decode_key(raw: bytes) -> str:
    """The object key that percent-encoded bytes stand for.

    Raises:
        InvalidKey: not UTF-8.
        InvalidURI: a `%` without two hex digits.
    """
    if b"%" in raw:
        raw = _unquote(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        text = raw.decode("utf-8", "backslashreplace")
        raise InvalidKey(text, f"the key is not valid UTF-8 (byte {broken.start})") from None


def decode_query(raw: bytes) -> dict[str, str]:
    """The query's parameters, decoded. Of a name given twice the first counts; `+` stands for a space.

    Raises:
        InvalidURI: a broken escape, or not UTF-8.
    """
    query: dict[str, str] = {}
    for field in raw.split(b"&"):
        if not field:
            continue
        name, _, value = field.partition(b"=")
        query.setdefault(_query_text(name), _query_text(value))
    return query


def _query_text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = _unquote(raw)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidURI() from None


def _unquote(raw: bytes) -> bytes:
    """Percent-decode strictly: urllib leaves a broken escape as it is, which would give two URLs one meaning."""
    for piece in raw.split(b"%")[1:]:
        if len(piece) < 2 or piece[0] not in _HEX or piece[1] not in _HEX:
            raise InvalidURI()
    return unquote_to_bytes(raw)
