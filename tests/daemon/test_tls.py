"""The S3 port over TLS: its own certificate, and clients'."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

import pytest

from tests.harness.certificates import CertificateAuthority, Issued
from tests.harness.daemon import RunningDaemon

Launch = Callable[..., RunningDaemon]


def ask(daemon: RunningDaemon, authority: CertificateAuthority, client: Issued | None) -> bytes:
    """The status line of an unsigned request over TLS; empty when the server would not speak.

    In TLS 1.3 a client hears only after its handshake that its certificate was not good enough: as an alert, a reset
    or just the end.
    """
    try:
        return _ask(daemon, authority, client)
    except (ssl.SSLError, ConnectionError):
        return b""


def _ask(daemon: RunningDaemon, authority: CertificateAuthority, client: Issued | None) -> bytes:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    if client is not None:
        context.load_cert_chain(client.cert_file, client.key_file)
    host, _, port = daemon.addresses["s3"].rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.3"
        secured.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return secured.recv(65536).partition(b"\r\n")[0]


def test_s3_over_tls(launch_daemon: Launch, certificate_authority: CertificateAuthority) -> None:
    """With a certificate the S3 port speaks TLS 1.3, and asks clients for none."""
    daemon = launch_daemon(tls=True)
    assert ask(daemon, certificate_authority, None) == b"HTTP/1.1 403 Forbidden"


def test_required_client_certificate(launch_daemon: Launch, certificate_authority: CertificateAuthority) -> None:
    """client_auth = "required": only a client with a certificate of the authority is served."""
    issued = certificate_authority.issue_server()
    config = (
        f'[server.tls]\ncert_file = "{issued.cert_file}"\nkey_file = "{issued.key_file}"\n'
        f'ca_file = "{certificate_authority.ca_file}"\nclient_auth = "required"\n'
    )
    daemon = launch_daemon(config=config)
    client = certificate_authority.issue_client()
    assert ask(daemon, certificate_authority, client) == b"HTTP/1.1 403 Forbidden"
    assert ask(daemon, certificate_authority, None) == b""


def test_offered_client_certificate_is_verified(
    launch_daemon: Launch,
    certificate_authority: CertificateAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """With a ca_file alone a certificate is optional, but one from elsewhere is refused, not ignored."""
    issued = certificate_authority.issue_server()
    config = (
        f'[server.tls]\ncert_file = "{issued.cert_file}"\nkey_file = "{issued.key_file}"\n'
        f'ca_file = "{certificate_authority.ca_file}"\n'
    )
    daemon = launch_daemon(config=config)
    stranger = CertificateAuthority(tmp_path_factory.mktemp("stranger"), "somebody else").issue_client()
    assert ask(daemon, certificate_authority, None) == b"HTTP/1.1 403 Forbidden"
    assert ask(daemon, certificate_authority, stranger) == b""
