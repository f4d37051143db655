"""Debian's Chromium, driven by Playwright, at the console of a real daemon."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import define, field

from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

_CHROMIUM = "/usr/bin/chromium"
_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@define
class Visit:
    """A browser's visit to the console, and what went wrong on the way.

    Attributes:
        complaints: what the browser's console had to say: errors, violations of the content policy.
        dialogs: the texts of the dialogs that came up; all are accepted.
    """

    page: Page
    base: str
    complaints: list[str] = field(factory=list)
    dialogs: list[str] = field(factory=list)

    def go(self, path: str) -> None:
        """Open a page of the console."""
        self.page.goto(f"{self.base}/console{path}")

    def log_in(self, access_key: str, secret_key: str) -> None:
        """Fill in the form that every page leads to."""
        self.go("/")
        self.page.fill("#access_key", access_key)
        self.page.fill("#secret_key", secret_key)
        self.page.click("main button")
        self.page.wait_for_selector("text=Log out")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    if shutil.which(_CHROMIUM) is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, daemon_outputs: DaemonOutputs) -> Iterator[RunningDaemon]:
    """One daemon for the tests of a module."""
    folder: Path = tmp_path_factory.mktemp("console")
    running = start_daemon(folder, daemon_outputs, "--bucket", "pictures")
    yield running
    assert running.stop() == 0


@pytest.fixture
def visiting(chromium: Browser, daemon: RunningDaemon) -> Iterator[Callable[..., Visit]]:
    """Call it for a visit; options are those of a browser context."""
    contexts: list[BrowserContext] = []

    def visit(**options: object) -> Visit:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(20_000)
        contexts.append(context)
        made = Visit(context.new_page(), f"http://{daemon.addresses['admin']}")
        made.page.on("console", lambda message: made.complaints.append(f"{message.type}: {message.text}"))
        made.page.on("pageerror", lambda error: made.complaints.append(f"error: {error}"))

        def answer(dialog: object) -> None:
            made.dialogs.append(dialog.message)  # type: ignore[attr-defined]
            dialog.accept()  # type: ignore[attr-defined]

        made.page.on("dialog", answer)
        return made

    yield visit
    for context in contexts:
        # The cookies of sessions, and the tokens that forms of theirs hold: no output may have them.
        daemon.outputs.secrets.update(cookie["value"] for cookie in context.cookies())
        for page in context.pages:
            tokens = page.eval_on_selector_all("[name=csrf]", "all => all.map(one => one.value)")
            daemon.outputs.secrets.update(tokens)
        context.close()


@pytest.fixture
def visit(visiting: Callable[..., Visit], daemon: RunningDaemon) -> Visit:
    """Root, logged in."""
    made = visiting()
    made.log_in(daemon.access_key, daemon.secret_key)
    return made
