"""Access keys: in memory for every request, sealed in the metadata store for the next start."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Final

from attrs import field, frozen
from msgspec import Struct

from lightningstor.errors import CommitUndetermined, Contention
from lightningstor.iam.principal import Principal
from lightningstor.iam.seal import Seal
from lightningstor.kv.api import Applied, Check, Kv, Put, Row, Txn, TxnUndetermined
from lightningstor.model import keys
from lightningstor.model.codec import RECORD_FORMAT, RecordCodec, encode
from lightningstor.ports import Clock

__all__ = ["Credential", "CredentialStore", "SealedCredentials"]

_PAGE: Final = 1000
_ATTEMPTS: Final = 100


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
        self._stored: dict[str, Credential] = {}
        self._live = dict(self._fixed)

    def find(self, access_key_id: str) -> Credential | None:
        """The credential of an access key; None where there is none or it has expired. Costs a dictionary lookup."""
        credential = self._live.get(access_key_id)
        if credential is None or credential.expires_at is None or credential.expires_at > self._clock.now_ms():
            return credential
        return None

    def add(self, credential: Credential) -> None:
        """Take a stored credential from now on, or its new form."""
        self._stored[credential.access_key_id] = credential
        self._live = self._stored | self._fixed

    def discard(self, access_key_id: str) -> None:
        """Take a stored credential no longer."""
        self._stored.pop(access_key_id, None)
        self._live = self._stored | self._fixed

    def replace_stored(self, credentials: Iterable[Credential]) -> None:
        """Take these stored credentials, and none that was stored before."""
        self._stored = {credential.access_key_id: credential for credential in credentials}
        self._live = self._stored | self._fixed


class StoredPrincipal(Struct, frozen=True, omit_defaults=True):
    """A principal inside a stored credential."""

    id: str
    org_id: str
    project_id: str | None
    canonical_id: str
    display_name: str
    email: str = ""
    admin: bool = False


class StoredCredential(Struct, frozen=True, omit_defaults=True):
    """The record under `lightningstor/credentials/{access_key_id}`. `sealed`: base64 of what `Seal.seal` gave."""

    v: int
    access_key_id: str
    sealed: str
    principal: StoredPrincipal
    created_at: int
    expires_at: int | None = None


_CREDENTIAL: Final = RecordCodec(StoredCredential)


def _associated(access_key_id: str, principal: StoredPrincipal, expires_at: int | None) -> bytes:
    """All that decides what the secret opens: so that nobody can give a sealed secret to another principal.

    Whoever can write the metadata but has not the seal key must not be able to make a principal an admin, move it
    to another organisation, or let a key live longer.
    """
    return b"lightningstor credential\0" + encode([access_key_id, principal, expires_at])


class SealedCredentials:
    """Credentials in the metadata store, their secrets sealed."""

    def __init__(self, kv: Kv, seal: Seal) -> None:
        self._kv = kv
        self._seal = seal

    async def load(self) -> list[Credential]:
        """All stored credentials.

        Raises:
            BytesCorrupt: a secret does not open under this key, or a record is not one.
        """
        return [self._decode(row) for row in await stored_rows(self._kv)]

    async def put(self, credential: Credential) -> None:
        """Store the credential, or its new form, durably.

        Raises:
            CommitUndetermined: the device failed; it may be stored or not.
        """
        principal = credential.principal
        stored = StoredPrincipal(
            principal.id,
            principal.org_id,
            principal.project_id,
            principal.canonical_id,
            principal.display_name,
            principal.email,
            principal.admin,
        )
        access_key_id = credential.access_key_id
        associated = _associated(access_key_id, stored, credential.expires_at)
        sealed = b64encode(self._seal.seal(credential.secret, associated)).decode()
        record = StoredCredential(
            RECORD_FORMAT, access_key_id, sealed, stored, credential.created_at, credential.expires_at
        )
        key = keys.credential(access_key_id)
        index = keys.credential_of_principal(principal.id, access_key_id)
        for _ in range(_ATTEMPTS):
            row = await self._kv.get(key)
            revision, deletes = 0, []
            if row is not None:
                revision = row.revision
                before = keys.credential_of_principal(self._decode(row).principal.id, access_key_id)
                deletes = [before] if before != index else []
            txn = Txn([Check(key, revision)], [Put(key, encode(record)), Put(index, b"{}")], deletes)
            if await self._applied(txn):
                return
        raise Contention(f"credential {access_key_id}")

    async def remove(self, access_key_id: str) -> bool:
        """Forget the credential; whether there was one.

        Raises:
            CommitUndetermined: the device failed; it may still be stored.
        """
        key = keys.credential(access_key_id)
        for _ in range(_ATTEMPTS):
            row = await self._kv.get(key)
            if row is None:
                return False
            record = _CREDENTIAL.decode(row.value, row.key)
            index = keys.credential_of_principal(record.principal.id, access_key_id)
            if await self._applied(Txn([Check(key, row.revision)], deletes=[key, index])):
                return True
        raise Contention(f"credential {access_key_id}")

    async def _applied(self, txn: Txn) -> bool:
        outcome = await self._kv.commit(txn)
        if isinstance(outcome, TxnUndetermined):
            raise CommitUndetermined(outcome.reason)
        return isinstance(outcome, Applied)

    def _decode(self, row: Row) -> Credential:
        record = _CREDENTIAL.decode(row.value, row.key)
        stored = record.principal
        where = row.key.decode()
        if keys.credential(record.access_key_id) != row.key:
            where = f"{where} (holds the record of {record.access_key_id})"
        # A record copied under another key opens nothing: the row's own name is what is authenticated.
        associated = _associated(keys.access_key_of(row.key), stored, record.expires_at)
        secret = self._seal.open(b64decode(record.sealed), associated, where)
        principal = Principal(
            stored.id,
            stored.org_id,
            stored.project_id,
            stored.canonical_id,
            stored.display_name,
            stored.email,
            stored.admin,
        )
        return Credential(record.access_key_id, secret, principal, record.created_at, record.expires_at)


async def stored_rows(kv: Kv) -> list[Row]:
    """The rows of all stored credentials; asked before a `Seal` is made, which most stores never need."""
    rows: list[Row] = []
    async with kv.snapshot() as reads:
        for start, end in keys.credential_ranges():
            while page := await reads.scan(start, end, _PAGE):
                rows += page
                start = page[-1].key + b"\0"
    return rows
