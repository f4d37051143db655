"""A store inside another program: no listeners, no credentials, the same guarantees.

async with lightningstor.open("/var/lib/mine") as store:
    await store.buckets.create(...)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path

import attrs
import trio

from lightningstor.config import Config
from lightningstor.daemon.groups import leaves
from lightningstor.daemon.jobs import Usage, run_job, store_jobs
from lightningstor.daemon.storage import open_storage
from lightningstor.ports import World, production_world
from lightningstor.store.store import Store

__all__ = ["open"]


@asynccontextmanager
async def open(
    data_dir: str | PathLike[str] | None, *, config: Config | None = None, world: World | None = None
) -> AsyncIterator[Store]:
    """Open a store for this program alone, with its background jobs.

    Args:
        data_dir: the data directory, made if need be; None for a store in memory that is forgotten at the end.
        config: sections `storage`, `metadata` and `limits` of it count; defaults otherwise.
        world: the doors to the outside; the real ones by default.

    Raises:
        StoreLocked: another process has the directory open.
        FormatTooNew: a newer version wrote it.
        DataDirectoryUnusable: it cannot be made or written, or holds something else.
    """
    config = _placed(config or Config(), data_dir)
    world = world or production_world(config.storage.threads)
    limits = config.limits
    raised: Exception | None = None
    try:
        async with open_storage(config, world) as storage, trio.open_nursery() as nursery:
            for job in store_jobs(
                storage.store,
                Usage(),
                gc_grace_s=limits.gc_grace_seconds,
                upload_timeout_s=limits.multipart_upload_timeout_hours * 3600.0,
            ):
                nursery.start_soon(run_job, job)
            try:
                yield storage.store
            except Exception as error:
                raised = error
                raise
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nurseries are our affair: the program's own exception comes out as it went in.
        if raised is not None and list(leaves(group)) == [raised]:
            raise raised from raised.__cause__
        raise


def _placed(config: Config, data_dir: str | PathLike[str] | None) -> Config:
    if data_dir is None:
        storage = attrs.evolve(config.storage, backend="memory", data_dir=None)
        return attrs.evolve(config, storage=storage, metadata=attrs.evolve(config.metadata, backend="memory"))
    return attrs.evolve(config, server=attrs.evolve(config.server, data_dir=Path(data_dir)))
