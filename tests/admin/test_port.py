"""The admin port as it is reached: which addresses it may have, what is open there, over TLS and without."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable

import pytest

from tests.admin.conftest import caller_of
from tests.harness.daemon import DaemonFailed, RunningDaemon

Launch = Callable[..., RunningDaemon]


def get(daemon: RunningDaemon, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """GET from the admin port; the status and the body."""
    host = daemon.addresses["admin"].replace("0.0.0.0", "127.0.0.1")
    if daemon.ca_file is None:
        connection = http.client.HTTPConnection(host, timeout=20)
    else:
        context = ssl.create_default_context(cafile=str(daemon.ca_file))
        connection = http.client.HTTPSConnection(host, timeout=20, context=context)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_plain_http_stays_on_this_machine(launch_daemon: Launch) -> None:
    """An address that others reach is refused without TLS, with what can be done about it."""
    with pytest.raises(DaemonFailed, match="admin_plaintext"):
        launch_daemon("--admin-addr", "0.0.0.0:0")


def test_plain_http_can_be_asked_for(launch_daemon: Launch) -> None:
    """server.admin_plaintext says that something in front of it speaks TLS; /metrics is closed there all the same."""
    token = "a-token-for-the-scraper-0001"
    daemon = launch_daemon(
        "--admin-addr", "0.0.0.0:0", config=f'[server]\nadmin_plaintext = true\nmetrics_token = "{token}"\n'
    )
    assert get(daemon, "/health")[0] == 200
    assert get(daemon, "/ready")[0] == 200
    assert get(daemon, "/metrics")[0] == 401
    assert get(daemon, "/metrics", {"authorization": "Bearer another"})[0] == 401
    status, content = get(daemon, "/metrics", {"authorization": f"Bearer {token}"})
    assert status == 200
    assert b"lightningstor_requests_total" in content


def test_elsewhere_it_speaks_tls(launch_daemon: Launch) -> None:
    """With [server.tls] an address that others reach speaks TLS, and an administrator's token opens /metrics."""
    daemon = launch_daemon("--admin-addr", "0.0.0.0:0", tls=True)
    assert get(daemon, "/ready")[0] == 200
    assert get(daemon, "/metrics")[0] == 401


def test_on_loopback_metrics_are_open(daemon: RunningDaemon) -> None:
    """A scraper on this machine needs no token, and the API needs one all the same."""
    assert get(daemon, "/metrics")[0] == 200
    assert get(daemon, "/api/v1/whoami")[0] == 403
    assert get(daemon, "/api/v1/nothing")[0] == 404
    assert get(daemon, "/console/")[0] == 303


def test_a_token_of_an_administrator_reads_metrics(launch_daemon: Launch) -> None:
    """A bearer token of somebody else does not."""
    daemon = launch_daemon("--admin-addr", "0.0.0.0:0", config="[server]\nadmin_plaintext = true\n")
    daemon.addresses["admin"] = daemon.addresses["admin"].replace("0.0.0.0", "127.0.0.1")
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    admin.ok("POST", "/principals", {"id": "somebody", "org": "default"})
    tokens = [admin.ok("POST", f"/principals/{name}/tokens", {"ttl_s": 60})["token"] for name in ("root", "somebody")]
    statuses = [get(daemon, "/metrics", {"authorization": f"Bearer {token}"})[0] for token in tokens]
    assert statuses == [200, 401]
