"""Identity records as rows that vouch for themselves.

Whoever can write the metadata but has not the seal key must not be able to make a principal an admin, move it to
another organisation, let a key live longer or allow what was not allowed: each row carries an HMAC over its key and
its record. (A row can still be taken away, or an older form of it put back; that takes access to the metadata, and
is what the audit log is for.)
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import Final

import msgspec
from msgspec import Struct

from lightningstor.errors import BytesCorrupt
from lightningstor.iam.records import RECORD_KINDS, IamRecord
from lightningstor.kv.api import Put, Row
from lightningstor.model.codec import RECORD_FORMAT, RecordCodec, encode

__all__ = ["SealedRows", "derived_key"]


def derived_key(seal_key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, of the seal key (HKDF-Expand with one block, RFC 5869 §2.3)."""
    return hmac.digest(seal_key, f"lightningstor {purpose}\x01".encode(), "sha256")


class _Envelope(Struct, frozen=True):
    v: int
    record: msgspec.Raw
    mac: str


_ENVELOPE: Final = RecordCodec(_Envelope)
_CODECS: Final[dict[bytes, RecordCodec[IamRecord]]] = {kind.prefix: RecordCodec(kind) for kind in RECORD_KINDS}


class SealedRows:
    """Makes rows of records, and records of rows.

    Args:
        seal_key: 32 random bytes.
    """

    def __init__(self, seal_key: bytes) -> None:
        self._key = derived_key(seal_key, "identity records")

    def put(self, record: IamRecord) -> Put:
        """The row of a record."""
        raw = encode(record)
        key = record.row_key
        return Put(key, encode(_Envelope(RECORD_FORMAT, msgspec.Raw(raw), self._mac(key, raw))))

    def decode(self, row: Row) -> IamRecord:
        """The record of a row.

        Raises:
            BytesCorrupt: another key made it, it was changed, or it stands under a name that is not its own.
            FormatTooNew
        """
        where = row.key.decode("utf-8", "replace")
        envelope = _ENVELOPE.decode(row.value, row.key)
        raw = bytes(envelope.record)
        if not hmac.compare_digest(self._mac(row.key, raw), envelope.mac):
            raise BytesCorrupt(where, "the record was made under another seal key, or changed since")
        for prefix, codec in _CODECS.items():
            if row.key.startswith(prefix):
                return codec.decode(raw, row.key)
        raise BytesCorrupt(where, "no record of this version lies here")

    def _mac(self, key: bytes, raw: bytes) -> str:
        return b64encode(hmac.digest(self._key, key + b"\0" + raw, "sha256")).decode()
