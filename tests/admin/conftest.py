"""A daemon whose admin port the tests talk to, and callers of several kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs
from tests.harness.signed_http import Answer, SignedHttp

PREFIX = "/api/v1"
_SECRETS = ("secret_key", "key", "token")
"""Where answers hold what is issued: an access key's secret, an API key, a bearer token."""


@define
class AdminCaller:
    """Calls the admin API with one access key, each call over a connection of its own.

    Args:
        outputs: of the daemon, which must not print the secrets that it issues.

    Attributes:
        called: every call until now, as (method, path).
    """

    http: SignedHttp
    outputs: DaemonOutputs
    called: list[tuple[str, str]] = field(factory=list)

    def __call__(self, method: str, path: str, body: object = None, query: str = "") -> tuple[int, Any]:
        """One call; the status and the decoded answer, None for an empty one."""
        answer = self.raw(method, path, b"" if body is None else json.dumps(body).encode(), query)
        decoded = json.loads(answer.body) if answer.body else None
        return answer.status, decoded

    def raw(self, method: str, path: str, body: bytes = b"", query: str = "") -> Answer:
        """One call with these bytes."""
        self.called.append((method, path))
        try:
            answer = self.http.request(method, PREFIX + path, body, query)
            self._keep_secrets(answer)
            return answer
        finally:
            self.http.close()

    def _keep_secrets(self, answer: Answer) -> None:
        decoded = json.loads(answer.body) if answer.status == 201 else None
        if isinstance(decoded, dict):
            self.outputs.secrets.update(value for name in _SECRETS if isinstance(value := decoded.get(name), str))

    def ok(self, method: str, path: str, body: object = None, query: str = "") -> Any:
        """One call that must succeed; its answer."""
        status, answer = self(method, path, body, query)
        assert status < 300, (method, path, status, answer)
        return answer


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, daemon_outputs: DaemonOutputs) -> Iterator[RunningDaemon]:
    """One daemon for the tests of a module."""
    folder: Path = tmp_path_factory.mktemp("admin")
    running = start_daemon(folder, daemon_outputs)
    yield running
    assert running.stop() == 0


@pytest.fixture
def admin(daemon: RunningDaemon) -> AdminCaller:
    """Root."""
    return caller_of(daemon, daemon.access_key, daemon.secret_key)


def caller_of(daemon: RunningDaemon, access_key: str, secret_key: str) -> AdminCaller:
    """Somebody with that key."""
    return AdminCaller(SignedHttp(daemon.addresses["admin"], access_key, secret_key), daemon.outputs)
