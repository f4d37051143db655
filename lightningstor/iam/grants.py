"""Grants: statements about an organisation's resources, attached to a principal, a group, or all its principals."""

from __future__ import annotations

from typing import Final

from attrs import define

from lightningstor.iam.errors import IamLimitExceeded, InvalidEntity, MalformedPolicy, NoSuchEntity
from lightningstor.iam.ids import new_id
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.owners import check_principal, owner_check
from lightningstor.iam.records import Grant
from lightningstor.iam.statements import Statement, check_statement
from lightningstor.model import iam_keys
from lightningstor.model.codec import RECORD_FORMAT

__all__ = ["Grants"]

GRANT: Final = "grant"


@define
class Grants:
    """The grants of all organisations.

    A grant belongs to the organisation whose resources it is about, and says nothing of any other's: so what its
    resources may be is bounded, whatever they say. A principal of another organisation it reaches only by name.
    """

    ledger: Ledger
    limits: IamLimits

    def get(self, org_id: str, grant_id: str) -> Grant:
        """The grant.

        Raises:
            NoSuchEntity
        """
        found = self.ledger.view.grants.get(org_id, {}).get(grant_id)
        if found is None:
            raise NoSuchEntity(GRANT, f"{org_id}/{grant_id}")
        return found

    def list(self, org_id: str, *, principal_id: str | None = None, group_id: str | None = None) -> list[Grant]:
        """The organisation's grants, or those attached to one principal or group, oldest first."""
        found = self.ledger.view.grants.get(org_id, {}).values()
        chosen = [
            grant
            for grant in found
            if (principal_id is None or grant.principal_id == principal_id)
            and (group_id is None or grant.group_id == group_id)
        ]
        return sorted(chosen, key=lambda grant: (grant.created_at, grant.id))

    async def add(
        self, org_id: str, statement: Statement, *, principal_id: str | None = None, group_id: str | None = None
    ) -> Grant:
        """Attach a statement to a principal, to a group, or with neither to all principals of the organisation.

        Raises:
            NoSuchEntity: there is no such organisation, principal or group.
            MalformedPolicy: the statement says something that this version does not understand.
            IamLimitExceeded, InvalidEntity
        """
        check_statement(statement)
        if statement.principals is not None or statement.not_principals is not None:
            raise MalformedPolicy("a grant's statement names no principals: the grant says whom it is attached to")
        if principal_id is not None and group_id is not None:
            raise InvalidEntity(GRANT, "it is attached to a principal or to a group, not to both")
        ledger, view = self.ledger, self.ledger.view
        made = Grant(
            v=RECORD_FORMAT,
            id=new_id(ledger.world.entropy),
            org_id=org_id,
            statement=statement,
            principal_id=principal_id,
            group_id=group_id,
            created_at=ledger.world.clock.now_ms(),
        )

        async def plan() -> Change:
            if not view.has_organisation(org_id):
                raise NoSuchEntity("organisation", org_id)
            change = Change(puts=[made], joins=[iam_keys.organisation(org_id)])
            if principal_id is not None:
                check_principal(ledger, principal_id)
                change.checks += owner_check(ledger, principal_id)
            if group_id is not None:
                if not view.has_group(org_id, group_id):
                    raise NoSuchEntity("group", f"{org_id}/{group_id}")
                change.joins.append(iam_keys.group(org_id, group_id))
            self._check_room(made)
            return change

        await ledger.change(plan)
        return made

    async def remove(self, org_id: str, grant_id: str) -> None:
        """Take a grant back.

        Raises:
            NoSuchEntity
        """

        async def plan() -> Change:
            return Change(removes=[self.get(org_id, grant_id)])

        await self.ledger.change(plan)

    def _check_room(self, made: Grant) -> None:
        limit = self.limits.max_grants
        everywhere = [grant for granted in self.ledger.view.grants.values() for grant in granted.values()]
        if made.principal_id is not None:
            attached = [grant for grant in everywhere if grant.principal_id == made.principal_id]
        else:
            attached = [
                grant
                for grant in everywhere
                if (grant.org_id, grant.group_id, grant.principal_id) == (made.org_id, made.group_id, None)
            ]
        if len(attached) >= limit:
            raise IamLimitExceeded("grants attached to one principal, group or organisation", limit)
