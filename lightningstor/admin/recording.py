"""Every request to the admin port is told of: one record each, whatever became of it (SPEC.md §9.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from lightningstor.admin.problem import error_answer, status_answer
from lightningstor.admin.request import UNKNOWN, AdminRequest, joined_headers
from lightningstor.errors import AuditUnavailable
from lightningstor.http.admin import Message, Receive, Scope, Send
from lightningstor.http.connection import AsgiApp
from lightningstor.http.faults import Headers, Unserved
from lightningstor.observe.clients import ClientAddresses
from lightningstor.observe.logs import REQUEST_ID
from lightningstor.observe.record import (
    ABORTED,
    DENIED,
    FAILED,
    HEALTH_PROBE,
    MALFORMED,
    Observer,
    OperationRecord,
    outcome_of,
)
from lightningstor.ports import World

if TYPE_CHECKING:
    from lightningstor.observe.tracing import Tracing

__all__ = ["Recorder"]

_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})
_METRICS_REFUSED: Final = "GetMetrics"
_ID_HEADER: Final = b"x-request-id"


@frozen
class Recorder:
    """Lets an application answer requests, each under an id of its own, and tells the observer of them.

    Args:
        clients: tells clients' addresses.
        tracing: makes spans, and is the observer as well; None: there are no traces.
    """

    observer: Observer
    clients: ClientAddresses
    world: World
    tracing: Tracing | None = None

    async def serve(self, app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer one request, unless the audit log takes no further line.

        Probes are answered all the same: they say what is wrong.
        """
        request = self._request(scope)
        request.put_into(scope)
        REQUEST_ID.set(request.id)
        if self.tracing is not None:
            self.tracing.begin(request.headers)
        served = _Served(request, receive, send, head_only=scope["method"] == "HEAD")
        started = self.world.clock.monotonic()
        try:
            if self.observer.closed and scope["path"] not in _PROBES:
                try:
                    await self.observer.admit()
                except AuditUnavailable as error:
                    request.code = "ServiceUnavailable"
                    await served.answer(*error_answer(error, request.id))
                    return
            await app(scope, served.receive, served.send)
        finally:
            if scope["path"] in _PROBES:
                request.operation = _METRICS_REFUSED if served.status == 401 else HEALTH_PROBE
            self.observer.operation_done(_record(request, served, self.world.clock.monotonic() - started))

    def refusal(self, status: int, reason: str, unserved: Unserved) -> tuple[Headers, bytes]:
        """A `Refusal`: what the HTTP engine answers by itself, as the API has its errors."""
        headers = joined_headers(unserved.headers)
        request_id = _new_id(self.world)
        code, answered, body = status_answer(status, reason, request_id)
        agent = headers.get(b"user-agent")
        self.observer.operation_done(
            OperationRecord(
                "admin",
                UNKNOWN,
                request_id,
                status,
                MALFORMED if status < 500 else FAILED,
                0.0,
                code,
                resource=_path_text(unserved.raw_path) or None,
                client=self.clients.address(unserved.client, headers.get(b"x-forwarded-for")),
                user_agent=None if agent is None else agent.decode("latin-1"),
            )
        )
        return [*answered, (_ID_HEADER, request_id.encode())], body

    def _request(self, scope: Scope) -> AdminRequest:
        headers = joined_headers(scope["headers"])
        peer: str = (scope.get("client") or ("",))[0]
        return AdminRequest(
            id=_new_id(self.world),
            clock=self.world.clock,
            client=self.clients.address(peer, headers.get(b"x-forwarded-for")),
            secure=scope["scheme"] == "https",
            headers=headers,
            resource=_path_text(scope["raw_path"]),
        )


class _Served:
    """One exchange of messages, counted.

    Attributes:
        status: of the answer; 0 before it has one.
        ended: the answer was sent to its end.
    """

    def __init__(self, request: AdminRequest, receive: Receive, send: Send, *, head_only: bool) -> None:
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.ended = False
        self._request = request
        self._receive = receive
        self._send = send
        self._head_only = head_only

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": [*message["headers"], (_ID_HEADER, self._request.id.encode())]}
        await self._send(message)
        if message["type"] == "http.response.body":
            self.bytes_out += 0 if self._head_only else len(message.get("body", b""))
            self.ended = not message.get("more_body", False)

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await self.send({"type": "http.response.body", "body": body})


def _record(request: AdminRequest, served: _Served, seconds: float) -> OperationRecord:
    principal = request.principal
    outcome = outcome_of(served.status, request.code) if served.ended else ABORTED
    return OperationRecord(
        "admin",
        request.operation,
        request.id,
        served.status,
        DENIED if request.refused else outcome,
        seconds,
        request.code,
        None if principal is None else principal.id,
        None if principal is None else principal.org_id,
        None if principal is None else principal.project_id,
        request.access_key,
        request.authentication,
        request.action,
        request.bucket,
        request.key,
        resource=request.resource,
        bytes_in=served.bytes_in,
        bytes_out=served.bytes_out,
        client=request.client,
        user_agent=request.text(b"user-agent"),
    )


def _new_id(world: World) -> str:
    """16 capital hex digits, as S3's."""
    return world.entropy.token_bytes(8).hex().upper()


def _path_text(raw_path: bytes) -> str:
    return raw_path.decode("latin-1")
