"""What one row of the operation table says."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from attrs import field, frozen

from lightningstor.s3.wire.dto.members import Dto

__all__ = ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "Body", "Fixed", "NotConfigured", "Operation", "Scope"]

GET: Final = "GET"
HEAD: Final = "HEAD"
PUT: Final = "PUT"
POST: Final = "POST"
DELETE: Final = "DELETE"
OPTIONS: Final = "OPTIONS"

DEFAULT_BODY_LIMIT: Final = 1 << 20


class Scope(IntEnum):
    """What a request is addressed to. The values are small integers, as they index the router's tables."""

    SERVICE = 0
    BUCKET = 1
    OBJECT = 2

    @property
    def resource_type(self) -> str:
        """S3's word for it, in MethodNotAllowed."""
        return self.name


class Body(StrEnum):
    """What the request's body is."""

    NONE = "none"
    XML = "xml"  # read whole, at most `Operation.body_limit` bytes
    STREAM = "stream"  # an object's content
    RAW = "raw"  # a document that is kept byte for byte (a policy)


@frozen
class NotConfigured:
    """S3 answers an error while it is not configured; `lightningstor.s3.errors` has its code by `what`."""

    what: str


@frozen
class Fixed:
    """S3 answers this while the sub-resource is not configured."""

    body: bytes = b""
    status: int = 200


@frozen(eq=False)
class Operation:
    """One operation of S3, as the table has it.

    Args:
        name: S3's name: the metrics label, the audit name and the key of its handler.
        method: HTTP method.
        scope: what it is addressed to.
        query: the query parameters that select it, all of which must be there: "uploads", or "list-type=2" for one
            whose value counts.
        header: the header that selects it, in lower case.
        input: the request's DTO; None where the operation is not implemented.
        output: the answer's DTO; None for an answer without headers and body of its own.
        body: what the request's body is.
        body_limit: for XML and raw bodies, the most bytes.
        action: our IAM action (SPEC.md §7.3).
        iam_action: S3's IAM action.
        version_iam_action: the same for a request that names a version, where S3 tells them apart.
        success: status of a success.
        unconfigured: what is answered for a sub-resource that cannot be configured yet; None where the answer to
            that is NotImplemented.
        requires_checksum: the body must come with a checksum or Content-MD5.
        acl: it sets an ACL, which a bucket with ACLs disabled refuses.
        signed: requests must be authenticated. A CORS preflight cannot be: browsers send it without credentials.
        superseded_by: of an older operation: the row with the same method and address. It is never matched.
        elsewhere: S3 has it at a host of its own. It is never matched.
        note: what the compatibility page says.
    """

    name: str
    method: str
    scope: Scope
    query: tuple[str, ...] = ()
    header: str | None = None
    input: type[Dto] | None = None
    output: type[Dto] | None = None
    body: Body = Body.NONE
    body_limit: int = DEFAULT_BODY_LIMIT
    action: str = field(kw_only=True)
    iam_action: str = field(kw_only=True)
    version_iam_action: str | None = None
    success: int = 200
    unconfigured: NotConfigured | Fixed | None = None
    requires_checksum: bool = False
    acl: bool = False
    signed: bool = True
    superseded_by: str | None = None
    elsewhere: bool = False
    note: str = ""

    @property
    def implemented(self) -> bool:
        """There is a handler of its name in `lightningstor.s3.handlers`."""
        return self.input is not None
