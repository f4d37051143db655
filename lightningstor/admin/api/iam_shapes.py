"""What the admin API takes and gives of tenants, identities and quotas."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from lightningstor.admin.api.shapes import Answer, Moment, PageQuery, Request, Whole, Words
from lightningstor.iam.statements import Statement

__all__ = [
    "AccessKeyChange",
    "AccessKeyInfo",
    "AccessKeyList",
    "ApiKeyInfo",
    "ApiKeyList",
    "GrantInfo",
    "GrantList",
    "GrantsQuery",
    "GroupInfo",
    "GroupList",
    "IssuedAccessKey",
    "IssuedApiKey",
    "IssuedToken",
    "KeyRotation",
    "NewAccessKey",
    "NewApiKey",
    "NewGrant",
    "NewPrincipal",
    "NewTenant",
    "NewToken",
    "OrgInfo",
    "OrgList",
    "PrincipalChange",
    "PrincipalInfo",
    "PrincipalList",
    "PrincipalsQuery",
    "ProjectInfo",
    "ProjectList",
    "QuotaChange",
    "QuotaInfo",
]

RoleName = Literal["owner", "writer", "reader", "none"]
KindName = Literal["user", "service_account"]


class NewTenant(Request):
    """An organisation, project or group to make."""

    id: str
    display_name: Words = ""


class OrgInfo(Answer):
    """An organisation."""

    id: str
    display_name: str
    created_at: int


class OrgList(Answer):
    """A page of organisations, by id."""

    items: list[OrgInfo]
    next: str | None


class ProjectInfo(Answer):
    """A project."""

    org: str
    id: str
    display_name: str
    created_at: int


class ProjectList(Answer):
    """A page of an organisation's projects, by id."""

    items: list[ProjectInfo]
    next: str | None


class GroupInfo(Answer):
    """A group and who is in it."""

    org: str
    id: str
    display_name: str
    created_at: int
    members: list[str]


class GroupList(Answer):
    """A page of an organisation's groups, by id."""

    items: list[GroupInfo]
    next: str | None


class PrincipalsQuery(PageQuery):
    """Which principals: of which organisation; without it, of all."""

    org: str | None = None


class NewPrincipal(Request):
    """A user or service account to make. It has no keys yet."""

    id: str
    org: str
    project: str | None = None
    kind: KindName = "user"
    role: RoleName = "owner"
    groups: tuple[str, ...] = ()
    canonical_id: Words = ""
    display_name: Words = ""
    email: Words = ""
    admin: bool = False


class PrincipalChange(Request):
    """What to change; what is left out stays. A `project` of null unbinds it from its project."""

    role: RoleName | None = None
    groups: list[str] | None = None
    display_name: Words | None = None
    email: Words | None = None
    admin: bool | None = None
    disabled: bool | None = None
    project: str | UnsetType | None = UNSET


class PrincipalInfo(Answer):
    """A principal. `fixed`: it stands in the configuration and can be changed only there."""

    id: str
    org: str
    project: str | None
    kind: KindName
    role: RoleName
    groups: list[str]
    canonical_id: str
    display_name: str
    email: str
    admin: bool
    disabled: bool
    fixed: bool
    created_at: int


class PrincipalList(Answer):
    """A page of principals, by id."""

    items: list[PrincipalInfo]
    next: str | None


class NewAccessKey(Request):
    """An access key to make; without `expires_at` it does not expire."""

    expires_at: Moment | None = None


class KeyRotation(Request):
    """How long the old key stays good beside the new one."""

    grace_ms: Whole = 0


class AccessKeyChange(Request):
    """When the key is to expire; null: never."""

    expires_at: Moment | None


class AccessKeyInfo(Answer):
    """An access key, without its secret."""

    access_key: str
    principal: str
    created_at: int
    expires_at: int | None


class AccessKeyList(Answer):
    """The access keys of a principal."""

    items: list[AccessKeyInfo]


class IssuedAccessKey(AccessKeyInfo):
    """A new access key with its secret, which is shown this once."""

    secret_key: str


class NewApiKey(Request):
    """An API key to make."""

    name: Words = ""
    expires_at: Moment | None = None


class ApiKeyInfo(Answer):
    """An API key, without its secret part."""

    id: str
    principal: str
    name: str
    created_at: int
    expires_at: int | None


class ApiKeyList(Answer):
    """The API keys of a principal."""

    items: list[ApiKeyInfo]


class IssuedApiKey(ApiKeyInfo):
    """A new API key, which is shown this once."""

    key: str


class NewToken(Request):
    """A bearer token to issue."""

    ttl_s: Whole


class IssuedToken(Answer):
    """A new bearer token, which is shown this once."""

    token: str
    principal: str


class GrantsQuery(PageQuery):
    """Which grants of the organisation: attached to whom; without either, all."""

    principal: str | None = None
    group: str | None = None


class NewGrant(Request):
    """A statement to attach: to a principal, to a group, or with neither to all principals of the organisation."""

    statement: Statement
    principal: str | None = None
    group: str | None = None


class GrantInfo(Answer):
    """A statement and whom it is attached to."""

    id: str
    org: str
    statement: Statement
    principal: str | None
    group: str | None
    created_at: int


class GrantList(Answer):
    """A page of grants, by id."""

    items: list[GrantInfo]
    next: str | None


class QuotaChange(Request):
    """The limits that the scope is to have; one that is left out or null is none."""

    max_buckets: Whole | None = None
    max_total_size_bytes: Whole | None = None
    max_objects_per_bucket: Whole | None = None
    max_object_size_bytes: Whole | None = None


class QuotaInfo(Answer):
    """The limits that were set for exactly this scope, and what it uses; the limits above it hold besides."""

    max_buckets: int | None
    max_total_size_bytes: int | None
    max_objects_per_bucket: int | None
    max_object_size_bytes: int | None
    bucket_count: int
    total_size_bytes: int
    object_count: int
