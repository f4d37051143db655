"""What all tests share: the real daemon, an authority for TLS, figures for the summary, the rules about skips."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.harness.certificates import CertificateAuthority
from tests.harness.daemon import RunningDaemon, start_daemon
from tests.harness.outputs import DaemonOutputs
from tests.harness.proofs import ProofRun, is_proof
from tests.harness.skips import AllowedSkips, Skip

StartDaemon = Callable[..., RunningDaemon]
Figure = Callable[[str], None]

_OPT_IN_MARKERS = {"interop_more": "--interop-more", "bench": "--bench"}
_RUNS_LAST = "tests/test_daemon_output.py"
_SKIPS = pytest.StashKey[list[Skip]]()
_FIGURES = pytest.StashKey[list[str]]()
_REFUSED = pytest.StashKey[list[Skip]]()
_PROOFS = pytest.StashKey[ProofRun]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("lightningstor")
    group.addoption("--proof-full", action="store_true", help="run proofs in full, not in their short form")
    group.addoption("--interop-more", action="store_true", help="also run the clients of other languages")
    group.addoption("--bench", action="store_true", help="also run what measures")
    group.addoption("--allowed-skips", type=Path, help="fail when a test is skipped that this file does not allow")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SKIPS] = []
    config.stash[_FIGURES] = []
    config.stash[_REFUSED] = []
    config.stash[_PROOFS] = ProofRun()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Every test of the proof list, and every one that has a full form, is a proof."""
    if is_proof(item):
        item.add_marker(pytest.mark.proof)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what must be asked for; put the search of all output where all output exists."""
    left_out = [
        item
        for item in items
        if any(
            item.get_closest_marker(marker) and not config.getoption(option)
            for marker, option in _OPT_IN_MARKERS.items()
        )
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    chosen = [item for item in items if item not in set(left_out)]
    items[:] = sorted(chosen, key=lambda item: item.nodeid.startswith(_RUNS_LAST))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note every skip with its reason, and what proofs did."""
    report = yield
    if item.get_closest_marker("proof"):
        item.config.stash[_PROOFS].note(report)
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        item.config.stash[_SKIPS].append(Skip(report.nodeid, reason.removeprefix("Skipped: ")))
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With --allowed-skips, a skip that the file does not allow is a failure."""
    allowed_file = session.config.getoption("--allowed-skips")
    if allowed_file is None:
        return
    skips: list[Skip] = session.config.stash[_SKIPS]
    refused = AllowedSkips.read(allowed_file).refused(skips)
    session.config.stash[_REFUSED] = refused
    if refused and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures that tests gave, and the skips that are failures."""
    if figures := config.stash[_FIGURES]:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.line(line)
    if config.getoption("--proof-full") and (proofs := list(config.stash[_PROOFS].lines())):
        terminalreporter.section("proofs, by the lines of docs/proofs.md")
        for line in proofs:
            terminalreporter.line(line)
    if refused := config.stash[_REFUSED]:
        terminalreporter.section("skips that tests/allowed-skips.txt does not allow", red=True)
        for skip in refused:
            terminalreporter.line(f"{skip.node_id}: {skip.reason}")


@pytest.fixture(scope="session")
def proof_full(request: pytest.FixtureRequest) -> bool:
    """Whether proofs run in full (`make proof`) or in their short form."""
    return bool(request.config.getoption("--proof-full"))


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Call it with a line such as "kill -9 at 1,204 points: 0 lost"; the summary prints it under the test's name."""

    def note(line: str) -> None:
        request.config.stash[_FIGURES].append(f"{request.node.nodeid.removeprefix('tests/')}: {line}")

    return note


@pytest.fixture(scope="session")
def daemon_outputs(tmp_path_factory: pytest.TempPathFactory) -> DaemonOutputs:
    """What all daemons of this session print, kept until its end."""
    return DaemonOutputs(tmp_path_factory.mktemp("daemon-outputs"))


@pytest.fixture(scope="session")
def certificate_authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority made for this session."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def launch_daemon(
    tmp_path: Path, daemon_outputs: DaemonOutputs, certificate_authority: CertificateAuthority
) -> Iterator[StartDaemon]:
    """Call it to start the real daemon; whatever still runs at the test's end is stopped.

    Takes what `tests.harness.daemon.start_daemon` takes, and `tls=True` for https; `folder` defaults to one of its
    own below the test's tmp_path.
    """
    started: list[RunningDaemon] = []

    def launch(*options: str, folder: Path | None = None, tls: bool = False, **more: object) -> RunningDaemon:
        if folder is None:
            folder = tmp_path / f"daemon-{len(started)}"
            folder.mkdir()
        if tls:
            issued = certificate_authority.issue_server()
            more |= {
                "certificate": (issued.cert_file, issued.key_file),
                "ca_file": certificate_authority.ca_file,
            }
        daemon = start_daemon(folder, daemon_outputs, *options, **more)  # type: ignore[arg-type]
        started.append(daemon)
        return daemon

    yield launch
    for daemon in started:
        daemon.stop()
