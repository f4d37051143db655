"""What the store knows of tenants and identities, in memory: what every request is decided by.

It is exact: `Ledger` applies each of its commits to it, in their order, before the caller hears of them.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable

from attrs import define, field

from lightningstor.iam.authorize import OrganisationGrants
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.principal import DEFAULT_ORG, Principal
from lightningstor.iam.records import (
    AccessKey,
    ApiKey,
    Grant,
    Group,
    IamRecord,
    Organisation,
    Project,
    StoredPrincipal,
    TokenEpoch,
)
from lightningstor.iam.seal import Seal
from lightningstor.model.codec import encode
from lightningstor.observe.logs import redactor

__all__ = ["DirectoryView", "associated"]


def associated(access_key_id: str, principal_id: str, expires_at: int | None) -> bytes:
    """What a sealed secret is bound to: so that nobody can give it to another principal, or let it live longer."""
    return b"lightningstor access key\0" + encode([access_key_id, principal_id, expires_at])


@define(eq=False)
class DirectoryView:
    """Tenants and identities by their ids.

    Args:
        seal: opens the secrets of access keys.
        credentials: the access keys that S3 takes; root's and the configured ones are in it already.
        fixed: root and the configured principals; they, their organisations, projects and groups cannot be changed.
    """

    seal: Seal
    credentials: CredentialStore
    fixed: dict[str, Principal]
    organisations: dict[str, Organisation] = field(factory=dict, init=False)
    projects: dict[tuple[str, str], Project] = field(factory=dict, init=False)
    groups: dict[tuple[str, str], Group] = field(factory=dict, init=False)
    stored: dict[str, StoredPrincipal] = field(factory=dict, init=False)
    principals: dict[str, Principal] = field(factory=dict, init=False)
    """Those that may act: the fixed ones, and the stored ones that are not disabled."""
    access_keys: dict[str, AccessKey] = field(factory=dict, init=False)
    api_keys: dict[str, ApiKey] = field(factory=dict, init=False)
    grants: dict[str, dict[str, Grant]] = field(factory=dict, init=False)
    """By organisation and id."""
    epochs: dict[str, str] = field(factory=dict, init=False)
    revisions: dict[bytes, int] = field(factory=dict, init=False)
    _by_organisation: dict[str, OrganisationGrants] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.principals.update(self.fixed)

    def reset(self, records: Iterable[tuple[IamRecord, int]]) -> None:
        """Know these records, each with the revision of its row, and nothing else.

        Raises:
            BytesCorrupt: an access key does not open.
        """
        for known in (self.organisations, self.projects, self.groups, self.stored, self.access_keys, self.api_keys):
            known.clear()
        for more in (self.grants, self.epochs, self.revisions, self._by_organisation):
            more.clear()
        self.principals.clear()
        self.principals.update(self.fixed)
        self.credentials.replace_stored(())
        for record, revision in records:
            if isinstance(record, Grant):
                self.revisions[record.row_key] = revision
                self.grants.setdefault(record.org_id, {})[record.id] = record
            else:
                self.put(record, revision)
        for org_id in self.grants:
            self._refresh_grants(org_id)

    def put(self, record: IamRecord, revision: int) -> None:
        """Know a record, or its new form."""
        self.revisions[record.row_key] = revision
        match record:
            case Organisation():
                self.organisations[record.id] = record
            case Project():
                self.projects[record.org_id, record.id] = record
            case Group():
                self.groups[record.org_id, record.id] = record
            case StoredPrincipal():
                self.stored[record.id] = record
                self._refresh_principal(record.id)
            case AccessKey():
                self.access_keys[record.id] = record
                self._refresh_access_key(record)
            case ApiKey():
                self.api_keys[record.id] = record
            case Grant():
                self.grants.setdefault(record.org_id, {})[record.id] = record
                self._refresh_grants(record.org_id)
            case TokenEpoch():
                self.epochs[record.principal_id] = record.epoch

    def remove(self, record: IamRecord) -> None:
        """Know a record no longer."""
        self.revisions.pop(record.row_key, None)
        match record:
            case Organisation():
                self.organisations.pop(record.id, None)
            case Project():
                self.projects.pop((record.org_id, record.id), None)
            case Group():
                self.groups.pop((record.org_id, record.id), None)
            case StoredPrincipal():
                self.stored.pop(record.id, None)
                self._refresh_principal(record.id)
            case AccessKey():
                self.access_keys.pop(record.id, None)
                self.credentials.discard(record.id)
            case ApiKey():
                self.api_keys.pop(record.id, None)
            case Grant():
                self.grants.get(record.org_id, {}).pop(record.id, None)
                self._refresh_grants(record.org_id)
            case TokenEpoch():
                self.epochs.pop(record.principal_id, None)

    # Questions

    def of_organisation(self, org_id: str) -> OrganisationGrants | None:
        """The grants about an organisation's resources; None: there are none."""
        return self._by_organisation.get(org_id)

    def has_organisation(self, org_id: str) -> bool:
        """Whether there is one: a stored one, `default`, or one that the configuration names."""
        return org_id in self.organisations or self.is_fixed_organisation(org_id)

    def is_fixed_organisation(self, org_id: str) -> bool:
        return org_id == DEFAULT_ORG or any(principal.org_id == org_id for principal in self.fixed.values())

    def has_project(self, org_id: str, project_id: str) -> bool:
        return (org_id, project_id) in self.projects or self.is_fixed_project(org_id, project_id)

    def is_fixed_project(self, org_id: str, project_id: str) -> bool:
        return any((one.org_id, one.project_id) == (org_id, project_id) for one in self.fixed.values())

    def has_group(self, org_id: str, group_id: str) -> bool:
        return (org_id, group_id) in self.groups or self.is_fixed_group(org_id, group_id)

    def is_fixed_group(self, org_id: str, group_id: str) -> bool:
        return any(one.org_id == org_id and group_id in one.groups for one in self.fixed.values())

    def epoch_of(self, principal_id: str) -> str:
        """The epoch of a principal's bearer tokens."""
        if principal_id in self.fixed:
            return self.epochs.get(principal_id, "")
        return self.stored[principal_id].epoch

    def access_keys_of(self, principal_id: str) -> list[AccessKey]:
        """Its stored access keys, oldest first."""
        found = [record for record in self.access_keys.values() if record.principal_id == principal_id]
        return sorted(found, key=lambda record: (record.created_at, record.id))

    def api_keys_of(self, principal_id: str) -> list[ApiKey]:
        """Its API keys, oldest first."""
        found = [record for record in self.api_keys.values() if record.principal_id == principal_id]
        return sorted(found, key=lambda record: (record.created_at, record.id))

    # What follows from records

    def _refresh_principal(self, principal_id: str) -> None:
        if principal_id in self.fixed:
            return
        record = self.stored.get(principal_id)
        if record is None or record.disabled:
            self.principals.pop(principal_id, None)
        else:
            self.principals[principal_id] = runtime_principal(record)
        for access_key in self.access_keys_of(principal_id):
            self._refresh_access_key(access_key)

    def _refresh_access_key(self, record: AccessKey) -> None:
        principal = self.principals.get(record.principal_id)
        if principal is None:
            self.credentials.discard(record.id)
            return
        bound = associated(record.id, record.principal_id, record.expires_at)
        secret = self.seal.open(b64decode(record.sealed), bound, record.row_key.decode())
        redactor.register(secret)
        self.credentials.add(Credential(record.id, secret, principal, record.created_at, record.expires_at))

    def _refresh_grants(self, org_id: str) -> None:
        index = OrganisationGrants()
        found = self.grants.get(org_id)
        for grant in (found or {}).values():
            one = (grant.statement,)
            if grant.principal_id is not None:
                index.principals[grant.principal_id] = index.principals.get(grant.principal_id, ()) + one
            elif grant.group_id is not None:
                index.groups[grant.group_id] = index.groups.get(grant.group_id, ()) + one
            else:
                index.everyone += one
        if found:
            self._by_organisation[org_id] = index
        else:
            self._by_organisation.pop(org_id, None)


def runtime_principal(record: StoredPrincipal) -> Principal:
    """The principal that requests carry."""
    return Principal(
        id=record.id,
        org_id=record.org_id,
        project_id=record.project_id,
        canonical_id=record.canonical_id,
        display_name=record.display_name,
        email=record.email,
        admin=record.admin,
        role=record.role,
        groups=record.groups,
        kind=record.kind,
    )
