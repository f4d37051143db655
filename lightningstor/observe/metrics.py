"""Metrics under the names of SPEC.md §10.2.

Counting happens on the request path, so it is plain integers in lists that are found by one dictionary lookup
(below 1 µs a request; a prometheus_client child costs about that for each of its four updates). prometheus_client
turns them into an exposition when somebody scrapes; it takes 80 ms to import and is not needed before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from lightningstor.observe.record import OperationRecord

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import CollectorRegistry

__all__ = ["DURATION_BOUNDS", "SIZE_BOUNDS", "Metrics", "OperationMeter", "Totals"]

DURATION_BOUNDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0),
)
"""Upper bounds of the request duration's buckets, in seconds."""

SIZE_BOUNDS: Final = tuple(float(1 << shift) for shift in range(10, 41, 3))
"""Upper bounds of the object size's buckets: 1 KiB to 1 TiB, in bytes."""

_STATUS_CLASSES: Final = ("other", "1xx", "2xx", "3xx", "4xx", "5xx")
_LABELS_MAX: Final = 512
_OTHER: Final = "other"


@define(slots=True)
class OperationMeter:
    """The counts of one operation.

    Args:
        by_class: requests by the first digit of their status; 0: one that no HTTP status fits.
        durations: requests by bucket, the last one open.
        seconds: of all requests together.
        bytes_in, bytes_out: of their bodies and of those of their answers.
    """

    by_class: list[int]
    durations: list[int]
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0


@frozen
class Totals:
    """What was counted since the start, over all operations.

    Args:
        durations: requests by bucket of `DURATION_BOUNDS`, the last one open.
    """

    requests: int
    errors: int
    durations: tuple[int, ...]


@frozen
class _Reading:
    """A figure that somebody else keeps."""

    name: str
    meaning: str
    read: Callable[[], float]
    labels: dict[str, str]
    grows: bool


@define(slots=True)
class Histogram:
    """Counts values by size.

    Args:
        bounds: upper bounds of the buckets, rising; a last one is open.
    """

    name: str
    meaning: str
    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Metrics:
    """Counts what the daemon does; the `Observer` that others stand before. Used from the event loop's thread only."""

    def __init__(self) -> None:
        self.closed = False
        self._protocols: dict[str, dict[str, OperationMeter]] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._events: dict[str, int] = {}
        self._sizes = [0] * (len(SIZE_BOUNDS) + 1)
        self._sizes_sum = 0
        self._readings: dict[tuple[str, tuple[tuple[str, str], ...]], _Reading] = {}
        self._histograms: list[Histogram] = []
        self._registry: CollectorRegistry | None = None

    def totals(self) -> Totals:
        """The counts of all operations that store or read: those of the admin port are left out, which shows them."""
        durations = [0] * (len(DURATION_BOUNDS) + 1)
        for protocol, meters in self._protocols.items():
            for meter in meters.values() if protocol != "admin" else ():
                durations = [total + count for total, count in zip(durations, meter.durations, strict=True)]
        errors = sum(count for (protocol, _), count in self._errors.items() if protocol != "admin")
        return Totals(sum(durations), errors, tuple(durations))

    async def admit(self) -> None:
        """See `Observer`: counting never holds anybody up."""

    def operation_done(self, record: OperationRecord) -> None:
        """See `Observer`."""
        try:
            meter = self._protocols[record.protocol][record.operation]
        except KeyError:
            meter = self.operation(record.protocol, record.operation)
        status, seconds, size = record.status, record.seconds, record.object_size
        meter.by_class[status // 100 if status < 600 else 0] += 1
        meter.durations[bisect_left(DURATION_BOUNDS, seconds)] += 1
        meter.seconds += seconds
        meter.bytes_in += record.bytes_in
        meter.bytes_out += record.bytes_out
        if record.code is not None:
            self._count_error(record.protocol, record.code)
        if size is not None:
            self._sizes[bisect_left(SIZE_BOUNDS, size)] += 1
            self._sizes_sum += size

    def _count_error(self, protocol: str, code: str) -> None:
        label = (protocol, code)
        if label not in self._errors and len(self._errors) >= _LABELS_MAX:
            label = (protocol, _OTHER)
        self._errors[label] = self._errors.get(label, 0) + 1

    def happened(self, kind: str) -> None:
        """Count an event of the HTTP engine; `kind` is one of a few fixed words."""
        self._events[kind] = self._events.get(kind, 0) + 1

    def operation(self, protocol: str, name: str) -> OperationMeter:
        """The operation's counts, made if there are none. Beyond 512 names of a protocol all others share one."""
        meters = self._protocols.setdefault(protocol, {})
        if name not in meters and len(meters) >= _LABELS_MAX:
            name = _OTHER
        return meters.setdefault(name, OperationMeter([0] * len(_STATUS_CLASSES), [0] * (len(DURATION_BOUNDS) + 1)))

    def histogram(self, name: str, meaning: str, bounds: tuple[float, ...]) -> Histogram:
        """A histogram `lightningstor_{name}`, to be fed by whoever asked for it."""
        made = Histogram(f"lightningstor_{name}", meaning, bounds, [0] * (len(bounds) + 1))
        self._histograms.append(made)
        return made

    def counter(self, name: str, meaning: str, read: Callable[[], float], **labels: str) -> None:
        """Show what `read` returns, which only grows, at each scrape as the counter `lightningstor_{name}_total`."""
        self._readings[name, tuple(labels.items())] = _Reading(f"lightningstor_{name}", meaning, read, labels, True)

    def gauge(self, name: str, meaning: str, read: Callable[[], float], **labels: str) -> None:
        """Show what `read` returns at each scrape under `lightningstor_{name}`; a later one of the name replaces it."""
        self._readings[name, tuple(labels.items())] = _Reading(f"lightningstor_{name}", meaning, read, labels, False)

    def render(self) -> bytes:
        """All metrics in the text format that Prometheus scrapes (version 0.0.4), the process's own included."""
        from prometheus_client.exposition import generate_latest

        return generate_latest(self.registry())

    def registry(self) -> CollectorRegistry:
        """A prometheus_client registry of these metrics, for programs that embed the store and have their own."""
        if self._registry is None:
            from prometheus_client.gc_collector import GCCollector
            from prometheus_client.process_collector import ProcessCollector
            from prometheus_client.registry import CollectorRegistry

            self._registry = CollectorRegistry(auto_describe=False)
            self._registry.register(self)
            ProcessCollector(registry=self._registry)
            GCCollector(registry=self._registry)
        return self._registry

    def collect(self) -> Iterator[Metric]:
        """The families, as prometheus_client asks for them."""
        yield from self._request_families()
        yield from self._size_families()
        yield from self._reading_families()

    def _request_families(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        labels = ["protocol", "operation"]
        requests = CounterMetricFamily(
            "lightningstor_requests", "Requests by operation and class of status.", labels=[*labels, "status"]
        )
        durations = HistogramMetricFamily(
            "lightningstor_request_duration_seconds", "From a request's head to the end of its answer.", labels=labels
        )
        received = CounterMetricFamily("lightningstor_received_bytes", "Bytes of requests' bodies.", labels=labels)
        sent = CounterMetricFamily("lightningstor_sent_bytes", "Bytes of answers' bodies.", labels=labels)
        for protocol, meters in sorted(self._protocols.items()):
            for name, meter in sorted(meters.items()):
                for word, count in zip(_STATUS_CLASSES, meter.by_class, strict=True):
                    if count:
                        requests.add_metric([protocol, name, word], count)
                durations.add_metric([protocol, name], _cumulative(DURATION_BOUNDS, meter.durations), meter.seconds)
                received.add_metric([protocol, name], meter.bytes_in)
                sent.add_metric([protocol, name], meter.bytes_out)
        yield from (requests, durations, received, sent)
        errors = CounterMetricFamily(
            "lightningstor_s3_errors", "Error answers by S3 code, of every protocol.", labels=["protocol", "code"]
        )
        for label, count in sorted(self._errors.items()):
            errors.add_metric(label, count)
        yield errors
        events = CounterMetricFamily(
            "lightningstor_http_events", "What the HTTP engine did besides answering.", labels=["kind"]
        )
        for kind, count in sorted(self._events.items()):
            events.add_metric([kind], count)
        yield events

    def _size_families(self) -> Iterator[Metric]:
        from prometheus_client.core import HistogramMetricFamily

        sizes = HistogramMetricFamily("lightningstor_object_size_bytes", "Sizes of the objects written and read.")
        sizes.add_metric([], _cumulative(SIZE_BOUNDS, self._sizes), float(self._sizes_sum))
        yield sizes
        for histogram in self._histograms:
            family = HistogramMetricFamily(histogram.name, histogram.meaning)
            family.add_metric([], _cumulative(histogram.bounds, histogram.counts), histogram.total)
            yield family

    def _reading_families(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for reading in self._readings.values():
            family = families.get(reading.name)
            if family is None:
                kind = CounterMetricFamily if reading.grows else GaugeMetricFamily
                family = families[reading.name] = kind(reading.name, reading.meaning, labels=list(reading.labels))
            family.add_metric(list(reading.labels.values()), reading.read())
        yield from families.values()


def _cumulative(bounds: tuple[float, ...], counts: list[int]) -> list[tuple[str, float]]:
    """Buckets as Prometheus wants them: each counts all values up to its bound."""
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(repr, bounds), "+Inf"), counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
