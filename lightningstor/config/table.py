"""The table of all options, derived from the sections."""

from functools import cache

from lightningstor.config.option import Option, entry_options, section_options
from lightningstor.config.sections import SECTIONS, BucketSettings, PrincipalSettings, QuotaSettings

__all__ = ["ENTRIES", "all_options", "by_path", "by_variable", "entries_of"]

ENTRIES: dict[str, type] = {
    "iam.principals": PrincipalSettings,
    "buckets": BucketSettings,
    "quotas": QuotaSettings,
}
"""The arrays of tables, and the class of an entry."""

FILE_SUFFIX = "_file"


@cache
def all_options() -> tuple[Option, ...]:
    """Every option of the sections, in the order in which they are shown."""
    return tuple(option for section, cls in SECTIONS.items() for option in section_options(cls, section))


@cache
def by_path() -> dict[str, Option]:
    """Options by their dotted name."""
    return {option.path: option for option in all_options()}


@cache
def by_variable() -> dict[str, tuple[Option, bool]]:
    """Options by environment variable; True where the variable names a file that holds the value."""
    found: dict[str, tuple[Option, bool]] = {}
    for option in all_options():
        for variable in option.variables:
            found[variable] = (option, False)
            if option.file_form:
                found[variable + FILE_SUFFIX.upper()] = (option, True)
    return found


@cache
def entries_of(section: str) -> tuple[Option, ...]:
    """The options of an entry of an array of tables."""
    return entry_options(ENTRIES[section], section)
