"""What a command prints: a table or lines for people, the API's own JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from attrs import frozen

__all__ = ["Output"]

_PIPED_WIDTH = 1000
_TIMES = frozenset({"created_at", "expires_at", "initiated_at"})


def _text(name: str, value: object) -> str:
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if name in _TIMES and isinstance(value, int):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if value else "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={_text(key, inner)}" for key, inner in value.items())
    return str(value)


@frozen
class Output:
    """Prints answers.

    Args:
        as_json: as they are, indented; a script can rely on their fields (docs/admin-api.md).
    """

    as_json: bool

    def table(self, answer: Mapping[str, Any], columns: Sequence[str], none: str) -> None:
        """A listing, with these of its items' fields; `none` is said where there are no items."""
        if self.as_json:
            self._json(answer)
            return
        items = answer["items"]
        if not items:
            click.echo(none)
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            numbers = any(type(item[column]) is int and column not in _TIMES for item in items)
            table.add_column(column.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
        for item in items:
            table.add_row(*(_text(column, item[column]) for column in columns))
        # Piped output is for grep and cut: a row stays a line.
        width = None if sys.stdout.isatty() else _PIPED_WIDTH
        Console(markup=False, highlight=False, width=width).print(table)

    def record(self, answer: Mapping[str, Any]) -> None:
        """One thing, a field a line."""
        if self.as_json:
            self._json(answer)
            return
        width = max(len(name) for name in answer)
        for name, value in answer.items():
            click.echo(f"{name.replace('_', ' '):<{width}}  {_text(name, value)}")

    def done(self, words: str) -> None:
        """Something that has no answer was done."""
        if self.as_json:
            self._json({})
        else:
            click.echo(words)

    def _json(self, answer: object) -> None:
        click.echo(json.dumps(answer, indent=2))
