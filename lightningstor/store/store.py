"""The store: every operation on buckets, objects and uploads, over a Kv and a ChunkManager.

It knows nothing of S3, HTTP or gRPC and asks nobody whether the caller may: that is done above. Each operation can be
cancelled at any checkpoint and leaves the old state or the new one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import frozen

from lightningstor.chunks.manager import ChunkManager
from lightningstor.kv.api import Kv
from lightningstor.ports import World
from lightningstor.store.api import StoreLimits
from lightningstor.store.buckets import Buckets
from lightningstor.store.catalog import BucketCatalog
from lightningstor.store.complete import Completions
from lightningstor.store.context import DataIds, StoreContext, next_boot
from lightningstor.store.copy import Copies
from lightningstor.store.delete import Deletes
from lightningstor.store.find import Finder
from lightningstor.store.gc import Collector
from lightningstor.store.ids import IdClock
from lightningstor.store.listing import Listings
from lightningstor.store.multipart import Uploads, UploadsFinder
from lightningstor.store.naming import naming_of
from lightningstor.store.put import Puts
from lightningstor.store.quota_view import QuotaView
from lightningstor.store.quotas import Quotas
from lightningstor.store.reading import Reads
from lightningstor.store.recount import count_totals
from lightningstor.store.scrub import Scrubber
from lightningstor.store.usage import Accounts, usage_of

__all__ = ["Store", "open_store"]


@frozen
class Store:
    """One open store; its parts hold the operations.

    Args:
        buckets: create, get, list, set_versioning, set_tags, delete
        objects: find, set_tags. puts: put. reads: open, part_slice, parts. deletes: delete, delete_many.
        copies: copy, copy_part. listings: objects, versions, uploads.
        uploads: create, put_part, list_parts, abort, expire. completions: complete.
        quotas: get, set, all, usage.
        collector, scrubber: what the jobs run.
    """

    ctx: StoreContext
    buckets: Buckets
    objects: Finder
    puts: Puts
    reads: Reads
    deletes: Deletes
    copies: Copies
    listings: Listings
    uploads: Uploads
    completions: Completions
    quotas: Quotas
    collector: Collector
    scrubber: Scrubber

    @property
    def limits(self) -> StoreLimits:
        return self.ctx.limits

    async def usage(self, bucket: str) -> tuple[int, int]:
        """Objects (versions that are no markers) and bytes (parts of open uploads included) of a bucket."""
        return await usage_of(self.ctx.kv, await self.buckets.get(bucket))


@asynccontextmanager
async def open_store(
    kv: Kv, chunks: ChunkManager, world: World, limits: StoreLimits | None = None, *, scoped_names: bool = False
) -> AsyncIterator[Store]:
    """Open a store over what is below it, which must outlive it. Counts a boot; walks over no objects.

    Args:
        scoped_names: a bucket's name is unique in its organisation or project, not in the store.

    Raises:
        BucketNamesFixed: the store has buckets that are named the other way.
        StorageReadOnly, CommitUndetermined: the boot could not be recorded.
    """
    limits = limits or StoreLimits()
    naming = await naming_of(kv, scoped=scoped_names)
    boot = await next_boot(kv)
    await count_totals(kv)
    view = QuotaView(limits.max_buckets)
    await view.load(kv)
    ctx = StoreContext(
        kv, chunks, world, limits, boot, IdClock(world.clock, world.entropy), DataIds(boot), Accounts(view)
    )
    catalog = BucketCatalog(kv, naming)
    finder = Finder(ctx, catalog)
    reads = Reads(ctx, finder)
    puts = Puts(ctx, catalog)
    collector = Collector(ctx)
    uploads_finder = UploadsFinder(ctx, catalog)
    uploads = Uploads(ctx, catalog, uploads_finder)
    yield Store(
        ctx=ctx,
        buckets=Buckets(ctx, catalog),
        objects=finder,
        puts=puts,
        reads=reads,
        deletes=Deletes(ctx, catalog),
        copies=Copies(ctx, catalog, reads, puts, uploads),
        listings=Listings(ctx, catalog),
        uploads=uploads,
        completions=Completions(ctx, catalog, uploads_finder),
        quotas=Quotas(ctx),
        collector=collector,
        scrubber=Scrubber(ctx),
    )
