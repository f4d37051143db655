"""The conditions of a read out of S3's headers. What they mean is in `lightningstor.store.conditions`."""

from __future__ import annotations

from lightningstor.s3.wire.dates import parse_http_time
from lightningstor.store.conditions import ReadConditions

__all__ = ["read_conditions"]


def read_conditions(
    if_match: str | None = None,
    if_none_match: str | None = None,
    if_modified_since: str | None = None,
    if_unmodified_since: str | None = None,
    prefix: str = "",
) -> ReadConditions:
    """The conditions, as the headers came. A date that cannot be read is no condition (RFC 9110 §13.1.3, §13.1.4)."""
    return ReadConditions(
        if_match,
        if_none_match,
        None if if_modified_since is None else parse_http_time(if_modified_since),
        None if if_unmodified_since is None else parse_http_time(if_unmodified_since),
        prefix,
    )
