"""The stores that the contract's tests run over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.kv.api import Kv
from lightningstor.ports import production_world
from tests.contract.chunk_managers import MIB, Setup, over_memory
from tests.contract.kv_stores import OPENERS, Opener


@pytest.fixture(params=["local", "memory"])
async def setup(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Setup]:
    """A manager with chunks of 1 MiB over files with real threads, or over memory."""
    if request.param == "memory":
        async with over_memory() as memory:
            yield memory
    else:
        world = production_world()
        async with (
            open_local_chunks(tmp_path, world) as store,
            open_chunk_manager(store, world=world, chunk_size=MIB) as manager,
        ):
            yield Setup(manager, store, world)


@pytest.fixture(params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.fixture
async def kv(opener: Opener, tmp_path: Path) -> AsyncIterator[Kv]:
    async with opener(tmp_path) as kv:
        yield kv
