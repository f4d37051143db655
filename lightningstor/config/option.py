"""How an option is declared, and the table that everything about options is derived from.

A section is an attrs class whose fields are made by `option`. The field's metadata holds all that the loader,
the command line, the reference page and `lightningstor config show` need, so nothing about an option is said
twice.
"""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
from attrs import frozen

__all__ = ["Bounds", "Option", "Rule", "Section", "entry_options", "option", "section_options"]

_METADATA = "lightningstor.option"


@frozen(eq=False, repr=False)
class Rule:
    """What a value must fulfil beyond its type: a test, and the words that describe what passes it."""

    test: Callable[[Any], bool]
    expected: str


@frozen(eq=False, repr=False)
class Bounds:
    """A number's least and greatest value, in the option's unit; `most` may be open."""

    least: int
    most: int | None = None

    @property
    def expected(self) -> str:
        if self.most is None:
            return f"a number of at least {self.least:,}"
        return f"a number from {self.least:,} to {self.most:,}"

    def test(self, value: float | None) -> bool:
        """Whether the value lies within; an option that is not set does."""
        return value is None or (self.least <= value and (self.most is None or value <= self.most))


@frozen(eq=False, repr=False)
class _Declared:
    """What `option` was told; the rest of an `Option` comes from the attrs field and its section."""

    meaning: str
    variable: str | None
    also: tuple[str, ...]
    flag: str | None
    secret: bool
    file_form: bool
    rule: Rule | Bounds | None
    applies: str
    dev_default: Any


@frozen(eq=False, repr=False)
class Option:
    """One option, wherever it may be set.

    Args:
        section: the TOML table, `server.tls`; "" at the top.
        name: within the table.
        type: the Python type that its value has.
        default: the value when nobody sets it; `attrs.NOTHING` when it must be set.
        meaning: one sentence or two, with the unit.
        variable: the environment variable, or None where there is none (entries of an array of tables).
        also: further variables that mean the same (other products' names), looked at after `variable`.
        flag: the long flag of `lightningstor-server`, if it has one.
        secret: the value is never shown or logged.
        file_form: `<name>_file` in TOML and `<VARIABLE>_FILE` name a file that holds the value.
        rule: what the value must fulfil beyond its type.
        applies: words for the default where the value depends on something; otherwise "".
        dev_default: the default with `--dev`; `attrs.NOTHING` where that is the same.
    """

    section: str
    name: str
    type: Any
    default: Any
    meaning: str
    variable: str | None
    also: tuple[str, ...]
    flag: str | None
    secret: bool
    file_form: bool
    rule: Rule | Bounds | None
    applies: str
    dev_default: Any

    @property
    def path(self) -> str:
        """The dotted name: `server.tls.cert_file`."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def variables(self) -> tuple[str, ...]:
        """All its environment variables, the one that wins first."""
        return () if self.variable is None else (self.variable, *self.also)


def option(
    default: Any,
    meaning: str,
    *,
    variable: str | None = None,
    also: tuple[str, ...] = (),
    flag: str | None = None,
    secret: bool = False,
    file_form: bool = False,
    rule: Rule | Bounds | None = None,
    applies: str = "",
    dev_default: Any = attrs.NOTHING,
) -> Any:
    """Declare a field of a section; the arguments are those of `Option`."""
    declared = _Declared(meaning, variable, also, flag, secret, file_form or secret, rule, applies, dev_default)
    return attrs.field(default=default, metadata={_METADATA: declared})


class Section:
    """Base of all sections: one made by hand obeys the same rules as one that was loaded.

    Raises:
        ValueError: a value breaks the rule of its option.
    """

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        kind: Any = type(self)
        for attribute in attrs.fields(kind):
            declared = attribute.metadata.get(_METADATA)
            rule = None if declared is None else declared.rule
            if rule is not None and not rule.test(value := getattr(self, attribute.name)):
                shown = "" if declared.secret else f" is {value!r},"
                raise ValueError(f"{attribute.name}{shown} expected {rule.expected}")


def _options_of(cls: type, section: str, prefix: str | None) -> Iterator[Option]:
    for attribute in attrs.fields(cls):
        declared = attribute.metadata.get(_METADATA)
        if declared is None:
            continue
        variable = declared.variable
        if variable is None and prefix is not None:
            variable = prefix + attribute.name.upper()
        yield Option(
            section=section,
            name=attribute.name,
            type=attribute.type,
            default=attribute.default,
            meaning=declared.meaning,
            variable=variable if prefix is not None else None,
            also=declared.also,
            flag=declared.flag,
            secret=declared.secret,
            file_form=declared.file_form,
            rule=declared.rule,
            applies=declared.applies,
            dev_default=declared.dev_default,
        )


def section_options(cls: type, section: str) -> tuple[Option, ...]:
    """The options of a section.

    The variable of `section.name` is LIGHTNINGSTOR_SECTION_NAME, but options of `server` leave out SERVER_, which
    gives the names of SPEC.md §8.2; an option may say its own.
    """
    words = [word for word in section.split(".") if word != "server"]
    return tuple(_options_of(cls, section, "_".join(["LIGHTNINGSTOR", *map(str.upper, words), ""])))


def entry_options(cls: type, section: str) -> tuple[Option, ...]:
    """The options of one entry of an array of tables, which has no variables."""
    return tuple(_options_of(cls, section, None))
