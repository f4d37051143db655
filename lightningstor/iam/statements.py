"""Statements: who may, or may not, do what to what, and when. Grants consist of them, and so will bucket policies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from lightningstor.iam.conditions import check_conditions
from lightningstor.iam.errors import MalformedPolicy
from lightningstor.iam.patterns import ResourcePattern

__all__ = ["ALLOW", "DENY", "Statement", "check_statement", "resource_pattern"]

ALLOW: Final = "Allow"
DENY: Final = "Deny"

MAX_STATEMENT_ENTRIES: Final = 200
"""Actions, resources, principals and condition values of one statement; as many as fit into S3's 20 KB of policy."""
_LONGEST: Final = 2048
_NAMESPACES: Final = ("lightningstor:", "s3:", "s3express:", "s3-object-lambda:")


class Statement(Struct, frozen=True, omit_defaults=True):
    """One statement. It is about a request if every part of it covers the request.

    Args:
        effect: "Allow" or "Deny".
        actions: patterns of actions, the specification's (`lightningstor:objects:*`) or S3's (`s3:GetObject`).
        not_actions: instead of `actions`: all actions but these.
        resources: patterns of resources; see `ResourcePattern`.
        not_resources: instead of `resources`: all resources but these.
        principals: patterns of principals' ids; None: whomever the statement is attached to.
        not_principals: instead of `principals`: all but these.
        conditions: operator → key → values.
        sid: what its author calls it.
    """

    effect: str
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] | None = None
    conditions: dict[str, dict[str, tuple[str, ...]]] | None = None
    not_actions: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    not_principals: tuple[str, ...] | None = None
    sid: str = ""


@lru_cache(maxsize=4096)
def resource_pattern(text: str) -> ResourcePattern:
    """The pattern of that text, parsed once.

    Raises:
        ValueError: it is none.
    """
    return ResourcePattern(text)


def check_statement(statement: Statement) -> None:
    """See that this version understands all of the statement, before it is stored.

    Raises:
        MalformedPolicy: it does not; the reason says what of it.
    """
    if statement.effect not in (ALLOW, DENY):
        raise MalformedPolicy(f"effect is {ALLOW} or {DENY}, not {statement.effect!r}")
    if bool(statement.actions) == bool(statement.not_actions):
        raise MalformedPolicy("a statement has either actions or not_actions")
    if bool(statement.resources) == bool(statement.not_resources):
        raise MalformedPolicy("a statement has either resources or not_resources")
    if statement.principals is not None and statement.not_principals is not None:
        raise MalformedPolicy("a statement has principals or not_principals, not both")
    for action in (*statement.actions, *statement.not_actions):
        if action != "*" and not action.lower().startswith(_NAMESPACES):
            raise MalformedPolicy(f"{action!r} is no action: it begins with lightningstor: or s3:")
    conditions = statement.conditions or {}
    _check_size(statement, [value for keys in conditions.values() for values in keys.values() for value in values])
    try:
        for resource in (*statement.resources, *statement.not_resources):
            resource_pattern(resource)
        check_conditions(conditions)
    except ValueError as error:
        raise MalformedPolicy(str(error)) from error


def _check_size(statement: Statement, condition_values: Sequence[str]) -> None:
    entries = [
        *statement.actions,
        *statement.not_actions,
        *statement.resources,
        *statement.not_resources,
        *(statement.principals or ()),
        *(statement.not_principals or ()),
        *condition_values,
    ]
    if len(entries) > MAX_STATEMENT_ENTRIES:
        raise MalformedPolicy(f"a statement has at most {MAX_STATEMENT_ENTRIES} entries, not {len(entries)}")
    for text in entries:
        if len(text) > _LONGEST:
            raise MalformedPolicy(f"an entry has at most {_LONGEST} characters, not {len(text)}")
