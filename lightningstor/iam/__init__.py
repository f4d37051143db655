"""Principals, credentials and who may do what (DESIGN.md §10)."""

from lightningstor.iam.authorize import Authorizer, EmbeddedAuthorizer, Resource
from lightningstor.iam.credentials import Credential, CredentialStore
from lightningstor.iam.principal import DEFAULT_ORG, Principal

__all__ = [
    "DEFAULT_ORG",
    "Authorizer",
    "Credential",
    "CredentialStore",
    "EmbeddedAuthorizer",
    "Principal",
    "Resource",
]
