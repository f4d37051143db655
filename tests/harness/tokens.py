"""Credentials for gRPC, made through a daemon's admin API as an administrator makes them."""

from __future__ import annotations

import json
from typing import Any

from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

__all__ = ["make_api_key", "make_principal", "make_token"]


def make_principal(daemon: RunningDaemon, name: str) -> None:
    """An owner in the default organisation."""
    _made(daemon, "/principals", {"id": name, "org": "default"})


def make_token(daemon: RunningDaemon, principal: str) -> str:
    """A bearer token of a principal's, good for an hour."""
    token: str = _made(daemon, f"/principals/{principal}/tokens", {"ttl_s": 3600})["token"]
    return token


def make_api_key(daemon: RunningDaemon, principal: str) -> tuple[str, str]:
    """An API key of a principal's: its id, and the key itself."""
    made = _made(daemon, f"/principals/{principal}/api-keys", {})
    return made["id"], made["key"]


def _made(daemon: RunningDaemon, path: str, body: dict[str, Any]) -> Any:
    root = SignedHttp(daemon.addresses["admin"], daemon.access_key, daemon.secret_key)
    answer = root.request("POST", f"/api/v1{path}", json.dumps(body).encode())
    root.close()
    assert answer.status == 201, answer
    made = json.loads(answer.body)
    daemon.outputs.secrets.update(made[name] for name in ("key", "token") if name in made)
    return made
