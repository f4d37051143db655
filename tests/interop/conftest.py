"""Two daemons, one over http and one over https, each with a seeded bucket, and one run of each client on each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.harness.certificates import CertificateAuthority
from tests.harness.daemon import start_daemon
from tests.harness.outputs import DaemonOutputs
from tests.interop.clients_table import CLIENTS, Client
from tests.interop.keys import LISTED, OWN, encoded
from tests.interop.matrix import render, summary
from tests.interop.runs import Endpoint, Run, bucket_name, run_driver

RunClient = Callable[[Client, str], Run]
StartEndpoint = Callable[[str], Endpoint]

MIB = 1024 * 1024
SIZES = (0, 1, 65_535, 65_536, 65_537, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 100 * MIB)
SEEDED = "seeded"
REGION = "us-east-1"
MATRIX = Path(__file__).resolve().parents[2] / "docs" / "interop-matrix.md"
_RUNS = pytest.StashKey[dict[tuple[str, str], Run]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which clients ran, with their versions; after all have (`make interop`), write the matrix."""
    runs = _in_order(config.stash.get(_RUNS, {}))
    if not runs:
        return
    terminalreporter.section("clients")
    for line in summary(runs):
        terminalreporter.line(line)
    if {(run.client.name, run.scheme) for run in runs} >= {
        (client.name, scheme) for client in CLIENTS for scheme in ("http", "https")
    }:
        MATRIX.parent.mkdir(exist_ok=True)
        MATRIX.write_text(render(runs), encoding="utf-8")
        terminalreporter.line(f"written: {MATRIX.relative_to(MATRIX.parents[1])}")


def _in_order(runs: dict[tuple[str, str], Run]) -> list[Run]:
    order = [client.name for client in CLIENTS]
    return sorted(runs.values(), key=lambda run: (order.index(run.client.name), run.scheme))


@pytest.fixture(scope="session")
def interop_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that drivers read: files of each size, and the lists of keys."""
    folder = tmp_path_factory.mktemp("interop-files")
    source = random.Random(20260102)
    for size in SIZES:
        (folder / f"size-{size}").write_bytes(source.randbytes(size))
    for kind, keys in OWN.items():
        (folder / f"own-{kind}").write_text(encoded(keys), encoding="ascii")
    for kind, keys in LISTED.items():
        (folder / f"listed-{kind}").write_text(encoded(keys), encoding="ascii")
    return folder


@pytest.fixture(scope="session")
def interop_endpoint(
    tmp_path_factory: pytest.TempPathFactory,
    daemon_outputs: DaemonOutputs,
    certificate_authority: CertificateAuthority,
    interop_files: Path,
) -> Iterator[StartEndpoint]:
    """Call it with a scheme: the daemon that serves it, started and seeded at the first call."""
    endpoints: dict[str, Endpoint] = {}
    daemons = []

    def start(scheme: str) -> Endpoint:
        if scheme not in endpoints:
            certificate, ca_file = None, None
            if scheme == "https":
                issued = certificate_authority.issue_server()
                certificate, ca_file = (issued.cert_file, issued.key_file), certificate_authority.ca_file
            daemon = start_daemon(
                tmp_path_factory.mktemp(scheme), daemon_outputs, certificate=certificate, ca_file=ca_file
            )
            daemons.append(daemon)
            endpoint = Endpoint(
                scheme, daemon.s3_url, REGION, daemon.access_key, daemon.secret_key, ca_file, SEEDED, interop_files
            )
            _seed(endpoint)
            endpoints[scheme] = endpoint
        return endpoints[scheme]

    yield start
    for daemon in daemons:
        daemon.stop()


def _helper(endpoint: Endpoint) -> Any:
    """A client of the tests' own, for what clients under test are to find."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint.url,
        region_name=endpoint.region,
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        verify=str(endpoint.ca_file) if endpoint.ca_file else None,
        config=Config(max_pool_connections=16),
    )


def _seed(endpoint: Endpoint) -> None:
    """Put the 2,500 keys that clients list."""
    with closing(_helper(endpoint)) as client, ThreadPoolExecutor(16) as pool:
        client.create_bucket(Bucket=endpoint.seeded_bucket)
        keys = [key for kind in LISTED.values() for key in kind]
        for _ in pool.map(lambda key: client.put_object(Bucket=endpoint.seeded_bucket, Key=key, Body=b"x"), keys):
            pass


def _make_buckets(client: Client, endpoint: Endpoint) -> None:
    """Make the buckets of a client that can't."""
    with closing(_helper(endpoint)) as helper:
        for bucket in (bucket_name(client), f"{bucket_name(client)}-2"):
            helper.create_bucket(Bucket=bucket)


@pytest.fixture(scope="session")
def run_client(
    request: pytest.FixtureRequest, interop_endpoint: StartEndpoint, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunClient]:
    """Call it with a client and a scheme: what its driver said.

    All runs that this session's tests ask for start at the first call, two at a time: while one waits for the
    daemon, the other works. Skips where a tool is missing, with the line that installs it.
    """
    runs = request.config.stash.setdefault(_RUNS, {})
    started: dict[tuple[str, str], Future[Run]] = {}
    pool = ThreadPoolExecutor(2)

    def start_all() -> None:
        for client, scheme in _asked_for(request.session.items):
            if not client.missing():
                endpoint = interop_endpoint(scheme)
                if not client.makes_buckets:
                    _make_buckets(client, endpoint)
                work = tmp_path_factory.mktemp("work")
                started[client.name, scheme] = pool.submit(run_driver, client, endpoint, work)

    def run(client: Client, scheme: str) -> Run:
        if line := client.missing():
            pytest.skip(line)
        if not started:
            start_all()
        runs[client.name, scheme] = started[client.name, scheme].result()
        return runs[client.name, scheme]

    yield run
    pool.shutdown(cancel_futures=True)


def _asked_for(items: list[pytest.Item]) -> list[tuple[Client, str]]:
    """Which client is to run over which scheme for these tests, each once.

    All of one scheme come first, so that the two runs under way want two environments to be made, not the same one.
    """
    calls = (getattr(item, "callspec", None) for item in items)
    asked = (call.params for call in calls if call is not None and {"client", "scheme"} <= call.params.keys())
    return sorted(dict.fromkeys((params["client"], params["scheme"]) for params in asked), key=lambda pair: pair[1])
