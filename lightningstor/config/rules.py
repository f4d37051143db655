"""Rules that values of options keep, and what is said of them when they do not."""

import re

from lightningstor.config.option import Bounds, Rule
from lightningstor.errors import InvalidBucketName
from lightningstor.model.names import bucket_name

__all__ = [
    "ACCESS_KEY",
    "BUCKET_NAME",
    "BUCKET_NAMES",
    "ENDPOINT",
    "IDENTIFIER",
    "IDENTIFIERS",
    "NETWORKS",
    "NOT_NEGATIVE",
    "POSITIVE",
    "PUBLIC_URL",
    "REGION",
    "SEAL_KEY",
    "SECONDS",
    "SECRET_KEY",
    "TRACES_ENDPOINT",
]

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+=-]{0,127}\Z")
_ENDPOINT = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?/?\Z")
_ACCESS_KEY = re.compile(r"[A-Za-z0-9_.@+=-]{3,128}\Z")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}\Z")


def _all_bucket_names(names: tuple[str, ...]) -> bool:
    return all(_is_bucket_name(name) for name in names)


def _is_bucket_name(name: str) -> bool:
    try:
        bucket_name(name)
    except InvalidBucketName:
        return False
    return True


def _all_networks(texts: tuple[str, ...]) -> bool:
    from ipaddress import ip_network

    try:
        return all(ip_network(text, strict=False) for text in texts)
    except ValueError:
        return False


def _is_identifier(value: str | None) -> bool:
    # by-name is part of the key space where an organisation could stand.
    return value is None or (value != "by-name" and _IDENTIFIER.match(value) is not None)


IDENTIFIER = Rule(_is_identifier, "1 to 128 letters, digits and _.@+=- (a letter or digit first), and not by-name")
IDENTIFIERS = Rule(
    lambda values: all(_is_identifier(value) for value in values),
    "texts of 1 to 128 letters, digits and _.@+=- (a letter or digit first)",
)
ACCESS_KEY = Rule(
    lambda value: value is None or _ACCESS_KEY.match(value) is not None,
    "3 to 128 letters, digits and _.@+=-",
)
SECRET_KEY = Rule(lambda value: value is None or 8 <= len(value) <= 1024, "8 to 1,024 characters")
REGION = Rule(lambda value: _REGION.match(value) is not None, "a region name such as us-east-1")
BUCKET_NAME = Rule(_is_bucket_name, "a bucket name by S3's rules: 3 to 63 lowercase letters, digits, dots and hyphens")
BUCKET_NAMES = Rule(
    _all_bucket_names, "bucket names by S3's rules: 3 to 63 lowercase letters, digits, dots and hyphens"
)
SEAL_KEY = Rule(
    lambda value: value is None or re.fullmatch(r"[0-9A-Fa-f]{64}", value) is not None, "64 hexadecimal digits"
)
PUBLIC_URL = Rule(
    lambda value: value is None or re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", value) is not None,
    "http:// or https://, a host name and perhaps a port, and nothing behind them",
)
ENDPOINT = Rule(
    lambda value: value is None or _ENDPOINT.match(value) is not None,
    "a URL such as https://aegis:9090, without a path",
)
TRACES_ENDPOINT = Rule(
    lambda value: value is None or re.fullmatch(r"https?://[^\s/?#@]+/[^\s?#]*", value) is not None,
    "a URL with its path, such as http://collector:4318/v1/traces",
)
POSITIVE = Bounds(1)
NOT_NEGATIVE = Bounds(0)
SECONDS = Rule(lambda value: value > 0, "a number of seconds above 0")
NETWORKS = Rule(_all_networks, "IP addresses or networks such as 10.0.0.0/8")
