"""Write the pages that are made from the code: `python -m tests.docs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lightningstor.admin.api.reference import admin_api_page
from lightningstor.cli.reference import cli_page
from lightningstor.config.reference import reference_page
from lightningstor.s3.wire.compatibility import compatibility
from tests.harness.proofs import proofs_page

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES: dict[str, Callable[[], str]] = {
    "admin-api.md": admin_api_page,
    "cli.md": cli_page,
    "configuration.md": reference_page,
    "proofs.md": proofs_page,
    "s3-compatibility.md": compatibility,
}


def main() -> None:
    """Write each page in its place."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
