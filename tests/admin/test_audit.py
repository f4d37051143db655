"""The audit log about the admin port: one line for each request to the API and the console, failed ones too."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.admin.conftest import PREFIX, caller_of
from tests.conftest import StartDaemon
from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs

_FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, daemon_outputs: DaemonOutputs) -> Iterator[RunningDaemon]:
    """One that writes an audit log, behind a proxy on this machine."""
    config = '[audit]\nenabled = true\n[server]\ntrusted_proxies = ["127.0.0.1"]\n[admin]\nmax_body_bytes = 65536\n'
    running = start_daemon(tmp_path_factory.mktemp("audit"), daemon_outputs, config=config)
    yield running
    running.stop()


def ask(
    daemon: RunningDaemon, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> http.client.HTTPResponse:
    """One request without a signature; its answer, read."""
    connection = http.client.HTTPConnection(daemon.addresses["admin"], timeout=20)
    connection.request(method, path, body or None, headers or {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def lines_of(daemon: RunningDaemon) -> dict[str, Any]:
    """All audit lines by their request ids, once the daemon has ended."""
    assert daemon.stop() == 0
    text = (Path(daemon.data_dir) / "audit" / "audit.log").read_text("utf-8")
    assert daemon.secret_key not in text
    lines = [json.loads(line) for line in text.splitlines()]
    found = {line["request_id"]: line for line in lines}
    assert len(found) == len(lines)
    return found


def test_every_request_has_its_line(daemon: RunningDaemon) -> None:
    """Operation, caller, outcome and what it was about, under the id that the client received; nothing besides."""
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    wrong = caller_of(daemon, daemon.access_key, "not-the-secret-of-this-key")
    expected: dict[str, dict[str, object]] = {}

    def api(caller: Any, method: str, path: str, body: object = None, **line: object) -> Any:
        answer = caller.raw(method, path, b"" if body is None else json.dumps(body).encode())
        expected[answer.headers["x-request-id"]] = {"status": answer.status, "protocol": "admin", **line}
        return json.loads(answer.body) if answer.body else None

    def plain(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **line: object) -> Any:
        answer = ask(daemon, method, path, body, headers)
        expected[answer.headers["x-request-id"]] = {"status": answer.status, "protocol": "admin", **line}
        return answer

    by_root = {"principal": "root", "outcome": "success", "authentication": "header"}
    api(admin, "POST", "/orgs", {"id": "acme"}, **by_root, operation="createOrg", resource=f"{PREFIX}/orgs/acme")
    api(admin, "POST", "/orgs", {"id": "acme"}, operation="createOrg", outcome="failed", principal="root")
    api(admin, "POST", "/principals", {"id": "ann", "org": "acme"}, operation="createPrincipal", **by_root)
    key = api(admin, "POST", "/principals/ann/access-keys", {}, operation="createAccessKey", **by_root)
    token = api(admin, "POST", "/principals/ann/tokens", {"ttl_s": 60}, operation="issueToken", **by_root)["token"]
    ann = caller_of(daemon, key["access_key"], key["secret_key"])
    in_acme = {"bucket": "records", "action": "lightningstor:buckets:create"}
    api(ann, "POST", "/buckets", {"name": "records"}, operation="createBucket", principal="ann", org="acme", **in_acme)
    api(ann, "GET", "/server", operation="getServer", outcome="denied", code="AccessDenied", principal="ann")
    api(wrong, "GET", "/whoami", operation="whoAmI", outcome="denied", access_key=daemon.access_key)
    api(admin, "POST", "/orgs", {"id": "x" * 70_000}, operation="createOrg", outcome="failed", code="EntityTooLarge")
    bearer = {"authorization": f"Bearer {token}", "x-forwarded-for": "203.0.113.9"}
    plain("GET", f"{PREFIX}/whoami", b"", bearer, authentication="bearer", principal="ann", client="203.0.113.9")
    plain("GET", f"{PREFIX}/nothing", operation="Unknown", outcome="failed", code="NotFound")
    plain("PUT", f"{PREFIX}/whoami", operation="Unknown", outcome="failed", code="MethodNotAllowed")
    plain("GET", f"{PREFIX}/whoami", b"", {"x-api-key": "lsk_a_b"}, operation="whoAmI", outcome="denied")

    plain("GET", "/console/", operation="console.home", outcome="denied")
    login = urlencode({"access_key": daemon.access_key, "secret_key": "a-wrong-secret"}).encode()
    failed = {"operation": "console.log_in", "outcome": "denied", "access_key": daemon.access_key}
    plain("POST", "/console/login", login, _FORM, **failed)
    login = urlencode({"access_key": daemon.access_key, "secret_key": daemon.secret_key}).encode()
    entered = plain("POST", "/console/login", login, _FORM, operation="console.log_in", principal="root")
    cookie = {"cookie": entered.headers["set-cookie"].partition(";")[0]}
    plain("GET", "/console/orgs", b"", cookie, operation="console.orgs", authentication="session", principal="root")
    plain("POST", "/console/orgs", b"id=x", {**cookie, **_FORM}, operation="console.org_create", outcome="denied")
    assert ask(daemon, "GET", "/ready").status == 200
    both = {"transfer-encoding": "chunked", "content-length": "0"}
    assert plain("GET", f"{PREFIX}/whoami", b"", both, outcome="malformed").status == 400

    found = lines_of(daemon)
    for request_id, line in expected.items():
        assert {name: found[request_id].get(name) for name in line} == line
    assert found.keys() == expected.keys()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_without_room_for_its_line_nothing_is_done(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """API and console answer 503 and change nothing while the audit log cannot be written; /ready still says why."""
    link = tmp_path / "audit.log"
    link.symlink_to("/dev/full")
    daemon = launch_daemon(config=f'[audit]\nenabled = true\npath = "{link}"\n')
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    made = 0
    status, answer = admin("POST", "/orgs", {"id": f"org-{made}"})
    while status == 201:
        made += 1
        status, answer = admin("POST", "/orgs", {"id": f"org-{made}"})
    assert (status, answer["error"]["code"]) == (503, "ServiceUnavailable")
    assert ask(daemon, "GET", "/console/login").status == 503
    assert ask(daemon, "GET", "/ready").status == 503
    assert ask(daemon, "GET", "/metrics").status == 200
    link.unlink()
    link.touch()
    deadline = time.monotonic() + 20
    while admin("GET", "/whoami")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [one["id"] for one in admin.ok("GET", "/orgs")["items"] if one["id"].startswith("org-")] == sorted(
        f"org-{number}" for number in range(made)
    )
