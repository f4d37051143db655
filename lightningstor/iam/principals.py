"""Principals, and the groups that they are in."""

from __future__ import annotations

from typing import Final

from attrs import define
from msgspec.structs import replace

from lightningstor.iam.errors import (
    EntityExists,
    EntityFixed,
    EntityInUse,
    IamLimitExceeded,
    InvalidEntity,
    NoSuchEntity,
)
from lightningstor.iam.ids import check_id, new_id
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import Principal, PrincipalKind, Role
from lightningstor.iam.records import AccessKey, ApiKey, Grant, Group, StoredPrincipal
from lightningstor.kv.api import ABSENT, Check
from lightningstor.model import iam_keys, keys
from lightningstor.model.codec import RECORD_FORMAT

__all__ = ["UNCHANGED", "Groups", "Principals"]

PRINCIPAL: Final = "principal"
GROUP: Final = "group"


class Unchanged:
    """The type of `UNCHANGED`."""


UNCHANGED: Final = Unchanged()
"""In an update: leave it as it is."""


@define
class Principals:
    """Users and service accounts. The configured ones can be looked at, but not changed, here."""

    ledger: Ledger
    limits: IamLimits

    def get(self, principal_id: str) -> StoredPrincipal:
        """The principal; a configured one in the same form, with the epoch "".

        Raises:
            NoSuchEntity
        """
        view = self.ledger.view
        fixed = view.fixed.get(principal_id)
        if fixed is not None:
            return _as_stored(fixed)
        found = view.stored.get(principal_id)
        if found is None:
            raise NoSuchEntity(PRINCIPAL, principal_id)
        return found

    def list(self, org_id: str | None = None) -> list[StoredPrincipal]:
        """The principals of an organisation, or all, by id."""
        view = self.ledger.view
        everyone = (self.get(principal_id) for principal_id in sorted({*view.fixed, *view.stored}))
        return [one for one in everyone if org_id in (None, one.org_id)]

    async def create(
        self,
        principal_id: str,
        *,
        org_id: str,
        project_id: str | None = None,
        kind: PrincipalKind = PrincipalKind.USER,
        role: Role = Role.OWNER,
        groups: tuple[str, ...] = (),
        canonical_id: str = "",
        display_name: str = "",
        email: str = "",
        admin: bool = False,
    ) -> StoredPrincipal:
        """Make a principal, without any key. Whatever was left of one of that id is removed.

        Raises:
            NoSuchEntity: there is no such organisation, project or group.
            EntityExists, InvalidEntity, IamLimitExceeded
        """
        check_id(PRINCIPAL, principal_id)
        world, view = self.ledger.world, self.ledger.view
        made = StoredPrincipal(
            v=RECORD_FORMAT,
            id=principal_id,
            org_id=org_id,
            epoch=new_id(world.entropy),
            project_id=project_id,
            kind=kind,
            role=role,
            groups=groups,
            canonical_id=canonical_id,
            display_name=display_name,
            email=email,
            admin=admin,
            created_at=world.clock.now_ms(),
        )

        async def plan() -> Change:
            if principal_id in view.stored or principal_id in view.fixed:
                raise EntityExists(PRINCIPAL, principal_id)
            left_over = _belongings(self.ledger, principal_id)
            return Change(
                puts=[made],
                joins=_joined(self.ledger, self.limits, made),
                removes=[*left_over],
                deletes=_unindexed(principal_id, left_over),
            )

        await self.ledger.change(plan)
        return made

    async def update(
        self,
        principal_id: str,
        *,
        role: Role | None = None,
        groups: tuple[str, ...] | None = None,
        display_name: str | None = None,
        email: str | None = None,
        admin: bool | None = None,
        disabled: bool | None = None,
        project_id: str | Unchanged | None = UNCHANGED,
    ) -> StoredPrincipal:
        """Change what is given; the rest stays. It counts for the next request.

        Raises:
            NoSuchEntity, EntityFixed, IamLimitExceeded
        """
        wanted: dict[str, object] = {
            "role": role,
            "groups": groups,
            "display_name": display_name,
            "email": email,
            "admin": admin,
            "disabled": disabled,
        }
        changes = {name: value for name, value in wanted.items() if value is not None}
        if not isinstance(project_id, Unchanged):
            changes["project_id"] = project_id

        async def plan() -> Change:
            new = replace(self._changeable(principal_id), **changes)
            return Change(puts=[new], joins=_joined(self.ledger, self.limits, new))

        await self.ledger.change(plan)
        return self.get(principal_id)

    async def delete(self, principal_id: str) -> None:
        """Delete a principal with its keys, tokens and grants, in one transaction. Its objects stay.

        Raises:
            NoSuchEntity, EntityFixed
        """

        async def plan() -> Change:
            record = self._changeable(principal_id)
            left_over = _belongings(self.ledger, principal_id)
            return Change(removes=[record, *left_over], deletes=_unindexed(principal_id, left_over))

        await self.ledger.change(plan)

    def _changeable(self, principal_id: str) -> StoredPrincipal:
        if principal_id in self.ledger.view.fixed:
            raise EntityFixed(PRINCIPAL, principal_id)
        return self.get(principal_id)


def _joined(ledger: Ledger, limits: IamLimits, record: StoredPrincipal) -> list[bytes]:
    """The rows of what the principal belongs to, all of which must be there."""
    view, org_id = ledger.view, record.org_id
    if not view.has_organisation(org_id):
        raise NoSuchEntity("organisation", org_id)
    joined = [iam_keys.organisation(org_id)]
    if record.project_id is not None:
        if not view.has_project(org_id, record.project_id):
            raise NoSuchEntity("project", f"{org_id}/{record.project_id}")
        joined.append(iam_keys.project(org_id, record.project_id))
    if len(record.groups) > limits.max_groups:
        raise IamLimitExceeded("groups of a principal", limits.max_groups)
    if len(set(record.groups)) != len(record.groups):
        raise InvalidEntity(PRINCIPAL, "it is in one group twice")
    for group in record.groups:
        if not view.has_group(org_id, group):
            raise NoSuchEntity(GROUP, f"{org_id}/{group}")
        joined.append(iam_keys.group(org_id, group))
    return joined


def _as_stored(fixed: Principal) -> StoredPrincipal:
    return StoredPrincipal(
        v=RECORD_FORMAT,
        id=fixed.id,
        org_id=fixed.org_id,
        epoch="",
        project_id=fixed.project_id,
        kind=fixed.kind,
        role=fixed.role,
        groups=fixed.groups,
        canonical_id=fixed.canonical_id,
        display_name=fixed.display_name,
        email=fixed.email,
        admin=fixed.admin,
    )


def _belongings(ledger: Ledger, principal_id: str) -> list[AccessKey | ApiKey | Grant]:
    """Keys of a principal, and the grants that are attached to it, in whatever organisation."""
    view = ledger.view
    grants = [
        grant for granted in view.grants.values() for grant in granted.values() if grant.principal_id == principal_id
    ]
    return [*view.access_keys_of(principal_id), *view.api_keys_of(principal_id), *grants]


def _unindexed(principal_id: str, left_over: list[AccessKey | ApiKey | Grant]) -> list[bytes]:
    return [keys.credential_of_principal(principal_id, one.id) for one in left_over if isinstance(one, AccessKey)]


@define
class Groups:
    """The groups of all organisations. Membership is changed by `Principals.update`."""

    ledger: Ledger

    def get(self, org_id: str, group_id: str) -> Group:
        """The group.

        Raises:
            NoSuchEntity
        """
        view = self.ledger.view
        found = view.groups.get((org_id, group_id))
        if found is None:
            if not view.is_fixed_group(org_id, group_id):
                raise NoSuchEntity(GROUP, f"{org_id}/{group_id}")
            return Group(v=RECORD_FORMAT, org_id=org_id, id=group_id)
        return found

    def members(self, org_id: str, group_id: str) -> list[str]:
        """The ids of its principals, in order."""
        view = self.ledger.view
        everyone: list[Principal | StoredPrincipal] = [*view.fixed.values(), *view.stored.values()]
        return sorted(one.id for one in everyone if one.org_id == org_id and group_id in one.groups)

    def list(self, org_id: str) -> list[Group]:
        """The organisation's groups, by id."""
        view = self.ledger.view
        fixed = {group for one in view.fixed.values() if one.org_id == org_id for group in one.groups}
        return [self.get(org_id, name) for name in sorted(fixed | {name for org, name in view.groups if org == org_id})]

    async def create(self, org_id: str, group_id: str, display_name: str = "") -> Group:
        """Make a group.

        Raises:
            NoSuchEntity: there is no such organisation.
            EntityExists, InvalidEntity
        """
        check_id(GROUP, group_id)
        view, now = self.ledger.view, self.ledger.world.clock.now_ms()
        made = Group(v=RECORD_FORMAT, org_id=org_id, id=group_id, display_name=display_name, created_at=now)

        async def plan() -> Change:
            if not view.has_organisation(org_id):
                raise NoSuchEntity("organisation", org_id)
            if view.has_group(org_id, group_id):
                raise EntityExists(GROUP, f"{org_id}/{group_id}")
            return Change(puts=[made], joins=[iam_keys.organisation(org_id)])

        await self.ledger.change(plan)
        return made

    async def delete(self, org_id: str, group_id: str) -> None:
        """Delete a group without members, with the grants that are attached to it.

        Raises:
            NoSuchEntity, EntityInUse, EntityFixed
        """
        ledger, view = self.ledger, self.ledger.view

        async def plan() -> Change:
            record = self.get(org_id, group_id)
            if view.is_fixed_group(org_id, group_id):
                raise EntityFixed(GROUP, f"{org_id}/{group_id}")
            key = iam_keys.members(record.row_key)
            row = await ledger.row_of(key)
            if self.members(org_id, group_id):
                raise EntityInUse(GROUP, f"{org_id}/{group_id}", "it has members")
            attached = [grant for grant in view.grants.get(org_id, {}).values() if grant.group_id == group_id]
            check = Check(key, ABSENT if row is None else row.revision)
            return Change(removes=[record, *attached], checks=[check])

        await ledger.change(plan)
