"""One S3 request on its way through the stages of `lightningstor.s3.app`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from lightningstor.iam.principal import Principal
    from lightningstor.model.records import Bucket
    from lightningstor.s3.body import RequestBody
    from lightningstor.s3.endpoint import Endpoint
    from lightningstor.s3.wire.operations import Operation
    from lightningstor.s3.wire.signing_key import SigningKey
    from lightningstor.s3.wire.sigv4 import SignedRequest

__all__ = ["Call", "Headers", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
Headers: TypeAlias = Sequence[tuple[bytes, bytes]]


class Call:
    """A request, and what the stages found out about it; each stage sets what the later ones read.

    Attributes:
        endpoint: the services that the request may use.
        method: in capitals. raw_path: undecoded, without the query. raw_query: undecoded. scheme: http or https.
        headers: values by lower-case name; of a repeated one the values joined by a comma (RFC 9110 §5.2).
        request_id: 16 capital hex digits, on every answer and in every log line.
        query: the decoded parameters.
        bucket, key: what the request names; None where it names none.
        virtual_host: the bucket stood in the host name.
        operation: the row of the operation table that the request matches. operation_name: its name, and a fixed word
            before it is found.
        principal: on whose behalf; set once the signature was verified.
        content_sha256: what a version 4 signature covers in place of the body's hash; None: no such signature.
        signed: that signature, and the key that it was made with.
        found: the bucket's record, once the caller may know that there is one.
        body: the request's body, for operations that take one, until it is answered.
        status: of the answer, once its head has left; 0 before.
        s3_code: the code of the error that was answered.
        object_size: of the object that was written or read, in bytes, for metrics.
        access_key: the id of the key that the request says it was signed with.
        version_id: of the version that was read, made or deleted, where the bucket has versions.
        bytes_in, bytes_out: of the request's body and of the answer's, as they were on the wire.
        client: the address of the peer.
        ended: the answer was given to the end.
        aborted: the body will not be complete, since the client left or was too slow.
    """

    __slots__ = (
        "aborted",
        "access_key",
        "body",
        "bucket",
        "bytes_in",
        "bytes_out",
        "client",
        "content_sha256",
        "ended",
        "endpoint",
        "extensions",
        "found",
        "headers",
        "key",
        "method",
        "object_size",
        "operation",
        "operation_name",
        "principal",
        "query",
        "raw_path",
        "raw_query",
        "receive",
        "request_id",
        "s3_code",
        "scheme",
        "send",
        "signed",
        "status",
        "version_id",
        "virtual_host",
    )

    operation: Operation
    principal: Principal

    def __init__(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        self.endpoint = endpoint
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.raw_query: bytes = scope["query_string"]
        self.scheme: str = scope.get("scheme", "http")
        self.extensions: Mapping[str, Any] = scope.get("extensions") or {}
        pairs: Sequence[tuple[bytes, bytes]] = scope["headers"]
        self.headers = dict(pairs)
        if len(self.headers) != len(pairs):
            self.headers = _joined(pairs)
        self.request_id = endpoint.next_request_id()
        self.bucket: str | None = None
        self.body: RequestBody | None = None
        self.key: str | None = None
        self.virtual_host = False
        self.query: dict[str, str] = {}
        self.operation_name = "Unmatched"
        self.content_sha256: str | None = None
        self.signed: tuple[SigningKey, SignedRequest] | None = None
        self.found: Bucket | None = None
        self.status = 0
        self.s3_code: str | None = None
        self.object_size: int | None = None
        self.client: tuple[str, int] | None = scope.get("client")
        self.access_key: str | None = None
        self.version_id: str | None = None
        self.bytes_in = 0
        self.bytes_out = 0
        self.ended = False
        self.aborted = False


def _joined(pairs: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers
