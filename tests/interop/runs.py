"""One run of a client's driver against one endpoint, and what it said."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen

from tests.interop.clients_table import Client

__all__ = ["Endpoint", "Outcome", "Run", "bucket_name", "run_driver"]

_TIMEOUT_S = 300
_SETTINGS_OF_CLIENTS = ("AWS_", "MC_", "RCLONE_")


@frozen
class Endpoint:
    """Where a driver works: a daemon with the seeded bucket, and the files that drivers read."""

    scheme: str
    url: str
    region: str
    access_key: str
    secret_key: str
    ca_file: Path | None
    seeded_bucket: str
    files: Path


@frozen
class Outcome:
    """How one step went: result is "passed", "n/a" or "failed"."""

    result: str
    why: str = ""
    seconds: float = 0.0


@define
class Run:
    """What a driver said: the client's version, and each step's outcome."""

    client: Client
    scheme: str
    version: str = ""
    outcomes: dict[str, Outcome] = field(factory=dict)
    ended_badly: str = ""

    def outcome(self, step: str) -> Outcome:
        """The step's outcome; a step that the driver said nothing about has failed."""
        silent = Outcome("failed", self.ended_badly or "the driver said nothing about this step")
        return self.outcomes.get(step, silent)


def bucket_name(client: Client) -> str:
    """The name that `INTEROP_BUCKET` tells the client's driver."""
    return "interop-" + "".join(letter if letter.isalnum() else "-" for letter in client.name).strip("-")


def run_driver(client: Client, endpoint: Endpoint, work: Path) -> Run:
    """Run the client's driver in the folder `work`; a step that it doesn't come to counts as failed."""
    run = Run(client, endpoint.scheme)
    environment = {
        # A client must not find settings of whoever runs the tests, nor a proxy.
        **{name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS_OF_CLIENTS)},
        "HOME": str(work),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "INTEROP_ENDPOINT": endpoint.url,
        "INTEROP_REGION": endpoint.region,
        "INTEROP_ACCESS_KEY": endpoint.access_key,
        "INTEROP_SECRET_KEY": endpoint.secret_key,
        "INTEROP_CA_FILE": str(endpoint.ca_file or ""),
        "INTEROP_BUCKET": bucket_name(client),
        "INTEROP_SEEDED_BUCKET": endpoint.seeded_bucket,
        "INTEROP_FILES": str(endpoint.files),
        "INTEROP_WORK": str(work),
    }
    errors = work.with_suffix(".stderr")
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            client.command(),
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
        )
        try:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            run.ended_badly = f"the driver was still running after {_TIMEOUT_S} s"
    _read_lines(run, output.splitlines())
    if process.returncode and not run.ended_badly:
        said = errors.read_text(encoding="utf-8", errors="replace")[-3000:]
        run.ended_badly = f"the driver ended with {process.returncode}:\n{said}"
    return run


def _read_lines(run: Run, lines: Iterable[str]) -> None:
    for line in lines:
        try:
            fields = json.loads(line)
        except ValueError:
            # A client that prints for itself.
            continue
        if "version" in fields:
            run.version = fields["version"]
        elif "step" in fields:
            seconds = fields.get("seconds", 0.0)
            run.outcomes[fields["step"]] = Outcome(fields["result"], fields.get("why", ""), seconds)
