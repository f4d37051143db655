"""The admin port as one ASGI app: health and metrics at once, the rest once its libraries are imported.

Quart takes 0.2 s to import, which no start should wait for: it is imported in a thread, after the daemon is ready or
with the first request that needs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from lightningstor.admin.objects import ObjectsMount
from lightningstor.admin.recording import Recorder
from lightningstor.admin.services import AdminServices
from lightningstor.http.admin import AdminApp, Receive, Scope, Send

if TYPE_CHECKING:
    from quart_trio import QuartTrio

__all__ = ["AdminPort"]

_OWN_PATHS = frozenset({"/health", "/ready", "/metrics"})


class AdminPort:
    """Answers every request to the admin port.

    Args:
        probes: answers /health, /ready and /metrics.
        objects: the S3 app's mount, through which the console's browser reads and writes objects.
        services: what the API and the console work with.
        recorder: hears of every request but those for the S3 app, which has an observer itself.
    """

    def __init__(self, probes: AdminApp, objects: ObjectsMount, services: AdminServices, recorder: Recorder) -> None:
        self.recorder = recorder
        self._probes = probes
        self._objects = objects
        self._services = services
        self._web: QuartTrio | None = None
        self._loading = trio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "http" and self._objects.takes(scope):
            await self._objects(scope, receive, send)
        elif scope["type"] != "http" or scope["path"] in _OWN_PATHS:
            await self.recorder.serve(self._probes, scope, receive, send)
        else:
            await self.recorder.serve(self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        web: Callable[[Scope, Receive, Send], Awaitable[None]] = await self.load()  # type: ignore[assignment]
        await web(scope, receive, send)

    async def load(self) -> QuartTrio:
        """The application behind the paths that are not ours; imported the first time."""
        async with self._loading:
            if self._web is None:
                self._web = await self._services.world.blocking.run(_make, self._services)
            return self._web


def _make(services: AdminServices) -> QuartTrio:
    from lightningstor.admin.web import make_web

    return make_web(services)
