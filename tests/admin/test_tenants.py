"""Tenants' limits against their deletion, over a real directory and store on one metadata store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import trio
import trio.testing

from lightningstor.admin.tenants import TenantChanges
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.chunks.memory import MemoryChunkStore
from lightningstor.iam.errors import NoSuchEntity
from lightningstor.kv.memory import MemoryKv
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.model.records import StorageLimits
from lightningstor.ports import World, production_world
from lightningstor.store.quotas import Quotas, QuotaScope
from lightningstor.store.store import open_store
from lightningstor.testing.steps import CancelAtStep
from tests.conftest import Figure
from tests.iam.conftest import open_place

ORG = QuotaScope("acme")
PROJECT = QuotaScope("acme", "web")
LIMITS = StorageLimits(max_buckets=1)


class HeldQuotas(Quotas):
    """Quotas that are set only once the test lets them."""

    go_on: trio.Event

    async def set(self, scope: QuotaScope, limits: StorageLimits | None) -> None:
        await self.go_on.wait()
        await super().set(scope, limits)


@pytest.fixture
async def changes() -> AsyncIterator[TenantChanges]:
    """Organisation `acme` with project `web`."""
    kv, world = MemoryKv(), World()
    directory = (await open_place(kv)).directory
    await directory.organisations.create("acme")
    await directory.projects.create("acme", "web")
    async with open_chunk_manager(MemoryChunkStore(), world=world) as chunks, open_store(kv, chunks, world) as store:
        quotas = HeldQuotas(store.quotas.ctx)
        quotas.go_on = trio.Event()
        yield TenantChanges(directory, quotas)


async def delete(changes: TenantChanges, scope: QuotaScope) -> None:
    await changes.delete_project("acme", "web")
    if scope == ORG:
        await changes.delete_organisation("acme")


@pytest.mark.parametrize("scope", [ORG, PROJECT], ids=str)
async def test_limits_that_are_being_set_go_with_their_owner(changes: TenantChanges, scope: QuotaScope) -> None:
    """A deletion that comes while limits are on their way leaves none for a later owner of the name."""
    assert isinstance(changes.quotas, HeldQuotas)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(changes.set_limits, scope, LIMITS)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(delete, changes, scope)
        await trio.testing.wait_all_tasks_blocked()
        changes.quotas.go_on.set()
    assert await changes.quotas.get(scope) == StorageLimits()
    assert await changes.quotas.all() == []


@pytest.mark.parametrize("scope", [ORG, PROJECT], ids=str)
async def test_limits_of_a_deleted_owner_are_refused(changes: TenantChanges, scope: QuotaScope) -> None:
    """After it nothing can be set for the name."""
    assert isinstance(changes.quotas, HeldQuotas)
    changes.quotas.go_on.set()
    await changes.set_limits(scope, LIMITS)
    await delete(changes, scope)
    with pytest.raises(NoSuchEntity):
        await changes.set_limits(scope, LIMITS)
    assert await changes.quotas.all() == []


async def test_a_deletion_cancelled_at_every_step(tmp_path: Path, figure: Figure) -> None:
    """Owner and limits are both there or both gone, on disk and in what counts, wherever it is cancelled."""
    world = production_world()
    async with (
        open_sqlite_kv(tmp_path / "kv.sqlite", world) as kv,
        open_chunk_manager(MemoryChunkStore(), world=world) as chunks,
        open_store(kv, chunks, world) as store,
    ):
        directory = (await open_place(kv)).directory
        changes = TenantChanges(directory, store.quotas)
        there = 0
        for step in count(1):
            scope = QuotaScope(f"acme{step}")
            await directory.organisations.create(scope.org_id)
            await changes.set_limits(scope, LIMITS)
            sweep = CancelAtStep(step)
            with sweep.watch():
                await changes.delete_organisation(scope.org_id)
            left = scope.org_id in {one.id for one in directory.organisations.list()}
            there += left
            assert await store.quotas.get(scope) == (LIMITS if left else StorageLimits())
            assert (scope in dict(await store.quotas.all())) == left
            if not sweep.reached:
                assert not left
                break
        figure(f"cancelled at {step - 1} steps: {there} times it had not happened, the others wholly")
        assert there
