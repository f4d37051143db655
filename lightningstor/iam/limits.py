"""Limits of tenants and identities."""

from __future__ import annotations

from attrs import frozen

__all__ = ["IamLimits"]


@frozen
class IamLimits:
    """Args:
    max_keys_per_principal: access keys and API keys of one principal together.
    max_grants: attached to one principal, group or organisation.
    max_groups: that one principal is in.
    max_token_ttl_s: how long a bearer token may be good, in seconds.
    """

    max_keys_per_principal: int = 20
    max_grants: int = 100
    max_groups: int = 20
    max_token_ttl_s: int = 7 * 86_400
