"""The configuration in words: the reference page, and `lightningstor config show`.

`python -m lightningstor.config.reference` prints `docs/configuration.md`.
"""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import attrs

from lightningstor.config.load import DEFAULT, Loaded
from lightningstor.config.option import Option
from lightningstor.config.sections import SECTIONS, BucketSettings, Config, PrincipalSettings, QuotaSettings
from lightningstor.config.table import ENTRIES, all_options, entries_of
from lightningstor.config.values import Address, expected_words, plain

__all__ = ["reference_page", "show", "to_toml"]


def to_toml(config: Config) -> dict[str, Any]:
    """The configuration as a TOML document, secrets included, that `load` reads back to an equal one."""
    document: dict[str, Any] = {}
    for option in all_options():
        table = document
        section: Any = config
        for name in option.section.split("."):
            table = table.setdefault(name, {})
            section = getattr(section, name)
        value = _toml_value(option, getattr(section, option.name))
        if value is not None:
            table[option.name] = value
    document["iam"]["principals"] = [_entry("iam.principals", entry) for entry in config.iam.principals]
    document["buckets"] = [_entry("buckets", entry) for entry in config.buckets]
    document["quotas"] = [_entry("quotas", entry) for entry in config.quotas]
    return document


def _toml_value(option: Option, value: Any) -> Any:
    """None where TOML says it by leaving the option out."""
    return "off" if value is None and option.type == Address | None else plain(value)


def _entry(section: str, entry: PrincipalSettings | BucketSettings | QuotaSettings) -> dict[str, Any]:
    values = {option.name: _toml_value(option, getattr(entry, option.name)) for option in entries_of(section)}
    return {name: value for name, value in values.items() if value is not None}


def show(loaded: Loaded, *, every: bool = True) -> str:
    """The configuration in effect as TOML, each option with where it came from; secrets are left out.

    Args:
        every: with the options that nobody set as well.
    """
    import tomli_w

    document = to_toml(loaded.config)
    lines: list[str] = []
    for section in SECTIONS:
        body = list(_shown_options(section, document, loaded, every, tomli_w.dumps))
        if body:
            lines += [f"[{section}]", *body, ""]
    for section in ENTRIES:
        for entry in _table(document, section):
            secret = {option.name for option in entries_of(section) if option.secret}
            lines += [f"[[{section}]]", tomli_w.dumps({k: v for k, v in entry.items() if k not in secret}).rstrip()]
            lines += [*(f"# {name} is set, not shown" for name in sorted(secret & entry.keys())), ""]
    return "\n".join(lines)


def _shown_options(section: str, document: dict[str, Any], loaded: Loaded, every: bool, dumps: Any) -> Iterator[str]:
    table = _table(document, section)
    for option in all_options():
        if option.section != section:
            continue
        origin = loaded.origins[option.path]
        if origin == DEFAULT and not every:
            continue
        if option.name not in table:
            yield f"# {option.name}: {option.applies or 'not set'}"
        elif option.secret:
            yield f"# {option.name} is set, not shown  ({origin})"
        else:
            # One value never takes several lines: arrays of strings would, so they are written flat.
            value = table[option.name]
            flat = dumps({option.name: value}).strip()
            if isinstance(value, list):
                flat = f"{option.name} = [" + ", ".join(dumps({"v": item}).strip()[4:] for item in value) + "]"
            yield f"{flat}  # {origin}"


def _table(document: dict[str, Any], section: str) -> Any:
    found: Any = document
    for name in section.split("."):
        found = found[name]
    return found


_HEAD = """\
# Configuration

<!-- Made by `python -m lightningstor.config.reference`. Change the sections in lightningstor/config/sections.py. -->

An option may be set by a flag of `lightningstor-server`, by an environment variable, or in a TOML file
(`-c PATH`, or `LIGHTNINGSTOR_CONFIG`). A flag wins over a variable, a variable over the file, the file over the
default. An unknown option, section or `LIGHTNINGSTOR_…` variable is an error; variables of the shape that Kubernetes
and Docker put into containers (`LIGHTNINGSTOR_SERVICE_HOST`, `LIGHTNINGSTOR_PORT=tcp://…`) are no options and are left
alone. A variable that is set but empty counts as unset. A variable that sets a list holds its items separated by
commas.

`lightningstor config show` prints the configuration in effect and where each option came from;
`lightningstor config check` says what is wrong with it.

A secret may come from a file: write `<option>_file` in TOML, or add `_FILE` to its variable. Options that allow this
are marked with *.
"""


def reference_page() -> str:
    """`docs/configuration.md`."""
    lines = [_HEAD]
    for section, cls in (*SECTIONS.items(), *ENTRIES.items()):
        entry = section in ENTRIES
        lines += [f"## `[[{section}]]`" if entry else f"## `[{section}]`", "", cleandoc(cls.__doc__ or ""), ""]
        options = entries_of(section) if entry else tuple(o for o in all_options() if o.section == section)
        lines += _entry_table(options) if entry else _section_table(options)
        lines.append("")
    return "\n".join(lines)


def _section_table(options: tuple[Option, ...]) -> Iterator[str]:
    yield "| Option | Variable | Flag | Value | Default | Meaning |"
    yield "|---|---|---|---|---|---|"
    for option in options:
        variables = " ".join(f"`{variable}`" for variable in option.variables)
        flag = f"`{option.flag}`" if option.flag else ""
        yield f"| {_name(option)} | {variables} | {flag} | {_value(option)} | {_default(option)} | {option.meaning} |"


def _entry_table(options: tuple[Option, ...]) -> Iterator[str]:
    yield "| Option | Value | Default | Meaning |"
    yield "|---|---|---|---|"
    for option in options:
        yield f"| {_name(option)} | {_value(option)} | {_default(option)} | {option.meaning} |"


def _name(option: Option) -> str:
    return f"`{option.name}`" + (" *" if option.file_form else "")


def _value(option: Option) -> str:
    words = expected_words(option.type)
    if option.rule is not None:
        words = option.rule.expected if words in ("a string", "an integer", "a number") else words
    return words.replace("|", "\\|")


def _default(option: Option) -> str:
    if option.default is attrs.NOTHING:
        return "must be set"
    plain = _toml_value(option, option.default)
    if plain is None:
        return option.applies or "none"
    if plain == []:
        return "none"
    text = str(plain).lower() if isinstance(plain, bool) else str(plain)
    shown = "`" + (", ".join(plain) if isinstance(plain, list) else text) + "`"
    if option.dev_default is not attrs.NOTHING:
        return f"{shown}; with `dev` `{_toml_value(option, option.dev_default)}`"
    return shown


if __name__ == "__main__":
    print(reference_page(), end="")
