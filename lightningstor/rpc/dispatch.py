"""Runs purerpc's services: finds a call's method and feeds it as its cardinality says."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import purerpc

from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.status import RpcFailed, StatusCode

__all__ = ["Dispatcher"]


class Dispatcher:
    """The services of one server, by full name."""

    def __init__(self, servicers: Iterable[purerpc.Servicer]) -> None:
        services = [servicer.service for servicer in servicers]
        self._methods = {
            f"/{service.name}/{name}": bound for service in services for name, bound in service.methods.items()
        }
        self.names = sorted(service.name for service in services)

    async def __call__(self, call: RpcCall) -> None:
        """Run the call's handler: its messages in, its answers out.

        Raises:
            RpcFailed: UNIMPLEMENTED for a method that is not there; and what the handler raises.
        """
        bound = self._methods.get(call.name)
        if bound is None:
            raise RpcFailed(StatusCode.UNIMPLEMENTED, f"there is no method {call.name}")
        signature = bound.signature
        cardinality = signature.cardinality
        streams_in = cardinality in (purerpc.Cardinality.STREAM_UNARY, purerpc.Cardinality.STREAM_STREAM)
        streams_out = cardinality in (purerpc.Cardinality.UNARY_STREAM, purerpc.Cardinality.STREAM_STREAM)
        argument: Any
        if streams_in:
            argument = call.messages(signature.request_type)
        else:
            argument = await call.one_message(signature.request_type)
        if not streams_out:
            await call.send(await bound.method_fn(argument, request=call))
            return
        async with aclosing(bound.method_fn(argument, request=call)) as answers:
            async for answer in answers:
                await call.send(answer)
