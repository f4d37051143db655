"""Who a request acts for."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from lightningstor.model.records import Owner

__all__ = ["DEFAULT_ORG", "ROLE_ACTIONS", "SHARED_ACTIONS", "Principal", "PrincipalKind", "Role", "canonical_id_of"]

DEFAULT_ORG = "default"
"""The organisation of root, and of what names none."""


class PrincipalKind(StrEnum):
    """What a principal is."""

    USER = "user"
    SERVICE_ACCOUNT = "service_account"


class Role(StrEnum):
    """What a principal may do in its scope without any grant."""

    OWNER = "owner"
    """Everything but to manage identities (`lightningstor:iam:*`)."""
    WRITER = "writer"
    """Read, write and delete objects; not make, delete or configure buckets."""
    READER = "reader"
    """Read and list."""
    NONE = "none"
    """Nothing: grants alone count."""


_READS: Final = frozenset(
    {
        "lightningstor:buckets:get",
        "lightningstor:buckets:list",
        "lightningstor:objects:get",
        "lightningstor:objects:list",
        "lightningstor:uploads:list",
    }
)
_WRITES: Final = _READS | {
    "lightningstor:objects:copy",
    "lightningstor:objects:delete",
    "lightningstor:objects:put",
    "lightningstor:uploads:abort",
    "lightningstor:uploads:complete",
    "lightningstor:uploads:create",
}
ROLE_ACTIONS: Final[dict[Role, frozenset[str]]] = {
    Role.OWNER: _WRITES
    | {"lightningstor:buckets:create", "lightningstor:buckets:delete", "lightningstor:buckets:update"},
    Role.WRITER: _WRITES,
    Role.READER: _READS,
    Role.NONE: frozenset(),
}
"""The actions that a role allows. An action that no role names needs a grant, or an admin."""

SHARED_ACTIONS: Final = {role: actions & _WRITES for role, actions in ROLE_ACTIONS.items()}
"""Those that it allows a principal of a project in what its organisation shares: to use it, not to own it."""


def canonical_id_of(org_id: str, principal_id: str) -> str:
    """A canonical user id as S3 shows them, 64 hex digits, for a principal that was given none."""
    return hashlib.sha256(f"lightningstor:{org_id}\0{principal_id}".encode()).hexdigest()


@frozen
class Principal:
    """A user or service, in its organisation and perhaps bound to one project of it (SPEC.md §7.1).

    Args:
        id: unique in the store; without "/".
        org_id: whose buckets it sees and makes.
        project_id: the project that it works in, or None for the whole organisation.
        canonical_id: what S3 calls Owner/ID; made up from `id` and `org_id` where none is given.
        display_name: what S3 calls Owner/DisplayName.
        email: for people; never checked.
        admin: may do everything, in every organisation; no statement denies it anything.
        role: what it may do in its scope without grants.
        groups: of its organisation, to which it belongs.
        kind: a user or a service account.
    """

    id: str
    org_id: str = DEFAULT_ORG
    project_id: str | None = None
    canonical_id: str = field(default="")
    display_name: str = ""
    email: str = ""
    admin: bool = False
    role: Role = Role.OWNER
    groups: tuple[str, ...] = ()
    kind: PrincipalKind = PrincipalKind.USER
    owner: Owner = field(init=False, eq=False, repr=False)
    """What a record says of its maker; made once, since every write needs it."""

    def __attrs_post_init__(self) -> None:
        set_once = object.__setattr__  # the class is frozen for everybody else
        if not self.canonical_id:
            set_once(self, "canonical_id", canonical_id_of(self.org_id, self.id))
        if not self.display_name:
            set_once(self, "display_name", self.id)
        set_once(self, "owner", Owner(self.id, self.canonical_id, self.display_name))
