"""What a bucket's name means: one bucket in the store, or one in each organisation or project (DESIGN.md §10).

global: `buckets/by-name/{name}` says who holds a name. scoped: `bucket-names/{org}/{name}` says which projects of an
organisation hold it, or that the organisation does, which then no project may: so a project's bucket can neither
shadow one of its organisation nor be shadowed. Both rows are written by the transaction that makes the bucket.
"""

from __future__ import annotations

from typing import Final, Protocol

from attrs import define, field
from msgspec.structs import replace

from lightningstor.errors import BucketAlreadyExists, BucketAlreadyOwnedByYou, BucketNamesFixed, NoSuchBucket
from lightningstor.kv.api import ABSENT, Check, Kv, Put, Row, Txn
from lightningstor.model import keys
from lightningstor.model.codec import BUCKET_HOLDERS, BUCKET_NAME, RECORD_FORMAT, encode
from lightningstor.model.records import Bucket, BucketHolders, BucketName, MultipartUpload
from lightningstor.store.context import commit

__all__ = ["GlobalNames", "NameChange", "Naming", "ScopedName", "ScopedNames", "naming_of"]


class ScopedName(str):
    """The name of a bucket in one organisation or project, as the store takes it where names are scoped.

    To whoever shows or compares it, it is the name.
    """

    __slots__ = ("org_id", "project_id")

    org_id: str
    project_id: str | None

    @classmethod
    def of(cls, name: str, org_id: str, project_id: str | None) -> ScopedName:
        made = cls(name)
        made.org_id, made.project_id = org_id, project_id
        return made


@define
class NameChange:
    """What a transaction does to the row of a name."""

    check: Check
    puts: list[Put] = field(factory=list)
    deletes: list[bytes] = field(factory=list)


class Naming(Protocol):
    """Who holds which name."""

    scoped: bool

    def place(self, name: str) -> str | bytes:
        """What a catalog may know a bucket by.

        Raises:
            NoSuchBucket: names are scoped, and this one comes without a scope.
        """
        ...

    def name_row(self, name: str) -> bytes:
        """The key of the row that says who holds the name."""
        ...

    def bucket_row(self, name: str, name_row: Row) -> bytes:
        """The key of the bucket's record.

        Raises:
            NoSuchBucket
        """
        ...

    async def resolve(self, name: str, org_id: str, project_id: str | None) -> str:
        """The name as the store takes it, for a caller of that organisation and project.

        Raises:
            NoSuchBucket: neither its project nor its organisation has one.
        """
        ...

    def reference(self, of: Bucket | MultipartUpload) -> str:
        """The name of a bucket, or of an upload's bucket, as the store takes it."""
        ...

    async def claim(self, bucket: Bucket) -> NameChange:
        """What gives the name to a new bucket.

        Raises:
            BucketAlreadyOwnedByYou: that organisation or project has it.
            BucketAlreadyExists: somebody else has it, or it would shadow another's, or be shadowed.
        """
        ...

    async def release(self, bucket: Bucket) -> NameChange:
        """What takes the name from a bucket that goes.

        Raises:
            NoSuchBucket: it has gone already.
        """
        ...


@define
class GlobalNames:
    """A name exists once in the store, as in S3."""

    kv: Kv
    scoped: bool = field(default=False, init=False)

    def place(self, name: str) -> str | bytes:
        return name

    def name_row(self, name: str) -> bytes:
        return keys.bucket_by_name(name)

    def bucket_row(self, name: str, name_row: Row) -> bytes:
        holder = BUCKET_NAME.decode(name_row.value, name_row.key)
        return keys.bucket(holder.org_id, holder.project_id, name)

    async def resolve(self, name: str, org_id: str, project_id: str | None) -> str:
        return name

    def reference(self, of: Bucket | MultipartUpload) -> str:
        return of.name if isinstance(of, Bucket) else of.bucket

    async def claim(self, bucket: Bucket) -> NameChange:
        key = keys.bucket_by_name(bucket.name)
        row = await self.kv.get(key)
        if row is None:
            holder = BucketName(RECORD_FORMAT, bucket.org_id, bucket.project_id)
            return NameChange(Check(key, ABSENT), [Put(key, encode(holder))])
        held = BUCKET_NAME.decode(row.value, row.key)
        if (held.org_id, held.project_id) == (bucket.org_id, bucket.project_id):
            raise BucketAlreadyOwnedByYou(bucket.name)
        raise BucketAlreadyExists(bucket.name)

    async def release(self, bucket: Bucket) -> NameChange:
        key = keys.bucket_by_name(bucket.name)
        row = await self.kv.get(key)
        if row is None:
            raise NoSuchBucket(bucket.name)
        return NameChange(Check(key, row.revision), deletes=[key])


@define
class ScopedNames:
    """A name exists once in an organisation, or once in each of its projects."""

    kv: Kv
    scoped: bool = field(default=True, init=False)

    def place(self, name: str) -> str | bytes:
        if not isinstance(name, ScopedName):
            raise NoSuchBucket(name)
        return keys.bucket(name.org_id, name.project_id, name)

    def name_row(self, name: str) -> bytes:
        assert isinstance(name, ScopedName)
        return keys.bucket_holders(name.org_id, name)

    def bucket_row(self, name: str, name_row: Row) -> bytes:
        assert isinstance(name, ScopedName)
        if not _holds(BUCKET_HOLDERS.decode(name_row.value, name_row.key), name.project_id):
            raise NoSuchBucket(name)
        return keys.bucket(name.org_id, name.project_id, name)

    async def resolve(self, name: str, org_id: str, project_id: str | None) -> str:
        holders, _ = await self._holders(org_id, name)
        if project_id is not None and _holds(holders, project_id):
            return ScopedName.of(name, org_id, project_id)
        if holders.organisation:
            return ScopedName.of(name, org_id, None)
        raise NoSuchBucket(name)

    def reference(self, of: Bucket | MultipartUpload) -> str:
        return ScopedName.of(of.name if isinstance(of, Bucket) else of.bucket, of.org_id, of.project_id)

    async def claim(self, bucket: Bucket) -> NameChange:
        holders, check = await self._holders(bucket.org_id, bucket.name)
        project_id = bucket.project_id
        if _holds(holders, project_id):
            raise BucketAlreadyOwnedByYou(bucket.name)
        if holders.organisation or (project_id is None and holders.projects):
            raise BucketAlreadyExists(bucket.name)
        if project_id is None:
            new = replace(holders, organisation=True)
        else:
            new = replace(holders, projects=(*holders.projects, project_id))
        return NameChange(check, [Put(check.key, encode(new))])

    async def release(self, bucket: Bucket) -> NameChange:
        holders, check = await self._holders(bucket.org_id, bucket.name)
        if not _holds(holders, bucket.project_id):
            raise NoSuchBucket(bucket.name)
        left = tuple(project for project in holders.projects if project != bucket.project_id)
        if bucket.project_id is None or not left:
            return NameChange(check, deletes=[check.key])
        return NameChange(check, [Put(check.key, encode(replace(holders, projects=left)))])

    async def _holders(self, org_id: str, name: str) -> tuple[BucketHolders, Check]:
        key = keys.bucket_holders(org_id, name)
        row = await self.kv.get(key)
        if row is None:
            return BucketHolders(RECORD_FORMAT), Check(key, ABSENT)
        return BUCKET_HOLDERS.decode(row.value, row.key), Check(key, row.revision)


def _holds(holders: BucketHolders, project_id: str | None) -> bool:
    return holders.organisation if project_id is None else project_id in holders.projects


_SCOPED: Final = b'{"v":1,"bucket_names":"scoped"}'


async def naming_of(kv: Kv, *, scoped: bool) -> Naming:
    """How the buckets of a store are named: as is wanted, if they are named so, or there are none yet.

    Raises:
        BucketNamesFixed: the store has buckets that are named the other way.
    """
    row = await kv.get(keys.BUCKET_NAMING)
    stored = row is not None and row.value == _SCOPED
    if stored != scoped:
        if await kv.scan(keys.BUCKETS, keys.end_of(keys.BUCKETS), 1):
            raise BucketNamesFixed("scoped" if stored else "global")
        await commit(kv, Txn(puts=[Put(keys.BUCKET_NAMING, _SCOPED if scoped else b'{"v":1,"bucket_names":"global"}')]))
    return ScopedNames(kv) if scoped else GlobalNames(kv)
