"""The engine under TLS: the same service, the client's certificate, and clear words about bad files."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives import serialization

from lightningstor.http.engine import HttpLimits
from lightningstor.http.events import HttpEventKind
from lightningstor.http.tls import TlsConfigError, server_context
from tests.harness.certificates import CertificateAuthority
from tests.http.apps import early, endless, mirror, plain_answer, plain_mirror
from tests.http.serving import Client, serving

GET = b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def contexts(certificate_authority: CertificateAuthority) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context and a client's that trusts it."""
    issued = certificate_authority.issue_server()
    server = server_context(issued.cert_file, issued.key_file)
    client = ssl.create_default_context(cafile=str(certificate_authority.ca_file))
    return server, client


@pytest.mark.parametrize("app", [plain_mirror, mirror])
@pytest.mark.parametrize("size", [0, 10, 100_000, 700_000])
async def test_requests_are_served_under_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], app: Any, size: int
) -> None:
    """Bodies both ways, several requests on a connection, scheme https."""
    tls, trust = contexts
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    async with serving(app, tls=tls) as running, await running.connect(trust) as client:
        for _ in range(2):
            async with trio.open_nursery() as nursery:
                head = b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
                nursery.start_soon(client.send, head % size + body)
                seen = json.loads((await client.answer()).body)
            assert seen["scheme"] == "https"
            assert seen["body"].encode("latin-1") == body


async def test_only_http_1_1_is_agreed_on(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A client that prefers h2 gets http/1.1, over TLS 1.3."""
    tls, _ = contexts
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    trust.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(plain_mirror, tls=tls) as running, await running.connect(trust) as client:
        assert client.stream.selected_alpn_protocol() == "http/1.1"
        assert client.stream.version() == "TLSv1.3"


async def test_an_old_version_is_refused_unless_allowed(certificate_authority: CertificateAuthority) -> None:
    """TLS 1.2 needs min_version 1.2."""
    issued = certificate_authority.issue_server()
    trust = ssl.create_default_context(cafile=str(certificate_authority.ca_file))
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(plain_mirror, tls=server_context(issued.cert_file, issued.key_file)) as running:
        with pytest.raises(trio.BrokenResourceError):
            await running.connect(trust)
        await running.until(lambda: HttpEventKind.HANDSHAKE_FAILED in running.kinds())
    old = server_context(issued.cert_file, issued.key_file, min_version="1.2")
    async with serving(plain_mirror, tls=old) as running, await running.connect(trust) as client:
        await client.send(GET)
        assert (await client.answer()).status == 200


async def test_plain_http_on_a_tls_port_is_closed(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """It is no handshake, so there is nothing to say."""
    async with serving(plain_mirror, tls=contexts[0]) as running, await running.connect() as client:
        await client.send(GET)
        assert b"HTTP" not in await client.rest()
        await running.until(lambda: running.server.statistics().connections == 0)
    assert HttpEventKind.HANDSHAKE_FAILED in running.kinds()


async def test_a_handshake_has_a_time_limit(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A client that connects and says nothing, or half of it, is dropped after the header time."""
    async with serving(plain_mirror, HttpLimits(header_s=0.2), tls=contexts[0]) as running:
        for start in (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"):
            async with await running.connect() as client:
                await client.send(start)
                started = trio.current_time()
                assert await client.is_closed()
                assert 0.1 < trio.current_time() - started < 5


async def test_an_early_answer_arrives_under_tls(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """The client gets the answer and an orderly end although it sent a body that nobody read."""
    tls, trust = contexts
    async with serving(early, tls=tls) as running, await running.connect(trust) as client:
        await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + bytes(500_000))
        answer = await client.answer()
        assert (answer.status, answer.headers[b"connection"]) == (403, b"close")
        assert await client.stream.receive_some() == b""  # a close_notify: without one this would raise


async def test_an_answer_that_is_not_read_is_dropped_under_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """The write stall limit holds under TLS."""
    tls, trust = contexts
    async with (
        serving(endless, HttpLimits(write_stall_s=0.2), tls=tls) as running,
        await running.connect(trust) as client,
    ):
        await client.send(GET)
        await running.until(lambda: HttpEventKind.TIMED_OUT in running.kinds())
        await running.until(lambda: running.server.statistics().connections == 0)
    assert HttpEventKind.APP_FAILED not in running.kinds()


async def test_a_client_that_vanishes_is_no_failure(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Without a close_notify, in the middle of a body: the application hears of a disconnect."""
    told: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])

    tls, trust = contexts
    async with serving(app, tls=tls) as running:
        async with await running.connect(trust) as client:
            await client.send(b"PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nabc")
            await running.until(lambda: told)
        await running.until(lambda: len(told) == 2)
    assert told == ["http.request", "http.disconnect"]
    assert HttpEventKind.APP_FAILED not in running.kinds()


@pytest.mark.parametrize("client_auth", ["optional", "required"])
async def test_the_client_s_certificate_is_checked_and_shown(
    certificate_authority: CertificateAuthority, tmp_path: Path, client_auth: Any
) -> None:
    """Its chain and name stand in the scope's tls extension; one of another authority is refused."""
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["extensions"]["tls"])
        await plain_answer(send, 200, b"")

    ours = certificate_authority.issue_server()
    known = certificate_authority.issue_client("known, but odd")
    stranger = CertificateAuthority(tmp_path).issue_client("stranger")
    tls = server_context(ours.cert_file, ours.key_file, ca_file=certificate_authority.ca_file, client_auth=client_auth)

    def trusting(shown: Any) -> ssl.SSLContext:
        trust = ssl.create_default_context(cafile=str(certificate_authority.ca_file))
        if shown is not None:
            trust.load_cert_chain(shown.cert_file, shown.key_file)
        return trust

    async def served(shown: Any) -> bool:
        try:
            client: Client = await running.connect(trusting(shown))
            async with client:
                await client.stream.send_all(GET)
                return bytes(await client.stream.receive_some()).startswith(b"HTTP/1.1 200")
        except trio.BrokenResourceError:
            return False

    async with serving(app, tls=tls) as running:
        assert await served(known)
        assert not await served(stranger)
        assert await served(None) is (client_auth == "optional")
    assert "CN=known\\, but odd" in seen[0]["client_cert_name"]
    assert seen[0]["client_cert_chain"][0].startswith("-----BEGIN CERTIFICATE-----")
    assert seen[0]["tls_version"] == 0x0304
    if client_auth == "optional":
        assert (seen[1]["client_cert_name"], seen[1]["client_cert_chain"]) == (None, [])


# server_context


def _bad_files(folder: Path, authority: CertificateAuthority) -> dict[str, tuple[dict[str, Any], str]]:
    good, other = authority.issue_server(), authority.issue_client()
    locked = folder / "locked.pem"
    key = serialization.load_pem_private_key(Path(good.key_file).read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    empty = folder / "empty.pem"
    empty.write_text("nothing\n")
    missing = folder / "missing.pem"
    fine = {"cert_file": good.cert_file, "key_file": good.key_file}
    return {
        "no certificate file": (fine | {"cert_file": missing}, f"certificate file {missing} cannot be read: No such"),
        "no key file": (fine | {"key_file": missing}, f"key file {missing} cannot be read: No such"),
        "no CA file": (fine | {"ca_file": missing}, f"CA file {missing} cannot be read: No such"),
        "a folder": (fine | {"cert_file": folder}, f"certificate file {folder} cannot be read: Is a directory"),
        "an empty certificate file": (fine | {"cert_file": empty}, f"certificate file {empty}"),
        "an empty key file": (fine | {"key_file": empty}, f"key file {empty}"),
        "an empty CA file": (fine | {"ca_file": empty}, f"CA file {empty} holds no certificate"),
        "another's key": (fine | {"key_file": other.key_file}, f"key in {other.key_file} does not belong"),
        "a locked key": (fine | {"key_file": locked}, f"key file {locked} is protected by a passphrase"),
        "no CA to check with": (fine | {"client_auth": "required"}, "needs a ca_file"),
        "unknown client_auth": (fine | {"client_auth": "maybe"}, "'maybe' is not one of none, optional, required"),
        "unknown version": (fine | {"min_version": "1.1"}, "'1.1' is not one of 1.2, 1.3"),
    }


def test_bad_tls_settings_are_named(tmp_path: Path, certificate_authority: CertificateAuthority) -> None:
    """Every mistake is a TlsConfigError that names the file or the setting."""
    for name, (settings, words) in _bad_files(tmp_path, certificate_authority).items():
        with pytest.raises(TlsConfigError) as caught:
            server_context(**settings)
        assert words in str(caught.value), name
