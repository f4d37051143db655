"""What the admin port's handlers work with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from lightningstor.http.admin import Readiness
from lightningstor.iam.authorize import Authorizer
from lightningstor.iam.callers import Callers
from lightningstor.iam.credentials import CredentialStore
from lightningstor.ports import World
from lightningstor.store.store import Store

if TYPE_CHECKING:
    from lightningstor.daemon.jobs import Job

__all__ = ["AdminServices"]


@frozen
class AdminServices:
    """The parts of a running daemon that the admin port shows and changes.

    Args:
        store: the objects.
        credentials: the access keys that requests are signed with.
        callers: whom tokens stand for.
        authorizer: says who may do what; the same one as S3's.
        world: clock and entropy.
        readiness: why the daemon should get no requests.
        jobs: what runs in the background.
        region: that requests are signed for.
        clock_skew_ms: how far a signed request's time may be from ours.
    """

    store: Store
    credentials: CredentialStore
    callers: Callers
    authorizer: Authorizer
    world: World
    readiness: Readiness
    jobs: Sequence[Job]
    region: str
    clock_skew_ms: int
