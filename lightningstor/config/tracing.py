"""OpenTelemetry traces: section [tracing]."""

# `option` makes an attrs field; what it is called with is the default (see `sections`).

from importlib.util import find_spec
from typing import Literal

from attrs import frozen

from lightningstor.config.option import Section, option
from lightningstor.config.rules import TRACES_ENDPOINT

__all__ = ["TracingSettings", "missing_package"]

_API = "opentelemetry.sdk.trace"
_OTLP = "opentelemetry.exporter.otlp.proto.http"


@frozen(eq=False, repr=False)
class TracingSettings(Section):
    """OpenTelemetry traces: a span for every request, below the one that its `traceparent` names. Needs
    `pip install 'lightningstor[otel]'`. Sampling, batches, headers and certificates are set by OpenTelemetry's own
    variables, such as OTEL_TRACES_SAMPLER and OTEL_EXPORTER_OTLP_HEADERS; a provider that was set before the daemon
    started is used as it is."""

    enabled: bool = option(False, "Whether there are traces.")
    service_name: str = option("lightningstor", "What this daemon is called in traces.", also=("OTEL_SERVICE_NAME",))
    exporter: Literal["otlp", "console"] = option(
        "otlp", "Where spans go: to a collector by OTLP over HTTP, or to standard output as JSON lines."
    )
    endpoint: str | None = option(
        None,
        "The collector's URL for traces, such as http://collector:4318/v1/traces.",
        rule=TRACES_ENDPOINT,
        applies="what OTEL_EXPORTER_OTLP_ENDPOINT says, or http://localhost:4318/v1/traces",
    )
    object_keys: bool = option(False, "Whether spans tell the keys of objects; buckets they always tell.")


def missing_package(settings: TracingSettings) -> str | None:
    """The package that these settings need and that is not installed."""
    if not settings.enabled:
        return None
    for name in (_API, _OTLP) if settings.exporter == "otlp" else (_API,):
        try:
            found = find_spec(name) is not None
        except ModuleNotFoundError:  # not even what it is a part of
            found = False
        if not found:
            return name
    return None
