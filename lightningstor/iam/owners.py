"""What every kind of key asks of the principal that it is for."""

from __future__ import annotations

from lightningstor.iam.errors import IamLimitExceeded, NoSuchEntity
from lightningstor.iam.ledger import Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.kv.api import Check
from lightningstor.model import iam_keys

__all__ = ["check_keys_left", "check_principal", "owner_check"]


def check_principal(ledger: Ledger, principal_id: str) -> None:
    """That there is such a principal, a disabled one included.

    Raises:
        NoSuchEntity
    """
    view = ledger.view
    if principal_id not in view.stored and principal_id not in view.fixed:
        raise NoSuchEntity("principal", principal_id)


def check_keys_left(ledger: Ledger, limits: IamLimits, principal_id: str) -> None:
    """That the principal is there and may have one key more.

    Raises:
        NoSuchEntity, IamLimitExceeded
    """
    check_principal(ledger, principal_id)
    view, limit = ledger.view, limits.max_keys_per_principal
    if len(view.access_keys_of(principal_id)) + len(view.api_keys_of(principal_id)) >= limit:
        raise IamLimitExceeded("keys of a principal", limit)


def owner_check(ledger: Ledger, principal_id: str) -> list[Check]:
    """The checks by which a transaction gives something to a principal that is still there."""
    view = ledger.view
    if principal_id in view.fixed:
        return []
    key = iam_keys.principal(principal_id)
    return [Check(key, view.revisions[key])]
