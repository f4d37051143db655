"""Records to JSON and back: `{"v":1,…}`, readable with any tool, migrated when read.

A record of an older format is brought forward by the functions in
`MIGRATIONS`, one step each, as plain dictionaries; one of a newer format is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec

from lightningstor.errors import BytesCorrupt, FormatTooNew
from lightningstor.model import records

__all__ = [
    "BUCKET",
    "BUCKET_HOLDERS",
    "BUCKET_NAME",
    "GC_ENTRY",
    "MANIFEST",
    "MULTIPART_UPLOAD",
    "OBJECT_VERSION",
    "PART_LIST",
    "QUOTA",
    "RECORD_FORMAT",
    "UPLOAD_PART",
    "VERSION_SUMMARY",
    "RecordCodec",
    "encode",
]

RECORD_FORMAT: Final = 1
"""The format number of every record that this version writes."""

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
encode: Callable[[object], bytes] = _encoder.encode
"""A record as JSON."""


class RecordCodec(Generic[T]):
    """Decodes one kind of record.

    Args:
        kind: the record's class.
        migrations: `migrations[n]` makes a format n + 1 dictionary out of a format n one.
    """

    def __init__(self, kind: type[T], migrations: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] | None = None):
        self._kind = kind
        self._decode = msgspec.json.Decoder(kind).decode
        self._migrations = migrations or {}

    def decode(self, value: bytes, where: bytes = b"") -> T:
        """The record.

        Args:
            where: the row's key, for messages.

        Raises:
            FormatTooNew: a newer version wrote it.
            BytesCorrupt: it is no such record.
        """
        if value[:7] == b'{"v":1,':
            try:
                return self._decode(value)
            except msgspec.MsgspecError as error:
                raise BytesCorrupt(where.decode("utf-8", "replace"), str(error)) from error
        return self._decode_other(value, where)

    def decode_all(self, rows: Sequence[tuple[bytes, bytes]]) -> list[T]:
        """The records of (value, key) pairs: `decode` for many, without a call for each. Raises what it does."""
        decode, current = self._decode, b'{"v":1,'
        try:
            return [
                decode(value) if value.startswith(current) else self._decode_other(value, key) for value, key in rows
            ]
        except msgspec.MsgspecError:
            return [self.decode(value, key) for value, key in rows]  # says which

    def _decode_other(self, value: bytes, where: bytes) -> T:
        place = where.decode("utf-8", "replace")
        try:
            raw = msgspec.json.decode(value, type=dict[str, Any])
            found = raw.get("v", 0)
            if not isinstance(found, int):
                raise BytesCorrupt(place, f"the format number is {found!r}")
            if found > RECORD_FORMAT:
                raise FormatTooNew(place, found, RECORD_FORMAT)
            while found < RECORD_FORMAT:
                step = self._migrations.get(found)
                if step is None:
                    raise BytesCorrupt(place, f"no way to bring format {found} of {self._kind.__name__} forward")
                raw = step(raw)
                found += 1
                raw["v"] = found
            return msgspec.convert(raw, self._kind)
        except msgspec.MsgspecError as error:
            raise BytesCorrupt(place, str(error)) from error


def _object_from_v0(raw: dict[str, Any]) -> dict[str, Any]:
    """Format 0, of the first prototypes: the owner was a bare principal id, `modified` the time in seconds."""
    owner = raw.pop("owner", "")
    raw["owner"] = {"principal_id": owner, "canonical_id": owner, "display_name": owner}
    raw["created_at"] = int(raw.pop("modified") * 1000)
    raw.setdefault("is_null", True)
    return raw


BUCKET: Final = RecordCodec(records.Bucket)
BUCKET_HOLDERS: Final = RecordCodec(records.BucketHolders)
BUCKET_NAME: Final = RecordCodec(records.BucketName)
OBJECT_VERSION: Final = RecordCodec(records.ObjectVersion, {0: _object_from_v0})
VERSION_SUMMARY: Final = RecordCodec(records.VersionSummary, {0: _object_from_v0})
MANIFEST: Final = RecordCodec(records.Manifest)
PART_LIST: Final = RecordCodec(records.PartList)
QUOTA: Final = RecordCodec(records.QuotaRecord)
UPLOAD_PART: Final = RecordCodec(records.UploadPart)
MULTIPART_UPLOAD: Final = RecordCodec(records.MultipartUpload)
GC_ENTRY: Final = RecordCodec(records.GcEntry)
