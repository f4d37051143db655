"""The decision: patterns, conditions, and how statements combine (PROOF 36)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import given
from hypothesis import strategies as st

from lightningstor.iam.authorize import Resource
from lightningstor.iam.conditions import NO_CONTEXT, UnknownKey, check_conditions, conditions_met
from lightningstor.iam.evaluate import Decision, evaluate
from lightningstor.iam.patterns import Glob, ResourcePattern, action_matches
from lightningstor.iam.statements import Statement

OBJECT = Resource("acme", "web", "photos", "2024/a.jpg")
GET, PUT, LIST = "lightningstor:objects:get", "lightningstor:objects:put", "lightningstor:objects:list"


@define
class Facts:
    """A context with these values; a key with None is known and absent."""

    values: Mapping[str, str | None]
    s3_action: str | None = None

    def value(self, key: str) -> str | None:
        if key not in self.values:
            raise UnknownKey(key)
        return self.values[key]


# Patterns


@given(st.text("ab*?/", max_size=12), st.text("ab/", max_size=12))
def test_globs_match_as_the_textbook_says(pattern: str, text: str) -> None:
    """`*` any run, `?` one character: as the regular expression that says the same."""
    regex = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    assert Glob(pattern).matches(text) == bool(re.fullmatch(regex, text, re.DOTALL))
    assert Glob(pattern).matches(text) == fnmatch.fnmatchcase(text, pattern)


def test_no_glob_takes_long() -> None:
    """The worst that a statement may hold (2,048 characters) against the longest key: no backtracking."""
    key = "a" * 1024
    started = perf_counter()
    for pattern in ("*a" * 1023 + "b", "a*" * 1023 + "b", "*?a" * 680 + "b", "*" * 2048, "?" * 2048):
        Glob(pattern).matches(key)
    assert perf_counter() - started < 1


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", GET, True),
        ("lightningstor:*", GET, True),
        ("lightningstor:objects:*", GET, True),
        ("lightningstor:objects:get", GET, True),
        ("Lightningstor:Objects:Get", GET, True),
        ("lightningstor:buckets:*", GET, False),
        ("lightningstor:objects", GET, False),
        ("s3:GetObject", "s3:GetObject", True),
        ("s3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObjectVersion", True),
        ("s3:GetObject", "s3:GetObjectVersion", False),
        ("s3:GetObjec?", "s3:GetObject", True),
    ],
)
def test_actions(pattern: str, action: str, covered: bool) -> None:
    """Patterns of actions, in whatever case."""
    assert action_matches(pattern, action) == covered


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("*", "service org-bucket bucket object root-object"),
        ("org/acme/*", "service org-bucket bucket object root-object"),
        ("org/*", "service org-bucket bucket object root-object"),
        ("org/acme", "service"),
        ("org/other/*", ""),
        ("org/acm?/*", "service org-bucket bucket object root-object"),
        ("org/acme/project/web/*", "bucket object"),
        ("org/acme/project/*", "bucket object"),
        ("org/acme/project/db/*", ""),
        ("org/acme/bucket/*", "org-bucket root-object"),
        ("org/acme/bucket/shared", "org-bucket"),
        ("org/acme/bucket/shared/*", "root-object"),
        ("org/acme/bucket/shared/object/*", "root-object"),
        ("org/acme/project/web/bucket/photos", "bucket"),
        ("org/acme/project/web/bucket/p*", "bucket"),
        ("org/acme/project/web/bucket/photos/*", "object"),
        ("org/acme/project/web/bucket/photos/object/2024/*", "object"),
        ("org/acme/project/web/bucket/photos/object/*.jpg", "object"),
        ("org/acme/project/web/bucket/photos/object/2023/*", ""),
        ("org/acme/project/*/bucket/photos/object/*", "object"),
        ("arn:aws:s3:::photos", "bucket"),
        ("arn:aws:s3:::photos/*", "object"),
        ("arn:aws:s3:::*", "org-bucket bucket object root-object"),
        ("arn:aws:s3:::shared/2024/*", "root-object"),
    ],
)
def test_resources(pattern: str, covered: str) -> None:
    """What each form of pattern covers."""
    places = {
        "service": Resource("acme"),
        "org-bucket": Resource("acme", None, "shared"),
        "bucket": Resource("acme", "web", "photos"),
        "object": OBJECT,
        "root-object": Resource("acme", None, "shared", "2024/a.jpg"),
    }
    compiled = ResourcePattern(pattern)
    found = [name for name, at in places.items() if compiled.matches(at.org_id, at.project_id, at.bucket, at.key)]
    assert found == covered.split()


@given(st.text("ab/*", min_size=1, max_size=20))
def test_no_key_looks_like_another_bucket(key: str) -> None:
    """Whatever an object is called, a pattern of another bucket or project does not cover it."""
    for pattern in ("org/acme/project/web/bucket/a*/*", "org/acme/bucket/*", "org/*/project/a*/*", "org/a/*"):
        assert not ResourcePattern(pattern).matches("acme", "web", "photos", f"bucket/a/object/{key}")


@pytest.mark.parametrize(
    "text",
    ["", "acme", "org", "org/", "org/a/b", "bucket/b", "org/a/object/k", "org/a/bucket", "org/a/bucket/", "org//x",
     "org/a/bucket/b/c", "org/a/project/p/q", "arn:aws:iam:::x", "org/a/bucket/b/object/", "org/a/${x}"],
)  # fmt: skip
def test_what_is_no_resource(text: str) -> None:
    """A pattern that could never fit is refused rather than stored."""
    with pytest.raises(ValueError, match="resource"):
        ResourcePattern(text)


# Conditions


@pytest.mark.parametrize(
    ("operator", "value", "wanted", "met"),
    [
        ("StringEquals", "a", ["b", "a"], True),
        ("StringEquals", "a", ["A"], False),
        ("StringEquals", None, ["a"], False),
        ("StringEqualsIfExists", None, ["a"], True),
        ("StringNotEquals", "a", ["b", "a"], False),
        ("StringNotEquals", None, ["a"], True),
        ("StringEqualsIgnoreCase", "a", ["A"], True),
        ("StringNotEqualsIgnoreCase", "a", ["A"], False),
        ("StringLike", "home/alice/x", ["home/*"], True),
        ("StringNotLike", "home/alice/x", ["home/*"], False),
        ("ArnLike", "arn:aws:s3:::b", ["arn:aws:s3:::*"], True),
        ("ArnNotEquals", "arn:aws:s3:::b", ["arn:aws:s3:::*"], False),
        ("NumericEquals", "10", ["10.0"], True),
        ("NumericNotEquals", "10", ["10"], False),
        ("NumericLessThan", "9", ["10"], True),
        ("NumericLessThan", "10", ["10"], False),
        ("NumericLessThanEquals", "10", ["10"], True),
        ("NumericGreaterThan", "11", ["10"], True),
        ("NumericGreaterThanEquals", "9", ["10"], False),
        ("DateLessThan", "2024-01-01T00:00:00+00:00", ["2024-01-01T00:00:01Z"], True),
        ("DateLessThan", "2024-01-01T00:00:00+00:00", ["1704067200"], False),
        ("DateGreaterThanEquals", "2024-01-01T00:00:00+00:00", ["2024-01-01"], True),
        ("DateNotEquals", "2024-01-01T00:00:00+00:00", ["2024-01-01T01:00:00+01:00"], False),
        ("Bool", "true", ["True"], True),
        ("Bool", "false", ["true"], False),
        ("BinaryEquals", "AAE=", ["AAE="], True),
        ("IpAddress", "10.1.2.3", ["192.168.0.0/16", "10.0.0.0/8"], True),
        ("IpAddress", "::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("IpAddress", "2001:db8::1", ["2001:db8::/32"], True),
        ("IpAddress", "10.1.2.3", ["2001:db8::/32"], False),
        ("NotIpAddress", "10.1.2.3", ["10.0.0.0/8"], False),
        ("NotIpAddress", "11.1.2.3", ["10.0.0.0/8"], True),
        ("Null", None, ["true"], True),
        ("Null", "x", ["true"], False),
        ("Null", "x", ["false"], True),
        # unknown: operator, key, and forms of values on either side
        ("StringSounds", "a", ["a"], None),
        ("ForAnyValue:StringEquals", "a", ["a"], None),
        ("NumericEquals", "ten", ["10"], None),
        ("NumericEquals", "10", ["10", "ten"], None),
        ("DateLessThan", "2024-01-01", ["soon"], None),
        ("Bool", "true", ["yes"], None),
        ("IpAddress", "somewhere", ["10.0.0.0/8"], None),
        ("IpAddress", "10.1.2.3", ["home"], None),
        ("Null", "x", ["maybe"], None),
    ],
)
def test_operators(operator: str, value: str | None, wanted: list[str], met: bool | None) -> None:
    """Each operator of AWS, on a value that is there, absent, or of no form that it knows."""
    assert conditions_met({operator: {"Test:Key": wanted}}, Facts({"test:key": value})) is met
    assert conditions_met({operator.upper(): {"TEST:KEY": wanted}}, Facts({"test:key": value})) is met


def test_an_unknown_key_decides_whatever_else_there_is() -> None:
    """One unknown condition makes the whole unknown, whether the others are met or not."""
    for other in ("a", "b"):
        conditions = {"StringEquals": {"test:key": [other], "test:other": ["x"]}}
        assert conditions_met(conditions, Facts({"test:key": "a"})) is None
    assert conditions_met({"StringEquals": {"test:key": ["a"]}}, NO_CONTEXT) is None


@given(st.dictionaries(st.text(max_size=20), st.dictionaries(st.text(max_size=9), st.lists(st.text(max_size=30)))))
def test_no_condition_is_an_error(conditions: dict[str, Any]) -> None:
    """Whatever stands in conditions: evaluating gives an answer, checking a ValueError or nothing (PROOF 37)."""
    conditions_met(conditions, Facts({}))
    conditions_met(conditions, Facts({key.lower(): "1" for wanted in conditions.values() for key in wanted}))
    try:
        check_conditions(conditions)
    except ValueError:
        return


# Statements together


conditions = st.sampled_from(
    [
        None,
        {"StringEquals": {"test:key": ("a",)}},
        {"StringEquals": {"test:key": ("b",)}},
        {"StringEquals": {"test:unknown": ("a",)}},
        {"StringSounds": {"test:key": ("a",)}},
    ]
)
statements = st.builds(
    Statement,
    st.sampled_from(["Allow", "Deny"]),
    st.sampled_from([("*",), (GET,), (PUT,), ("lightningstor:objects:*",), ("s3:GetObject",), ("s3:PutObject",)]),
    st.sampled_from([("*",), ("org/acme/*",), ("org/other/*",), ("arn:aws:s3:::photos/*",)]),
    st.sampled_from([None, ("alice",), ("bob",), ("*",)]),
    conditions,
)
contexts = st.sampled_from([NO_CONTEXT, Facts({"test:key": "a"}), Facts({"test:key": "a"}, "s3:GetObject")])


def about(statement: Statement, context: Any, action: str = GET) -> bool:
    """Whether a statement alone says anything of the request."""
    return evaluate([statement], "alice", action, OBJECT, context) is not Decision.SILENT


@given(st.lists(statements, max_size=6), contexts)
def test_an_explicit_deny_always_wins(chosen: list[Statement], context: Any) -> None:
    """The answer depends on which statements are about the request, not on their order: Deny, then Allow, then none."""
    relevant = {statement.effect for statement in chosen if about(statement, context)}
    expected = Decision.DENY if "Deny" in relevant else Decision.ALLOW if "Allow" in relevant else Decision.SILENT
    assert evaluate(chosen, "alice", GET, OBJECT, context) is expected
    assert evaluate(chosen[::-1], "alice", GET, OBJECT, context) is expected


@given(st.lists(statements, max_size=6), statements, contexts)
def test_more_denials_never_allow_more(chosen: list[Statement], more: Statement, context: Any) -> None:
    """Adding a Deny never makes a refused request allowed."""
    before = evaluate(chosen, "alice", GET, OBJECT, context)
    after = evaluate([*chosen, evolve_effect(more, "Deny")], "alice", GET, OBJECT, context)
    assert after is Decision.DENY or after is before


def evolve_effect(statement: Statement, effect: str) -> Statement:
    from msgspec.structs import replace

    return replace(statement, effect=effect)


@pytest.mark.parametrize("unknown", [
    {"StringEquals": {"test:unknown": ("a",)}}, {"StringSounds": {"test:key": ("a",)}},
    {"StringEquals": {"test:key": ("a",)}, "Bool": {"test:unknown": ("true",)}},
    {"StringEquals": {"test:key": ("b",)}, "Bool": {"test:unknown": ("true",)}},
])  # fmt: skip
def test_an_unknown_condition_denies(unknown: Any) -> None:
    """A Deny with one applies, an Allow with one does not."""
    facts = Facts({"test:key": "a"})
    assert evaluate([Statement("Deny", ("*",), ("*",), None, unknown)], "alice", GET, OBJECT, facts) is Decision.DENY
    assert evaluate([Statement("Allow", ("*",), ("*",), None, unknown)], "alice", GET, OBJECT, facts) is Decision.SILENT


@pytest.mark.parametrize(
    "write", ["lightningstor:objects:copy", "lightningstor:uploads:create", "lightningstor:uploads:complete"]
)
def test_who_may_not_put_may_not_write_otherwise(write: str) -> None:
    """Denying to put, or allowing all but to put, covers copies and uploads; allowing to put does not give them."""

    def decide(statement: Statement) -> Decision:
        return evaluate([statement], "alice", write, OBJECT)

    assert decide(Statement("Deny", (PUT,), ("*",))) is Decision.DENY
    assert decide(Statement("Allow", (), ("*",), not_actions=(PUT,))) is Decision.SILENT
    assert decide(Statement("Allow", (PUT,), ("*",))) is Decision.SILENT
    assert decide(Statement("Deny", (), ("*",), not_actions=(PUT,))) is Decision.DENY
    assert decide(Statement("Allow", (write,), ("*",))) is Decision.ALLOW


def test_s3_actions_where_s3s_name_is_unknown() -> None:
    """A protocol that does not tell S3's name of an action: a Deny by that name applies, an Allow does not."""
    for patterns in (("s3:GetObject",), ("s3:DeleteObject",)):
        for more in ({"actions": patterns}, {"not_actions": patterns}):
            deny, allow = (Statement(effect, resources=("*",), **more) for effect in ("Deny", "Allow"))
            assert evaluate([deny], "alice", GET, OBJECT) is Decision.DENY
            assert evaluate([allow], "alice", GET, OBJECT) is Decision.SILENT


def test_principals_and_exceptions() -> None:
    """Principals and not_principals, not_actions and not_resources: as a bucket policy will say them."""

    def decide(**parts: Any) -> Decision:
        return evaluate([Statement("Allow", **{"actions": ("*",), "resources": ("*",), **parts})], "alice", GET, OBJECT)

    assert decide(principals=("ali*",)) is Decision.ALLOW
    assert decide(principals=()) is Decision.SILENT
    assert decide(not_principals=("alice",)) is Decision.SILENT
    assert decide(not_principals=("bob",)) is Decision.ALLOW
    assert decide(actions=(), not_actions=(LIST,)) is Decision.ALLOW
    assert decide(actions=(), not_actions=(GET,)) is Decision.SILENT
    assert decide(resources=(), not_resources=("org/other/*",)) is Decision.ALLOW
    assert decide(resources=(), not_resources=("org/acme/*",)) is Decision.SILENT


def test_a_statement_about_another_resource_is_silent() -> None:
    """The same request elsewhere is another question."""
    allow = Statement("Allow", (GET,), ("org/acme/project/web/bucket/photos/*",))
    assert evaluate([allow], "alice", GET, OBJECT) is Decision.ALLOW
    for other in (
        evolve(OBJECT, org_id="other"),
        evolve(OBJECT, project_id=None),
        evolve(OBJECT, bucket="photos2"),
        evolve(OBJECT, key=None),
    ):
        assert evaluate([allow], "alice", GET, other) is Decision.SILENT
