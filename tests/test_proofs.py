"""The proof list names tests that exist, and its page is current."""

from __future__ import annotations

from pathlib import Path

from tests.harness.proofs import PAGE, PROOFS, missing_tests, proofs_page


def test_every_named_test_exists() -> None:
    """A line whose test was renamed or removed is noticed."""
    assert missing_tests() == [], "name the test that holds the line now in tests/proofs.toml"


def test_every_line_has_a_test_or_says_what_it_lacks() -> None:
    """No line is without a test, none is there twice, and where forms differ both are told."""
    assert [proof.number for proof in PROOFS if bool(proof.short) != bool(proof.full)] == []
    assert [proof.number for proof in PROOFS if not proof.tests] == []
    assert len({proof.number for proof in PROOFS}) == len(PROOFS)


def test_the_page_is_current() -> None:
    """docs/proofs.md is what the table says today: `make docs` writes it."""
    assert (Path(__file__).parents[1] / PAGE).read_text(encoding="utf-8") == proofs_page()
