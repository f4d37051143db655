"""S3 endpoints to test: over a store in memory, and over one on a real directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import define, field, frozen

from lightningstor.errors import AuditUnavailable
from lightningstor.iam.authorize import EmbeddedAuthorizer
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.principal import Principal
from lightningstor.observe.record import Observer, OperationRecord
from lightningstor.ports import World
from lightningstor.s3.app import S3App
from lightningstor.s3.endpoint import Endpoint
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
class Witness:
    """An observer that keeps what it hears of."""

    records: list[OperationRecord] = field(factory=list)
    closed: bool = False

    async def admit(self) -> None:
        raise AuditUnavailable("this test says so")

    def operation_done(self, record: OperationRecord) -> None:
        assert record.seconds >= 0
        self.records.append(record)


@frozen
class Service:
    """An endpoint and clients of it."""

    app: S3App
    store: Store
    witness: Witness
    world: World

    @property
    def records(self) -> list[OperationRecord]:
        """Of the requests so far."""
        return self.witness.records

    @property
    def seen(self) -> list[tuple[str, int, str | None, int | None]]:
        """Operation, status, S3 code and object size of the requests so far."""
        return [(record.operation, record.status, record.code, record.object_size) for record in self.records]

    def client(self, principal: Principal = ROOT, **changes: str) -> Client:
        """A client with the credentials of a principal."""
        return Client(self.app, f"AK{principal.id.upper()}", SECRETS[principal.id], self.world.clock.now_ms, **changes)


def service_over(
    store: Store, world: World | None = None, settings: S3Settings | None = None, observer: Observer | None = None
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
    witness = Witness()
    endpoint = Endpoint(settings or S3Settings(), store, credentials, EmbeddedAuthorizer(), world, observer or witness)
    return Service(S3App(endpoint), store, witness, world)


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
