"""The table's endpoints as routes: authenticate, check, read, do, answer; errors from the one map."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from quart import Blueprint, Response, request

from lightningstor.admin.api.endpoint import PREFIX, Access, AdminCall, Endpoint
from lightningstor.admin.api.openapi import document
from lightningstor.admin.api.table import ENDPOINTS
from lightningstor.admin.authenticate import authenticate
from lightningstor.admin.failures import problem
from lightningstor.admin.noting import note_made, noted
from lightningstor.admin.services import AdminServices
from lightningstor.errors import AccessDenied
from lightningstor.s3.wire.faults import InvalidRequest

__all__ = ["api_blueprint"]

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


def _view(services: AdminServices, endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
    async def view(**path: str) -> Response:
        try:
            answer = await _answer(services, endpoint, path)
        except Exception as error:  # the boundary between requests: whatever went wrong in this one is its answer
            answer = problem(error)
        answer.headers["cache-control"] = "no-store"
        return answer

    return view


async def _answer(services: AdminServices, endpoint: Endpoint, path: dict[str, str]) -> Response:
    body = await request.get_data(as_text=False)
    assert isinstance(body, bytes)
    scope = request.scope
    principal = authenticate(services, noted(), request.method, scope["raw_path"], scope["query_string"], body)
    if endpoint.access is Access.ADMIN and not principal.admin:
        raise AccessDenied(f"{principal.id} is no administrator")
    call = AdminCall(services, principal, path, _query(endpoint), _body(endpoint, body))
    made = await endpoint.handler(call)
    if endpoint.names is not None and noted().bucket is None:
        note_made(getattr(made, endpoint.names))
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
