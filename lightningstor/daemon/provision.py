"""What the configuration wants the store to hold: quotas, and buckets with theirs. Seen to at every start."""

from __future__ import annotations

import logging
from typing import Final

from lightningstor.config import Config
from lightningstor.config.sections import BucketSettings
from lightningstor.daemon.identity import ROOT
from lightningstor.errors import BucketAlreadyOwnedByYou, StoreError
from lightningstor.model.records import StorageLimits
from lightningstor.store.quotas import QuotaScope
from lightningstor.store.store import Store

__all__ = ["BucketNotCreated", "provision"]

logger: Final = logging.getLogger("lightningstor.daemon")


class BucketNotCreated(Exception):
    """A bucket that the configuration wants at start cannot be made. The message says which and why."""


async def provision(store: Store, config: Config) -> None:
    """Set the configured quotas, then make the configured buckets. What the configuration does not name stays.

    Raises:
        BucketNotCreated, StorageReadOnly, StorageFull, CommitUndetermined
    """
    for quota in config.quotas:
        limits = StorageLimits(
            max_buckets=quota.max_buckets,
            max_total_size_bytes=quota.max_total_size_bytes,
            max_objects_per_bucket=quota.max_objects_per_bucket,
            max_object_size_bytes=quota.max_object_size_bytes,
        )
        await _set_if_other(store, QuotaScope(quota.org, quota.project), limits)
    for bucket in (*(BucketSettings(name=name) for name in config.server.buckets), *config.buckets):
        await _create(store, bucket, config.s3.region)
        if bucket.max_size_bytes is not None or bucket.max_objects is not None:
            limits = StorageLimits(
                max_total_size_bytes=bucket.max_size_bytes, max_objects_per_bucket=bucket.max_objects
            )
            await _set_if_other(store, QuotaScope(bucket.org, bucket.project, bucket.name), limits)


async def _create(store: Store, bucket: BucketSettings, region: str) -> None:
    """Make the bucket; one that is there already stays as it is."""
    try:
        await store.buckets.create(
            bucket.name,
            ROOT.owner,
            org_id=bucket.org,
            project_id=bucket.project,
            region=region,
            versioning=bucket.versioning,
        )
    except BucketAlreadyOwnedByYou:
        return
    except StoreError as error:
        raise BucketNotCreated(f"cannot create bucket {bucket.name}: {error}") from error
    logger.info("created bucket %s", bucket.name)


async def _set_if_other(store: Store, scope: QuotaScope, limits: StorageLimits) -> None:
    if await store.quotas.get(scope) != limits:
        await store.quotas.set(scope, limits)
        logger.info("set the quota of %s", scope)
