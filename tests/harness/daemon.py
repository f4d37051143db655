"""The real daemon as a process of its own: started, watched until it is ready, stopped, its output kept."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from tests.harness.outputs import DaemonOutputs

__all__ = ["DaemonFailed", "RunningDaemon", "start_daemon"]

REPOSITORY = Path(__file__).resolve().parents[2]
_POLL_S = 0.005


class DaemonFailed(AssertionError):
    """The daemon ended, or was not ready in time. The message holds what it printed."""


@define
class RunningDaemon:
    """A daemon that has said it is ready (or was started with `ready=False`)."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    ready_file: Path
    output_file: Path
    access_key: str
    secret_key: str
    ca_file: Path | None
    outputs: DaemonOutputs
    addresses: dict[str, Any] = field(factory=dict)

    @property
    def pid(self) -> int:
        """The daemon's process."""
        return self.process.pid

    @property
    def scheme(self) -> str:
        """Of the S3 port: "http", or "https" when it was started with a certificate."""
        return "https" if self.ca_file else "http"

    @property
    def s3_url(self) -> str:
        """Where S3 is served, without a slash at the end."""
        return f"{self.scheme}://{self.addresses['s3']}"

    def output(self) -> str:
        """What it printed until now, both streams."""
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, timeout_s: float = 30) -> None:
        """Wait until the ready file stands; its addresses are in `addresses` then.

        Raises:
            DaemonFailed: it ended first, or took longer.
        """
        deadline = time.monotonic() + timeout_s
        while not self.ready_file.exists():
            if (code := self.process.poll()) is not None:
                raise DaemonFailed(f"the daemon ended with {code} before it was ready:\n{self.output()}")
            if time.monotonic() > deadline:
                self.kill()
                raise DaemonFailed(f"the daemon was not ready after {timeout_s} s:\n{self.output()}")
            time.sleep(_POLL_S)
        self.addresses = json.loads(self.ready_file.read_text(encoding="utf-8"))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        """Wait for its end; its exit status (negative: the signal)."""
        return self.process.wait(timeout_s)

    def stop(self, timeout_s: float = 30) -> int:
        """End it as an administrator does, by SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonFailed(f"the daemon did not end {timeout_s} s after SIGTERM:\n{self.output()}") from None

    def kill(self) -> int:
        """End it as a crash does, by SIGKILL; its exit status."""
        self.signal(signal.SIGKILL)
        return self.wait()


def start_daemon(
    folder: Path,
    outputs: DaemonOutputs,
    *options: str,
    config: str = "",
    env: Mapping[str, str] | None = None,
    data_dir: Path | None = None,
    certificate: tuple[Path, Path] | None = None,
    ca_file: Path | None = None,
    credentials: tuple[str, str] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "lightningstor"),
    log_level: str = "debug",
    ready: bool = True,
    timeout_s: float = 30,
) -> RunningDaemon:
    """Start a daemon on loopback ports that the kernel picks.

    Args:
        folder: where its data, ready file and configuration go; one daemon (or one after the other) a folder.
        outputs: the session's collection, which its output goes to.
        options: further command line options.
        config: TOML. What stands on the command line goes before it.
        env: further environment variables.
        data_dir: default `folder/data`.
        certificate: certificate and key file: S3 is served over TLS.
        ca_file: what clients trust then.
        credentials: the root access key and secret key, default: drawn anew, of the shape that S3's have.
        command: what runs the daemon.
        log_level: default debug, so that the search for secrets sees everything.
        ready: wait until it is ready.
        timeout_s: how long at most, in seconds.

    Raises:
        DaemonFailed: it ended before it was ready, or took too long.
    """
    data_dir = data_dir or folder / "data"
    ready_file, config_file = folder / "ready.json", folder / "lightningstor.toml"
    ready_file.unlink(missing_ok=True)
    if certificate:
        config += f'\n[server.tls]\ncert_file = "{certificate[0]}"\nkey_file = "{certificate[1]}"\n'
    config_file.write_text(config, encoding="utf-8")
    access_key, secret_key = credentials or _fresh_credentials()
    output_file = outputs.new_file(secret_key, *_configured_secrets(config))
    with output_file.open("ab") as output:
        process = subprocess.Popen(
            [
                *command,
                *("--config", str(config_file), "--data-dir", str(data_dir), "--ready-file", str(ready_file)),
                *("--s3-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"),
                *("--log-level", log_level),
                *options,
            ],
            cwd=REPOSITORY,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith("LIGHTNINGSTOR_")},
                "LIGHTNINGSTOR_ROOT_ACCESS_KEY": access_key,
                "LIGHTNINGSTOR_ROOT_SECRET_KEY": secret_key,
                **(env or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    trusted = ca_file if certificate else None
    daemon = RunningDaemon(process, data_dir, ready_file, output_file, access_key, secret_key, trusted, outputs)
    if ready:
        daemon.wait_ready(timeout_s)
    return daemon


def _configured_secrets(config: str) -> list[str]:
    """What the options hold that are secrets, such as `metrics_token`."""
    return re.findall(r'^\s*(?:\w+_)?(?:token|secret_key)\s*=\s*"([^"]+)"', config, re.MULTILINE)


def _fresh_credentials() -> tuple[str, str]:
    """Twenty capitals and digits, and forty characters of base64: + and / occur, as in S3's own."""
    access_key = "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()
    return access_key, base64.b64encode(secrets.token_bytes(30)).decode()
