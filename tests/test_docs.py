"""The documentation is of today: generated pages, metrics, code in pages, and a site without hosts of others."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from textwrap import dedent

import pytest

from tests.conftest import StartDaemon
from tests.docs import DOCS, PAGES
from tests.interop.environments import PythonEnvironment

_ROOT = DOCS.parent
_LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "object": "data"}


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name: str) -> None:
    """What is made from the code is what the code says now."""
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run: make docs"


def test_code_in_pages_is_run() -> None:
    """Every block of Python in a page stands in an example, which a test runs."""
    examples = [path.read_text(encoding="utf-8") for path in (_ROOT / "examples").glob("*.py")]
    blocks = [
        (page.name, block)
        for page in DOCS.glob("*.md")
        for block in re.findall(r"(?ms)^```python\n(.*?)^```", page.read_text(encoding="utf-8"))
    ]
    assert blocks
    for page, block in blocks:
        assert any(dedent(block).strip() in dedent(text) or block.rstrip() in text for text in examples), page


def test_every_metric_is_explained(launch_daemon: StartDaemon) -> None:
    """What a daemon with TLS and an audit log shows at /metrics has its meaning in docs/operations.md."""
    daemon = launch_daemon(config="[audit]\nenabled = true\n", tls=True)
    connection = HTTPConnection(daemon.addresses["admin"], timeout=20)
    connection.request("GET", "/metrics")
    shown = set(re.findall(r"(?m)^# HELP (lightningstor_\w+)", connection.getresponse().read().decode()))
    connection.close()
    explained = set(re.findall(r"`(lightningstor_\w+)", (DOCS / "operations.md").read_text(encoding="utf-8")))
    assert shown - explained == set()
    assert explained - shown == {"lightningstor_aegis_decisions_total"}


class _Loaded(HTMLParser):
    """Collects what a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        value = dict(attrs).get(_LOADING.get(tag, ""))
        if value is not None:
            self.found.append(value)


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """mkdocs finds no broken link; no page loads a script, a style, a font or an image from another host."""
    python = PythonEnvironment("docs", _ROOT / "requirements" / "docs.txt").python()
    command = [str(python), "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    elsewhere: list[str] = []
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        elsewhere += [f"{page.name}: {target}" for target in loaded.found if re.match(r"(?:\w+:)?//", target)]
    for style in (tmp_path / "site").rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        elsewhere += [
            f"{style.name}: {found}" for found in re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//\S+", text)
        ]
    assert not elsewhere
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in (tmp_path / "site").glob("*.html")}
