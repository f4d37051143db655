"""The access keys that this process takes: in memory, for every request."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from lightningstor.iam.principal import Principal
from lightningstor.ports import Clock

__all__ = ["Credential", "CredentialStore"]


@frozen
class Credential:
    """An access key, its secret and whom it stands for (SPEC.md §4.3, S3Credentials).

    Args:
        secret: the plain secret, as the HMAC wants it. Kept out of `repr`.
        created_at, expires_at: milliseconds since the Unix epoch; None: never expires.
    """

    access_key_id: str
    secret: bytes = field(repr=False)
    principal: Principal
    created_at: int = 0
    expires_at: int | None = None


class CredentialStore:
    """The access keys that this process takes.

    Args:
        fixed: from the configuration and the environment; they win over stored ones of the same access key.
    """

    def __init__(self, clock: Clock, fixed: Iterable[Credential] = ()) -> None:
        self._clock = clock
        self._fixed = {credential.access_key_id: credential for credential in fixed}
        self._live = dict(self._fixed)

    @property
    def fixed(self) -> tuple[Credential, ...]:
        """Those from the configuration and the environment."""
        return tuple(self._fixed.values())

    def find(self, access_key_id: str) -> Credential | None:
        """The credential of an access key; None where there is none or it has expired. Costs a dictionary lookup."""
        credential = self._live.get(access_key_id)
        if credential is None or credential.expires_at is None or credential.expires_at > self._clock.now_ms():
            return credential
        return None

    def add(self, credential: Credential) -> None:
        """Take a stored credential from now on, or its new form."""
        if credential.access_key_id not in self._fixed:
            self._live[credential.access_key_id] = credential

    def discard(self, access_key_id: str) -> None:
        """Take a stored credential no longer."""
        if access_key_id not in self._fixed:
            self._live.pop(access_key_id, None)

    def replace_stored(self, credentials: Iterable[Credential]) -> None:
        """Take these stored credentials, and none that was stored before."""
        self._live = {credential.access_key_id: credential for credential in credentials} | self._fixed
