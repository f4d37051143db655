"""The page that says which operations of S3 work here, made from the operation table.

`python -m lightningstor.s3.wire.compatibility` writes `docs/s3-compatibility.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lightningstor.s3.wire.operation import Fixed, NotConfigured, Operation, Scope
from lightningstor.s3.wire.operations import OPERATIONS

__all__ = ["PAGE", "compatibility"]

PAGE: Final = "docs/s3-compatibility.md"

_HEAD: Final = """\
# S3 compatibility

Made from the operation table by `make docs`; don't edit.

S3 has {total} operations; {implemented} are implemented. The others answer for themselves: where S3 has an answer for
"not configured", that answer; otherwise 501 `NotImplemented`. Nothing is accepted and ignored: the headers listed below
an operation are refused too, except with the values in parentheses, which ask for what happens anyway.
"""
_SECTIONS: Final = (
    (Scope.SERVICE, "Service"),
    (Scope.BUCKET, "Buckets"),
    (Scope.OBJECT, "Objects"),
)


def _address(operation: Operation) -> str:
    path = {Scope.SERVICE: "/", Scope.BUCKET: "/{bucket}", Scope.OBJECT: "/{bucket}/{key}"}[operation.scope]
    query = f"?{'&'.join(operation.query)}" if operation.query else ""
    header = f" with `{operation.header}`" if operation.header else ""
    return f"`{operation.method} {path}{query}`{header}"


def _answer(operation: Operation) -> str:
    if operation.implemented:
        return "yes"
    if operation.elsewhere:
        return "no"
    match operation.unconfigured:
        case NotConfigured("preflight"):
            return "refused"
        case NotConfigured():
            return "as not configured"
        case Fixed(status=204):
            return "nothing to delete"
        case Fixed():
            return "as not configured"
    return "refused" if operation.acl else "no"


def _notes(operation: Operation) -> str:
    notes = [operation.note] if operation.note else []
    if operation.superseded_by is not None:
        notes.append(f"Older form of {operation.superseded_by}.")
    return " ".join(notes)


def _refused_headers(operation: Operation) -> str:
    refused = operation.input.refused if operation.input is not None else ()
    return ", ".join(
        f"`{refusal.wire}`" + (f" ({', '.join(refusal.harmless)})" if refusal.harmless else "") for refusal in refused
    )


def compatibility() -> str:
    """The page, in Markdown."""
    lines = [_HEAD.format(total=len(OPERATIONS), implemented=sum(operation.implemented for operation in OPERATIONS))]
    for scope, title in _SECTIONS:
        lines += [f"## {title}", "", "| Operation | Request | Works | Notes |", "|---|---|---|---|"]
        rows = sorted(
            (row for row in OPERATIONS if row.scope is scope), key=lambda row: (not row.implemented, row.name)
        )
        lines += [f"| {row.name} | {_address(row)} | {_answer(row)} | {_notes(row)} |" for row in rows]
        lines.append("")
    lines += ["## Refused headers", "", "| Operation | Headers |", "|---|---|"]
    lines += [
        f"| {row.name} | {headers} |"
        for row in sorted(OPERATIONS, key=lambda row: row.name)
        if (headers := _refused_headers(row))
    ]
    lines += [
        "",
        "An `x-amz-…` header that S3's model does not have is refused by every operation, and so is a query parameter",
        "without a value that is none of S3's sub-resources. Writes refuse `If-Match`, `If-None-Match`,",
        "`If-Unmodified-Since` and `Content-Range` where S3 has no such condition for them.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(PAGE).parent.mkdir(exist_ok=True)
    Path(PAGE).write_text(compatibility(), encoding="utf-8")
