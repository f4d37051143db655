"""The key space of tenants and identities, as `lightningstor.model.keys` has that of buckets and objects.

Ids of organisations, projects, principals, groups and grants hold neither "/" nor NUL, which their makers see to.
"""

from __future__ import annotations

from typing import Final

from lightningstor.model import keys

__all__ = ["IAM", "api_key", "grant", "group", "members", "organisation", "principal", "project", "token_epoch"]

IAM: Final = keys.ROOT + b"iam/"
"""Prefix of all of them but the access keys, which lie under `lightningstor/credentials/` (SPEC.md §6.1)."""


def organisation(org_id: str) -> bytes:
    """An organisation's record."""
    return IAM + f"orgs/{org_id}".encode()


def project(org_id: str, project_id: str) -> bytes:
    """A project's record."""
    return IAM + f"projects/{org_id}/{project_id}".encode()


def group(org_id: str, group_id: str) -> bytes:
    """A group's record."""
    return IAM + f"groups/{org_id}/{group_id}".encode()


def principal(principal_id: str) -> bytes:
    """A principal's record."""
    return IAM + f"principals/{principal_id}".encode()


def api_key(key_id: str) -> bytes:
    """An API key's record."""
    return IAM + f"api-keys/{key_id}".encode()


def grant(org_id: str, grant_id: str) -> bytes:
    """A grant about an organisation's resources."""
    return IAM + f"grants/{org_id}/{grant_id}".encode()


def token_epoch(principal_id: str) -> bytes:
    """Which bearer tokens of a configured principal are good; a stored one has it in its record."""
    return IAM + f"epochs/{principal_id}".encode()


def members(container: bytes) -> bytes:
    """A row that is written by every transaction that puts something into an organisation, project or group.

    Whoever deletes one of these checks that nobody wrote the row since it was seen to be empty; those who put
    something in need not wait for each other.

    Args:
        container: the key of its record.
    """
    return keys.ROOT + b"members/" + container.removeprefix(IAM)
