"""Traces of a daemon, as its configuration asks for them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from lightningstor import __version__
from lightningstor.config import TracingSettings
from lightningstor.observe.record import Observer
from lightningstor.ports import Blocking

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from lightningstor.observe.tracing import Tracing

__all__ = ["tracing"]

_NAME: Final = "lightningstor"
_LAST_SPANS_S: Final = 2.0
"""How long the daemon's end waits for a collector to take what is left."""


@asynccontextmanager
async def tracing(settings: TracingSettings, observer: Observer, blocking: Blocking) -> AsyncIterator[Tracing | None]:
    """What makes spans, and is to be told of operations in the observer's place; None: nothing is traced.

    When the context ends, the spans have been handed over, or given up.
    """
    if not settings.enabled:
        yield None
        return
    made, own = await blocking.run(_start, settings, observer)
    try:
        yield made
    finally:
        if own is not None:
            with trio.CancelScope(shield=True):
                await blocking.run(_shut_down, own)


def _start(settings: TracingSettings, observer: Observer) -> tuple[Tracing, TracerProvider | None]:
    """What makes spans, and the provider behind it if it is ours. Takes 0.2 s to import."""
    from opentelemetry import trace

    from lightningstor.observe.tracing import Tracing

    found = trace.get_tracer_provider()
    # The program around us, or `opentelemetry-instrument`, may have set one up; else the proxy for one is there.
    own = _provider(settings) if isinstance(found, trace.ProxyTracerProvider) else None
    tracer = (own or found).get_tracer(_NAME, __version__)
    return Tracing(observer, tracer, keys=settings.object_keys), own


def _provider(settings: TracingSettings) -> TracerProvider:
    """Not set as the process's: it ends with the daemon, of which a process may have several."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({SERVICE_NAME: settings.service_name, SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
    return provider


def _exporter(settings: TracingSettings) -> SpanExporter:
    if settings.exporter == "console":
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter(formatter=lambda span: span.to_json(indent=None) + "\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=settings.endpoint)


def _shut_down(provider: TracerProvider) -> None:
    """Send what is left. In a thread beside, since the library itself waits 30 s for a collector that is not there."""
    sending = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    sending.start()
    sending.join(_LAST_SPANS_S)
