"""The Quart application behind the admin port: the API, and what both halves of the port have in common."""

from __future__ import annotations

from typing import Final

from quart import Response, redirect, request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from lightningstor.admin.api.blueprint import api_blueprint
from lightningstor.admin.console.blueprint import CONSOLE_PREFIX, console_blueprint
from lightningstor.admin.services import AdminServices

__all__ = ["MAX_BODY_BYTES", "make_web"]

MAX_BODY_BYTES: Final = 1 << 20
"""No request to the admin port is larger: object bytes never pass through it."""


def make_web(services: AdminServices) -> QuartTrio:
    """The application, to be served by our own engine."""
    web = QuartTrio("lightningstor.admin", static_folder=None)
    # The engine has its own time-outs; Quart's would end a long listing half-way.
    web.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)
    web.register_blueprint(api_blueprint(services))
    web.register_blueprint(console_blueprint(services))

    @web.get("/")
    async def root() -> ResponseReturnValue:
        return redirect(CONSOLE_PREFIX + "/")

    @web.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> Response:
        code = (error.name or "Error").replace(" ", "")
        content = f'{{"error":{{"code":"{code}","message":"{request.method} {error.code}: {code}","request_id":""}}}}'
        return Response(content, error.code, content_type="application/json")

    return web
