"""S3 endpoints to test: over a store in memory, and over one on a real directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, field, frozen

from lightningstor.iam.authorize import EmbeddedAuthorizer
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.principal import Principal
from lightningstor.ports import World
from lightningstor.s3.app import S3App
from lightningstor.s3.endpoint import Endpoint, RequestMeter
from lightningstor.s3.settings import S3Settings
from lightningstor.store.store import Store
from tests.s3.client import Client
from tests.store.conftest import SMALL_LIMITS, disk_store, memory_store

ROOT = Principal("root", "default", admin=True)
ALICE = Principal("alice", "acme")
ANNE = Principal("anne", "acme", "web")
BOB = Principal("bob", "other")
SECRETS = {person.id: f"{person.id}-secret-0123456789" for person in (ROOT, ALICE, ANNE, BOB)}


@define
class Meter:
    """Keeps what was counted: (operation, status, S3 code, object size)."""

    seen: list[tuple[str, int, str | None, int | None]] = field(factory=list)

    def request_done(
        self, operation: str, status: int, s3_code: str | None, seconds: float, object_size: int | None = None
    ) -> None:
        assert seconds >= 0
        self.seen.append((operation, status, s3_code, object_size))


@frozen
class Service:
    """An endpoint and clients of it."""

    app: S3App
    store: Store
    meter: RequestMeter
    world: World

    def client(self, principal: Principal = ROOT, **changes: str) -> Client:
        """A client with the credentials of a principal."""
        return Client(self.app, f"AK{principal.id.upper()}", SECRETS[principal.id], self.world.clock.now_ms, **changes)


def service_over(
    store: Store, world: World | None = None, settings: S3Settings | None = None, meter: RequestMeter | None = None
) -> Service:
    """An S3 endpoint over a store, with four principals of three organisations."""
    world = world or World()
    credentials = CredentialStore(
        world.clock,
        [
            Credential(f"AK{person.id.upper()}", SECRETS[person.id].encode(), person)
            for person in (ROOT, ALICE, ANNE, BOB)
        ],
    )
    meter = meter or Meter()
    endpoint = Endpoint(settings or S3Settings(), store, credentials, EmbeddedAuthorizer(), world, meter)
    return Service(S3App(endpoint), store, meter, world)


@asynccontextmanager
async def memory_service(settings: S3Settings | None = None) -> AsyncIterator[Service]:
    """An endpoint over a store in memory."""
    async with memory_store(SMALL_LIMITS) as store:
        yield service_over(store, settings=settings)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """An endpoint over a store in memory."""
    async with memory_service() as ready:
        yield ready


@pytest.fixture
def s3(service: Service) -> Client:
    """Root's client."""
    return service.client()


@pytest.fixture(params=["memory", "disk"])
async def grounded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Service]:
    """An endpoint on each kind of ground."""
    async with memory_store() if request.param == "memory" else disk_store(tmp_path) as store:
        yield service_over(store)
