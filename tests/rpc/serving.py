"""A gRPC server in a Trio run, and blocking code of a foreign client beside it in a thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any, TypeVar

import grpc
import trio
from attrs import define, evolve, field, frozen
from google.protobuf import empty_pb2

from lightningstor.daemon.grpc_port import explain_to_grpc, operation_rows
from lightningstor.errors import Unauthenticated
from lightningstor.iam.authorize import EmbeddedAuthorizer
from lightningstor.iam.principal import Principal
from lightningstor.observe.record import OperationRecord
from lightningstor.ports import World
from lightningstor.rpc.connection import Dispatch, RpcConnection
from lightningstor.rpc.gen import bucket_service_pb2, details_pb2, object_service_pb2, types_pb2
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.room import MessageRoom
from lightningstor.rpc.server import Backing, RpcServer, open_rpc_listeners
from lightningstor.store.store import Store
from tests.s3.conftest import ALICE, ANNE, BOB, ROOT

T = TypeVar("T")

buckets: Any = bucket_service_pb2
objects: Any = object_service_pb2
types: Any = types_pb2

CHECKED = b"\x08\x01"
"""HealthCheckResponse, serving."""

ANSWERS = {
    "CreateBucket": types.Bucket,
    "GetBucketVersioning": types.VersioningConfig,
    "PutBucketVersioning": types.VersioningConfig,
    "GetBucketTagging": buckets.BucketTagging,
    "PutBucketTagging": buckets.BucketTagging,
    "DeleteBucketTagging": empty_pb2.Empty,
}
"""Answers that are not called after their method."""


class KnownCallers:
    """Four people, each with a token, an API key and a certificate of their name."""

    def __init__(self) -> None:
        self._people = {person.id: person for person in (ROOT, ALICE, ANNE, BOB)}

    def _known(self, secret: str, prefix: str) -> Principal:
        person = self._people.get(secret.removeprefix(prefix))
        if person is None or not secret.startswith(prefix):
            raise Unauthenticated("unknown")
        return person

    def by_bearer(self, token: str) -> Principal:
        return self._known(token, "token-")

    def by_api_key(self, key: str) -> Principal:
        return self._known(key, "key-")

    def by_certificate(self, names: Sequence[str]) -> Principal:
        return self._known(names[0], "")


@define
class Records:
    """Keeps what it is told."""

    closed: bool = False
    seen: list[OperationRecord] = field(factory=list)

    async def admit(self) -> None:
        raise AssertionError("it is open")

    def operation_done(self, record: OperationRecord) -> None:
        self.seen.append(record)


def backing_of(store: Store, observer: Records | None = None) -> Backing:
    """ObjectService and BucketService over a store, for the people of the tests."""
    return Backing(store, KnownCallers(), EmbeddedAuthorizer(), operation_rows(), observer or Records(), World())


def bare_connection(stream: Any, dispatch: Dispatch, limits: RpcLimits | None = None) -> RpcConnection:
    """A connection whose calls go to `dispatch`, without services and who may use them."""
    limits = limits or RpcLimits()
    return RpcConnection(
        stream,
        dispatch,
        limits,
        peer="client",
        certificate_names=(),
        room=MessageRoom(limits.room_bytes),
        explain=explain_to_grpc,
        next_request_id=lambda: "0123456789ABCDEF",
        done=lambda call, ending: None,
    )


@asynccontextmanager
async def serving(
    limits: RpcLimits | None = None,
    ready: Callable[[], bool] = lambda: True,
    *,
    backing: Backing | None = None,
    tls: SSLContext | None = None,
) -> AsyncIterator[tuple[RpcServer, int]]:
    """A server and its port; stopped at the end, and over within the grace period."""
    server = RpcServer(ready, explain_to_grpc, limits or RpcLimits(grace_s=1), tls, backing)
    listeners = await open_rpc_listeners("127.0.0.1", 0)
    port: int = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run, listeners)
        yield server, port
        server.stop()
        nursery.cancel_scope.deadline = trio.current_time() + server.limits.grace_s + 5
    assert not nursery.cancel_scope.cancelled_caught
    assert server.room.taken == 0


async def in_thread(work: Callable[[], T]) -> T:
    """What the blocking `work` returns."""
    return await trio.to_thread.run_sync(work)


def unary(channel: grpc.Channel, method: str) -> Callable[..., bytes]:
    """A unary method that takes and gives raw bytes."""
    call: Callable[..., bytes] = channel.unary_unary(
        method, request_serializer=lambda message: message, response_deserializer=lambda message: message
    )
    return call


def failure(call: Callable[..., object], *arguments: object, **options: object) -> tuple[grpc.StatusCode, str]:
    """Status and message of a call that fails."""
    try:
        call(*arguments, timeout=10, **options)
    except grpc.RpcError as error:
        return error.code(), error.details()
    raise AssertionError("the call succeeded")


@frozen
class Failed(Exception):
    """How a call failed."""

    status: str
    reason: str | None
    message: str
    metadata: dict[str, str] = field(factory=dict)


def failed(error: grpc.RpcError) -> Failed:
    """What grpcio learnt of a failure, google.rpc.ErrorInfo included."""
    trailing = dict(error.trailing_metadata() or ())
    details = trailing.get("grpc-status-details-bin")
    if details is None:
        return Failed(error.code().name, None, error.details())
    told: Any = details_pb2.Status.FromString(details)
    (packed,) = told.details
    assert packed.type_url == "type.googleapis.com/google.rpc.ErrorInfo"
    info: Any = details_pb2.ErrorInfo.FromString(packed.value)
    assert (info.domain, told.message) == ("lightningstor", error.details())
    return Failed(error.code().name, info.reason, error.details(), dict(info.metadata))


class Remote:
    """ObjectService and BucketService through a foreign client."""

    def request(self, method: str, fields: dict[str, Any]) -> tuple[str, Any]:
        """The service that has the method, and the request out of its fields; of a stream an iterator."""
        messages = buckets if "Bucket" in method else objects
        service = "BucketService" if messages is buckets else "ObjectService"
        if method == "UploadPart":
            return service, fields["parts"]
        return service, getattr(messages, f"{method}Request")(**fields)

    async def call(self, method: str, **fields: Any) -> Any:
        """Do a call; of one that streams its answer, all messages.

        Raises:
            Failed
        """
        raise NotImplementedError

    async def fails(self, method: str, **fields: Any) -> Failed:
        """How a call fails."""
        try:
            await self.call(method, **fields)
        except Failed as error:
            return error
        raise AssertionError(f"{method} succeeded")

    async def get(self, bucket: str, key: str, **fields: Any) -> bytes:
        """The content of an object."""
        messages = await self.call("GetObject", bucket=bucket, key=key, **fields)
        assert all(len(message.content) <= 1 << 20 for message in messages)
        return b"".join(message.content for message in messages)

    async def put(self, bucket: str, key: str, content: bytes = b"", **fields: Any) -> Any:
        """Store an object."""
        return await self.call("PutObject", bucket=bucket, key=key, content=content, **fields)

    async def upload(self, bucket: str, key: str, parts: Sequence[bytes], **fields: Any) -> Any:
        """Store an object in parts."""
        begun = await self.call("CreateMultipartUpload", bucket=bucket, key=key, **fields)
        taken = [
            await self.call("UploadPart", parts=part_messages(begun.upload_id, number, part))
            for number, part in enumerate(parts, 1)
        ]
        listed = [objects.CompletedPart(part_number=at, etag=part.etag) for at, part in enumerate(taken, 1)]
        return await self.call(
            "CompleteMultipartUpload", bucket=bucket, key=key, upload_id=begun.upload_id, parts=listed
        )


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a person of the tests; "" for nobody's."""
    return (("authorization", f"Bearer token-{name}"),) if name else ()


@frozen
class GrpcioRemote(Remote):
    """Through grpcio, in a thread."""

    channel: grpc.Channel
    metadata: tuple[tuple[str, str], ...] = bearer("root")

    def called(self, name: str) -> GrpcioRemote:
        """On another person's behalf; "" for nobody's."""
        return evolve(self, metadata=bearer(name))

    async def call(self, method: str, **fields: Any) -> Any:
        return await in_thread(lambda: self.call_now(method, **fields))

    def call_now(self, method: str, **fields: Any) -> Any:
        """As `call`, from a thread."""
        service, request = self.request(method, fields)
        answer = ANSWERS.get(method) or getattr(buckets if service == "BucketService" else objects, f"{method}Response")
        name = f"/lightningstor.v1.{service}/{method}"
        options: dict[str, Any] = {"timeout": 20, "metadata": self.metadata}
        try:
            if method == "UploadPart":
                return self.channel.stream_unary(name, _serialize, answer.FromString)(iter(request), **options)
            if method == "GetObject":
                return list(self.channel.unary_stream(name, _serialize, answer.FromString)(request, **options))
            return self.channel.unary_unary(name, _serialize, answer.FromString)(request, **options)
        except grpc.RpcError as error:
            raise failed(error) from None


def _serialize(message: Any) -> bytes:
    made: bytes = message.SerializeToString()
    return made


def part_messages(upload_id: str, number: int, content: bytes, piece: int = 1 << 20, **first: Any) -> Iterator[Any]:
    """UploadPart's messages for a part."""
    yield objects.UploadPartRequest(upload_id=upload_id, part_number=number, content=content[:piece], **first)
    for at in range(piece, len(content), piece):
        yield objects.UploadPartRequest(content=content[at : at + piece])


@asynccontextmanager
async def remote(port: int) -> AsyncIterator[GrpcioRemote]:
    """A foreign client of the server on that port."""
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        yield GrpcioRemote(channel)
    finally:
        await in_thread(channel.close)
