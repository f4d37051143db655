"""`docs/admin-api.md`, made from the table and the shapes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from lightningstor.admin.api.endpoint import PREFIX, Access, Endpoint
from lightningstor.admin.api.openapi import schemas_of
from lightningstor.admin.api.shapes import Problem
from lightningstor.admin.api.table import ENDPOINTS

__all__ = ["admin_api_page"]

_HEAD: Final = f"""\
# Admin API

<!-- Made from lightningstor/admin/api by `make docs`; don't edit. -->

JSON over HTTP on the admin port, below `{PREFIX}`. The same as an OpenAPI 3.1 document, for tools, is at
`GET {PREFIX}/openapi.json`, which needs no credentials. The [command line](cli.md) is a client of this API.

**Who calls.** A request is signed with an access key as S3 requests are (Signature Version 4, service `s3`, the
SHA-256 of the body in `x-amz-content-sha256`), or carries `Authorization: Bearer TOKEN`, or an API key in `x-api-key`:

    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:9003{PREFIX}/whoami

**Who may.** "Administrators" are principals with `admin`, who may also call everything else. An action such as
`lightningstor:buckets:list` is allowed by a role or a grant ([who may do what](access.md)); S3's names of actions in
grants count here too.

**What is sent.** Unknown fields and parameters are refused. Times are milliseconds since the Unix epoch, sizes are
bytes. Where a bucket is named and names are scoped (`[s3] bucket_names`), `org` and `project` say which is meant.

**Pages.** A listing with `after` and `limit` gives `next`, which is the next page's `after`; null ends it. Listings of
open uploads give `next_upload` as well, the next page's `after_upload`.

**Errors.** `{{"error": {{"code", "message", "request_id"}}}}` with S3's status and code where S3 has one. Every answer
has its request id in `x-request-id`; the audit log and the log name it.

**Endpoints and fields are added** within `v1`; what would break a client gets another prefix.
"""


def admin_api_page() -> str:
    """The page."""
    lines = [_HEAD]
    for tag in dict.fromkeys(row.tag for row in ENDPOINTS):
        lines += [f"## {tag}", "", "| Method | Path | What it does | For |", "|---|---|---|---|"]
        lines += [_row(row) for row in ENDPOINTS if row.tag == tag]
        lines.append("")
    lines += ["## Shapes", "", "What stands without a default must be sent; in answers every field is there.", ""]
    shapes = {shape for row in ENDPOINTS for shape in (row.query, row.body, row.answer) if shape} | {Problem}
    for name, schema in sorted(schemas_of(shapes).items()):
        lines += _shape(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _row(row: Endpoint) -> str:
    takes = [f"takes {_link(shape.__name__)}" for shape in (row.query, row.body) if shape is not None]
    gives = [f"gives {row.status} {_link(row.answer.__name__)}" if row.answer else f"gives {row.status}"]
    needs = "administrators" if row.access is Access.ADMIN else row.needs
    return f"| `{row.method}` | `{row.path}` | {row.summary} ({', '.join(takes + gives)}) | {needs} |"


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    described, _, fields = schema.get("description", "").partition("\n\nArgs:\n")
    if described:
        yield described
        yield ""
    if fields:
        yield re.sub(r"^ {4}(\w+):", r"- `\1`:", fields, flags=re.MULTILINE)
        yield ""
    yield "| Field | Type | Default |"
    yield "|---|---|---|"
    required = set(schema.get("required", ()))
    for field, about in schema["properties"].items():
        default = "" if field in required else f"`{_json(about.get('default', 'left out'))}`"
        yield f"| `{field}` | {_type(about)} | {default} |"
    yield ""


def _json(value: object) -> str:
    return value if value == "left out" else msgspec.json.encode(value).decode()


def _type(about: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in about:
        return _link(about["$ref"].rpartition("/")[2])
    if "anyOf" in about:
        return " or ".join(_type(one) for one in about["anyOf"])
    if "enum" in about:
        return " or ".join("null" if one is None else f"`{one}`" for one in about["enum"])
    if about.get("type") == "array":
        return f"list of {_type(about.get('items', {}))}"
    if about.get("type") == "object":
        return f"object of {_type(about['additionalProperties'])}" if "additionalProperties" in about else "object"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "boolean", "null": "null"}
    said = words.get(about.get("type", ""), "any")
    if "minimum" in about and "maximum" in about and about["maximum"] < 1 << 53:
        said += f" from {about['minimum']:,} to {about['maximum']:,}"
    elif "minimum" in about:
        said += f" of at least {about['minimum']:,}"
    if "maxLength" in about:
        said += f" of at most {about['maxLength']} characters"
    return said
