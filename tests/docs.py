"""Write the pages that are made from the code: `python -m tests.docs`."""

from __future__ import annotations

from pathlib import Path

from lightningstor.config.reference import reference_page
from lightningstor.s3.wire.compatibility import compatibility
from tests.harness.proofs import proofs_page

_DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    """Write each page in its place."""
    pages = {
        "configuration.md": reference_page(),
        "proofs.md": proofs_page(),
        "s3-compatibility.md": compatibility(),
    }
    for name, page in pages.items():
        (_DOCS / name).write_text(page, encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
