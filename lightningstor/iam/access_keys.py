"""Access keys of S3: made, listed, rotated, expired, revoked. Only whoever makes one ever sees its secret."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final

from attrs import define, field, frozen
from msgspec.structs import replace

from lightningstor.iam.errors import InvalidEntity, NoSuchEntity
from lightningstor.iam.ids import new_access_key_id, new_secret
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.owners import check_keys_left, owner_check
from lightningstor.iam.records import AccessKey
from lightningstor.iam.view import associated
from lightningstor.model import keys
from lightningstor.model.codec import RECORD_FORMAT
from lightningstor.observe.logs import redactor

__all__ = ["AccessKeys", "IssuedAccessKey"]

ACCESS_KEY: Final = "access key"


@frozen
class IssuedAccessKey:
    """A new access key and its secret, which cannot be shown again."""

    record: AccessKey
    secret: str = field(repr=False)


@define
class AccessKeys:
    """The stored access keys of all principals, the configured ones included."""

    ledger: Ledger
    limits: IamLimits

    def get(self, access_key_id: str) -> AccessKey:
        """The access key's record.

        Raises:
            NoSuchEntity: there is none, or the configuration defines it.
        """
        found = self.ledger.view.access_keys.get(access_key_id)
        if found is None:
            raise NoSuchEntity(ACCESS_KEY, access_key_id)
        return found

    def list(self, principal_id: str) -> list[AccessKey]:
        """The principal's access keys, oldest first."""
        return self.ledger.view.access_keys_of(principal_id)

    async def create(self, principal_id: str, *, expires_at: int | None = None) -> IssuedAccessKey:
        """Make an access key.

        Args:
            expires_at: milliseconds since the Unix epoch; None: never.

        Raises:
            NoSuchEntity: there is no such principal.
            IamLimitExceeded, InvalidEntity
        """
        issued = self._draw(principal_id, expires_at)

        async def plan() -> Change:
            check_keys_left(self.ledger, self.limits, principal_id)
            return self._adding(issued)

        await self.ledger.change(plan)
        return issued

    async def rotate(self, access_key_id: str, *, grace_ms: int = 0) -> IssuedAccessKey:
        """Make a new access key in the place of another, in one transaction.

        Args:
            grace_ms: how long the old one is good for still, at most; 0: it is gone at once.

        Raises:
            NoSuchEntity, InvalidEntity
        """
        if grace_ms < 0:
            raise InvalidEntity(ACCESS_KEY, f"a grace of {grace_ms} ms")
        now = self.ledger.world.clock.now_ms()
        issued = self._draw(self.get(access_key_id).principal_id, None)

        async def plan() -> Change:
            old = self.get(access_key_id)
            change = self._adding(issued)
            if grace_ms and (old.expires_at is None or old.expires_at > now):
                ends = now + grace_ms if old.expires_at is None else min(old.expires_at, now + grace_ms)
                change.puts.append(self._expiring(old, ends))
            else:
                change.removes.append(old)
                change.deletes.append(keys.credential_of_principal(old.principal_id, old.id))
            return change

        await self.ledger.change(plan)
        return issued

    async def expire(self, access_key_id: str, expires_at: int | None) -> AccessKey:
        """Let the key end at a moment, in milliseconds since the Unix epoch; None: never.

        Raises:
            NoSuchEntity
        """

        async def plan() -> Change:
            return Change(puts=[self._expiring(self.get(access_key_id), expires_at)])

        await self.ledger.change(plan)
        return self.get(access_key_id)

    async def revoke(self, access_key_id: str) -> None:
        """Delete the key; the next request that is signed with it is refused.

        Raises:
            NoSuchEntity
        """

        async def plan() -> Change:
            record = self.get(access_key_id)
            index = keys.credential_of_principal(record.principal_id, access_key_id)
            return Change(removes=[record], deletes=[index])

        await self.ledger.change(plan)

    def _draw(self, principal_id: str, expires_at: int | None) -> IssuedAccessKey:
        world = self.ledger.world
        secret = new_secret(world.entropy)
        redactor.register(secret)
        access_key_id, now = new_access_key_id(world.entropy), world.clock.now_ms()
        if expires_at is not None and expires_at <= now:
            raise InvalidEntity(ACCESS_KEY, "it would have expired already")
        bound = associated(access_key_id, principal_id, expires_at)
        sealed = b64encode(self.ledger.view.seal.seal(secret.encode(), bound)).decode()
        record = AccessKey(
            v=RECORD_FORMAT,
            id=access_key_id,
            principal_id=principal_id,
            sealed=sealed,
            created_at=now,
            expires_at=expires_at,
        )
        return IssuedAccessKey(record, secret)

    def _adding(self, issued: IssuedAccessKey) -> Change:
        record = issued.record
        return Change(
            puts=[record],
            index=[keys.credential_of_principal(record.principal_id, record.id)],
            checks=owner_check(self.ledger, record.principal_id),
        )

    def _expiring(self, record: AccessKey, expires_at: int | None) -> AccessKey:
        """The record with another end, its secret sealed anew, as it is bound to that."""
        seal = self.ledger.view.seal
        bound = associated(record.id, record.principal_id, record.expires_at)
        secret = seal.open(b64decode(record.sealed), bound, record.row_key.decode())
        sealed = b64encode(seal.seal(secret, associated(record.id, record.principal_id, expires_at))).decode()
        return replace(record, sealed=sealed, expires_at=expires_at)
