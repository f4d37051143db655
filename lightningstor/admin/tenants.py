"""Changes of tenants that concern the directory and the store alike: deletions, and limits."""

from __future__ import annotations

import trio
from attrs import field, frozen

from lightningstor.iam.directory import Directory
from lightningstor.model.records import StorageLimits
from lightningstor.store.quotas import Quotas, QuotaScope

__all__ = ["TenantChanges"]


@frozen
class TenantChanges:
    """Makes one change at a time, so that no limits are set for an owner who is being deleted.

    A deletion takes the limits in its own transaction, and there is no checkpoint between that and `Quotas.gone`: who
    is cancelled has deleted both or neither.
    """

    directory: Directory
    quotas: Quotas
    _turn: trio.Lock = field(factory=trio.Lock, init=False)

    async def set_limits(self, scope: QuotaScope, limits: StorageLimits) -> None:
        """Replace the limits of an organisation, a project or a bucket.

        Raises:
            NoSuchEntity, NoSuchBucket, InvalidQuota, Contention
        """
        if scope.bucket is not None:  # its limits stand in its own record, and go with that
            await self.quotas.set(scope, limits)
            return
        async with self._turn:
            self.see_that_there_is(scope)
            await self.quotas.set(scope, limits)

    def see_that_there_is(self, scope: QuotaScope) -> None:
        """That the scope's organisation exists, and its project if it has one.

        Raises:
            NoSuchEntity
        """
        self.directory.organisations.get(scope.org_id)
        if scope.project_id is not None:
            self.directory.projects.get(scope.org_id, scope.project_id)

    async def delete_organisation(self, org: str) -> None:
        """Delete an organisation that has nothing in it, and its limits.

        Raises:
            NoSuchEntity, EntityInUse, EntityFixed
        """
        async with self._turn:
            await self.directory.organisations.delete(org)
            self.quotas.gone(QuotaScope(org))

    async def delete_project(self, org: str, project: str) -> None:
        """Delete a project that has nothing in it, and its limits.

        Raises:
            NoSuchEntity, EntityInUse, EntityFixed
        """
        async with self._turn:
            await self.directory.projects.delete(org, project)
            self.quotas.gone(QuotaScope(org, project))
