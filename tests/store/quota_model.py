"""What quotas promise, as a program of dictionaries: what each operation adds, and whether that is allowed."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from lightningstor.model.records import DISABLED, ENABLED, StorageLimits
from lightningstor.store.quotas import QuotaScope, StorageUsage

__all__ = ["ModelBucket", "ModelUpload", "ModelVersion", "QuotaModel"]


@define(eq=False)
class ModelVersion:
    """One version; newest first in its key's list."""

    size: int
    is_null: bool
    marker: bool = False


@define(eq=False)
class ModelUpload:
    """An open upload: sizes by part number."""

    key: str
    upload_id: str
    parts: dict[int, int] = field(factory=dict)
    etags: dict[int, str] = field(factory=dict)


@define(eq=False)
class ModelBucket:
    """A bucket of a project or of the organisation."""

    scope: QuotaScope
    versioning: str = DISABLED
    keys: dict[str, list[ModelVersion]] = field(factory=dict)
    uploads: list[ModelUpload] = field(factory=list)

    def usage(self) -> StorageUsage:
        versions = [version for versions in self.keys.values() for version in versions]
        parts = sum(sum(upload.parts.values()) for upload in self.uploads)
        objects = sum(not version.marker for version in versions)
        return StorageUsage(1, sum(version.size for version in versions) + parts, objects)

    def replaced(self, key: str) -> ModelVersion | None:
        """The version whose place a new one takes."""
        if self.versioning == ENABLED:
            return None
        return next((version for version in self.keys.get(key, []) if version.is_null), None)

    def put(self, key: str, size: int, *, marker: bool = False) -> None:
        old = self.replaced(key)
        versions = [version for version in self.keys.get(key, []) if version is not old]
        self.keys[key] = [ModelVersion(size, self.versioning != ENABLED, marker), *versions]


@define
class QuotaModel:
    """One organisation: its buckets, and the limits of every scope."""

    org: QuotaScope
    max_buckets: int
    buckets: dict[str, ModelBucket] = field(factory=dict)
    limits: dict[QuotaScope, StorageLimits] = field(factory=dict)

    def usage(self, scope: QuotaScope) -> StorageUsage:
        """Of the organisation or a project."""
        inside = [
            bucket.usage()
            for bucket in self.buckets.values()
            if scope.project_id is None or bucket.scope.project_id == scope.project_id
        ]
        return StorageUsage(
            len(inside), sum(each.total_size_bytes for each in inside), sum(each.object_count for each in inside)
        )

    def _above(self, scope: QuotaScope) -> Iterator[QuotaScope]:
        if scope.project_id is not None:
            yield QuotaScope(scope.org_id, scope.project_id)
        yield self.org

    def allows(self, bucket: ModelBucket, objects: int, size: int) -> bool:
        """Whether so many more objects and bytes may be added; what takes away always may."""
        usage = bucket.usage()
        for scope in (bucket.scope, *self._above(bucket.scope)):
            limits = self.limits.get(scope, StorageLimits())
            total = usage if scope == bucket.scope else self.usage(scope)
            most_objects, most_bytes = limits.max_objects_per_bucket, limits.max_total_size_bytes
            if objects > 0 and most_objects is not None and usage.object_count + objects > most_objects:
                return False
            if size > 0 and most_bytes is not None and total.total_size_bytes + size > most_bytes:
                return False
        return True

    def allows_bucket(self, scope: QuotaScope) -> bool:
        for each in self._above(scope):
            most = self.limits.get(each, StorageLimits()).max_buckets
            if most is None and each == self.org:
                most = self.max_buckets
            if most is not None and self.usage(each).bucket_count >= most:
                return False
        return True

    def largest(self, bucket: ModelBucket) -> int:
        """The largest object that may be stored."""
        sizes = [self.limits.get(scope, StorageLimits()).max_object_size_bytes for scope in self._above(bucket.scope)]
        return min((size for size in sizes if size is not None), default=1 << 40)
