"""What can go wrong with tenants and identities, as facts; `lightningstor.s3.error_map` has their rows too."""

from __future__ import annotations

from attrs import define

from lightningstor.errors import StoreError

__all__ = [
    "EntityExists",
    "EntityFixed",
    "EntityInUse",
    "IamLimitExceeded",
    "InvalidEntity",
    "MalformedPolicy",
    "NoSuchEntity",
]


@define(slots=True)
class NoSuchEntity(StoreError):
    """There is no such organisation, project, principal, group, key or grant."""

    kind: str
    id: str


@define(slots=True)
class EntityExists(StoreError):
    """There is an organisation, project, principal or group of that id already."""

    kind: str
    id: str


@define(slots=True)
class EntityInUse(StoreError):
    """What others still belong to cannot be deleted."""

    kind: str
    id: str
    reason: str


@define(slots=True)
class EntityFixed(StoreError):
    """What the configuration defines is changed there and nowhere else."""

    kind: str
    id: str


@define(slots=True)
class InvalidEntity(StoreError):
    """An organisation, project, principal, group, key or token cannot be as it was asked for."""

    kind: str
    reason: str


@define(slots=True)
class MalformedPolicy(StoreError):
    """A statement, or a policy, says something that this version does not understand."""

    reason: str


@define(slots=True)
class IamLimitExceeded(StoreError):
    """There are as many keys or grants as one principal, group or organisation may have."""

    what: str
    limit: int
