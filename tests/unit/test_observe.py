"""Logs without secrets, metrics under the specification's names."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lightningstor.observe import logs
from lightningstor.observe.metrics import DURATION_BOUNDS, Metrics
from lightningstor.observe.record import OperationRecord
from lightningstor.observe.redact import Redactor

SIGNATURE = "0123456789abcdef" * 4


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go during the test; logging is put back afterwards."""
    root, hook, raising = logging.getLogger(), sys.excepthook, logging.raiseExceptions
    handlers, level = root.handlers[:], root.level
    switches = ("_srcfile", "logThreads", "logProcesses", "logMultiprocessing")
    before = {name: getattr(logging, name) for name in switches}
    yield io.StringIO()
    root.handlers[:], sys.excepthook, logging.raiseExceptions = handlers, hook, raising
    for name, value in before.items():
        setattr(logging, name, value)
    root.setLevel(level)
    logging.getLogger("lightningstor").setLevel(logging.NOTSET)
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: AWS4-HMAC-SHA256 Credential=AK/x, SignedHeaders=host, Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=AK/x/us-east-1/s3/aws4_request, SignedHeaders=host, Signature={SIGNATURE}",
        f"[(b'authorization', b'AWS4-HMAC-SHA256 Credential=AK, Signature={SIGNATURE}')]",
        f'{{"authorization": "Bearer {SIGNATURE}"}}',
        f"Authorization: Basic {SIGNATURE}",
        f"authorization: AWS AK:{SIGNATURE}=",
        f"GET /b/k?X-Amz-Signature={SIGNATURE}&X-Amz-Expires=60",
        f"GET /b/k?AWSAccessKeyId=AK&Signature={SIGNATURE}%3D&Expires=60",
        f"X-Amz-Security-Token={SIGNATURE}",
        f"{{'x-amz-security-token': '{SIGNATURE}'}}",
        f"10000;chunk-signature={SIGNATURE}\r\n",
        f"x-amz-trailer-signature:{SIGNATURE}",
    ],
)
def test_signatures_and_tokens_are_hidden(text: str) -> None:
    """Wherever a protocol puts a signature or a token, it is not written down."""
    assert SIGNATURE not in Redactor().clean(text)


@pytest.mark.parametrize(
    "text", ["the signature does not match", "GET /bucket/key?X-Amz-Expires=60", "authorization failed"]
)
def test_ordinary_words_stay(text: str) -> None:
    """Talking about signatures hides nothing."""
    assert Redactor().clean(text) == text


def test_registered_secret_is_hidden_in_every_spelling() -> None:
    """A registered secret is found plain, percent-encoded, in JSON and in a repr."""
    redactor = Redactor()
    secret = 'top/secret+"quoted"\\'
    redactor.register(secret.encode())
    for spelling in (secret, json.dumps(secret), repr(secret), "top%2Fsecret%2B%22quoted%22%5C"):
        assert "quoted" not in redactor.clean(f"before {spelling} after")


def test_short_secret_is_not_looked_for() -> None:
    """A secret below 8 characters would hide ordinary words, and is not registered."""
    redactor = Redactor()
    redactor.register("info")
    assert redactor.clean("info") == "info"


def test_json_line_has_everything(stream: io.StringIO) -> None:
    """A log line is one JSON object with time, level, logger, message, request id and what the caller added."""
    logs.configure("info", "json", stream)
    token = logs.REQUEST_ID.set("REQ1")
    try:
        logging.getLogger("lightningstor.test").warning("odd %s", "thing", extra={"bucket": "b"})
    finally:
        logs.REQUEST_ID.reset(token)
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "lightningstor.test",
        "message": "odd thing",
        "bucket": "b",
        "request_id": "REQ1",
    }


@pytest.mark.parametrize("form", ["json", "console"])
def test_traceback_is_written_without_secrets(stream: io.StringIO, form: str) -> None:
    """A traceback goes through the same net as the message."""
    logs.configure("info", form, stream)
    try:
        raise ValueError(f"X-Amz-Signature={SIGNATURE}")
    except ValueError:
        logging.getLogger("lightningstor.test").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert SIGNATURE not in stream.getvalue()


def test_console_line_cannot_be_forged(stream: io.StringIO) -> None:
    """A line break in a message, which a client may have sent, does not begin a line of its own."""
    logs.configure("info", "console", stream)
    logging.getLogger("lightningstor.test").info("key %s", "a\nERROR forged")
    assert stream.getvalue().count("\n") == 1


def test_level_is_obeyed(stream: io.StringIO) -> None:
    """Lines below the level are not written."""
    logs.configure("warn", "json", stream)
    logging.getLogger("lightningstor.test").info("quiet")
    assert stream.getvalue() == ""


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """What a scrape shows: name and label values to value."""
    found = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            found[sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))] = sample.value
    return found


def done(metrics: Metrics, operation: str, status: int, seconds: float, protocol: str = "s3", **more: Any) -> None:
    """Count an operation."""
    metrics.operation_done(OperationRecord(protocol, operation, "ID", status, "success", seconds, **more))


def test_libraries_tell_nothing_at_debug_level(stream: io.StringIO) -> None:
    """hpack's debug lines are headers as they were on the wire, with tokens in them; our own are logged."""
    logs.configure("debug", "json", stream)
    logging.getLogger("hpack.hpack").debug("Decoding authorization")
    logging.getLogger("lightningstor.rpc").debug("ours")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["ours"]


def test_requests_are_counted_under_the_specifications_names() -> None:
    """SPEC.md §10.2: requests by operation, durations, sizes, errors by code."""
    metrics = Metrics()
    done(metrics, "GetObject", 200, 0.0003, object_size=4096, bytes_out=4096)
    done(metrics, "GetObject", 404, 0.0004, code="NoSuchKey")
    done(metrics, "PutObject", 0, 500.0)
    done(metrics, "PutObject", 200, 0.1, protocol="grpc", bytes_in=5)
    found = samples(metrics)
    assert found["lightningstor_requests_total", "operation=GetObject", "protocol=s3", "status=2xx"] == 1
    assert found["lightningstor_requests_total", "operation=GetObject", "protocol=s3", "status=4xx"] == 1
    assert found["lightningstor_requests_total", "operation=PutObject", "protocol=s3", "status=other"] == 1
    assert found["lightningstor_s3_errors_total", "code=NoSuchKey", "protocol=s3"] == 1
    name = "lightningstor_request_duration_seconds"
    assert found[f"{name}_bucket", "le=0.00025", "operation=GetObject", "protocol=s3"] == 0
    assert found[f"{name}_bucket", "le=0.0005", "operation=GetObject", "protocol=s3"] == 2
    assert found[f"{name}_count", "operation=GetObject", "protocol=s3"] == 2
    assert found[f"{name}_bucket", f"le={DURATION_BOUNDS[-1]}", "operation=PutObject", "protocol=s3"] == 0
    assert found[f"{name}_bucket", "le=+Inf", "operation=PutObject", "protocol=s3"] == 1
    assert found[f"{name}_sum", "operation=PutObject", "protocol=s3"] == 500
    assert found["lightningstor_requests_total", "operation=PutObject", "protocol=grpc", "status=2xx"] == 1
    assert found["lightningstor_received_bytes_total", "operation=PutObject", "protocol=grpc"] == 5
    assert found["lightningstor_sent_bytes_total", "operation=GetObject", "protocol=s3"] == 4096
    assert found["lightningstor_object_size_bytes_sum",] == 4096
    assert found["lightningstor_object_size_bytes_bucket", "le=1024.0"] == 0
    assert found["lightningstor_object_size_bytes_bucket", "le=8192.0"] == 1


def test_gauges_are_read_at_the_scrape() -> None:
    """A gauge shows what it reads when somebody looks; a later one of the name replaces it."""
    metrics, value = Metrics(), [1]
    metrics.gauge("objects_total", "Objects.", lambda: value[0])
    assert samples(metrics)["lightningstor_objects_total",] == 1
    value[0] = 7
    assert samples(metrics)["lightningstor_objects_total",] == 7
    metrics.gauge("objects_total", "Objects.", lambda: 9)
    assert samples(metrics)["lightningstor_objects_total",] == 9


def test_labels_are_bounded() -> None:
    """However many names come, the number of labels does not grow beyond its bound."""
    metrics = Metrics()
    for number in range(2000):
        done(metrics, f"Operation{number}", 500, 0.1, code=f"Code{number}")
    found = samples(metrics)
    assert sum(key[0] == "lightningstor_requests_total" for key in found) <= 513
    assert sum(key[0] == "lightningstor_s3_errors_total" for key in found) <= 513
    assert sum(value for key, value in found.items() if key[0] == "lightningstor_requests_total") == 2000
