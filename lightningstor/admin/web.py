"""The Quart application behind the admin port: the API, and what both halves of the port have in common."""

from __future__ import annotations

from attrs import evolve
from quart import redirect, request
from quart.typing import ResponseReturnValue
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from lightningstor.admin.api.blueprint import api_blueprint
from lightningstor.admin.console.blueprint import CONSOLE_PREFIX, console_blueprint
from lightningstor.admin.console.problems import http_problem_page
from lightningstor.admin.failures import http_problem
from lightningstor.admin.noting import NotingAuthorizer, noted
from lightningstor.admin.services import AdminServices

__all__ = ["make_web"]


def make_web(services: AdminServices) -> QuartTrio:
    """The application, to be served by our own engine, through a `Recorder`."""
    services = evolve(services, authorizer=NotingAuthorizer(services.authorizer))
    web = QuartTrio("lightningstor.admin", static_folder=None)
    # The engine has its own time-outs; Quart's would end a long listing half-way.
    web.config.update(MAX_CONTENT_LENGTH=services.max_body_bytes, BODY_TIMEOUT=None, RESPONSE_TIMEOUT=None)

    @web.before_request
    async def name_operation() -> None:
        if request.endpoint is not None:
            noted().operation = request.endpoint.removeprefix("api.")

    web.register_blueprint(api_blueprint(services))
    web.register_blueprint(console_blueprint(services))

    @web.get("/")
    async def root() -> ResponseReturnValue:
        return redirect(CONSOLE_PREFIX + "/")

    @web.errorhandler(HTTPException)
    async def http_error(error: HTTPException) -> ResponseReturnValue:
        if request.path.startswith(CONSOLE_PREFIX + "/"):
            return await http_problem_page(error)
        return http_problem(error)

    return web
