"""The table's endpoints as routes: authenticate, check, read, do, answer; errors from the one map."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from lightningstor.admin.api.endpoint import PREFIX, Access, AdminCall, Endpoint
from lightningstor.admin.api.openapi import document
from lightningstor.admin.api.shapes import Problem, ProblemDetail
from lightningstor.admin.api.table import ENDPOINTS
from lightningstor.admin.authenticate import authenticate
from lightningstor.admin.request import joined_headers, next_request_id
from lightningstor.admin.services import AdminServices
from lightningstor.errors import AccessDenied, StoreError
from lightningstor.s3.errors import explain
from lightningstor.s3.wire.faults import InvalidRequest

__all__ = ["api_blueprint", "problem"]

logger: Final = logging.getLogger("lightningstor.admin")
_JSON: Final = "application/json"


def api_blueprint(services: AdminServices) -> Blueprint:
    """All endpoints, and `GET {PREFIX}/openapi.json`, which is open to everybody."""
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for endpoint in ENDPOINTS:
        path = endpoint.path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(path, endpoint.name, _view(services, endpoint), methods=[endpoint.method])
    described = msgspec.json.format(msgspec.json.encode(document(ENDPOINTS, services.version)))

    @blueprint.get("/openapi.json")
    async def openapi() -> Response:
        return Response(described, content_type=_JSON)

    return blueprint


def problem(error: BaseException, request_id: str) -> Response:
    """The answer to an error; what is no StoreError is a bug of ours, logged and not told."""
    told = explain(error, request.method)
    if not isinstance(error, StoreError):
        logger.error("request %s failed", request_id, exc_info=error)
    content = Problem(error=ProblemDetail(code=told.code, message=told.message, request_id=request_id))
    answer = Response(msgspec.json.encode(content), told.status, content_type=_JSON)
    for name, value in told.headers:
        answer.headers[name.decode("latin-1")] = value.decode("latin-1")
    return answer


def _view(services: AdminServices, endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
    async def view(**path: str) -> Response:
        request_id = next_request_id(services.world)
        try:
            answer = await _answer(services, endpoint, path)
        except Exception as error:  # the boundary between requests: whatever went wrong in this one is its answer
            answer = problem(error, request_id)
        answer.headers["x-request-id"] = request_id
        answer.headers["cache-control"] = "no-store"
        return answer

    return view


async def _answer(services: AdminServices, endpoint: Endpoint, path: dict[str, str]) -> Response:
    body = await request.get_data(as_text=False)
    assert isinstance(body, bytes)
    scope = request.scope
    headers = joined_headers(scope["headers"])
    principal = authenticate(services, request.method, scope["raw_path"], scope["query_string"], headers, body)
    if endpoint.access is Access.ADMIN and not principal.admin:
        raise AccessDenied(f"{principal.id} is no administrator")
    call = AdminCall(services, principal, path, _query(endpoint), _body(endpoint, body))
    made = await endpoint.handler(call)
    if made is None:
        return Response(b"", endpoint.status)
    return Response(msgspec.json.encode(made), endpoint.status, content_type=_JSON)


def _query(endpoint: Endpoint) -> Any:
    given = request.args
    names = set(given)
    for name in names:
        if len(given.getlist(name)) > 1:
            raise InvalidRequest(f"the parameter {name} came more than once")
    if endpoint.query is None:
        if names:
            raise InvalidRequest(f"the endpoint has no parameter {sorted(names)[0]}")
        return None
    try:
        return msgspec.convert(dict(given.items()), endpoint.query, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"a parameter is not right: {error}") from None


def _body(endpoint: Endpoint, body: bytes) -> Any:
    if endpoint.body is None:
        if body:
            raise InvalidRequest("the endpoint takes no body")
        return None
    try:
        return msgspec.json.decode(body, type=endpoint.body)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"the body is not right: {error}") from None
