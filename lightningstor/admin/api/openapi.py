"""The OpenAPI 3.1 document, made from the table and the shapes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import Any, Final

import msgspec

from lightningstor.admin.api.endpoint import PREFIX, Access, Endpoint
from lightningstor.admin.api.shapes import Problem

__all__ = ["document", "schemas_of"]

_REF: Final = "#/components/schemas/{name}"
_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_DESCRIPTION: Final = (
    "Manages a LightningStor daemon. Requests are signed with an S3 access key (Signature Version 4, service s3, the"
    " body's SHA-256 in x-amz-content-sha256), or carry a bearer token or an API key."
)


def document(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The document for these endpoints of that version."""
    rows = list(endpoints)
    shapes = {shape for row in rows for shape in (row.body, row.answer) if shape is not None} | {Problem}
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(PREFIX + row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {"title": "LightningStor admin API", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas_of(shapes),
            "securitySchemes": {
                "sigv4": {"type": "apiKey", "in": "header", "name": "Authorization"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        "security": [{"sigv4": []}, {"bearer": []}, {"apiKey": []}],
    }


def schemas_of(shapes: Iterable[type[msgspec.Struct]]) -> dict[str, dict[str, Any]]:
    """The JSON schemas of the shapes and of those within them, by name; as a part of the document."""
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    for schema in components.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])  # by itself only from Python 3.13 on
    return components


def _operation(row: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": row.name,
        "summary": row.summary,
        "tags": [row.tag],
        "parameters": [*_path_parameters(row), *_query_parameters(row)],
        "responses": {str(row.status): _success(row), "default": _content("An error.", Problem)},
    }
    operation["description"] = f"For {row.needs}." if row.access is Access.ADMIN else f"Needs {row.needs}."
    if row.body is not None:
        operation["requestBody"] = {"required": True, **_content(None, row.body)}
    return operation


def _success(row: Endpoint) -> dict[str, Any]:
    return {"description": "Done."} if row.answer is None else _content("Done.", row.answer)


def _content(description: str | None, shape: type[msgspec.Struct]) -> dict[str, Any]:
    media = {"application/json": {"schema": {"$ref": _REF.format(name=shape.__name__)}}}
    return {"content": media} if description is None else {"description": description, "content": media}


def _path_parameters(row: Endpoint) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in _VARIABLE.findall(row.path)]


def _query_parameters(row: Endpoint) -> list[dict[str, Any]]:
    if row.query is None:
        return []
    described = schemas_of([row.query])[row.query.__name__]
    required = set(described.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in described["properties"].items()
    ]
