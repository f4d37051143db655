"""Stopping while clients are at work: the grace period, readers that never read, disks that hang."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config as BotoConfig

from tests.harness.daemon import RunningDaemon

Launch = Callable[..., RunningDaemon]


def s3_client(daemon: RunningDaemon) -> Any:
    """boto3 with the daemon's root credentials."""
    return boto3.client(
        "s3",
        endpoint_url=daemon.s3_url,
        aws_access_key_id=daemon.access_key,
        aws_secret_access_key=daemon.secret_key,
        region_name="us-east-1",
        config=BotoConfig(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def send_head(daemon: RunningDaemon, url: str, method: str, *lines: str) -> socket.socket:
    """A connection on which a presigned request's head was sent."""
    parts = urlsplit(url)
    host, _, port = daemon.addresses["s3"].rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=30)
    head = [f"{method} {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", *lines, "", ""]
    client.sendall("\r\n".join(head).encode())
    return client


def test_exit_within_grace_and_two_seconds(
    launch_daemon: Launch, proof_full: bool, figure: Callable[[str], None]
) -> None:
    """PROOF 22: SIGTERM with 100 PUTs half-way and readers that never read: the end comes within grace + 2 s.

    Afterwards the store holds what was acknowledged, and nothing of the PUTs.
    """
    grace_s, puts = (10, 100) if proof_full else (1, 30)
    config = f"[limits]\nstop_grace_seconds = {grace_s}\n"
    daemon = launch_daemon("--bucket", "bucket", config=config)
    s3 = s3_client(daemon)
    s3.put_object(Bucket="bucket", Key="large", Body=bytes(32 << 20))
    with ExitStack() as stack:
        for number in range(puts):
            url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": f"put-{number}"})
            client = stack.enter_context(send_head(daemon, url, "PUT", f"Content-Length: {8 << 20}"))
            client.sendall(bytes(256 << 10))
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "large"})
        for _ in range(5):
            stack.enter_context(send_head(daemon, url, "GET")).recv(1, socket.MSG_PEEK)
        started = time.monotonic()
        daemon.signal(signal.SIGTERM)
        code = daemon.wait(grace_s + 10)
        took_s = time.monotonic() - started
    figure(
        f"SIGTERM with {puts} PUTs and 5 readers that never read: exit {code} after {took_s:.2f} s, grace {grace_s} s"
    )
    assert code == 0
    assert took_s <= grace_s + 2
    again = launch_daemon(folder=daemon.data_dir.parent, credentials=(daemon.access_key, daemon.secret_key))
    listed = s3_client(again).list_objects_v2(Bucket="bucket")["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [("large", 32 << 20)]


def test_request_in_its_grace_is_finished(launch_daemon: Launch) -> None:
    """A PUT whose body goes on coming after SIGTERM is stored and answered 200."""
    daemon = launch_daemon("--bucket", "bucket")
    s3 = s3_client(daemon)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "key"})
    with send_head(daemon, url, "PUT", f"Content-Length: {1 << 20}", "Connection: close") as client:
        client.sendall(bytes(512 << 10))
        wait_until_received(daemon)
        daemon.signal(signal.SIGTERM)
        client.sendall(bytes(512 << 10))
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert daemon.wait(15) == 0
    again = launch_daemon(folder=daemon.data_dir.parent, credentials=(daemon.access_key, daemon.secret_key))
    assert s3_client(again).head_object(Bucket="bucket", Key="key")["ContentLength"] == 1 << 20


def wait_until_received(daemon: RunningDaemon) -> None:
    """Until the daemon's metrics show a request at work."""
    import urllib.request

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://{daemon.addresses['admin']}/metrics", timeout=10) as response:
            if b"lightningstor_http_requests_in_flight 1.0" in response.read():
                return
    raise AssertionError("the request never arrived")


@pytest.mark.parametrize("deadline_s", [0.1])
def test_watchdog_ends_what_does_not_end(deadline_s: float) -> None:
    """When the orderly end hangs, say in a system call, the process ends itself after the deadline, non-zero."""
    script = (
        "import time; from lightningstor.daemon.process import _start_watchdog\n"
        f"_start_watchdog({deadline_s}); time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=20)
    assert done.returncode == 1
    assert b"the end took too long" in done.stderr
