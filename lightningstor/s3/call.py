"""One S3 request on its way through the stages of `lightningstor.s3.app`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from msgspec import Struct

from lightningstor.structs import mutable

if TYPE_CHECKING:
    from lightningstor.chunks.api import Buffer
    from lightningstor.iam.principal import Principal
    from lightningstor.model.records import Bucket
    from lightningstor.s3.body import RequestBody
    from lightningstor.s3.endpoint import Endpoint
    from lightningstor.s3.wire.operations import Operation
    from lightningstor.s3.wire.signing_key import SigningKey
    from lightningstor.s3.wire.sigv4 import SignedRequest
    from lightningstor.store.catalog import Located

__all__ = ["Call", "Exchange", "Head", "Headers"]

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
_LATER: Final[Any] = None
"""What a stage sets before any other reads it."""


class Head(Protocol):
    """A request's head; see `Call`."""

    @property
    def method(self) -> str: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def query(self) -> bytes: ...
    @property
    def fields(self) -> dict[bytes, bytes]: ...


class Exchange(Protocol):
    """A request and the way to answer it: of our own engine (`lightningstor.http.exchange`), or `AsgiExchange`."""

    @property
    def head(self) -> Head: ...
    @property
    def scheme(self) -> str: ...
    @property
    def client(self) -> tuple[str, int] | None: ...

    async def receive_some(self, max_bytes: int = ..., /) -> Buffer:
        """The next piece of the body; empty at its end. Raises ConnectionError: it will not be complete."""
        ...

    def receive_whole(self) -> bytes | None:
        """The whole body, if all of it has come and nothing was taken; None: the other ways have it."""
        ...

    def receive_now(self, buffer: memoryview, /) -> int:
        """What has come of the body, into `buffer`; how many bytes. 0: `wait_more` first. Raises as above."""
        ...

    async def wait_more(self) -> bool:
        """Wait until `receive_now` may have something; False: it never will, `receive_some` has it. Raises as above."""
        ...

    async def respond(
        self,
        status: int,
        headers: Headers,
        body: Buffer = b"",
        more_body: bool = False,
        lines: bytes = b"",
        length: int | None = None,
        /,
    ) -> None:
        """The answer, or with `more_body` its start.

        Args:
            lines: further headers, ready, that need no check.
            length: of the body that an answer to HEAD leaves out.
        """
        ...

    async def send_more(self, body: Buffer, more_body: bool, /) -> None:
        """A further piece of the answer's body."""
        ...


@mutable
class Call(Struct, eq=False):
    """A request, and what the stages found out about it; each stage sets what the later ones read.

    A struct, since one is made for every request: C sets its defaults in a quarter of the time.

    Attributes:
        endpoint: the services that the request may use.
        exchange: takes the request's body and the answer.
        method: in capitals. raw_path: undecoded, without the query. raw_query: undecoded.
        headers: values by lower-case name; of a repeated one the values joined by a comma (RFC 9110 §5.2).
        request_id: 16 capital hex digits, on every answer and in every log line.
        query: the decoded parameters.
        bucket, key: what the request names; None where it names none.
        named: the bucket's name as the store takes it, where that is not the name alone.
        virtual_host: the bucket stood in the host name.
        operation: the row of the operation table that the request matches. operation_name: its name, and a fixed word
            before it is found.
        principal: on whose behalf; set once the signature was verified.
        content_sha256: what a version 4 signature covers in place of the body's hash; None: no such signature.
        signed: that signature, and the key that it was made with.
        located: the bucket that the request names, for handlers that read in it.
        found: the bucket's record, once the caller may know that there is one.
        body: the request's body, for operations that take one, until it is answered.
        status: of the answer, once its head has left; 0 before.
        s3_code: the code of the error that was answered.
        object_size: of the object that was written or read, in bytes, for metrics.
        access_key: the id of the key that the request says it was signed with.
        authentication: where the signature stood, "header" or "presigned"; set with the principal.
        version_id: of the version that was read, made or deleted, where the bucket has versions.
        bytes_in, bytes_out: of the request's body and of the answer's, as they were on the wire.
        ended: the answer was given to the end.
        aborted: the body will not be complete, since the client left or was too slow.
    """

    endpoint: Endpoint
    exchange: Exchange
    method: str
    raw_path: bytes
    raw_query: bytes
    headers: dict[bytes, bytes]
    request_id: str
    operation: Operation = _LATER
    principal: Principal = _LATER
    bucket: str | None = None
    body: RequestBody | None = None
    key: str | None = None
    named: str | None = None
    virtual_host: bool = False
    query: dict[str, str] = {}
    operation_name: str = "Unmatched"
    content_sha256: str | None = None
    signed: tuple[SigningKey, SignedRequest] | None = None
    located: Located = _LATER
    found: Bucket | None = None
    status: int = 0
    s3_code: str | None = None
    object_size: int | None = None
    access_key: str | None = None
    authentication: str | None = None
    version_id: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    ended: bool = False
    aborted: bool = False
