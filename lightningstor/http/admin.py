"""The admin port: /health, /ready and /metrics (SPEC.md §10.2), as a small ASGI app.

It runs on our own engine, so that it answers while the console's libraries are not yet imported.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from attrs import field, frozen

__all__ = ["AdminApp", "Readiness"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON = b"application/json"
_METRICS = b"text/plain; version=0.0.4; charset=utf-8"


@frozen
class Readiness:
    """Why the daemon should get no requests; empty while it should.

    Args:
        checks: each returns a reason, or None while its part is well. Asked on every GET /ready, so they only look
            at what is known already.
    """

    checks: dict[str, Callable[[], str | None]] = field(factory=dict)

    def reasons(self) -> dict[str, str]:
        """By part, what is wrong with it."""
        found = ((part, check()) for part, check in self.checks.items())
        return {part: reason for part, reason in found if reason is not None}


class AdminApp:
    """Answers GET and HEAD of three paths.

    Args:
        metrics: renders the metrics in Prometheus's text format; may raise, which is a 500.
        may_scrape: whether a bearer token, or None where none came, opens /metrics.
    """

    def __init__(
        self,
        readiness: Readiness,
        metrics: Callable[[], Awaitable[bytes]],
        may_scrape: Callable[[str | None], bool] = lambda token: True,
    ) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._may_scrape = may_scrape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        path = scope["path"]
        if path == "/metrics" and not self._may_scrape(_bearer(scope)):
            status, content_type, body = 401, _JSON, _document({"error": "/metrics needs a bearer token here"})
        else:
            status, content_type, body = await self._answer(scope["method"], path)
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _answer(self, method: str, path: str) -> tuple[int, bytes, bytes]:
        if path not in ("/health", "/ready", "/metrics"):
            return 404, _JSON, _document({"error": "there are /health, /ready and /metrics"})
        if method not in ("GET", "HEAD"):
            return 405, _JSON, _document({"error": "use GET"})
        if path == "/health":
            return 200, _JSON, _document({"status": "ok"})
        if path == "/metrics":
            return 200, _METRICS, await self._metrics()
        reasons = self._readiness.reasons()
        if reasons:
            return 503, _JSON, _document({"status": "not ready", "reasons": reasons})
        return 200, _JSON, _document({"status": "ready"})


def _bearer(scope: Scope) -> str | None:
    for name, value in scope.get("headers", ()):
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return bytes(value[7:]).strip().decode("latin-1")
    return None


def _document(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"
