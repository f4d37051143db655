"""The proof list: what must hold under faults, load and hostile input, and the tests that hold each line.

`docs/proofs.md` is made from it (`make docs`). A test of the table, and every test that has a longer form, carries the
marker `proof`; `make proof` runs them, and says for each line what it ran.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import define, field, frozen

__all__ = ["PAGE", "PROOFS", "Proof", "ProofRun", "is_proof", "missing_tests", "proofs_page"]

PAGE = "docs/proofs.md"
_ROOT = Path(__file__).resolve().parents[2]

_HEAD = """\
# Proofs

Made from `tests/proofs.toml` by `make docs`; don't edit.

What must hold under faults, load and hostile input, and the tests that hold it. `make test` runs each test in its short
form; `make proof` runs those of this page in full, prints the figure of each and, for every line, what it ran and how
long that took. Alone: `python -m pytest --proof-full TEST`, with a name from below. A test without a longer form is
the same in both.

"Held" is what the line promises. "In part" says what no test here shows. Of the numbers, 8 (a scrub that finds
planted faults) and 12 (a backup while writing) are not here: nothing holds them yet.
"""


@frozen
class Proof:
    """One line.

    Args:
        claim: what must be shown.
        tests: node ids without parameters, the strongest first.
        short, full: the two forms, where they differ.
        lacks: what of the claim no test shows.
    """

    number: str
    title: str
    claim: str
    tests: tuple[str, ...]
    short: str = ""
    full: str = ""
    lacks: str = ""


def _read() -> tuple[Proof, ...]:
    tables = tomllib.loads((_ROOT / "tests" / "proofs.toml").read_text(encoding="utf-8"))["proof"]
    return tuple(Proof(**{**table, "tests": tuple(table["tests"])}) for table in tables)


PROOFS = _read()


@frozen
class _TestFunction:
    """A test function as its file has it."""

    has_full_form: bool


@cache
def _functions(path: Path) -> dict[str, _TestFunction]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name: _TestFunction("proof_full" in {argument.arg for argument in node.args.args})
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _function(node_id: str) -> _TestFunction | None:
    file, _, name = node_id.partition("::")
    path = _ROOT / file
    return _functions(path).get(name) if path.is_file() else None


def missing_tests() -> list[str]:
    """The tests that the table names and that are not there, with their lines."""
    return [f"{proof.number}: {test}" for proof in PROOFS for test in proof.tests if _function(test) is None]


def proofs_page() -> str:
    """The page."""
    return _HEAD + "".join(_section(proof) for proof in PROOFS)


def _section(proof: Proof) -> str:
    lines = ["", f"## {proof.number}. {proof.title}", "", proof.claim, ""]
    lines += [f"Short: {proof.short}. Full: {proof.full}.", ""] if proof.full else []
    for test in proof.tests:
        function = _function(test)
        forms = " (short and full)" if function is not None and function.has_full_form else ""
        lines.append(f"- `{test}`{forms}")
    lines.append("")
    lines += [f"In part: {proof.lacks}." if proof.lacks else "Held.", ""]
    return "\n".join(lines)


_NAMED = frozenset(test for proof in PROOFS for test in proof.tests)


def is_proof(item: pytest.Item) -> bool:
    """Whether a collected test is one of the table, or has a full form."""
    node_id = item.nodeid.partition("[")[0]
    return node_id in _NAMED or "proof_full" in getattr(item, "fixturenames", ())


@define
class ProofRun:
    """What a session ran of the table."""

    _seconds: dict[str, float] = field(factory=dict)
    _outcomes: dict[str, dict[str, str]] = field(factory=dict)

    def note(self, report: pytest.TestReport) -> None:
        """Take in a report of any phase of any test."""
        name = report.nodeid.partition("[")[0]
        self._seconds[name] = self._seconds.get(name, 0.0) + report.duration
        cases = self._outcomes.setdefault(name, {})
        if report.when == "call" or report.outcome != "passed":
            cases[report.nodeid] = report.outcome

    def lines(self) -> Iterator[str]:
        """A line for each line of the table that it ran anything of."""
        for proof in PROOFS:
            ran = [test for test in proof.tests if test in self._outcomes]
            if ran:
                yield f"{proof.number:>3}  {proof.title}: {self._counts(ran)}, {self._time(ran):.1f} s"
        others = sorted(name for name in self._outcomes if name not in _NAMED)
        if others:
            yield f"     others: {self._counts(others)}, {self._time(others):.1f} s"
        if self._outcomes:
            yield f"     all: {self._counts(self._outcomes)}, {self._time(self._outcomes):.1f} s"

    def _time(self, tests: Iterable[str]) -> float:
        return sum(self._seconds[test] for test in tests)

    def _counts(self, tests: Iterable[str]) -> str:
        outcomes = [outcome for test in tests for outcome in self._outcomes[test].values()]
        return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in sorted(set(outcomes)))
