"""What the admin port's handlers work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import field, frozen

from lightningstor.admin.samples import Samples
from lightningstor.admin.session_limits import SessionLimits
from lightningstor.admin.tenants import TenantChanges
from lightningstor.http.admin import Readiness
from lightningstor.iam.authorize import Authorizer
from lightningstor.iam.callers import Callers
from lightningstor.iam.credentials import CredentialStore
from lightningstor.iam.directory import Directory
from lightningstor.ports import World
from lightningstor.store.store import Store

__all__ = ["AdminServices", "JobView", "UsageView"]


class JobView(Protocol):
    """What is shown of a background job; `lightningstor.daemon.jobs.Job` is one."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str:
        """What it does now, or what it did last."""
        ...

    @property
    def period_s(self) -> float: ...


class UsageView(Protocol):
    """What the whole store holds; `lightningstor.daemon.jobs.Usage` is one."""

    @property
    def objects(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def uploads(self) -> int: ...


@frozen
class AdminServices:
    """The parts of a running daemon that the admin port shows and changes.

    Args:
        version: of the daemon.
        store: the objects.
        credentials: the access keys that requests are signed with.
        directory: tenants, identities and grants. tenants: what is changed of tenants in the store too.
        callers: whom tokens stand for.
        authorizer: says who may do what; the same one as S3's.
        world: clock and entropy.
        readiness: why the daemon should get no requests.
        jobs: what runs in the background.
        usage: what the whole store holds, counted in the background.
        samples: what the last minutes were like.
        s3_origin: where browsers and other clients reach S3 (`https://host:port`), given the host name under which
            they reach this port.
        region: that requests are signed for.
        clock_skew_ms: how far a signed request's time may be from ours.
        max_body_bytes: of a request's body; object bytes never pass through here.
    """

    version: str
    store: Store
    credentials: CredentialStore
    directory: Directory
    tenants: TenantChanges
    callers: Callers
    authorizer: Authorizer
    world: World
    readiness: Readiness
    jobs: Sequence[JobView]
    usage: UsageView
    samples: Samples
    s3_origin: Callable[[str], str]
    region: str
    clock_skew_ms: int
    max_body_bytes: int = 1 << 20
    session_limits: SessionLimits = field(factory=SessionLimits)
