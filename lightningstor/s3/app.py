"""The S3 endpoint as an ASGI 3 application.

The way of a request is `S3App._answer`: a list of stages. What can refuse a request comes before its body is touched,
so that a client which waits for 100-continue never sends one in vain; and nothing tells of the store's state before
the caller is known and allowed to hear it. (An XML body is bound behind the authorisation for the same reason.)
"""

from __future__ import annotations

import logging
from typing import Final

from lightningstor.errors import AuditUnavailable, StoreError
from lightningstor.model.names import object_key
from lightningstor.observe.logs import REQUEST_ID
from lightningstor.s3.addressing import decode_query
from lightningstor.s3.asgi import AsgiExchange, Receive, Scope, Send
from lightningstor.s3.authenticate import authenticate
from lightningstor.s3.authorise import ABSENCES, authorise, hide_absence
from lightningstor.s3.body import open_body, read_document
from lightningstor.s3.call import Call, Exchange
from lightningstor.s3.endpoint import Endpoint
from lightningstor.s3.errors import Explained, explain, render_error
from lightningstor.s3.handlers import HANDLERS, PATIENT
from lightningstor.s3.probes import answer_probe
from lightningstor.s3.record import record_of
from lightningstor.s3.respond import Reply, Streamed, send, send_reply, send_when_done
from lightningstor.s3.wire.bind import bind
from lightningstor.s3.wire.faults import MissingAuthentication
from lightningstor.s3.wire.operation import Body
from lightningstor.s3.wire.operation import Scope as Addressed
from lightningstor.s3.wire.render import render
from lightningstor.s3.wire.routing import match
from lightningstor.s3.wire.unimplemented import answer_unimplemented, refuse_preflight

__all__ = ["S3App"]

_log: Final = logging.getLogger(__name__)
_SERVER_ERROR: Final = 500
# Bound here because a look at an Enum's member runs Python code in 3.11.
_OBJECT: Final = Addressed.OBJECT
_NO_BODY: Final = Body.NONE
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class S3App:
    """Answers S3 requests. Any number of them at once; an error in one is that one's answer, never the app's end."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry. Raises what `answer` does."""
        if scope["type"] == "http":
            await self.answer(AsgiExchange(scope, receive, send))
        else:
            await _serve_lifespan(scope, receive, send)

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request; our own engine's entry.

        Raises only when the client has left, or when an answer that has begun cannot be completed.
        """
        endpoint = self._endpoint
        monotonic = endpoint.world.clock.monotonic
        started = monotonic()
        head = exchange.head
        request_id = endpoint.next_request_id()
        call = Call(endpoint, exchange, head.method, head.raw_path, head.query, head.fields, request_id)
        REQUEST_ID.set(request_id)
        if endpoint.tracing is not None:
            endpoint.tracing.begin(head.fields)
        try:
            await self._answer(call)
            call.ended = True
        except Exception as error:  # the boundary between requests: whatever went wrong in this one is its answer
            if _client_left(error):
                raise
            if call.status:
                _log_failure(call, error)
                raise
            await send_reply(call, await _refusal(call, error))
            call.ended = True
        finally:
            record = record_of(call, monotonic() - started)
            endpoint.observer.operation_done(record)
            found = call.found
            if found is not None and found.logging is not None:
                endpoint.access_log.add(call, record, found)
            call.body = None  # it holds the call: of that cycle Python's collector had 5 µs of work for every PUT

    async def _answer(self, call: Call) -> None:
        """The stages of a request, in order."""
        _locate(call)
        _match(call)
        if self._endpoint.observer.closed:
            await self._endpoint.observer.admit()
        authenticate(call)
        await authorise(call)
        if call.operation_name in PATIENT:
            await send_when_done(call, _handle, _refusal)
            return
        answer = await _handle(call)
        if type(answer) is Reply:
            await send_reply(call, answer)
        else:
            await send(call, answer)


def _client_left(error: Exception) -> bool:
    """Whether the connection is all that went wrong: there is nobody to tell, and nothing to log."""
    if isinstance(error, ExceptionGroup):
        return error.split(ConnectionError)[1] is None
    return isinstance(error, ConnectionError)


def _locate(call: Call) -> None:
    """Which bucket and key the request names, and with which parameters.

    Raises:
        InvalidBucketName, InvalidKey, KeyTooLong, InvalidURI
    """
    endpoint = call.endpoint
    target = endpoint.addressing.locate(call.headers.get(b"host", b""), call.raw_path)
    call.bucket = target.bucket
    call.key = key = target.key
    call.virtual_host = target.virtual_host
    if call.raw_query:
        call.query = decode_query(call.raw_query)
    if key is not None and len(key) > endpoint.short_key:
        object_key(key, limit=endpoint.store.limits.max_key_bytes)


def _match(call: Call) -> None:
    """Which row of the operation table the request is.

    Raises:
        MethodNotAllowed, InvalidArgument
        PreflightIncomplete, CrossOriginRefused: a CORS preflight, which nobody signs.
    """
    addressed = _OBJECT
    if call.key is None:
        addressed = Addressed.SERVICE if call.bucket is None else Addressed.BUCKET
    operation = match(call.method, addressed, call.query, call.headers)
    call.operation = operation
    call.operation_name = operation.name
    if not operation.signed:
        raise refuse_preflight(operation, call.headers)


async def _handle(call: Call) -> Reply | Streamed:
    """Bind the request to its DTO, do it, and render what came of it."""
    operation = call.operation
    if operation.input is None:
        assert call.bucket is not None  # the service's one other row has no handler and no configuration
        return Reply(*answer_unimplemented(operation, call.bucket))
    document: bytes | None = None
    body = operation.body
    if body is not _NO_BODY:
        if body is Body.STREAM:
            call.body = open_body(call)
        else:
            document = await read_document(call)
    request = bind(operation, call.named or call.bucket, call.key, call.query, call.headers, document)
    made = await HANDLERS[operation.name](call, request)
    if isinstance(made, (Reply, Streamed)):
        return made
    call.version_id = getattr(made, "version_id", None)
    return Reply(*render(operation, made))


async def _refusal(call: Call, error: Exception) -> Reply:
    """The answer to an error."""
    if isinstance(error, MissingAuthentication | AuditUnavailable) and b"authorization" not in call.headers:
        probe = await answer_probe(call)
        if probe is not None:
            return probe
    if isinstance(error, ABSENCES) and call.found is not None:
        error = await hide_absence(call, call.found, error)
    told = explain(error, call.method)
    call.s3_code = told.code
    _log_refusal(call, error, told)
    return Reply(
        *render_error(
            error,
            method=call.method,
            resource=call.raw_path.decode("latin-1"),
            request_id=call.request_id,
            host_id=call.endpoint.host_id,
        )
    )


async def _serve_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI's lifespan protocol, which servers other than our own speak; the app has nothing to do for it."""
    if scope["type"] != "lifespan":
        raise ValueError(f"not a protocol of this app: {scope['type']}")
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _log_refusal(call: Call, error: Exception, told: Explained) -> None:
    """Our failures are logged with all that is known of them; what a client did wrong, by code alone.

    An error of a client may hold what it sent: signatures, and the strings that they sign.
    """
    if not isinstance(error, StoreError):
        _log_failure(call, error)
    elif told.status >= _SERVER_ERROR:
        _log.log(_LEVELS[told.level], "%s: %s", told.code, error, extra={"operation": call.operation_name})
    elif _log.isEnabledFor(logging.DEBUG):
        _log.debug("%s: %s", told.code, told.message, extra={"operation": call.operation_name})


def _log_failure(call: Call, error: Exception) -> None:
    _log.error("request failed", extra={"operation": call.operation_name}, exc_info=error)
