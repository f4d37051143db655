"""API keys: `lsk_{id}_{secret}`, for gRPC and the admin API. Stored as a hash only: the secret is random and long."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from attrs import define, field, frozen

from lightningstor.errors import Unauthenticated
from lightningstor.iam.errors import InvalidEntity, NoSuchEntity
from lightningstor.iam.ids import new_id, new_secret
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.owners import check_keys_left, owner_check
from lightningstor.iam.principal import Principal
from lightningstor.iam.records import ApiKey
from lightningstor.model.codec import RECORD_FORMAT
from lightningstor.observe.logs import redactor

__all__ = ["ApiKeys", "IssuedApiKey", "id_in"]

API_KEY: Final = "API key"
_PREFIX: Final = "lsk"


@frozen
class IssuedApiKey:
    """A new API key, as it is sent; it cannot be shown again."""

    record: ApiKey
    key: str = field(repr=False)


def id_in(key: str) -> str | None:
    """The id in an API key, which is no secret; None: it has not the form of one."""
    parts = key.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[0] == _PREFIX else None


@define
class ApiKeys:
    """The API keys of all principals, the configured ones included."""

    ledger: Ledger
    limits: IamLimits

    def get(self, key_id: str) -> ApiKey:
        """The API key's record.

        Raises:
            NoSuchEntity
        """
        found = self.ledger.view.api_keys.get(key_id)
        if found is None:
            raise NoSuchEntity(API_KEY, key_id)
        return found

    def list(self, principal_id: str) -> list[ApiKey]:
        """The principal's API keys, oldest first."""
        return self.ledger.view.api_keys_of(principal_id)

    async def create(self, principal_id: str, *, name: str = "", expires_at: int | None = None) -> IssuedApiKey:
        """Make an API key.

        Args:
            name: what it is for, for people.
            expires_at: milliseconds since the Unix epoch; None: never.

        Raises:
            NoSuchEntity: there is no such principal.
            IamLimitExceeded, InvalidEntity
        """
        world = self.ledger.world
        now = world.clock.now_ms()
        if expires_at is not None and expires_at <= now:
            raise InvalidEntity(API_KEY, "it would have expired already")
        key_id, secret = new_id(world.entropy), new_secret(world.entropy)
        redactor.register(secret)
        record = ApiKey(
            v=RECORD_FORMAT,
            id=key_id,
            principal_id=principal_id,
            sha256=hashlib.sha256(secret.encode()).hexdigest(),
            name=name,
            created_at=now,
            expires_at=expires_at,
        )

        async def plan() -> Change:
            check_keys_left(self.ledger, self.limits, principal_id)
            return Change(puts=[record], checks=owner_check(self.ledger, principal_id))

        await self.ledger.change(plan)
        return IssuedApiKey(record, f"{_PREFIX}_{key_id}_{secret}")

    async def revoke(self, key_id: str) -> None:
        """Delete the key; the next call that brings it is refused.

        Raises:
            NoSuchEntity
        """

        async def plan() -> Change:
            return Change(removes=[self.get(key_id)])

        await self.ledger.change(plan)

    def principal_of(self, key: str) -> Principal:
        """Whom an API key stands for.

        Raises:
            Unauthenticated
        """
        view = self.ledger.view
        key_id = id_in(key)
        record = None if key_id is None else view.api_keys.get(key_id)
        if record is None:
            raise Unauthenticated("an unknown API key")
        secret = key.split("_", 2)[2]
        digest = hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()
        if not hmac.compare_digest(digest, record.sha256):
            raise Unauthenticated(f"API key {key_id} with a wrong secret")
        if record.expires_at is not None and record.expires_at <= self.ledger.world.clock.now_ms():
            raise Unauthenticated(f"API key {key_id} has expired")
        principal = view.principals.get(record.principal_id)
        if principal is None:
            raise Unauthenticated(f"API key {key_id} of a principal that is disabled or not configured")
        return principal
