"""No secret, signature or token is in what any daemon of this session printed (PROOF.md, line 35).

tests/conftest.py lets this file run last.
"""

from __future__ import annotations

import pytest

from tests.conftest import Figure, StartDaemon
from tests.harness.outputs import DaemonOutputs, find_leaks

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("known secret", f"root credentials: {SECRET}"),
        ("signature", f'{{"query": "X-Amz-Signature={"0f" * 32}&X-Amz-Date=20260102T030405Z"}}'),
        ("signature", f"AWS4-HMAC-SHA256 Credential=A/20260102/us-east-1/s3/aws4_request, Signature={'0f' * 32}"),
        ("signature", f'{{"signature": "{"0f" * 32}"}}'),
        ("signature", "(signature_provided='5esv72fiEmxdoqp4yxCFcV0tuS0=')"),
        ("signature", "GET /b/k?AWSAccessKeyId=A&Expires=1&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"),
        ("SigV2 header", "Authorization: AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="),
        ("session token", "x-amz-security-token: IQoJb3JpZ2luX2VjEXAMPLE"),
        ("bearer token", "authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc"),
        ("private key", "-----BEGIN EC PRIVATE KEY-----"),
    ],
)
def test_planted_leak_is_found(what: str, line: str) -> None:
    """A leak of every shape is found, and said by its name."""
    leaks = find_leaks(f"listening\n{line}\nready", [SECRET])
    assert {(leak.what, leak.line) for leak in leaks} >= {(what, line)}


@pytest.mark.parametrize(
    "line",
    [
        "403 SignatureDoesNotMatch: the signature is wrong",
        "signature: refused",
        f"x-amz-content-sha256={'0f' * 32}",
        "continuation-token=1XyzAbcdEfghIjklMnopQrst",
    ],
)
def test_word_alone_is_no_leak(line: str) -> None:
    """Talking about signatures, digests and continuation tokens is allowed."""
    assert find_leaks(line, [SECRET]) == []


def test_collected_output_is_searched(launch_daemon: StartDaemon, daemon_outputs: DaemonOutputs) -> None:
    """A secret that a daemon's output file holds is found through the collection: the search sees real output."""
    daemon = launch_daemon()
    daemon.stop()
    before = daemon.output()
    with daemon.output_file.open("a", encoding="utf-8") as output:
        output.write(f"\nplanted {daemon.secret_key}\n")
    try:
        assert [leak.line for leak in daemon_outputs.leaks()] == [f"planted {daemon.secret_key}"]
    finally:
        daemon.output_file.write_text(before, encoding="utf-8")


def test_no_daemon_told_a_secret(daemon_outputs: DaemonOutputs, figure: Figure) -> None:
    """No line that any daemon printed in this session, at debug level, holds a secret, signature or token."""
    figure(f"{len(daemon_outputs.files)} daemons printed {daemon_outputs.size():,} bytes")
    assert daemon_outputs.leaks() == []
