"""From flags, environment, file and defaults to one `Config`: flag > environment > file > default."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import frozen

from lightningstor.config.injected import is_injected
from lightningstor.config.option import Option
from lightningstor.config.problems import ConfigError, nearest
from lightningstor.config.sections import SECTIONS, Config
from lightningstor.config.table import ENTRIES, FILE_SUFFIX, all_options, by_path, by_variable, entries_of
from lightningstor.config.values import expected_words, parse_text, parse_toml, plain

__all__ = ["CONFIG_VARIABLE", "DEFAULT", "Loaded", "load"]

CONFIG_VARIABLE = "LIGHTNINGSTOR_CONFIG"
DEFAULT = "default"
_PREFIX = "LIGHTNINGSTOR_"


@frozen(eq=False)
class Loaded:
    """A configuration, and where each option's value came from.

    Args:
        origins: by dotted option name: a file's path, `$VARIABLE`, `--flag` or "default".
        file: the configuration file that was read.
    """

    config: Config
    origins: dict[str, str]
    file: Path | None


@frozen(eq=False)
class _Setting:
    value: Any
    origin: str


def load(
    flags: Mapping[str, str | bool | Sequence[str]] | None = None,
    *,
    config_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Loaded:
    """Read the configuration.

    Args:
        flags: by dotted option name, what the command line said.
        config_file: from `-c`; without it LIGHTNINGSTOR_CONFIG names the file, or there is none.
        environ: the environment; the process's own by default. A variable that is set but empty counts as unset.

    Raises:
        ConfigError: all that is wrong, each with where it was set.
    """
    environ = os.environ if environ is None else environ
    if config_file is None and environ.get(CONFIG_VARIABLE):
        config_file = Path(environ[CONFIG_VARIABLE]).expanduser()
    loader = _Loader()
    if config_file is not None:
        loader.read_file(config_file)
    loader.read_environment(environ)
    loader.read_flags(flags or {})
    return loader.finish(config_file)


class _Loader:
    """Gathers settings layer by layer, later ones replacing earlier ones, and every problem on the way.

    A value that is wrong is None among the settings; nothing is built from them once there is a problem.
    """

    def __init__(self) -> None:
        self._settings: dict[str, _Setting] = {}
        self._entries: dict[str, tuple[Any, ...]] = dict.fromkeys(ENTRIES, ())
        self._problems: list[str] = []

    def finish(self, config_file: Path | None) -> Loaded:
        """The configuration, if there were no problems."""
        if self._problems:
            raise ConfigError(self._problems)
        values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
        origins: dict[str, str] = {}
        dev = self._settings.get("server.dev")
        for option in all_options():
            setting = self._settings.get(option.path)
            if setting is not None:
                values[option.section][option.name] = setting.value
                origins[option.path] = setting.origin
                continue
            origins[option.path] = DEFAULT
            if dev is not None and dev.value and option.dev_default is not attrs.NOTHING:
                values[option.section][option.name] = option.dev_default
        return Loaded(self._build(values), origins, config_file)

    def _build(self, values: dict[str, dict[str, Any]]) -> Config:
        for section, entries in self._entries.items():
            outer, _, name = section.rpartition(".")
            values.setdefault(outer, {})[name] = entries
        top = values.pop("")
        for section in sorted(SECTIONS, key=lambda path: -path.count(".")):  # innermost first
            made = SECTIONS[section](**values[section])
            outer, _, name = section.rpartition(".")
            (values[outer] if outer else top)[name] = made
        return Config(**top)

    # The file

    def read_file(self, path: Path) -> None:
        """The layer of the TOML file."""
        import tomllib  # many daemons have no file

        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            self._problems.append(f"cannot read the configuration file {path}: {error.strerror}")
        except UnicodeDecodeError as error:
            self._problems.append(f"{path}: not valid UTF-8 (byte {error.start})")
        except tomllib.TOMLDecodeError as error:
            self._problems.append(f"{path}: not valid TOML: {error}")
        else:
            self._read_table("", document, path)

    def _read_table(self, section: str, table: Mapping[str, Any], path: Path) -> None:
        for name, value in table.items():
            dotted = f"{section}.{name}" if section else name
            if dotted in SECTIONS:
                if isinstance(value, dict):
                    self._read_table(dotted, value, path)
                else:
                    self._problems.append(f"{path}: {dotted} is a section: write [{dotted}]")
            elif dotted in ENTRIES:
                self._read_entries(dotted, value, path)
            else:
                self._read_option(section, name, value, table, path)

    def _read_option(self, section: str, name: str, value: Any, table: Mapping[str, Any], path: Path) -> None:
        option, from_file = _named(name, {option.name: option for option in _options_in(section)})
        where = f"{path}: {section}.{name}" if section else f"{path}: {name}"
        if option is None:
            self._problems.append(self._unknown_in_file(section, name, path))
        elif from_file and option.name in table:
            self._problems.append(f"{where}: set {option.name} or {name}, not both")
        else:
            self._settings[option.path] = _Setting(self._from_toml(option, value, where, from_file), str(path))

    def _read_entries(self, section: str, value: Any, path: Path) -> None:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problems.append(f"{path}: {section} is a list of tables: write [[{section}]]")
            return
        self._entries[section] = tuple(
            entry
            for number, item in enumerate(value, 1)
            if (entry := self._read_entry(section, number, item, path)) is not None
        )

    def _read_entry(self, section: str, number: int, table: dict[str, Any], path: Path) -> Any | None:
        options = {option.name: option for option in entries_of(section)}
        values: dict[str, Any] = {}
        before = len(self._problems)
        for name, value in table.items():
            where = f"{path}: {section}[{number}].{name}"
            option, from_file = _named(name, options)
            if option is None:
                known = _names_of(options.values())
                self._problems.append(f"{path}: unknown option {section}[{number}].{name}{_hint(name, known)}")
            elif from_file and option.name in table:
                self._problems.append(f"{where}: set {option.name} or {name}, not both")
            else:
                values[option.name] = self._from_toml(option, value, where, from_file)
        for option in options.values():
            given = option.name in table or (option.file_form and option.name + FILE_SUFFIX in table)
            if option.default is attrs.NOTHING and not given:
                also = f" (or {option.name}{FILE_SUFFIX})" if option.file_form else ""
                self._problems.append(f"{path}: {section}[{number}] has no {option.name}{also}")
        return ENTRIES[section](**values) if len(self._problems) == before else None

    def _unknown_in_file(self, section: str, name: str, path: Path) -> str:
        dotted = f"{section}.{name}" if section else name
        known = _names_of(_options_in(section)) + _sections_in(section)
        close = nearest(name, known)
        if close is not None:
            close = f"{section}.{close}" if section else close
        else:
            close = next((option.path for option in all_options() if option.name == name), None)
        what = "option" if section else "section"
        hint = f"; did you mean {close}?" if close else f"; there are: {', '.join(known)}"
        return f"{path}: unknown {what} {dotted}{hint}"

    def _from_toml(self, option: Option, value: Any, where: str, from_file: bool) -> Any | None:
        if from_file:
            if not isinstance(value, str) or not value:
                self._problems.append(f"{where} is {value!r}, expected a path")
                return None
            return self._from_secret_file(option, Path(value).expanduser(), where)
        try:
            return self._checked(option, parse_toml(option.type, value), where)
        except ValueError:
            self._wrong(option, value, where)
            return None

    # The environment and the flags

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """The layer of environment variables."""
        known = by_variable()
        for name, value in sorted(environ.items()):
            if not name.startswith(_PREFIX) or name in known or name == CONFIG_VARIABLE:
                continue
            if value and not is_injected(name, value):
                hint = _hint(name, [*known, CONFIG_VARIABLE])
                self._problems.append(f"environment: unknown variable {name}{hint}")
        for option in all_options():
            for variable in option.variables:
                if self._read_variable(option, variable, environ):
                    break

    def _read_variable(self, option: Option, variable: str, environ: Mapping[str, str]) -> bool:
        """Whether the variable, or its `…_FILE` form, sets the option."""
        text, file_variable = environ.get(variable), variable + FILE_SUFFIX.upper()
        file = environ.get(file_variable) if option.file_form else None
        if not text and not file:
            return False
        if text and file:
            self._problems.append(f"environment: set {variable} or {file_variable}, not both")
            return True
        if file:
            value = self._from_secret_file(option, Path(file).expanduser(), f"${file_variable}")
            origin = f"${file_variable}"
        else:
            value = self._from_text(option, text or "", f"${variable}")
            origin = f"${variable}"
        self._settings[option.path] = _Setting(value, origin)
        return True

    def read_flags(self, flags: Mapping[str, str | bool | Sequence[str]]) -> None:
        """The layer of the command line."""
        for path, given in flags.items():
            option = by_path()[path]
            flag = option.flag or path
            if isinstance(given, str):
                value = self._from_text(option, given, flag)
            else:
                value = self._from_toml(option, given if isinstance(given, bool) else list(given), flag, False)
            self._settings[path] = _Setting(value, flag)

    def _from_text(self, option: Option, text: str, where: str) -> Any | None:
        try:
            return self._checked(option, parse_text(option.type, text), where)
        except ValueError:
            self._wrong(option, text, where)
            return None

    def _from_secret_file(self, option: Option, file: Path, where: str) -> Any | None:
        try:
            text = file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not valid UTF-8"
            self._problems.append(f"{where}: cannot read {file}: {reason}")
            return None
        return self._from_text(option, text.rstrip("\r\n"), f"{where} ({file})")

    # Values

    def _checked(self, option: Option, value: Any, where: str) -> Any:
        if option.rule is not None and not option.rule.test(value):
            shown = "" if option.secret else f" is {plain(value)!r},"
            self._problems.append(f"{where}{shown} expected {option.rule.expected}")
        return value

    def _wrong(self, option: Option, value: Any, where: str) -> None:
        shown = "" if option.secret else f" is {value!r},"
        self._problems.append(f"{where}{shown} expected {expected_words(option.type)}")


def _options_in(section: str) -> list[Option]:
    return [option for option in all_options() if option.section == section]


def _sections_in(section: str) -> list[str]:
    inner = [*SECTIONS, *ENTRIES]
    return [path.rpartition(".")[2] for path in inner if path.rpartition(".")[0] == section]


def _named(name: str, options: Mapping[str, Option]) -> tuple[Option | None, bool]:
    """The option of that name; True where the name is that of its file form."""
    if name in options:
        return options[name], False
    bare = options.get(name.removesuffix(FILE_SUFFIX)) if name.endswith(FILE_SUFFIX) else None
    return (bare, True) if bare is not None and bare.file_form else (None, False)


def _names_of(options: Any) -> list[str]:
    names = []
    for option in options:
        names.append(option.name)
        if option.file_form:
            names.append(option.name + FILE_SUFFIX)
    return names


def _hint(name: str, known: Sequence[str]) -> str:
    close = nearest(name, known)
    return f"; did you mean {close}?" if close else f"; there are: {', '.join(sorted(known))}"
