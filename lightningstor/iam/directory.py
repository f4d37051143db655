"""Tenants and identities of one store: the one facade that the admin API, gRPC and the command line stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from lightningstor.errors import Unauthenticated
from lightningstor.iam.access_keys import AccessKeys
from lightningstor.iam.api_keys import ApiKeys
from lightningstor.iam.credentials import CredentialStore
from lightningstor.iam.grants import Grants
from lightningstor.iam.ledger import Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import Principal
from lightningstor.iam.principals import Groups, Principals
from lightningstor.iam.rows import SealedRows, derived_key
from lightningstor.iam.seal import Seal
from lightningstor.iam.tenants import Organisations, Projects
from lightningstor.iam.tokens import BearerTokens
from lightningstor.iam.view import DirectoryView
from lightningstor.kv.api import Kv
from lightningstor.ports import World

__all__ = ["IAM_MANAGE", "IAM_READ", "ROOT_ID", "Directory", "DirectoryCallers", "open_directory"]

ROOT_ID: Final = "root"
"""The id of the administrator that every store has."""

IAM_READ: Final = "lightningstor:iam:read"
"""The action of reading an organisation's identities, on the resource `org/{org}`. No role has it."""
IAM_MANAGE: Final = "lightningstor:iam:manage"
"""The action of changing them. Whoever has it without being an admin must not be let make admins."""


@frozen
class Directory:
    """Tenants and identities; its parts hold the operations.

    What reads is synchronous and exact, from memory. What changes is one transaction each, counts for the next
    request of every protocol, and can be cancelled: then it has happened or it has not. None of them asks whether
    the caller may: that is done above, with `IAM_READ` and `IAM_MANAGE`.

    Args:
        organisations: get, list, create, delete. projects: get, list, create, delete.
        principals: get, list, create, update, delete. groups: get, list, members, create, delete.
        access_keys: get, list, create, rotate, expire, revoke. api_keys: get, list, create, revoke.
        tokens: issue, revoke_all. grants: get, list, add, remove.
        view: what requests are decided by.
        ledger: how changes are made; `reload` is for other writers of a shared metadata store.
    """

    organisations: Organisations
    projects: Projects
    principals: Principals
    groups: Groups
    access_keys: AccessKeys
    api_keys: ApiKeys
    tokens: BearerTokens
    grants: Grants
    view: DirectoryView
    ledger: Ledger

    async def reload(self) -> None:
        """Read everything anew."""
        await self.ledger.load()


@frozen
class DirectoryCallers:
    """`Callers` over a directory."""

    directory: Directory

    def by_bearer(self, token: str) -> Principal:
        """The principal of a bearer token. Raises Unauthenticated."""
        return self.directory.tokens.principal_of(token)

    def by_api_key(self, key: str) -> Principal:
        """The principal of an API key. Raises Unauthenticated."""
        return self.directory.api_keys.principal_of(key)

    def by_certificate(self, names: Sequence[str]) -> Principal:
        """The principal whose id is among the names. Root is none of them: no certificate can stand for it.

        Raises:
            Unauthenticated: none is, or several are.
        """
        principals = self.directory.view.principals
        found = {name for name in names if name in principals and name != ROOT_ID}
        if len(found) != 1:
            raise Unauthenticated(f"a certificate that names {len(found)} principals")
        return principals[found.pop()]


async def open_directory(
    kv: Kv, credentials: CredentialStore, seal_key: bytes, world: World, limits: IamLimits | None = None
) -> Directory:
    """Read what the metadata store holds of tenants and identities.

    Args:
        credentials: with root and the configured principals in it; takes the stored access keys from now on.
        seal_key: 32 random bytes.

    Raises:
        BytesCorrupt: a record was made under another seal key, or changed since. FormatTooNew.
    """
    limits = limits or IamLimits()
    fixed = {credential.principal.id: credential.principal for credential in credentials.fixed}
    view = DirectoryView(Seal(seal_key, world.entropy), credentials, fixed)
    ledger = Ledger(kv, SealedRows(seal_key), view, world)
    await ledger.load()
    return Directory(
        organisations=Organisations(ledger),
        projects=Projects(ledger),
        principals=Principals(ledger, limits),
        groups=Groups(ledger),
        access_keys=AccessKeys(ledger, limits),
        api_keys=ApiKeys(ledger, limits),
        tokens=BearerTokens(ledger, limits, derived_key(seal_key, "bearer tokens")),
        grants=Grants(ledger, limits),
        view=view,
        ledger=ledger,
    )
