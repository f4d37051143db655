"""Bearer tokens: `lst1.{claims}.{signature}`, signed with a key derived from the seal key; nothing of them is stored.

The claims are JSON in base64url, the signature an HMAC-SHA256 over what stands before it. There is one algorithm, so
nothing in a token chooses it. A token names its principal's epoch: drawing another one revokes all of them at once.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import msgspec
from attrs import define
from msgspec import Struct
from msgspec.structs import replace

from lightningstor.errors import Unauthenticated
from lightningstor.iam.errors import InvalidEntity, NoSuchEntity
from lightningstor.iam.ids import new_id
from lightningstor.iam.ledger import Change, Ledger
from lightningstor.iam.limits import IamLimits
from lightningstor.iam.principal import Principal
from lightningstor.iam.records import TokenEpoch
from lightningstor.model.codec import RECORD_FORMAT

__all__ = ["AUDIENCE", "BearerTokens"]

AUDIENCE: Final = "lightningstor"
"""Whom a token is for, unless another audience is asked for: the store's own protocols take no other."""

_FORM: Final = "lst1"
_LONGEST: Final = 4096


class _Claims(Struct, frozen=True, forbid_unknown_fields=True):
    """sub: principal id. aud: audience. iat, exp: issued and expires, seconds since the Unix epoch. jti: token id."""

    sub: str
    aud: str
    iat: int
    exp: int
    jti: str
    epoch: str


_DECODER: Final = msgspec.json.Decoder(_Claims)


@define
class BearerTokens:
    """Issues, checks and revokes bearer tokens.

    Args:
        key: 32 bytes to sign with.
    """

    ledger: Ledger
    limits: IamLimits
    key: bytes

    def issue(self, principal_id: str, *, ttl_s: int, audience: str = AUDIENCE) -> str:
        """A token for the principal.

        Args:
            ttl_s: how long it is good, in seconds.

        Raises:
            NoSuchEntity: there is no such principal, or it is disabled.
            InvalidEntity: it would be good for too long, or not at all.
        """
        view, world = self.ledger.view, self.ledger.world
        if principal_id not in view.principals:
            raise NoSuchEntity("principal", principal_id)
        if not 1 <= ttl_s <= self.limits.max_token_ttl_s:
            raise InvalidEntity("token", f"it is good for 1 to {self.limits.max_token_ttl_s} seconds, not {ttl_s}")
        now = world.clock.now_ms() // 1000
        claims = _Claims(
            sub=principal_id,
            aud=audience,
            iat=now,
            exp=now + ttl_s,
            jti=new_id(world.entropy),
            epoch=view.epoch_of(principal_id),
        )
        signed = f"{_FORM}.{_base64url(msgspec.json.encode(claims))}"
        return f"{signed}.{_base64url(self._signature(signed))}"

    def principal_of(self, token: str, audience: str = AUDIENCE) -> Principal:
        """Whom a token stands for.

        Raises:
            Unauthenticated
        """
        view = self.ledger.view
        claims = self._verified(token)
        if claims.aud != audience:
            raise Unauthenticated(f"a token for {claims.aud!r}")
        if claims.exp * 1000 <= self.ledger.world.clock.now_ms():
            raise Unauthenticated(f"token {claims.jti} has expired")
        principal = view.principals.get(claims.sub)
        if principal is None or view.epoch_of(claims.sub) != claims.epoch:
            raise Unauthenticated(f"token {claims.jti} was revoked")
        return principal

    async def revoke_all(self, principal_id: str) -> None:
        """Void all tokens that were issued for the principal until now.

        Raises:
            NoSuchEntity
        """
        ledger, view = self.ledger, self.ledger.view
        epoch = new_id(ledger.world.entropy)

        async def plan() -> Change:
            if principal_id in view.fixed:
                return Change(puts=[TokenEpoch(v=RECORD_FORMAT, principal_id=principal_id, epoch=epoch)])
            record = view.stored.get(principal_id)
            if record is None:
                raise NoSuchEntity("principal", principal_id)
            return Change(puts=[replace(record, epoch=epoch)])

        await ledger.change(plan)

    def _verified(self, token: str) -> _Claims:
        signed, _, signature = token.rpartition(".")
        form, _, claims = signed.partition(".")
        if form != _FORM or len(token) > _LONGEST or not token.isascii():
            raise Unauthenticated("not a token of this store")
        if not hmac.compare_digest(_base64url(self._signature(signed)), signature):
            raise Unauthenticated("a token with a wrong signature")
        try:
            return _DECODER.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        except (msgspec.MsgspecError, ValueError):
            raise Unauthenticated("a token with malformed claims") from None

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self.key, signed.encode(), "sha256")


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
