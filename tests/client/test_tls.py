"""The client over TLS: who is trusted, who shows a certificate, and how what does not fit is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trio

from lightningstor.client.channel import Method, open_channel
from lightningstor.client.errors import Unavailable
from lightningstor.client.limits import ClientLimits, RetryPolicy
from lightningstor.client.target import Target, client_ssl_context
from tests.client.peers import ECHO, Asked, echo, our_server
from tests.harness.certificates import CertificateAuthority, Issued


def server_context(issued: Issued, ca_file: Path | None = None, alpn: str = "h2") -> ssl.SSLContext:
    """Requires a certificate of the authority in `ca_file`, if one is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_file, issued.key_file)
    context.set_alpn_protocols([alpn])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.fixture
def other_authority(tmp_path: Path) -> CertificateAuthority:
    """An authority that nobody trusts."""
    return CertificateAuthority(tmp_path, "another authority")


async def ask(port: int, context: ssl.SSLContext | None, host: str = "localhost") -> str:
    url, once = f"https://{host}:{port}", RetryPolicy(attempts=1)
    async with open_channel(url, ssl_context=context, limits=ClientLimits(connect_s=5), retry=once) as channel:
        with trio.fail_after(10):
            return str((await channel.unary(ECHO, Asked(service="x" * 100_000))).service[:3])


async def test_mutual_tls(certificate_authority: CertificateAuthority) -> None:
    """Both sides show a certificate of the authority, and calls go through."""
    authority = certificate_authority
    client = authority.issue_client("a-client")
    context = client_ssl_context(authority.ca_file, client.cert_file, client.key_file)
    async with our_server(echo, ssl_context=server_context(authority.issue_server(), authority.ca_file)) as port:
        assert await ask(port, context) == "xxx"


Wrong = Callable[[CertificateAuthority, CertificateAuthority], tuple[ssl.SSLContext, ssl.SSLContext]]


def no_certificate(ours: CertificateAuthority, other: CertificateAuthority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_context(ours.issue_server(), ours.ca_file), client_ssl_context(ours.ca_file)


def no_certificate_tls12(
    ours: CertificateAuthority, other: CertificateAuthority
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, client = no_certificate(ours, other)
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    return server, client


def foreign_certificate(
    ours: CertificateAuthority, other: CertificateAuthority
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    shown = other.issue_client("foreign")
    return (
        server_context(ours.issue_server(), ours.ca_file),
        client_ssl_context(ours.ca_file, shown.cert_file, shown.key_file),
    )


def untrusted_server(ours: CertificateAuthority, other: CertificateAuthority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_context(other.issue_server("other-server")), client_ssl_context(ours.ca_file)


def another_protocol(ours: CertificateAuthority, other: CertificateAuthority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return server_context(ours.issue_server(), alpn="http/1.1"), client_ssl_context(ours.ca_file)


@contextmanager
def plain_server(context: ssl.SSLContext) -> Iterator[int]:
    """One handshake on blocking sockets, which sends the alert that says what is wrong (trio's streams do not)."""

    def attend() -> None:
        with suppress(OSError), listener, listener.accept()[0] as accepted:
            accepted.settimeout(10)
            with context.wrap_socket(accepted, server_side=True) as stream:
                stream.recv(1)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=attend)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(10)


CASES: list[tuple[Wrong, str, str]] = [
    (no_certificate, "certificate required", "a client certificate is lacking"),
    (no_certificate_tls12, "handshake failure|HANDSHAKE_FAILURE", "TLS with .* failed"),
    (foreign_certificate, "unknown ca", "a client certificate is lacking"),
    (untrusted_server, "CERTIFICATE_VERIFY_FAILED", "CERTIFICATE_VERIFY_FAILED"),
    (another_protocol, "does not speak HTTP/2", "does not speak HTTP/2"),
]


@pytest.mark.parametrize(("wrong", "told", "told_by_ours"), CASES)
async def test_what_does_not_fit_is_an_error(
    wrong: Wrong,
    told: str,
    told_by_ours: str,
    certificate_authority: CertificateAuthority,
    other_authority: CertificateAuthority,
) -> None:
    """A missing or foreign certificate, of either side, and a server without HTTP/2: an error that says so, at once.

    Where TLS itself says what is wrong, nothing is tried again.
    """
    server, client = wrong(certificate_authority, other_authority)
    with plain_server(server) as port:
        with pytest.raises(Unavailable, match=told) as raised:
            await ask(port, client, "127.0.0.1")
        assert raised.value.lasting
    async with our_server(echo, ssl_context=server) as port:
        with pytest.raises(Unavailable, match=told_by_ours):
            await ask(port, client)


async def test_a_server_of_another_name_is_refused(certificate_authority: CertificateAuthority) -> None:
    """The certificate must be of the host that the URL names."""
    context = client_ssl_context(certificate_authority.ca_file)
    elsewhere = client_ssl_context(certificate_authority.ca_file)
    server = server_context(certificate_authority.issue_server())
    async with our_server(echo, ssl_context=server) as port:
        assert await ask(port, context, "127.0.0.1") == "xxx"
    named = server_context(certificate_authority.issue_client("a-name"))
    with plain_server(named) as port, pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await ask(port, elsewhere, "127.0.0.1")


async def refused(url: str, method: Method[Asked, Asked]) -> None:
    async with open_channel(url, limits=ClientLimits(connect_s=2)) as channel:
        with trio.fail_after(5), pytest.raises(Unavailable):
            await channel.unary(method, Asked(), repeatable=False)


async def test_plain_text_to_a_tls_server(certificate_authority: CertificateAuthority) -> None:
    """http to an https port: UNAVAILABLE, not a hang."""
    method: Method[Asked, Asked] = ECHO
    async with our_server(echo, ssl_context=server_context(certificate_authority.issue_server())) as port:
        await refused(f"http://127.0.0.1:{port}", method)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:9001", "ftp://host:1", "http://", "http://host:1/path", "http://user@host:1", "http://host:x"]
)
async def test_urls_that_name_no_server(url: str) -> None:
    """Each is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"is not of the form|more than host and port|could not be cast"):
        Target.parse(url)


def test_urls_that_name_one() -> None:
    """Port 9001 where none is named; IPv6 in brackets; other alphabets as IDNA has them."""
    assert Target.parse("http://[::1]") == Target("::1", 9001, False)
    assert Target.parse("https://[::1]:7/").authority == "[::1]:7"
    assert Target.parse("https://bücher.example").authority == "xn--bcher-kva.example:9001"


async def test_a_tls_context_needs_https() -> None:
    """A context that would not be used is refused."""
    with pytest.raises(ValueError, match="is for https"):
        async with open_channel("http://127.0.0.1:1", ssl_context=client_ssl_context()):
            pass
