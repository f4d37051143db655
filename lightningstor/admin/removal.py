"""Deleting tenants, and letting the store know that their limits went with them."""

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
    with trio.CancelScope(shield=True):  # what has been deleted must not count on
        await services.directory.organisations.delete(org)
        await services.store.quotas.gone(QuotaScope(org))


async def remove_project(services: AdminServices, org: str, project: str) -> None:
    """Delete a project that has nothing in it.

    Raises:
        NoSuchEntity, EntityInUse, EntityFixed
    """
    with trio.CancelScope(shield=True):
        await services.directory.projects.delete(org, project)
        await services.store.quotas.gone(QuotaScope(org, project))
