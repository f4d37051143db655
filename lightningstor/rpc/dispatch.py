"""Runs purerpc's services: finds a call's method and feeds it as its cardinality says."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import aclosing
from typing import Any, Protocol

import purerpc
from attrs import frozen

from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.framing import MessageTooLarge
from lightningstor.rpc.status import RpcFailed, StatusCode

__all__ = ["Dispatcher", "Guard"]


class Servicer(Protocol):
    """Has a service."""

    @property
    def service(self) -> purerpc.Service: ...


class Guard(Protocol):
    """Stands before the services that are not open to everybody."""

    async def admit(self, call: RpcCall, operation: str) -> None:
        """Find out on whose behalf the call is; before any of its messages is read.

        Raises:
            StoreError: it may not go on.
        """
        ...

    async def refusal(self, call: RpcCall, error: Exception) -> Exception:
        """The error to answer in place of one that a handler raised."""
        ...


@frozen
class _Method:
    name: str
    call: Any
    request_type: Any
    streams_in: bool
    streams_out: bool
    guard: Guard | None


class Dispatcher:
    """The services of one server, by full name.

    Args:
        open_servicers: anybody may call these.
        guarded_servicers: behind the guard.
        hints: what to do with a message that is too large, by full name of the method.
    """

    def __init__(
        self,
        open_servicers: Iterable[Servicer],
        guarded_servicers: Iterable[Servicer] = (),
        guard: Guard | None = None,
        hints: dict[str, str] | None = None,
    ) -> None:
        self._methods: dict[str, _Method] = {}
        self._hints = hints or {}
        for servicer in open_servicers:
            self._add(servicer.service, None)
        for servicer in guarded_servicers:
            self._add(servicer.service, guard)

    def _add(self, service: purerpc.Service, guard: Guard | None) -> None:
        for name, bound in service.methods.items():
            cardinality = bound.signature.cardinality
            self._methods[f"/{service.name}/{name}"] = _Method(
                name,
                bound.method_fn,
                bound.signature.request_type,
                cardinality in (purerpc.Cardinality.STREAM_UNARY, purerpc.Cardinality.STREAM_STREAM),
                cardinality in (purerpc.Cardinality.UNARY_STREAM, purerpc.Cardinality.STREAM_STREAM),
                guard,
            )

    async def __call__(self, call: RpcCall) -> None:
        """Run the call's handler: its messages in, its answers out.

        Raises:
            RpcFailed: UNIMPLEMENTED for a method that is not there; and what the handler raises.
        """
        method = self._methods.get(call.name)
        if method is None:
            raise RpcFailed(StatusCode.UNIMPLEMENTED, f"there is no method {call.name}", "NotImplemented")
        if method.guard is None:
            call.is_open = True
            await self._run(method, call)
            return
        call.operation = method.name
        await method.guard.admit(call, method.name)
        try:
            await self._run(method, call)
        except Exception as error:
            raise await method.guard.refusal(call, error) from None

    async def _run(self, method: _Method, call: RpcCall) -> None:
        argument: Any
        if method.streams_in:
            argument = call.messages(method.request_type)
        else:
            argument = await self._one_message(method, call)
        if not method.streams_out:
            await call.send(await method.call(argument, request=call), last=True)
            return
        async with aclosing(method.call(argument, request=call)) as answers:
            async for answer in answers:
                await call.send(answer)

    async def _one_message(self, method: _Method, call: RpcCall) -> Any:
        try:
            return await call.one_message(method.request_type)
        except MessageTooLarge as error:
            error.message += self._hints.get(call.name, "")
            raise
