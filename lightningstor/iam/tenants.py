"""Organisations and their projects."""

from __future__ import annotations

from attrs import define

from lightningstor.iam.errors import EntityExists, EntityFixed, EntityInUse, NoSuchEntity
from lightningstor.iam.ids import check_id
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.principal import DEFAULT_ORG
from lightningstor.iam.records import Organisation, Project
from lightningstor.kv.api import ABSENT, Check
from lightningstor.model import iam_keys, keys
from lightningstor.model.codec import RECORD_FORMAT

__all__ = ["Organisations", "Projects"]

ORGANISATION = "organisation"
PROJECT = "project"


@define
class Organisations:
    """The organisations of a store. `default`, and those that the configuration names, are always there."""

    ledger: Ledger

    def get(self, org_id: str) -> Organisation:
        """The organisation.

        Raises:
            NoSuchEntity
        """
        view = self.ledger.view
        found = view.organisations.get(org_id)
        if found is None:
            if not view.is_fixed_organisation(org_id):
                raise NoSuchEntity(ORGANISATION, org_id)
            return Organisation(v=RECORD_FORMAT, id=org_id)
        return found

    def list(self) -> list[Organisation]:
        """All of them, by id."""
        view = self.ledger.view
        fixed = {DEFAULT_ORG, *(principal.org_id for principal in view.fixed.values())}
        return [self.get(org_id) for org_id in sorted(fixed | set(view.organisations))]

    async def create(self, org_id: str, display_name: str = "") -> Organisation:
        """Make an organisation.

        Raises:
            EntityExists, InvalidEntity
        """
        check_id(ORGANISATION, org_id)
        made = Organisation(
            v=RECORD_FORMAT, id=org_id, display_name=display_name, created_at=self.ledger.world.clock.now_ms()
        )

        async def plan() -> Change:
            if self.ledger.view.has_organisation(org_id):
                raise EntityExists(ORGANISATION, org_id)
            return Change(puts=[made])

        await self.ledger.change(plan)
        return made

    async def delete(self, org_id: str) -> None:
        """Delete an organisation that has no buckets, principals, projects or groups; grants and limits go with it.

        Raises:
            NoSuchEntity, EntityInUse, EntityFixed
        """
        ledger, view = self.ledger, self.ledger.view

        async def plan() -> Change:
            record = self.get(org_id)
            if view.is_fixed_organisation(org_id):
                raise EntityFixed(ORGANISATION, org_id)
            members = await _members_check(ledger, record.row_key)
            await _refuse_buckets(ledger, ORGANISATION, org_id, keys.buckets_of_org(org_id))
            for what, used in (
                ("principals", any(one.org_id == org_id for one in view.stored.values())),
                ("projects", any(org == org_id for org, _ in view.projects)),
                ("groups", any(org == org_id for org, _ in view.groups)),
            ):
                if used:
                    raise EntityInUse(ORGANISATION, org_id, f"it has {what}")
            return Change(
                removes=[record, *view.grants.get(org_id, {}).values()],
                checks=[members],
                deletes=[keys.quota(org_id, None)],
            )

        await ledger.change(plan)


@define
class Projects:
    """The projects of all organisations."""

    ledger: Ledger

    def get(self, org_id: str, project_id: str) -> Project:
        """The project.

        Raises:
            NoSuchEntity
        """
        view = self.ledger.view
        found = view.projects.get((org_id, project_id))
        if found is None:
            if not view.is_fixed_project(org_id, project_id):
                raise NoSuchEntity(PROJECT, f"{org_id}/{project_id}")
            return Project(v=RECORD_FORMAT, org_id=org_id, id=project_id)
        return found

    def list(self, org_id: str) -> list[Project]:
        """The organisation's projects, by id."""
        view = self.ledger.view
        fixed = {one.project_id for one in view.fixed.values() if one.org_id == org_id and one.project_id is not None}
        return [
            self.get(org_id, project_id)
            for project_id in sorted(fixed | {project for org, project in view.projects if org == org_id})
        ]

    async def create(self, org_id: str, project_id: str, display_name: str = "") -> Project:
        """Make a project.

        Raises:
            NoSuchEntity: there is no such organisation.
            EntityExists, InvalidEntity
        """
        check_id(PROJECT, project_id)
        view, now = self.ledger.view, self.ledger.world.clock.now_ms()
        made = Project(v=RECORD_FORMAT, org_id=org_id, id=project_id, display_name=display_name, created_at=now)

        async def plan() -> Change:
            if not view.has_organisation(org_id):
                raise NoSuchEntity(ORGANISATION, org_id)
            if view.has_project(org_id, project_id):
                raise EntityExists(PROJECT, f"{org_id}/{project_id}")
            return Change(puts=[made], joins=[iam_keys.organisation(org_id)])

        await self.ledger.change(plan)
        return made

    async def delete(self, org_id: str, project_id: str) -> None:
        """Delete a project that has neither buckets nor principals; its limits go with it.

        Raises:
            NoSuchEntity, EntityInUse, EntityFixed
        """
        ledger, view = self.ledger, self.ledger.view
        name = f"{org_id}/{project_id}"

        async def plan() -> Change:
            record = self.get(org_id, project_id)
            if view.is_fixed_project(org_id, project_id):
                raise EntityFixed(PROJECT, name)
            members = await _members_check(ledger, record.row_key)
            await _refuse_buckets(ledger, PROJECT, name, keys.bucket(org_id, project_id, ""))
            if any((one.org_id, one.project_id) == (org_id, project_id) for one in view.stored.values()):
                raise EntityInUse(PROJECT, name, "it has principals")
            return Change(removes=[record], checks=[members], deletes=[keys.quota(org_id, project_id)])

        await ledger.change(plan)


async def _members_check(ledger: Ledger, container: bytes) -> Check:
    """The check that nothing is put into the container from now on. Taken before one looks whether it is empty."""
    key = iam_keys.members(container)
    row = await ledger.row_of(key)
    return Check(key, ABSENT if row is None else row.revision)


async def _refuse_buckets(ledger: Ledger, kind: str, name: str, prefix: bytes) -> None:
    if await ledger.kv.scan(prefix, keys.end_of(prefix), 1):
        raise EntityInUse(kind, name, "it has buckets")
