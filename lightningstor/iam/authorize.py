"""May this principal do that to this resource?"""

from __future__ import annotations

from typing import Protocol

from attrs import define, field

from lightningstor.errors import AccessDenied
from lightningstor.iam.conditions import NO_CONTEXT, Context
from lightningstor.iam.evaluate import Decision, evaluate
from lightningstor.iam.principal import ROLE_ACTIONS, SHARED_ACTIONS, Principal, Role
from lightningstor.iam.statements import Statement

__all__ = ["Authorizer", "EmbeddedAuthorizer", "Grants", "OrganisationGrants", "Resource"]


@define(slots=True, eq=True)
class Resource:
    """What a request acts on (SPEC.md §7.3). Not frozen only because one is made for every request; treat it so.

    Args:
        org_id: whose it is.
        project_id: the project that it belongs to; None where the whole organisation shares it.
        bucket: its name; None for what concerns no single bucket (listing and creating them).
        key: of the object; None for the bucket itself.
    """

    org_id: str
    project_id: str | None = None
    bucket: str | None = None
    key: str | None = None

    @property
    def kind(self) -> str:
        """ "object", "bucket" or "service"."""
        if self.bucket is None:
            return "service"
        return "bucket" if self.key is None else "object"

    @property
    def path(self) -> str:
        """`org/{org}/project/{project}/bucket/{bucket}/object/{key}`, without what is None."""
        parts = [f"org/{self.org_id}"]
        if self.project_id is not None:
            parts.append(f"project/{self.project_id}")
        if self.bucket is not None:
            parts.append(f"bucket/{self.bucket}")
        if self.key is not None:
            parts.append(f"object/{self.key}")
        return "/".join(parts)


class Authorizer(Protocol):
    """Decides; an embedded one from what it knows, a remote one by asking.

    An admin may do everything, whatever an authorizer would say: protocols need not ask for one.
    """

    async def authorize(
        self, principal: Principal, action: str, resource: Resource, context: Context = NO_CONTEXT
    ) -> None:
        """Return if the principal may.

        Args:
            action: as SPEC.md §7.3 names them: `lightningstor:objects:put`.
            context: what conditions may ask of the request, and S3's name of the action.

        Raises:
            AccessDenied: it may not.
        """
        ...

    def concerns(self, principal: Principal, resource: Resource) -> bool:
        """Whether anything in the resource might be allowed to the principal; True where that is not known.

        Asked before a body is read that names the objects, each of which is authorised then.
        """
        ...


class Grants(Protocol):
    """The statements of organisations; `lightningstor.iam.view.DirectoryView` is one."""

    def of_organisation(self, org_id: str) -> OrganisationGrants | None:
        """The grants about an organisation's resources; None: there are none."""
        ...


@define(slots=True)
class OrganisationGrants:
    """The statements about one organisation's resources, by whom they are attached to.

    Args:
        principals, groups: by id; a group is one of this organisation.
        everyone: attached to the organisation: for all its principals.
    """

    principals: dict[str, tuple[Statement, ...]] = field(factory=dict)
    groups: dict[str, tuple[Statement, ...]] = field(factory=dict)
    everyone: tuple[Statement, ...] = ()

    def about(self, principal: Principal, home: bool) -> tuple[Statement, ...]:
        """The statements that are attached to the principal; `home`: this is its organisation."""
        found = self.principals.get(principal.id, ())
        if home:
            found += self.everyone
            for group in principal.groups:
                found += self.groups.get(group, ())
        return found


class _NoGrants:
    def of_organisation(self, org_id: str) -> OrganisationGrants | None:
        return None


class EmbeddedAuthorizer:
    """Decides by scope, role and grants.

    1. An admin may do everything.
    2. The scope is a hard boundary. A principal of a whole organisation reaches all its projects; one that is bound
       to a project reaches that project and the objects that the organisation shares (SPEC.md §7.1, §7.2): it does
       not make, delete or configure shared buckets. What lies outside is closed, whatever the role, but for grants
       of the organisation that the *resource* belongs to: only those count for its resources, so nobody can give
       away what is another's.
    3. An explicit Deny among the grants wins.
    4. Otherwise an Allow among them, or in its scope the principal's role, is enough.
    """

    def __init__(self, grants: Grants | None = None) -> None:
        self._grants: Grants = grants or _NoGrants()

    async def authorize(
        self, principal: Principal, action: str, resource: Resource, context: Context = NO_CONTEXT
    ) -> None:
        if principal.admin:
            return
        home = resource.org_id == principal.org_id
        granted = self._grants.of_organisation(resource.org_id)
        if granted is not None:
            statements = granted.about(principal, home)
            if statements:
                decision = evaluate(statements, principal.id, action, resource, context)
                if decision is Decision.ALLOW:
                    return
                if decision is Decision.DENY:
                    raise AccessDenied(f"a grant denies {principal.id} {action} on {resource.path}")
        if not home:
            raise AccessDenied(f"{principal.id} is not of the organisation that {resource.path} belongs to")
        allowed, project = ROLE_ACTIONS[principal.role], principal.project_id
        if project is not None and resource.project_id != project:
            if resource.project_id is not None or resource.bucket is None:
                raise AccessDenied(f"{principal.id} is not of the project that {resource.path} belongs to")
            allowed = SHARED_ACTIONS[principal.role]
        if action not in allowed:
            raise AccessDenied(f"{principal.id}, {principal.role}, may not {action} on {resource.path}")

    def concerns(self, principal: Principal, resource: Resource) -> bool:
        if principal.admin:
            return True
        home = resource.org_id == principal.org_id
        project = principal.project_id
        if home and principal.role is not Role.NONE and (project is None or resource.project_id in (None, project)):
            return True
        granted = self._grants.of_organisation(resource.org_id)
        return granted is not None and bool(granted.about(principal, home))
