"""OpenTelemetry traces of the real daemon: a span a request, over OTLP to a collector of the test's own."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from attrs import define, field
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp
from tests.harness.tokens import make_principal, make_token

WITHOUT = """
import sys
sys.modules["opentelemetry"] = None  # cannot be imported
from lightningstor.cli import server_main
sys.exit(server_main())
"""
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@define
class Span:
    """What the collector was told of one."""

    name: str
    trace_id: str
    parent_id: str
    kind: int
    is_error: bool
    attributes: dict[str, Any]


@define
class Collector:
    """Takes OTLP over HTTP.

    Attributes:
        services: the names of those that sent spans.
    """

    spans: list[Span] = field(factory=list)
    services: set[str] = field(factory=set)
    port: int = 0

    def take(self, body: bytes) -> None:
        request: Any = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            self.services.add(_plain(group.resource.attributes)["service.name"])
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            span.name,
                            span.trace_id.hex(),
                            span.parent_span_id.hex(),
                            span.kind,
                            span.status.code == 2,
                            _plain(span.attributes),
                        )
                    )

    def by_request(self) -> dict[str, Span]:
        """The spans by their requests' ids; each request has one."""
        found = {span.attributes["lightningstor.request_id"]: span for span in self.spans}
        assert len(found) == len(self.spans)
        return found


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """One that listens."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def tracing(port: int, more: str = "") -> str:
    endpoint = f'endpoint = "http://127.0.0.1:{port}/v1/traces"\n'
    return f'[audit]\nenabled = true\n[tracing]\nenabled = true\nservice_name = "store-7"\n{endpoint}{more}'


def audit_lines(daemon: RunningDaemon) -> dict[str, dict[str, Any]]:
    lines = (daemon.data_dir / "audit" / "audit.log").read_text("utf-8").splitlines()
    return {line["request_id"]: line for line in map(json.loads, lines)}


def test_every_request_is_a_span_of_its_caller_s_trace(launch_daemon: StartDaemon, collector: Collector) -> None:
    """S3, gRPC and admin: named after the operation, below the caller's span; the audit line has the trace's id."""
    daemon = launch_daemon(config=tracing(collector.port))
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    traced = {"traceparent": TRACEPARENT}
    made = root.request("PUT", "/bucket", headers=traced)
    put = root.request("PUT", "/bucket/secret-name", b"12345", headers=traced)
    alone = root.request("GET", "/bucket/secret-name")
    with urlopen(f"{daemon.s3_url}/health") as probe:  # no line and no span
        assert probe.status == 200
    root.close()
    stranger = SignedHttp(daemon.addresses["s3"], daemon.access_key, "wrong-secret-key")
    denied = stranger.request("GET", "/bucket/k")
    stranger.close()
    admin = SignedHttp(daemon.addresses["admin"], daemon.access_key, daemon.secret_key)
    asked = admin.request("GET", "/api/v1/whoami", headers=traced)
    admin.close()
    make_principal(daemon, "ann")
    metadata = (("authorization", f"Bearer {make_token(daemon, 'ann')}"), ("traceparent", TRACEPARENT))
    with grpc.insecure_channel(daemon.addresses["grpc"]) as channel:
        head = channel.unary_unary("/lightningstor.v1.BucketService/HeadBucket", None, None)
        _, call = head.with_call(b"\n\x06bucket", metadata=metadata, timeout=20)
        grpc_id = dict(call.initial_metadata())["x-request-id"]
    assert daemon.stop() == 0

    spans, lines = collector.by_request(), audit_lines(daemon)
    assert collector.services == {"store-7"}
    assert spans.keys() == lines.keys()
    assert {request_id: span.trace_id for request_id, span in spans.items()} == {
        request_id: line["trace_id"] for request_id, line in lines.items()
    }
    assert {span.kind for span in spans.values()} == {2}  # of a server
    below = {
        made.headers["x-amz-request-id"]: "CreateBucket",
        put.headers["x-amz-request-id"]: "PutObject",
        asked.headers["x-request-id"]: "whoAmI",
        grpc_id: "HeadBucket",
    }
    assert {name: (spans[name].name, spans[name].trace_id, spans[name].parent_id) for name in below} == {
        name: (operation, TRACE, PARENT) for name, operation in below.items()
    }
    own = spans[alone.headers["x-amz-request-id"]]
    assert (own.name, own.parent_id, own.trace_id != TRACE) == ("GetObject", "", True)
    refused = spans[denied.headers["x-amz-request-id"]]
    told = refused.attributes
    assert (told["lightningstor.code"], told["http.response.status_code"]) == ("SignatureDoesNotMatch", 403)
    assert (told["lightningstor.bucket"], told["lightningstor.outcome"], refused.is_error) == (
        "bucket",
        "denied",
        False,
    )
    assert "secret-name" not in str(spans)  # keys only where they are asked for
    assert spans[grpc_id].attributes["lightningstor.principal"] == "ann"


def test_a_fault_of_ours_is_an_error_and_its_log_lines_have_the_trace(
    launch_daemon: StartDaemon, collector: Collector
) -> None:
    """With the data directory's chunks gone a large GET fails: its span is an error; keys are told when asked for."""
    daemon = launch_daemon(config=tracing(collector.port, "object_keys = true\n"))
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    root.request("PUT", "/bucket")
    put = root.request("PUT", "/bucket/large", bytes(1 << 20), headers={"traceparent": TRACEPARENT})
    assert put.status == 200
    for chunk in (daemon.data_dir / "chunks").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    failed = root.request("GET", "/bucket/large", headers={"traceparent": TRACEPARENT})
    root.close()
    assert daemon.stop() == 0
    span = collector.by_request()[failed.headers["x-amz-request-id"]]
    assert failed.status >= 500
    assert span.is_error
    assert span.attributes["lightningstor.key"] == "large"
    logged = [line for line in daemon.output().splitlines() if failed.headers["x-amz-request-id"] in line]
    assert any(json.loads(line).get("trace_id") == TRACE for line in logged)


def test_a_collector_that_is_not_there_holds_nothing_up(launch_daemon: StartDaemon) -> None:
    """Requests are answered, and the daemon ends in order, soon."""
    daemon = launch_daemon(config=tracing(9))  # nothing listens on the discard port
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    assert root.request("PUT", "/bucket").status == 200
    root.close()
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 8


def test_spans_on_standard_output(launch_daemon: StartDaemon) -> None:
    """A JSON object a line."""
    daemon = launch_daemon(config='[tracing]\nenabled = true\nexporter = "console"\n')
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    answer = root.request("PUT", "/bucket", headers={"traceparent": TRACEPARENT})
    root.close()
    assert daemon.stop() == 0
    (span,) = (json.loads(line) for line in daemon.output().splitlines() if '"parent_id"' in line)
    assert (span["name"], span["parent_id"]) == ("CreateBucket", f"0x{PARENT}")
    assert span["attributes"]["lightningstor.request_id"] == answer.headers["x-amz-request-id"]


def test_without_traces_opentelemetry_is_not_needed(launch_daemon: StartDaemon) -> None:
    """A daemon that cannot import it starts and serves, as long as traces are off; audit lines have no trace."""
    daemon = launch_daemon(config="[audit]\nenabled = true\n", command=(sys.executable, "-c", WITHOUT))
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    assert root.request("PUT", "/bucket").status == 200
    root.close()
    assert daemon.stop() == 0
    assert [line["trace_id"] for line in audit_lines(daemon).values()] == [None]


def test_traces_without_the_package_are_a_clear_error(launch_daemon: StartDaemon) -> None:
    """Which package is missing, which option needs it, and how it is installed."""
    config = "[tracing]\nenabled = true\n"
    daemon = launch_daemon(config=config, command=(sys.executable, "-c", WITHOUT), ready=False)
    assert daemon.wait() != 0
    assert "tracing.enabled" in daemon.output()
    assert "pip install 'lightningstor[otel]'" in daemon.output()
