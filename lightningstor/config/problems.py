"""What is wrong with a configuration, all of it at once, in words that help."""

from collections.abc import Iterable

__all__ = ["ConfigError", "nearest"]


class ConfigError(Exception):
    """The configuration cannot be used.

    Args:
        problems: one sentence each, naming the option and where it was set.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, or None where none comes near."""
    import difflib  # a configuration without mistakes never needs it

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)
