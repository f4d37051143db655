"""Why a request is refused for what it asks, before the store is asked: facts, mapped in `lightningstor.s3.errors`.

(What is wrong with a request's signature, digests and framing is in `lightningstor.s3.wire.faults`.)
"""

from __future__ import annotations

from attrs import define

from lightningstor.errors import StoreError

__all__ = [
    "AccessControlListNotSupported",
    "CrossOriginRefused",
    "InvalidTargetBucketForLogging",
    "MalformedXML",
    "MaxMessageLengthExceeded",
    "MethodNotAllowed",
    "MissingRequestBody",
    "NotConfiguredHere",
    "PreflightIncomplete",
    "RequestTimeout",
]


@define(slots=True)
class MethodNotAllowed(StoreError):
    """The resource does not have the method. `allowed` are the methods that it has."""

    method: str
    resource_type: str
    allowed: tuple[str, ...]


@define(slots=True)
class AccessControlListNotSupported(StoreError):
    """The request sets an ACL, or grants access by one; buckets have ACLs disabled."""

    what: str


@define(slots=True)
class NotConfiguredHere(StoreError):
    """The bucket has no configuration of that kind. `what` is the sub-resource."""

    what: str
    bucket: str


@define(slots=True)
class MalformedXML(StoreError):
    """The body is not well-formed XML, or not the XML that the operation takes; line and column count from 1."""

    reason: str
    line: int | None = None
    column: int | None = None


@define(slots=True)
class MissingRequestBody(StoreError):
    """The operation needs a body, and there is none."""


@define(slots=True)
class MaxMessageLengthExceeded(StoreError):
    """The body of a request that is not an object's content is longer than the operation's limit, in bytes."""

    limit: int


@define(slots=True)
class PreflightIncomplete(StoreError):
    """A CORS preflight lacks a header that makes it one."""

    header: str


@define(slots=True)
class CrossOriginRefused(StoreError):
    """A CORS preflight asks for a method that no rule of the bucket allows."""

    method: str
    resource_type: str


@define(slots=True)
class InvalidTargetBucketForLogging(StoreError):
    """The bucket that access logs should go to is not there, or not the same owner's, or not the caller's to write."""

    target: str


@define(slots=True)
class RequestTimeout(StoreError):
    """The request's body came more slowly than the server waits for."""
