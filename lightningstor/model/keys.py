"""The key space of the metadata store: one function per kind of row, and the encoding that keeps order.

Keys are bytes that read well in `sqlite3` and `etcdctl`: components joined by "/". An object key may hold any
Unicode, "/" and NUL included, so it is escaped: NUL becomes NUL FF, and where something follows it, a lone NUL
ends it. Then the order of rows is the order of keys in UTF-8, a key that is a prefix of another comes first, and
no two keys share a row; the space of current versions and that of non-current ones have the same order.
Organisations, projects, bucket ids and upload ids hold neither "/" nor NUL, which their makers see to.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BOOT",
    "BUCKETS",
    "BUCKETS_BY_NAME",
    "BUCKET_NAMING",
    "DATA",
    "GC",
    "GC_END",
    "MANIFESTS",
    "OBJECTS",
    "QUOTAS",
    "ROOT",
    "TOTALS",
    "TOTALS_COUNTED",
    "UPLOADS",
    "UPLOADS_BY_BUCKET",
    "USAGE",
    "VERSIONS",
    "boot_of",
    "bucket",
    "bucket_by_name",
    "bucket_holders",
    "buckets_of_org",
    "chunk_id",
    "credential",
    "credential_of_principal",
    "credential_ranges",
    "data",
    "data_id",
    "data_id_of_chunk",
    "data_ids",
    "end_of",
    "end_of_key",
    "escape",
    "gc",
    "gc_due_before",
    "manifest",
    "manifests_of",
    "null_pointer",
    "object_current",
    "objects_of",
    "part",
    "parts_of",
    "quota",
    "split_version",
    "total_buckets",
    "total_bytes",
    "total_objects",
    "unescape",
    "upload",
    "upload_index",
    "upload_index_of",
    "upload_indexes_of",
    "upload_of_index",
    "usage_bytes",
    "usage_objects",
    "version",
    "versions_of",
    "versions_of_key",
]

ROOT: Final = b"lightningstor/"
DATA: Final = ROOT + b"data/"
MANIFESTS: Final = ROOT + b"manifests/"
OBJECTS: Final = ROOT + b"objects/"
VERSIONS: Final = ROOT + b"versions/"
GC: Final = ROOT + b"gc/"
GC_END: Final = ROOT + b"gc0"
BOOT: Final = ROOT + b"boot"
BUCKETS: Final = ROOT + b"buckets/"
BUCKETS_BY_NAME: Final = BUCKETS + b"by-name/"
BUCKET_NAMING: Final = ROOT + b"bucket-naming"
UPLOADS: Final = ROOT + b"uploads/"
UPLOADS_BY_BUCKET: Final = UPLOADS + b"by-bucket/"
USAGE: Final = ROOT + b"usage/"
TOTALS: Final = ROOT + b"totals/"
TOTALS_COUNTED: Final = ROOT + b"totals-counted"
QUOTAS: Final = ROOT + b"quotas/"

_BOOT_BITS: Final = 23
_COUNTER_BITS: Final = 40


def end_of(prefix: bytes) -> bytes:
    """The least key greater than every key that begins with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


def end_of_key(prefix: bytes) -> bytes:
    """The end of the rows that follow one object key: `prefix` is the key and the NUL that ends it.

    Not `end_of`: a longer key that goes on with NUL is escaped to NUL FF, and lies behind this.
    """
    return prefix + b"\xff"


def escape(key: str) -> bytes:
    """An object key as a component."""
    raw = key.encode()
    return raw.replace(b"\0", b"\0\xff")


def unescape(component: bytes) -> str:
    """The object key of a component that `escape` made."""
    return component.replace(b"\0\xff", b"\0").decode()


# Buckets


def bucket(org_id: str, project_id: str | None, name: str) -> bytes:
    """The bucket's record. A project's buckets lie one level deeper, so the two kinds never meet."""
    if project_id is None:
        return f"lightningstor/buckets/{org_id}/{name}".encode()
    return f"lightningstor/buckets/{org_id}/{project_id}/{name}".encode()


def buckets_of_org(org_id: str) -> bytes:
    """Prefix of all bucket records of an organisation, its projects' included."""
    return f"lightningstor/buckets/{org_id}/".encode()


def bucket_by_name(name: str) -> bytes:
    """Which organisation and project hold a globally unique name."""
    return BUCKETS_BY_NAME + name.encode()


def bucket_holders(org_id: str, name: str) -> bytes:
    """Who holds a name within an organisation, where names are scoped: it or some of its projects."""
    return f"lightningstor/bucket-names/{org_id}/{name}".encode()


# Objects


def objects_of(org_id: str, bucket_id: str) -> bytes:
    """Prefix of the bucket's current versions."""
    return f"lightningstor/objects/{org_id}/{bucket_id}/".encode()


def object_current(org_id: str, bucket_id: str, key: str) -> bytes:
    """The key's current version, which may be a delete marker."""
    return objects_of(org_id, bucket_id) + escape(key)


def versions_of(org_id: str, bucket_id: str) -> bytes:
    """Prefix of the bucket's non-current versions."""
    return f"lightningstor/versions/{org_id}/{bucket_id}/".encode()


def versions_of_key(org_id: str, bucket_id: str, key: str) -> bytes:
    """Prefix of the key's non-current versions, newest first."""
    return versions_of(org_id, bucket_id) + escape(key) + b"\0"


def version(org_id: str, bucket_id: str, key: str, version_id: str) -> bytes:
    """One non-current version."""
    return versions_of_key(org_id, bucket_id, key) + version_id.encode()


def split_version(row_key: bytes, prefix: bytes) -> tuple[str, str]:
    """Object key and version id of a row under `versions_of`."""
    component, _, version_id = row_key[len(prefix) :].rpartition(b"\0")
    return unescape(component), version_id.decode()


def null_pointer(org_id: str, bucket_id: str, key: str) -> bytes:
    """Which non-current version is the key's "null" one; no row where the current one is, or there is none."""
    return f"lightningstor/nulls/{org_id}/{bucket_id}/".encode() + escape(key)


# Bytes


def data_id(boot: int, counter: int) -> int:
    """A name for a body: it only grows and is never used twice, 63 bits."""
    if boot >= 1 << _BOOT_BITS or counter >= 1 << _COUNTER_BITS:
        raise OverflowError(f"data ids are used up: boot {boot}, counter {counter}")
    return boot << _COUNTER_BITS | counter


def data_ids(boot: int) -> range:
    """All names that one boot may give to bodies."""
    return range(data_id(boot, 1), data_id(boot, (1 << _COUNTER_BITS) - 1) + 1)


def data(data: int) -> bytes:
    """A small body."""
    return b"lightningstor/data/%016x" % data


def manifests_of(data: int) -> bytes:
    """Prefix of the segments that say where a large body lies."""
    return b"lightningstor/manifests/%016x/" % data


def manifest(data: int, segment: int) -> bytes:
    """One segment: a list of chunks, or of parts."""
    return b"lightningstor/manifests/%016x/%06d" % (data, segment)


def chunk_id(data: int, index: int) -> str:
    """The name of the body's chunk number `index`; its first four digits are the shard directories.

    256 bodies in a row share a directory, so that making one and syncing it is shared as well.
    """
    return f"{data >> 8 & 0xFF:02x}{data >> 16 & 0xFF:02x}{data >> 24:010x}{data & 0xFF:02x}-{index:06x}"


def data_id_of_chunk(chunk: str) -> int:
    """The data id in a chunk's name: `chunk_id` undone.

    Raises:
        ValueError: it is no name of ours.
    """
    digits = chunk.partition("-")[0]
    if len(digits) != 16:
        raise ValueError(f"{chunk!r} is not the name of a chunk")
    return int(digits[4:14] + digits[2:4] + digits[0:2] + digits[14:], 16)


def boot_of(data: int) -> int:
    """The boot in which a data id was drawn."""
    return data >> _COUNTER_BITS


def gc(due_ms: int, name: str) -> bytes:
    """Bytes to free, from `due_ms` on."""
    return b"lightningstor/gc/%013d/" % due_ms + name.encode()


def gc_due_before(now_ms: int) -> bytes:
    """The end of the range of rows that are due at `now_ms`."""
    return b"lightningstor/gc/%013d/" % (now_ms + 1)


# Multipart uploads


def upload(upload_id: str) -> bytes:
    """The upload's record."""
    return f"lightningstor/uploads/{upload_id}".encode()


def parts_of(upload_id: str) -> bytes:
    """Prefix of the upload's parts."""
    return f"lightningstor/uploads/{upload_id}/parts/".encode()


def part(upload_id: str, number: int) -> bytes:
    """One part."""
    return f"lightningstor/uploads/{upload_id}/parts/{number:05d}".encode()


def upload_indexes_of(bucket_id: str) -> bytes:
    """Prefix of the bucket's open uploads."""
    return f"lightningstor/uploads/by-bucket/{bucket_id}/".encode()


def upload_index_of(bucket_id: str, key: str) -> bytes:
    """Prefix of the key's open uploads, oldest first."""
    return upload_indexes_of(bucket_id) + escape(key) + b"\0"


def upload_index(bucket_id: str, key: str, upload_id: str) -> bytes:
    """An open upload in the order in which ListMultipartUploads gives them."""
    return upload_index_of(bucket_id, key) + upload_id.encode()


def upload_of_index(row_key: bytes) -> str:
    """The upload id of a row that `upload_index` names."""
    return row_key.rpartition(b"\0")[2].decode()


# Usage


def _scope(org_id: str, project_id: str | None) -> str:
    return org_id if project_id is None else f"{org_id}/{project_id}"


def _usage(org_id: str, project_id: str | None, bucket_id: str) -> str:
    return f"lightningstor/usage/{_scope(org_id, project_id)}/{bucket_id}"


def usage_objects(org_id: str, project_id: str | None, bucket_id: str) -> bytes:
    """Counter: the bucket's versions that are not delete markers."""
    return f"{_usage(org_id, project_id, bucket_id)}/objects".encode()


def usage_bytes(org_id: str, project_id: str | None, bucket_id: str) -> bytes:
    """Counter: bytes of all versions and of the parts of open uploads."""
    return f"{_usage(org_id, project_id, bucket_id)}/bytes".encode()


def total_objects(org_id: str, project_id: str | None) -> bytes:
    """Counter: the objects of all buckets of an organisation, its projects' included, or of one project."""
    return f"lightningstor/totals/{_scope(org_id, project_id)}/objects".encode()


def total_bytes(org_id: str, project_id: str | None) -> bytes:
    """Counter: the same of bytes."""
    return f"lightningstor/totals/{_scope(org_id, project_id)}/bytes".encode()


def total_buckets(org_id: str, project_id: str | None) -> bytes:
    """Counter: the same of buckets."""
    return f"lightningstor/totals/{_scope(org_id, project_id)}/buckets".encode()


def quota(org_id: str, project_id: str | None) -> bytes:
    """The limits set for an organisation or a project."""
    return f"lightningstor/quotas/{_scope(org_id, project_id)}".encode()


# Credentials

_CREDENTIALS: Final = ROOT + b"credentials/"
_CREDENTIALS_BY_PRINCIPAL: Final = _CREDENTIALS + b"by-principal/"


def credential(access_key_id: str) -> bytes:
    """An access key's record. Access keys hold no "/"."""
    return _CREDENTIALS + access_key_id.encode()


def credential_of_principal(principal_id: str, access_key_id: str) -> bytes:
    """Index: an access key of a principal."""
    return _CREDENTIALS_BY_PRINCIPAL + f"{principal_id}/{access_key_id}".encode()


def credential_ranges() -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Where all credentials lie, as (start, end): before and behind their index by principal."""
    return (
        (_CREDENTIALS, _CREDENTIALS_BY_PRINCIPAL),
        (end_of(_CREDENTIALS_BY_PRINCIPAL), end_of(_CREDENTIALS)),
    )
