"""One store behind S3 and gRPC, with clients of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import frozen

from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.server import RpcServer
from lightningstor.store.store import Store
from tests.rpc.serving import GrpcioRemote, Records, backing_of, remote, serving
from tests.s3.client import Client
from tests.s3.conftest import Service, service_over
from tests.store.conftest import disk_store, memory_store


@frozen
class Both:
    """A store, and who speaks to it.

    Args:
        s3: a signing client in root's name. rpc: a gRPC client in root's name.
        records: what the observer of gRPC has heard.
    """

    store: Store
    service: Service
    s3: Client
    rpc: GrpcioRemote
    server: RpcServer
    port: int
    records: Records


@asynccontextmanager
async def both_over(store: Store, limits: RpcLimits | None = None) -> AsyncIterator[Both]:
    """S3 and gRPC over a store."""
    records = Records()
    service = service_over(store)
    async with (
        serving(limits, backing=backing_of(store, records)) as (server, port),
        remote(port) as rpc,
    ):
        yield Both(store, service, service.client(), rpc, server, port, records)


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    """S3 and gRPC over a store in memory."""
    async with memory_store() as store, both_over(store) as ready:
        yield ready


@pytest.fixture(params=["memory", "disk"])
async def grounded(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Both]:
    """S3 and gRPC over a store on each kind of ground."""
    async with (
        memory_store() if request.param == "memory" else disk_store(tmp_path) as store,
        both_over(store) as ready,
    ):
        yield ready
