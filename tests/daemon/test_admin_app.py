"""The admin port's three paths."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lightningstor.http.admin import AdminApp, Readiness


async def ask(method: str, path: str, checks: dict[str, Any] | None = None) -> tuple[int, dict[bytes, bytes], bytes]:
    """The app's answer: status, headers, body."""

    async def metrics() -> bytes:
        return b"metric 1\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    app = AdminApp(Readiness(checks or {}), metrics)
    await app({"type": "http", "method": method, "path": path}, receive, send)
    start, body = sent
    return start["status"], dict(start["headers"]), body["body"]


async def test_health_is_liveness() -> None:
    """/health answers 200 while the process answers at all, ready or not."""
    status, headers, body = await ask("GET", "/health", {"metadata": lambda: "read-only"})
    assert (status, json.loads(body)) == (200, {"status": "ok"})
    assert headers[b"content-length"] == str(len(body)).encode()


async def test_ready_names_every_reason() -> None:
    """/ready is 200 while all parts are well, and 503 with each reason otherwise."""
    assert (await ask("GET", "/ready", {"metadata": lambda: None}))[0] == 200
    checks = {"metadata": lambda: "read-only since EIO", "storage": lambda: None, "daemon": lambda: "stopping"}
    status, _, body = await ask("GET", "/ready", checks)
    assert status == 503
    assert json.loads(body)["reasons"] == {"metadata": "read-only since EIO", "daemon": "stopping"}


async def test_metrics_are_prometheus_text() -> None:
    """/metrics has the content type of Prometheus's text format."""
    status, headers, body = await ask("GET", "/metrics")
    assert (status, body) == (200, b"metric 1\n")
    assert headers[b"content-type"].startswith(b"text/plain; version=0.0.4")


async def test_head_has_no_body() -> None:
    """HEAD answers as GET does, without the body and with its length."""
    status, headers, body = await ask("HEAD", "/health")
    assert (status, body) == (200, b"")
    assert int(headers[b"content-length"]) > 0


@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/ready", 405), ("GET", "/", 404), ("PUT", "/x", 404)])
async def test_anything_else_is_refused(method: str, path: str, status: int) -> None:
    """Other paths are 404, other methods 405 with Allow."""
    answered, headers, _ = await ask(method, path)
    assert answered == status
    assert (headers.get(b"allow") == b"GET, HEAD") == (status == 405)
