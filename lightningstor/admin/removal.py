"""Deleting tenants: the directory forgets them, the store their limits, so that a later one of the name has none."""

from __future__ import annotations

import trio

from lightningstor.admin.services import AdminServices
from lightningstor.store.quotas import QuotaScope

__all__ = ["remove_organisation", "remove_project"]


async def remove_organisation(services: AdminServices, org: str) -> None:
    """Delete an organisation that has nothing in it.

    Raises:
        NoSuchEntity, EntityInUse, EntityFixed
    """
    with trio.CancelScope(shield=True):  # both or, before the first has begun, neither
        await services.directory.organisations.delete(org)
        await services.store.quotas.set(QuotaScope(org), None)


async def remove_project(services: AdminServices, org: str, project: str) -> None:
    """Delete a project that has nothing in it.

    Raises:
        NoSuchEntity, EntityInUse, EntityFixed
    """
    with trio.CancelScope(shield=True):
        await services.directory.projects.delete(org, project)
        await services.store.quotas.set(QuotaScope(org, project), None)
