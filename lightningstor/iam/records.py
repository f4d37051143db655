"""What is stored of tenants and identities. Times are milliseconds since the Unix epoch."""

from __future__ import annotations

from typing import ClassVar, Final, TypeAlias

from msgspec import Struct

from lightningstor.iam.principal import PrincipalKind, Role
from lightningstor.iam.statements import Statement
from lightningstor.model import iam_keys, keys

__all__ = [
    "RECORD_KINDS",
    "AccessKey",
    "ApiKey",
    "Grant",
    "Group",
    "IamRecord",
    "Organisation",
    "Project",
    "StoredPrincipal",
    "TokenEpoch",
]


class Organisation(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A tenant."""

    prefix: ClassVar[bytes] = iam_keys.IAM + b"orgs/"
    v: int
    id: str
    display_name: str = ""
    created_at: int = 0

    @property
    def row_key(self) -> bytes:
        return iam_keys.organisation(self.id)


class Project(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A project of an organisation."""

    prefix: ClassVar[bytes] = iam_keys.IAM + b"projects/"
    v: int
    org_id: str
    id: str
    display_name: str = ""
    created_at: int = 0

    @property
    def row_key(self) -> bytes:
        return iam_keys.project(self.org_id, self.id)


class Group(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Principals of one organisation that grants can be attached to at once. Who is in it, the principals say."""

    prefix: ClassVar[bytes] = iam_keys.IAM + b"groups/"
    v: int
    org_id: str
    id: str
    display_name: str = ""
    created_at: int = 0

    @property
    def row_key(self) -> bytes:
        return iam_keys.group(self.org_id, self.id)


class StoredPrincipal(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A user or service account.

    Args:
        epoch: bearer tokens that were issued under another one are void. Drawn when the principal is made and when
            its tokens are revoked, so that a later principal of the same id inherits none.
        disabled: it has its keys, and none of them is taken.
    """

    prefix: ClassVar[bytes] = iam_keys.IAM + b"principals/"
    v: int
    id: str
    org_id: str
    epoch: str
    project_id: str | None = None
    kind: PrincipalKind = PrincipalKind.USER
    role: Role = Role.OWNER
    groups: tuple[str, ...] = ()
    canonical_id: str = ""
    display_name: str = ""
    email: str = ""
    admin: bool = False
    disabled: bool = False
    created_at: int = 0

    @property
    def row_key(self) -> bytes:
        return iam_keys.principal(self.id)


class AccessKey(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An S3 access key (SPEC.md §4.3, S3Credentials). `sealed`: base64 of its secret under the seal key."""

    prefix: ClassVar[bytes] = keys.ROOT + b"credentials/"
    v: int
    id: str
    principal_id: str
    sealed: str
    created_at: int = 0
    expires_at: int | None = None

    @property
    def row_key(self) -> bytes:
        return keys.credential(self.id)


class ApiKey(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An API key. `sha256`: of the key's secret part, which is random: 32 bytes in hex."""

    prefix: ClassVar[bytes] = iam_keys.IAM + b"api-keys/"
    v: int
    id: str
    principal_id: str
    sha256: str
    name: str = ""
    created_at: int = 0
    expires_at: int | None = None

    @property
    def row_key(self) -> bytes:
        return iam_keys.api_key(self.id)


class Grant(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A statement about the resources of `org_id`, and whom it is attached to.

    Args:
        principal_id: of any organisation. group_id: of this one. Neither: all principals of this organisation.
    """

    prefix: ClassVar[bytes] = iam_keys.IAM + b"grants/"
    v: int
    id: str
    org_id: str
    statement: Statement
    principal_id: str | None = None
    group_id: str | None = None
    created_at: int = 0

    @property
    def row_key(self) -> bytes:
        return iam_keys.grant(self.org_id, self.id)


class TokenEpoch(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The epoch of a configured principal's bearer tokens, once they were revoked."""

    prefix: ClassVar[bytes] = iam_keys.IAM + b"epochs/"
    v: int
    principal_id: str
    epoch: str

    @property
    def row_key(self) -> bytes:
        return iam_keys.token_epoch(self.principal_id)


IamRecord: TypeAlias = Organisation | Project | Group | StoredPrincipal | AccessKey | ApiKey | Grant | TokenEpoch

RECORD_KINDS: Final[tuple[type[IamRecord], ...]] = (
    Organisation,
    Project,
    Group,
    StoredPrincipal,
    AccessKey,
    ApiKey,
    Grant,
    TokenEpoch,
)
