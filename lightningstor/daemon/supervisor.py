"""The running daemon: what is started in which order, and how it stops (DESIGN.md §2).

    storage ─▶ jobs ─▶ admin ─▶ S3, gRPC ─▶ ready
                                              │ told to stop
    storage ◀─ jobs ◀─ admin ◀─ S3, gRPC: no new connections, running requests get the grace period

What is started first is closed last. Nothing here knows of signals or processes; see `process`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import trio
from attrs import define, evolve, field, frozen

from lightningstor.config import Address, Config
from lightningstor.daemon.administration import Administration
from lightningstor.daemon.authorizer import AegisUnusable, deciding
from lightningstor.daemon.endpoints import (
    ListenFailed,
    Server,
    admin_server,
    listen,
    listen_failed,
    s3_endpoint,
    s3_server,
    server_tls,
)
from lightningstor.daemon.gauges import show_jobs
from lightningstor.daemon.grpc_port import grpc_server
from lightningstor.daemon.hang import WatchedBlocking, watch, watched
from lightningstor.daemon.identity import Access, open_access, prepare_identity
from lightningstor.daemon.jobs import Job, Usage, run_job, store_jobs
from lightningstor.daemon.observing import AuditUnusable, Observing, observing
from lightningstor.daemon.provision import BucketNotCreated, provision
from lightningstor.daemon.storage import Storage, data_root, in_memory, open_storage
from lightningstor.daemon.tls import Reload, ServerTls
from lightningstor.daemon.tracing import tracing
from lightningstor.errors import StoreError
from lightningstor.http.admin import Readiness
from lightningstor.observe.metrics import Metrics
from lightningstor.ports import World, production_world
from lightningstor.rpc.server import RpcServer, open_rpc_listeners
from lightningstor.s3.app import S3App
from lightningstor.s3.endpoint import Endpoint

__all__ = ["AegisUnusable", "AuditUnusable", "Bound", "BucketNotCreated", "ListenFailed", "Stop", "serve"]

logger: Final = logging.getLogger("lightningstor.daemon")

_LAST_DELIVERY_S: Final = 1.0


@frozen
class Bound:
    """Where a running daemon listens, as `host:port`; None for what is off."""

    s3: str
    grpc: str | None
    admin: str | None
    tls: bool = False

    def as_dict(self) -> dict[str, str | None]:
        """What the ready file holds."""
        return {"s3": self.s3, "grpc": self.grpc, "admin": self.admin}


@define(eq=False)
class Stop:
    """How a daemon is told to stop."""

    _asked: trio.Event = field(factory=trio.Event, init=False)
    _scopes: list[trio.CancelScope] = field(factory=list, init=False)

    @property
    def asked(self) -> bool:
        """Whether it was told."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Stop: take no further requests, give those under way the grace period."""
        self._asked.set()

    def force(self) -> None:
        """Cancel what still runs now. What was acknowledged stays; nothing is lost."""
        self.ask()
        for scope in self._scopes:
            scope.cancel()

    async def wait(self) -> None:
        """Until it was told to stop."""
        await self._asked.wait()

    def cancels(self, scope: trio.CancelScope) -> None:
        """`force` cancels this scope as well."""
        self._scopes.append(scope)


async def serve(
    config: Config,
    *,
    world: World | None = None,
    stop: Stop | None = None,
    reload: Reload | None = None,
    on_hang: Callable[[], None] | None = None,
    task_status: trio.TaskStatus[Bound] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a daemon until it is told to stop, or cancelled, which is the same: both give requests the grace period.

    Use it as `bound = await nursery.start(serve, config)`; it has started when everything answers.

    Args:
        config: see `lightningstor.config.load`, or make a `Config` by hand.
        world: the doors to the outside; the real ones by default.
        stop: to tell it by; cancelling the scope needs none.
        reload: to have certificates read again by.
        on_hang: called when a disk operation has been running for `limits.device_deadline_seconds`; None: wait on.

    Raises:
        ListenFailed: an address cannot be listened on.
        StoreLocked, FormatTooNew, DataDirectoryUnusable, NoRootCredentials, BucketNotCreated, AuditUnusable,
            AegisUnusable: see there.
    """
    stop = stop or Stop()
    world, blocking = watched(world or production_world(config.storage.threads))
    async with trio.open_nursery() as outside:
        outside.start_soon(_ask_when_cancelled, stop)
        if on_hang is not None:
            outside.start_soon(watch, blocking, config.limits.device_deadline_seconds, on_hang)
        # From here on a cancelled caller waits for the orderly end, which the grace period bounds.
        with trio.CancelScope(shield=True):
            await _Daemon(config, world, blocking, stop, reload or Reload()).run(task_status)
        outside.cancel_scope.cancel()


async def _ask_when_cancelled(stop: Stop) -> None:
    try:
        await trio.sleep_forever()
    finally:
        stop.ask()


@define(eq=False)
class _Daemon:
    """One run of a daemon."""

    config: Config
    world: World
    blocking: WatchedBlocking
    stop: Stop
    reload: Reload
    metrics: Metrics = field(factory=Metrics, init=False)

    async def run(self, task_status: trio.TaskStatus[Bound]) -> None:
        """Start everything, stay until told to stop, stop everything."""
        if not in_memory(self.config):
            logger.info("data directory %s", data_root(self.config))
        async with open_storage(self.config, self.world, self.metrics) as storage:
            access = await self._access(storage)
            tls = await self.world.blocking.run(server_tls, self.config, self.metrics)
            await provision(storage.store, self.config)
            async with (
                deciding(access.authorizer, self.config, self.world, self.metrics) as authorizer,
                observing(self.config, self.world, self.metrics, storage.directory) as watching,
                tracing(self.config.tracing, watching.observer, self.world.blocking) as traces,
                trio.open_nursery() as jobs,
            ):
                access = evolve(access, authorizer=authorizer)
                endpoint = s3_endpoint(self.config, self.world, storage.store, access, watching.observer, traces)
                administration = self._administration(endpoint, access)
                logs = endpoint.access_log
                administration.jobs.append(Job("delivery of access logs", logs.deliver, period_s=1.0))
                self.metrics.counter("access_log_lines_delivered", "Lines of access logs.", lambda: logs.delivered)
                self.metrics.counter("access_log_lines_dropped", "Lines that were not.", lambda: logs.dropped)
                show_jobs(self.metrics, administration.jobs)
                for job in administration.jobs:
                    jobs.start_soon(run_job, job)
                if tls is not None:
                    jobs.start_soon(tls.keep_fresh, self.reload, self.world.blocking)
                await self._run_listeners(storage, endpoint, access, administration, watching, tls, task_status)
                jobs.cancel_scope.cancel()
            await self._last_access_logs(endpoint)
        logger.info("stopped")

    async def _last_access_logs(self, endpoint: Endpoint) -> None:
        """What is not delivered yet; no reason to fail, nor to end late."""
        with trio.move_on_after(_LAST_DELIVERY_S):
            try:
                await endpoint.access_log.deliver(everything=True)
            except StoreError as error:
                logger.warning("access logs were not delivered: %s", error)

    async def _access(self, storage: Storage) -> Access:
        identity = await self.world.blocking.run(prepare_identity, self.config, storage.directory, self.world)
        logger.info("%s", identity.notice)
        return await open_access(storage.kv, identity, self.config, self.world)

    def _administration(self, endpoint: Endpoint, access: Access) -> Administration:
        usage = Usage()
        usage.show_in(self.metrics)
        limits = self.config.limits
        timeout_s = limits.multipart_upload_timeout_hours * 3600.0
        jobs = store_jobs(endpoint.store, usage, gc_grace_s=limits.gc_grace_seconds, upload_timeout_s=timeout_s)
        return Administration(self.config, self.metrics, usage, jobs, endpoint, access)

    async def _run_listeners(
        self,
        storage: Storage,
        endpoint: Endpoint,
        access: Access,
        administration: Administration,
        watching: Observing,
        tls: ServerTls | None,
        task_status: trio.TaskStatus[Bound],
    ) -> None:
        app = S3App(endpoint)
        s3 = s3_server(self.config, endpoint, app, self.metrics)
        stopping = {"daemon": lambda: "stopping" if self.stop.asked else None}
        readiness = Readiness({**storage.health, **watching.health, "device": self.blocking.reason, **stopping})
        endpoint.readiness = readiness.reasons
        async with trio.open_nursery() as private:
            admin = admin_server(self.config, administration.port(app, readiness), self.world)
            admin_address = await self._start_admin(private, admin, tls)
            async with trio.open_nursery() as public, trio.open_nursery() as grpc:
                self.stop.cancels(public.cancel_scope)
                listeners = await listen(self.config.server.s3_addr, "s3_addr", None if tls is None else tls.s3)
                await public.start(s3.serve, listeners)
                s3_address = Address(*listeners[0].address)
                administration.bound(s3_address, tls=tls is not None)
                rpc, grpc_address = await self._start_grpc(grpc, endpoint, access, readiness, tls)
                if rpc is not None:
                    connections = rpc.connections
                    self.metrics.gauge("grpc_connections", "Open connections of gRPC.", lambda: len(connections))
                bound = Bound(str(s3_address), grpc_address, admin_address, tls is not None)
                logger.info("ready", extra={name: where for name, where in bound.as_dict().items() if where})
                task_status.started(bound)
                await self.stop.wait()
                logger.info("stopping")
                s3.stop(self.config.limits.stop_grace_seconds)
                if rpc is not None:
                    rpc.stop()
            admin.stop(0)

    async def _start_admin(self, nursery: trio.Nursery, server: Server, tls: ServerTls | None) -> str | None:
        """Start the admin port, with TLS where other machines reach it; where it listens."""
        address = self.config.server.admin_addr
        if address is None:
            return None
        listeners = await listen(address, "admin_addr", tls.s3 if tls is not None and self.config.admin_tls else None)
        await nursery.start(server.serve, listeners)
        return str(Address(*listeners[0].address))

    async def _start_grpc(
        self,
        nursery: trio.Nursery,
        endpoint: Endpoint,
        access: Access,
        readiness: Readiness,
        tls: ServerTls | None,
    ) -> tuple[RpcServer | None, str | None]:
        """Start gRPC; the server and where it listens."""
        address = self.config.server.grpc_addr
        if address is None:
            return None, None
        try:
            listeners = await open_rpc_listeners(address.host, address.port)
        except OSError as error:
            raise listen_failed(error, "grpc_addr") from error
        context = None if tls is None else tls.grpc
        server = grpc_server(self.config, endpoint, access, lambda: not readiness.reasons(), context)
        nursery.start_soon(server.run, listeners)
        return server, str(Address(*listeners[0].socket.getsockname()[:2]))
