"""The services of the gRPC port, put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from lightningstor.rpc.dispatch import Dispatcher
from lightningstor.rpc.gate import Gate
from lightningstor.rpc.health import Health
from lightningstor.rpc.reflection import Reflection, ReflectionAlpha
from lightningstor.rpc.services.buckets import BucketService
from lightningstor.rpc.services.context import ServiceContext
from lightningstor.rpc.services.objects import MESSAGE_HINTS, ObjectService
from lightningstor.rpc.status import Explain

if TYPE_CHECKING:
    from lightningstor.rpc.server import Backing

__all__ = ["make_dispatcher"]

_OPEN: Final = (
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
)
_GUARDED: Final = ("lightningstor.v1.BucketService", "lightningstor.v1.ObjectService")


def make_dispatcher(ready: Callable[[], bool], backing: Backing | None, explain: Explain) -> tuple[Health, Dispatcher]:
    """Health and reflection, which are open, and what stands on the store, which is not."""
    names = _OPEN if backing is None else (*_OPEN, *_GUARDED)
    health = Health(ready, frozenset(names))
    servicers = (health, Reflection(names), ReflectionAlpha(names))
    if backing is None:
        return health, Dispatcher(servicers)
    gate = Gate(
        backing.store, backing.callers, backing.authorizer, backing.operations, backing.world.clock, backing.observer
    )
    context = ServiceContext(backing.store, gate, explain, backing.region, backing.strict_names)
    return health, Dispatcher(servicers, (BucketService(context), ObjectService(context)), gate, MESSAGE_HINTS)
