"""What the services of one server work with."""

from __future__ import annotations

from typing import Any

import purerpc
from attrs import frozen

from lightningstor.rpc.gate import Gate
from lightningstor.rpc.status import Explain
from lightningstor.store.store import Store

__all__ = ["ServiceContext", "service_of"]


@frozen
class ServiceContext:
    """The store, and the rules of this endpoint.

    Args:
        gate: says who calls, and whether they may.
        explain: the one map of errors.
        region: that new buckets lie in. strict_names: their names are without dots.
    """

    store: Store
    gate: Gate
    explain: Explain
    region: str = "us-east-1"
    strict_names: bool = False


def service_of(servicer: Any, methods: object) -> purerpc.Service:
    """The service that a generated servicer describes, with the methods of another object.

    (Generated servicers declare every method a coroutine that does not get the call; so ours cannot be their children.)
    """
    return servicer.service.fget(methods)
