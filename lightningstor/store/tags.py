"""The rules for tags and user metadata (S3 User Guide, "Categorizing your storage using tags"; PutObject)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lightningstor.errors import InvalidTag, MetadataTooLarge
from lightningstor.store.api import StoreLimits

__all__ = ["check_bucket_tags", "check_metadata", "check_object_tags"]

_ALLOWED = re.compile(r"[\w\s+\-=._:/@]*\Z")
_KEY_MAX = 128
_VALUE_MAX = 256


def check_object_tags(tags: Mapping[str, str], limits: StoreLimits) -> None:
    """Raises InvalidTag where a rule for object tags is broken."""
    if len(tags) > limits.max_object_tags:
        raise InvalidTag(f"Object tags cannot be greater than {limits.max_object_tags}")
    _check(tags)


def check_bucket_tags(tags: Mapping[str, str], limits: StoreLimits) -> None:
    """Raises InvalidTag where a rule for bucket tags is broken."""
    if len(tags) > limits.max_bucket_tags:
        raise InvalidTag(f"Bucket tag count cannot be greater than {limits.max_bucket_tags}")
    _check(tags)


def _check(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        if not 1 <= len(key) <= _KEY_MAX:
            raise InvalidTag("The TagKey you have provided is invalid", key)
        if len(value) > _VALUE_MAX:
            raise InvalidTag("The TagValue you have provided is invalid", key)
        if not _ALLOWED.match(key):
            raise InvalidTag("The TagKey you have provided is invalid", key)
        if not _ALLOWED.match(value):
            raise InvalidTag("The TagValue you have provided is invalid", key)
        if key.startswith("aws:"):
            raise InvalidTag("System tags cannot be added/updated by requester", key)


def check_metadata(metadata: Mapping[str, str] | None, limits: StoreLimits) -> None:
    """Raises MetadataTooLarge when names and values together have more bytes of UTF-8 than the limit."""
    if metadata:
        size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
        if size > limits.max_metadata_bytes:
            raise MetadataTooLarge(size, limits.max_metadata_bytes)
