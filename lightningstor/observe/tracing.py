"""One OpenTelemetry span for every request that the audit log would have a line of; a child of the caller's, if it has
one (W3C Trace Context).

A protocol calls `begin` with the head of a request; that the request has ended, and all about it, the observer hears
anyway. Imported only where traces are configured: without, a request pays for one look at an attribute.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from lightningstor.observe.logs import TRACE_ID, redactor
from lightningstor.observe.record import ABORTED, HEALTH_PROBE, Observer, OperationRecord

__all__ = ["Tracing"]

Fields: TypeAlias = Mapping[bytes, bytes] | Mapping[str, str]

_SERVER_ERROR: Final = 500
_SPAN: Final[ContextVar[Span | None]] = ContextVar("lightningstor_span", default=None)
_UNNAMED: Final = "request"


class Tracing:
    """The observer that ends each request's span; then it passes on what it hears.

    Attributes have OpenTelemetry's names where its semantic conventions have one, and begin with `lightningstor.` where
    they have none. As there, a span is an error for a fault of ours (5xx), not for one of the client's.

    Args:
        inner: hears everything too, with `trace_id` set: the audit log.
        tracer: makes the spans.
        keys: whether spans tell the keys of objects.
    """

    def __init__(self, inner: Observer, tracer: trace.Tracer, *, keys: bool) -> None:
        self._inner = inner
        self._tracer = tracer
        self._keys = keys

    @property
    def closed(self) -> bool:
        """See `Observer`."""
        return self._inner.closed

    async def admit(self) -> None:
        """See `Observer`."""
        await self._inner.admit()

    def begin(self, fields: Fields) -> None:
        """A request has come, and this task is to answer it: what it logs has the trace's id from now on.

        Args:
            fields: of its head, by lower-case name.
        """
        # An empty context to start from: a span around the whole daemon would be no parent of a request.
        parent = propagate.extract(fields, context=Context(), getter=_FIELDS)
        span = self._tracer.start_span(_UNNAMED, context=parent, kind=SpanKind.SERVER)
        _SPAN.set(span)
        TRACE_ID.set(_trace_id(span))

    def operation_done(self, record: OperationRecord) -> None:
        """See `Observer`."""
        span = _SPAN.get()
        if span is None:  # refused before there was a head
            span = self._tracer.start_span(_UNNAMED, context=Context(), kind=SpanKind.SERVER)
        record.trace_id = _trace_id(span)
        if record.operation != HEALTH_PROBE:
            self._end(span, record)
        self._inner.operation_done(record)
        _SPAN.set(None)
        TRACE_ID.set(None)

    def _end(self, span: Span, record: OperationRecord) -> None:
        if span.is_recording():
            span.update_name(record.operation)
            span.set_attributes(_attributes(record, self._keys))
            if record.status >= _SERVER_ERROR:
                span.set_status(Status(StatusCode.ERROR, record.code))
        span.end()


def _attributes(record: OperationRecord, keys: bool) -> dict[str, str | int]:
    """What a span tells of a request; the access key's id, which identifies a person, is for the audit log alone."""
    told: dict[str, str | int | None] = {
        "lightningstor.protocol": record.protocol,
        "lightningstor.request_id": record.request_id,
        "lightningstor.outcome": record.outcome,
        "lightningstor.code": record.code,
        "lightningstor.principal": record.principal,
        "lightningstor.org": record.org,
        "lightningstor.project": record.project,
        "lightningstor.action": record.action,
        "lightningstor.bucket": record.bucket,
        "lightningstor.object_size": record.object_size,
        "http.request.body.size": record.bytes_in,
        "http.response.body.size": record.bytes_out,
        "http.response.status_code": record.status or None,
        "client.address": record.client,
        "error.type": record.code or (record.outcome if record.outcome == ABORTED else None),
    }
    if record.user_agent is not None:
        told["user_agent.original"] = redactor.clean(record.user_agent)
    if keys and record.key is not None:
        told["lightningstor.key"] = redactor.clean(record.key)
        told["lightningstor.version_id"] = record.version_id
    return {name: value for name, value in told.items() if value is not None}


def _trace_id(span: Span) -> str:
    """32 hex digits."""
    return trace.format_trace_id(span.get_span_context().trace_id)


class _FieldsGetter(Getter[Any]):
    """Lets propagators read a request's head, of bytes as HTTP has it or of text as gRPC has it."""

    def get(self, carrier: Any, key: str) -> list[str] | None:
        text = carrier.get(key)
        if text is None:
            value = carrier.get(key.encode())
            text = None if value is None else value.decode("latin-1")
        return None if text is None else [text]

    def keys(self, carrier: Any) -> list[str]:
        return [name if isinstance(name, str) else name.decode("latin-1") for name in carrier]


_FIELDS: Final = _FieldsGetter()
