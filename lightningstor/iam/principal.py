"""Who a request acts for."""

from __future__ import annotations

import hashlib

from attrs import field, frozen

from lightningstor.model.records import Owner

__all__ = ["DEFAULT_ORG", "Principal", "canonical_id_of"]

DEFAULT_ORG = "default"
"""The organisation of root, and of what names none."""


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
        admin: may do everything, in every organisation.
    """

    id: str
    org_id: str = DEFAULT_ORG
    project_id: str | None = None
    canonical_id: str = field(default="")
    display_name: str = ""
    email: str = ""
    admin: bool = False
    owner: Owner = field(init=False, eq=False, repr=False)
    """What a record says of its maker; made once, since every write needs it."""

    def __attrs_post_init__(self) -> None:
        set_once = object.__setattr__  # the class is frozen for everybody else
        if not self.canonical_id:
            set_once(self, "canonical_id", canonical_id_of(self.org_id, self.id))
        if not self.display_name:
            set_once(self, "display_name", self.id)
        set_once(self, "owner", Owner(self.id, self.canonical_id, self.display_name))
