"""Who may look at an organisation's identities, and who may change them."""

from __future__ import annotations

from lightningstor.admin.api.endpoint import AdminCall
from lightningstor.errors import AccessDenied
from lightningstor.iam.authorize import Resource
from lightningstor.iam.directory import IAM_MANAGE, IAM_READ
from lightningstor.iam.records import StoredPrincipal

__all__ = ["managed_principal", "may_manage", "may_read", "refuse_making_admin"]


async def may_read(call: AdminCall, org: str) -> None:
    """For an administrator, and for whom a grant of the organisation lets.

    Raises:
        AccessDenied
    """
    await call.services.authorizer.authorize(call.principal, IAM_READ, Resource(org))


async def may_manage(call: AdminCall, org: str) -> None:
    """As `may_read`, to change them.

    Raises:
        AccessDenied
    """
    await call.services.authorizer.authorize(call.principal, IAM_MANAGE, Resource(org))


async def managed_principal(call: AdminCall) -> StoredPrincipal:
    """The principal that the path names, which the caller may change.

    Raises:
        AccessDenied: it may not, or the principal is an administrator and the caller is none.
        NoSuchEntity: there is none; only an administrator is told so.
    """
    wanted = call.path["principal"]
    if not call.principal.admin:
        known = {one.id: one for one in call.services.directory.principals.list(call.principal.org_id)}
        if wanted not in known:
            raise AccessDenied(f"{call.principal.id} may not manage {wanted}")
    found = call.services.directory.principals.get(wanted)
    await may_manage(call, found.org_id)
    if found.admin:
        refuse_making_admin(call)
    return found


def refuse_making_admin(call: AdminCall) -> None:
    """Only administrators make administrators, or get at one's keys.

    Raises:
        AccessDenied
    """
    if not call.principal.admin:
        raise AccessDenied(f"{call.principal.id} is no administrator, and cannot make or change one")
