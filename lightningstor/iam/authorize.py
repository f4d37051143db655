"""May this principal do that to this resource?"""

from __future__ import annotations

from typing import Protocol

from attrs import define

from lightningstor.errors import AccessDenied
from lightningstor.iam.principal import Principal

__all__ = ["Authorizer", "EmbeddedAuthorizer", "Resource"]


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
    """Decides; an embedded one from what it knows, a remote one by asking."""

    async def authorize(self, principal: Principal, action: str, resource: Resource) -> None:
        """Return if the principal may.

        Args:
            action: as SPEC.md §7.3 names them: `lightningstor:objects:put`.

        Raises:
            AccessDenied: it may not.
        """
        ...


class EmbeddedAuthorizer:
    """The rule until policies exist: an admin may do all; others everything in their own scope, nothing elsewhere.

    A principal of a whole organisation reaches all its projects; one that is bound to a project reaches that
    project and what the organisation shares (SPEC.md §7.1, §7.2).
    """

    async def authorize(self, principal: Principal, action: str, resource: Resource) -> None:
        if principal.admin:
            return
        if resource.org_id != principal.org_id:
            raise AccessDenied(f"{principal.id} is not of the organisation that {resource.path} belongs to")
        project = principal.project_id
        if project is not None and resource.project_id is not None and resource.project_id != project:
            raise AccessDenied(f"{principal.id} is not of the project that {resource.path} belongs to")
