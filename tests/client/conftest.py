"""A real daemon, and somebody who may use it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from attrs import frozen

from lightningstor.client import LightningStorClient
from tests.admin.conftest import caller_of
from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs


@frozen
class Site:
    """A daemon with organisation org-1, its project proj-1, and their owner.

    Args:
        token, api_key: of a principal that owns all of org-1. other_token: of one of another organisation.
    """

    daemon: RunningDaemon
    token: str
    api_key: str
    other_token: str

    @property
    def url(self) -> str:
        """Of the gRPC port."""
        return f"http://{self.daemon.addresses['grpc']}"


def site_of(daemon: RunningDaemon) -> Site:
    """Make the organisations and their principals."""
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    tokens = {}
    for org, owner in (("org-1", "owner"), ("org-2", "stranger")):
        admin.ok("POST", "/orgs", {"id": org})
        admin.ok("POST", "/principals", {"id": owner, "org": org})
        tokens[owner] = admin.ok("POST", f"/principals/{owner}/tokens", {"ttl_s": 3600})["token"]
    admin.ok("POST", "/orgs/org-1/projects", {"id": "proj-1"})
    key = admin.ok("POST", "/principals/owner/api-keys", {})
    return Site(daemon, tokens["owner"], key["key"], tokens["stranger"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, daemon_outputs: DaemonOutputs) -> Iterator[Site]:
    """One site for the tests of a module."""
    folder: Path = tmp_path_factory.mktemp("client")
    daemon = start_daemon(folder, daemon_outputs)
    try:
        yield site_of(daemon)
    finally:
        status = daemon.stop()
    assert status == 0


@pytest.fixture
async def client(site: Site) -> AsyncIterator[LightningStorClient]:
    """The owner's client."""
    async with LightningStorClient.connect(site.url, token=site.token) as ready:
        yield ready
