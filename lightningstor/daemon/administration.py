"""What stands behind the admin port, put together from the parts of a running daemon."""

from __future__ import annotations

import hmac

from attrs import define, field

from lightningstor import __version__
from lightningstor.admin.objects import ObjectsMount
from lightningstor.admin.port import AdminPort
from lightningstor.admin.recording import Recorder
from lightningstor.admin.samples import PERIOD_S, Samples
from lightningstor.admin.services import AdminServices
from lightningstor.admin.session_limits import SessionLimits
from lightningstor.admin.tenants import TenantChanges
from lightningstor.config import Address, AdminSettings, Config
from lightningstor.daemon.identity import Access
from lightningstor.daemon.jobs import Job, Usage
from lightningstor.errors import Unauthenticated
from lightningstor.http.admin import AdminApp, Readiness
from lightningstor.observe.metrics import Metrics
from lightningstor.s3.app import S3App
from lightningstor.s3.endpoint import Endpoint

__all__ = ["Administration"]


@define
class Administration:
    """The admin port of one daemon.

    Args:
        usage: what the whole store holds; a job counts it.
        jobs: what runs in the background; the sampling of what the console's overview shows is added.
        endpoint: the services of the S3 app.
        access: who may use the daemon.
    """

    config: Config
    metrics: Metrics
    usage: Usage
    jobs: list[Job]
    endpoint: Endpoint
    access: Access
    _samples: Samples = field(init=False)
    _s3: tuple[str, int] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._samples = Samples(self.endpoint.world.clock, self.metrics.totals, lambda: self.usage.size)
        self.jobs.append(Job("samples for the console", self._samples.take, period_s=PERIOD_S))

    def bound(self, s3: Address, *, tls: bool) -> None:
        """S3 listens there; links that the console gives away lead to it."""
        self._s3 = ("https" if tls else "http", s3.port)

    def port(self, app: S3App, readiness: Readiness) -> AdminPort:
        """The app of the admin port."""
        endpoint, metrics = self.endpoint, self.metrics
        world = endpoint.world

        async def render() -> bytes:
            await world.blocking.run(metrics.registry)  # the first time, it imports prometheus_client
            return metrics.render()

        services = AdminServices(
            version=__version__,
            store=endpoint.store,
            credentials=endpoint.credentials,
            directory=self.access.directory,
            tenants=TenantChanges(self.access.directory, endpoint.store.quotas),
            callers=self.access.callers,
            authorizer=endpoint.authorizer,
            world=world,
            readiness=readiness,
            jobs=self.jobs,
            usage=self.usage,
            samples=self._samples,
            s3_origin=self._s3_origin,
            region=self.config.s3.region,
            clock_skew_ms=endpoint.settings.clock_skew_ms,
            max_body_bytes=self.config.admin.max_body_bytes,
            session_limits=_session_limits(self.config.admin),
        )
        recorder = Recorder(endpoint.observer, endpoint.clients, world, endpoint.tracing)
        return AdminPort(AdminApp(readiness, render, self._may_scrape), ObjectsMount(app), services, recorder)

    def _may_scrape(self, token: str | None) -> bool:
        """Whether whoever brings the token may read the metrics."""
        server = self.config.server
        if server.admin_addr is not None and server.admin_addr.loopback:
            return True
        if token is None:
            return False
        if server.metrics_token is not None and hmac.compare_digest(token.encode(), server.metrics_token.encode()):
            return True
        try:
            return self.access.callers.by_bearer(token).admin
        except Unauthenticated:
            return False

    def _s3_origin(self, host: str) -> str:
        """Where S3 is for somebody who reaches the admin port as `host` (with or without a port)."""
        if self.config.s3.public_url is not None:
            return self.config.s3.public_url
        assert self._s3 is not None
        scheme, port = self._s3
        name = host.rsplit(":", 1)[0] if ":" in host.rpartition("]")[2] else host
        return f"{scheme}://{name}:{port}"


def _session_limits(settings: AdminSettings) -> SessionLimits:
    return SessionLimits(
        idle_s=settings.session_idle_seconds,
        lifetime_s=settings.session_lifetime_seconds,
        at_most=settings.max_sessions,
        free_failures=settings.free_failed_logins,
        longest_wait_s=settings.max_login_wait_seconds,
    )
