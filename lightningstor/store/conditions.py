"""Conditional reads and writes: RFC 9110 §13, in the way in which S3 puts the conditions together.

GetObject, "Response status code": If-Match true and If-Unmodified-Since false is 200; If-None-Match false and
If-Modified-Since true is 304. That is RFC 9110 §13.2.2: the ETag's condition, where there is one, decides.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lightningstor.errors import NotImplementedHere, NotModified, PreconditionFailed
from lightningstor.store.api import WriteConditions

__all__ = ["ReadConditions", "etag_matches", "etags_of", "write_conditions", "write_if_match", "write_if_none_match"]

_UNCONDITIONAL: Final = WriteConditions()


def etags_of(value: str, *, weak: bool = True) -> frozenset[str]:
    """The entity tags of a header: without quotes and weakness marks; "*" stays. Clients leave quotes out, too.

    Args:
        weak: take those that are marked as weak as well.
    """
    found = set()
    for item in value.split(","):
        tag = item.strip()
        if tag.startswith("W/"):
            if not weak:
                continue
            tag = tag[2:]
        if len(tag) >= 2 and tag[0] == tag[-1] == '"':
            tag = tag[1:-1]
        if tag:
            found.add(tag)
    return frozenset(found)


def etag_matches(value: str, etag: str, *, weak: bool) -> bool:
    """Whether a header's list holds this ETag (without quotes) or "*".

    Args:
        weak: a weak tag matches too: If-None-Match compares so, If-Match does not (RFC 9110 §13.1.1, §13.1.2).
    """
    wanted = etags_of(value, weak=weak)
    return etag in wanted or "*" in wanted


class ReadConditions(NamedTuple):
    """The conditions of a read.

    Attributes:
        if_match, if_none_match: lists of ETags as HTTP writes them, or "*".
        if_modified_since, if_unmodified_since: in milliseconds; only whole seconds count.
        prefix: of the conditions' names in errors: "" or "x-amz-copy-source-".
    """

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: int | None = None
    if_unmodified_since: int | None = None
    prefix: str = ""

    def check(self, etag: str, modified_ms: int, version_id: str | None = None) -> None:
        """Hold them against an object.

        Args:
            modified_ms: the object's time; compared in whole seconds, as it is shown.

        Raises:
            PreconditionFailed: 412.
            NotModified: 304; for a copy's source that is 412 as well.
        """
        modified_s = modified_ms // 1000
        if self.if_match is not None:
            if not etag_matches(self.if_match, etag, weak=False):
                raise PreconditionFailed(f"{self.prefix}If-Match", etag)
        elif self.if_unmodified_since is not None and modified_s > self.if_unmodified_since // 1000:
            raise PreconditionFailed(f"{self.prefix}If-Unmodified-Since", etag)
        if self.if_none_match is not None:
            if etag_matches(self.if_none_match, etag, weak=True):
                self._not_modified("If-None-Match", etag, modified_ms, version_id)
        elif self.if_modified_since is not None and modified_s <= self.if_modified_since // 1000:
            self._not_modified("If-Modified-Since", etag, modified_ms, version_id)

    def _not_modified(self, name: str, etag: str, modified_ms: int, version_id: str | None) -> None:
        if self.prefix:
            raise PreconditionFailed(f"{self.prefix}{name}", etag)
        raise NotModified(etag, modified_ms, version_id)


def write_if_match(value: str | None) -> str | None:
    """The ETag that a write wants to replace: without quotes, or "*".

    Raises:
        NotImplementedHere: a list of several; S3 takes one.
    """
    if value is None:
        return None
    if value.strip().startswith("W/") and "," not in value:
        return value.strip()  # a weak tag is no object's: S3's are strong, and If-Match compares strongly
    tags = etags_of(value)
    if len(tags) != 1:
        raise NotImplementedHere("If-Match with another number of ETags than one")
    return next(iter(tags))


def write_if_none_match(value: str | None) -> bool:
    """Whether a write wants there to be no object.

    Raises:
        NotImplementedHere: anything but "*", as in S3.
    """
    if value is None:
        return False
    if value.strip() != "*":
        raise NotImplementedHere("If-None-Match with a value other than *")
    return True


def write_conditions(if_match: str | None, if_none_match: str | None) -> WriteConditions:
    """What must hold of the current object when a write is published.

    Raises:
        NotImplementedHere: a condition that S3 does not have for writes.
    """
    if if_match is None and if_none_match is None:
        return _UNCONDITIONAL
    return WriteConditions(write_if_match(if_match), write_if_none_match(if_none_match))
