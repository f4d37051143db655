"""The decision: one pure function over statements. No I/O, no clock, no knowledge of where statements come from."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final, Protocol

from lightningstor.iam.conditions import NO_CONTEXT, Context, conditions_met
from lightningstor.iam.patterns import Glob, action_matches
from lightningstor.iam.statements import DENY, Statement, resource_pattern

__all__ = ["WRITES", "Decision", "Target", "evaluate"]

OBJECTS_PUT: Final = "lightningstor:objects:put"
WRITES: Final = {
    "lightningstor:objects:copy": OBJECTS_PUT,
    "lightningstor:uploads:create": OBJECTS_PUT,
    "lightningstor:uploads:complete": OBJECTS_PUT,
}
"""Actions that write an object by another way: what denies putting it, or leaves that out of what it allows, does the
same with these."""


class Decision(Enum):
    """What statements say of a request."""

    ALLOW = "allow"
    DENY = "deny"
    SILENT = "silent"
    """None of them is about it."""


class Target(Protocol):
    """What is acted on; `lightningstor.iam.authorize.Resource` is one."""

    org_id: str
    project_id: str | None
    bucket: str | None
    key: str | None


def evaluate(
    statements: Iterable[Statement], principal_id: str, action: str, target: Target, context: Context = NO_CONTEXT
) -> Decision:
    """What the statements, all of them attached to the principal or to the target, say.

    An explicit Deny wins over every Allow, in whatever order they stand. A condition that is unknown (operator, key
    or form of value) makes a Deny apply and an Allow not apply.
    """
    decision = Decision.SILENT
    for statement in statements:
        denies = statement.effect == DENY
        if decision is Decision.ALLOW and not denies:
            continue
        if not _covers(statement, principal_id, action, target, context, denies):
            continue
        if denies:
            return Decision.DENY
        decision = Decision.ALLOW
    return decision


def _covers(
    statement: Statement, principal_id: str, action: str, target: Target, context: Context, denies: bool
) -> bool:
    if not _covers_action(statement, action, context, denies) or not _covers_target(statement, target):
        return False
    if not _covers_principal(statement, principal_id):
        return False
    if not statement.conditions:
        return True
    met = conditions_met(statement.conditions, context)
    return denies if met is None else met


def _covers_action(statement: Statement, action: str, context: Context, denies: bool) -> bool:
    negated = bool(statement.not_actions)
    patterns = statement.not_actions if negated else statement.actions
    names = [action]
    if context.s3_action is not None:
        names.append(context.s3_action)
    elif any(pattern.lower().startswith("s3") for pattern in patterns):
        return denies  # S3's name of the action is unknown: as with a condition that is
    if action in WRITES and denies != negated:
        names.append(WRITES[action])
    return any(action_matches(pattern, name) for pattern in patterns for name in names) != negated


def _covers_target(statement: Statement, target: Target) -> bool:
    place = (target.org_id, target.project_id, target.bucket, target.key)
    if statement.not_resources:
        return not any(resource_pattern(text).matches(*place) for text in statement.not_resources)
    return any(resource_pattern(text).matches(*place) for text in statement.resources)


def _covers_principal(statement: Statement, principal_id: str) -> bool:
    if statement.principals is not None:
        return any(Glob(pattern).matches(principal_id) for pattern in statement.principals)
    if statement.not_principals is not None:
        return not any(Glob(pattern).matches(principal_id) for pattern in statement.not_principals)
    return True
