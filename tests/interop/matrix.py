"""The generated matrix, client × step: `docs/interop-matrix.md`."""

from __future__ import annotations

from collections.abc import Iterable

from tests.interop.runs import Outcome, Run
from tests.interop.steps import STEPS

__all__ = ["render", "summary"]

_HEAD = """\
# Clients

Which client does what against this store: written by `make interop`, which runs each client in an environment of its
own against the real daemon, over http and over https. A number points at what a client has no means for.
"""
_MARKS = {"passed": "✓", "n/a": "n/a", "failed": "**failed**"}


def _merged(runs: list[Run], step: str) -> Outcome:
    """One outcome of both schemes: the worse one."""
    order = {"failed": 0, "n/a": 1, "passed": 2}
    return min((run.outcome(step) for run in runs), key=lambda outcome: order[outcome.result])


def render(runs: Iterable[Run]) -> str:
    """The matrix as Markdown: a row for each step, a column for each client."""
    columns: dict[str, list[Run]] = {}
    for run in runs:
        columns.setdefault(run.client.name, []).append(run)
    notes: dict[str, int] = {}
    lines = [_HEAD, "| client | version | passed | n/a |", "| --- | --- | --- | --- |"]
    for name, both in columns.items():
        results = [_merged(both, step.name).result for step in STEPS]
        lines.append(f"| {name} | {both[0].version} | {results.count('passed')} | {results.count('n/a')} |")
    lines += ["", "| step | " + " | ".join(columns) + " |", "| --- |" + " :-: |" * len(columns)]
    for step in STEPS:
        cells = []
        for name, both in columns.items():
            outcome = _merged(both, step.name)
            mark = _MARKS[outcome.result]
            if outcome.why and outcome.result != "failed":
                mark += f" ({notes.setdefault(f'{name}: {outcome.why}', len(notes) + 1)})"
            cells.append(mark)
        lines.append(f"| {step.name}: {step.shows} | " + " | ".join(cells) + " |")
    lines += ["", *(f"{number}. {note}" for note, number in notes.items()), ""]
    return "\n".join(lines)


def summary(runs: Iterable[Run]) -> list[str]:
    """A line for each run: who ran, which version, and how many steps passed."""
    lines = []
    for run in runs:
        outcomes = [run.outcome(step.name) for step in STEPS]
        results = [outcome.result for outcome in outcomes]
        seconds = sum(outcome.seconds for outcome in outcomes)
        said = ", ".join(f"{results.count(word)} {word}" for word in ("passed", "n/a", "failed") if word in results)
        lines.append(f"{run.client.name:<14} {run.version:<28} {run.scheme:<6} {said}, {seconds:.1f} s")
    return lines
