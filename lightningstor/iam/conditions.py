"""Conditions of statements: operators, and the values of a request that they look at.

AWS's own operators and keys (IAM User Guide, "IAM JSON policy elements: Condition operators"). What is unknown, be it
an operator, a key or a form of value, is never taken for met or unmet: the answer is None, and the evaluator then
refuses.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol, TypeAlias

from lightningstor.iam.patterns import Glob

__all__ = ["NO_CONTEXT", "Conditions", "Context", "UnknownKey", "check_conditions", "conditions_met"]

Conditions: TypeAlias = Mapping[str, Mapping[str, Sequence[str]]]
"""Operator → key → values, one of which must fit; all operators and keys must be met."""


class UnknownKey(Exception):
    """A context cannot tell the value of a condition key."""


class Context(Protocol):
    """What conditions may ask of a request. Made for every request, so it works a value out when it is asked for."""

    @property
    def s3_action(self) -> str | None:
        """The name that S3 has for the action, `s3:GetObject`; None: none."""
        ...

    def value(self, key: str) -> str | None:
        """The value of a condition key, its name in lower case, as text; None: the request has none.

        Times are in ISO 8601, booleans "true" or "false", numbers decimal.

        Raises:
            UnknownKey: this context does not know of such a key.
        """
        ...


class _NoContext:
    """The context of a question that brings none: every condition is unknown."""

    s3_action: str | None = None

    def value(self, key: str) -> str | None:
        raise UnknownKey(key)


NO_CONTEXT: Final[Context] = _NoContext()


class _Malformed(Exception):
    """A value does not have the form that its operator needs."""


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,9})?", text):
        raise _Malformed(text)
    return float(text)


def _moment(text: str) -> float:
    """Seconds since the Unix epoch, of ISO 8601 or of a number of seconds."""
    if re.fullmatch(r"\d{1,11}", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Malformed(text) from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _flag(text: str) -> str:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise _Malformed(text)
    return lowered


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise _Malformed(text) from None


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise _Malformed(text) from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise _Malformed(text) from None


@lru_cache(maxsize=1024)
def _glob(text: str) -> Glob:
    if "${" in text:
        raise _Malformed(text)
    return Glob(text)


Test: TypeAlias = Callable[[str, str], bool]
"""(the request's value, the statement's value) → whether they fit."""

_POSITIVE: Final[dict[str, Test]] = {
    "stringequals": lambda value, wanted: value == wanted,
    "stringequalsignorecase": lambda value, wanted: value.casefold() == wanted.casefold(),
    "stringlike": lambda value, wanted: _glob(wanted).matches(value),
    "arnequals": lambda value, wanted: _glob(wanted).matches(value),
    "arnlike": lambda value, wanted: _glob(wanted).matches(value),
    "numericequals": lambda value, wanted: _number(value) == _number(wanted),
    "dateequals": lambda value, wanted: _moment(value) == _moment(wanted),
    "bool": lambda value, wanted: _flag(value) == _flag(wanted),
    "binaryequals": lambda value, wanted: _bytes(value) == _bytes(wanted),
    "ipaddress": lambda value, wanted: _address(value) in _network(wanted),
    "numericlessthan": lambda value, wanted: _number(value) < _number(wanted),
    "numericlessthanequals": lambda value, wanted: _number(value) <= _number(wanted),
    "numericgreaterthan": lambda value, wanted: _number(value) > _number(wanted),
    "numericgreaterthanequals": lambda value, wanted: _number(value) >= _number(wanted),
    "datelessthan": lambda value, wanted: _moment(value) < _moment(wanted),
    "datelessthanequals": lambda value, wanted: _moment(value) <= _moment(wanted),
    "dategreaterthan": lambda value, wanted: _moment(value) > _moment(wanted),
    "dategreaterthanequals": lambda value, wanted: _moment(value) >= _moment(wanted),
}
_NEGATED: Final = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
}
_SAMPLES: Final = {"numeric": "0", "date": "0", "bool": "true", "binary": "", "ipaddress": "127.0.0.1", "notip": "::1"}


def conditions_met(conditions: Conditions, context: Context) -> bool | None:
    """Whether all conditions are met; None where one is unknown, whatever the others say."""
    met = True
    for operator, wanted in conditions.items():
        for key, values in wanted.items():
            one = _met(operator, key, values, context)
            if one is None:
                return None
            met = met and one
    return met


def _met(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool | None:
    name = operator.lower()
    try:
        value = context.value(key.lower())
    except UnknownKey:
        return None
    if name == "null":
        flags = {text.lower() for text in wanted}
        return None if not flags <= {"true", "false"} else ("true" if value is None else "false") in flags
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = name in _NEGATED
    test = _POSITIVE.get(_NEGATED.get(name, name))
    if test is None:
        return None
    if value is None:
        return optional or negated
    try:
        # All are looked at, so that a malformed one is found whatever the others say.
        fits = [test(value, text) for text in wanted]
    except _Malformed:
        return None
    return any(fits) != negated


def check_conditions(conditions: Conditions) -> None:
    """See that this version understands the conditions, before they are stored.

    Raises:
        ValueError: an operator or the form of a value is unknown. (Keys are the request's affair.)
    """
    for operator, wanted in conditions.items():
        name = operator.lower().removesuffix("ifexists")
        base = _NEGATED.get(name, name)
        if base not in _POSITIVE and operator.lower() != "null":
            raise ValueError(f"unknown condition operator {operator!r}")
        if not wanted:
            raise ValueError(f"{operator} names no key")
        for key, values in wanted.items():
            if ":" not in key:
                raise ValueError(f"{key!r} is no condition key")
            if not values:
                raise ValueError(f"{operator} {key} has no value")
            if base in _POSITIVE:
                _check_values(operator, base, values)


def _check_values(operator: str, base: str, values: Sequence[str]) -> None:
    sample = next((text for kind, text in _SAMPLES.items() if base.startswith(kind)), "")
    for text in values:
        try:
            _POSITIVE[base](sample, text)
        except _Malformed:
            raise ValueError(f"{operator} cannot use the value {text!r}") from None
