"""Aegis decides: allow, deny, slow, down, wrong certificate; and whatever goes wrong allows nothing."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from lightningstor.client.aegis import AegisAuthorizer, AegisLimits, ServiceToken, metadata_of
from lightningstor.client.channel import open_channel
from lightningstor.client.limits import RetryPolicy
from lightningstor.client.target import client_ssl_context
from lightningstor.errors import AccessDenied, AuthorizerUnavailable
from lightningstor.iam.authorize import Resource
from lightningstor.iam.conditions import UnknownKey
from lightningstor.iam.principal import Principal
from lightningstor.ports import World
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.gen.aegis_iam_pb2 import AuthorizeRequest, AuthorizeResponse
from tests.client.peers import our_server
from tests.conftest import StartDaemon
from tests.harness.certificates import CertificateAuthority
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

GET, PUT = "lightningstor:objects:get", "lightningstor:objects:put"
ALICE = Principal("alice", "acme", role="none")  # type: ignore[arg-type]
OBJECT = Resource("acme", None, "photos", "2026/cat.jpg")
RULES: dict[str, Any] = {
    "services": {"lightningstor": "service-token"},
    "principals": [{"id": "alice", "org": "acme"}, {"id": "owner", "org": "acme", "role": "owner"}],
    "grants": [
        {
            "org": "acme",
            "principal": "alice",
            "statement": {
                "effect": "Allow",
                "actions": [GET],
                "resources": ["org/acme/bucket/photos/object/2026/*"],
            },
        },
        {
            "org": "acme",
            "principal": "alice",
            "statement": {
                "effect": "Allow",
                "actions": [PUT],
                "resources": ["*"],
                "conditions": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8"]}},
            },
        },
    ],
}

StartAegis = Callable[..., str]


@pytest.fixture
def start_aegis(tmp_path: Path) -> Iterator[StartAegis]:
    """Call it to start the reference server as a process of its own; gives `host:port`."""
    processes: list[subprocess.Popen[str]] = []

    def start(*options: str, rules: dict[str, Any] = RULES) -> str:
        file = tmp_path / "rules.json"
        file.write_text(json.dumps(rules))
        command = [sys.executable, "-m", "lightningstor.testing.aegis", "--rules", str(file), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@asynccontextmanager
async def asking(
    url: str,
    limits: AegisLimits | None = None,
    token: str = "service-token",
    context: Any = None,
    now: Callable[[], float] = trio.current_time,
) -> AsyncIterator[AegisAuthorizer]:
    service = ServiceToken(None, World().blocking, lambda secret: None)
    service.value = token
    metadata = metadata_of("lightningstor", service)
    quick = RetryPolicy(first_s=0.01)
    async with open_channel(url, ssl_context=context, retry=quick, metadata=metadata) as channel:
        yield AegisAuthorizer(channel, service, limits or AegisLimits(), now)


class From:
    """The context of a request from an address."""

    s3_action = "s3:PutObject"

    def __init__(self, address: str | None) -> None:
        self.address = address

    def value(self, key: str) -> str | None:
        if key != "aws:sourceip":
            raise UnknownKey(key)
        return self.address


async def test_allow_and_deny(start_aegis: StartAegis) -> None:
    """The reference server decides by statements, conditions included; an unknown principal may nothing."""
    async with asking(f"http://{start_aegis()}") as authorizer:
        await authorizer.authorize(ALICE, GET, OBJECT)
        await authorizer.authorize(ALICE, PUT, OBJECT, From("10.1.2.3"))
        await authorizer.authorize(Principal("owner", "acme"), PUT, OBJECT)
        for principal, action, resource, context in (
            (ALICE, PUT, OBJECT, From("192.0.2.1")),
            (ALICE, PUT, OBJECT, From(None)),
            (ALICE, GET, Resource("acme", None, "photos", "2025/cat.jpg"), From(None)),
            (ALICE, GET, Resource("acme", None, "photos"), From(None)),
            (ALICE, GET, Resource("other", None, "photos", "2026/cat.jpg"), From(None)),
            (Principal("nobody", "acme"), GET, OBJECT, From(None)),
            (Principal("alice", "other"), GET, OBJECT, From(None)),
        ):
            with pytest.raises(AccessDenied):
                await authorizer.authorize(principal, action, resource, context)
        with pytest.raises(AccessDenied):
            await authorizer.authorize(ALICE, PUT, OBJECT)
    assert (authorizer.decisions.allowed, authorizer.decisions.denied, authorizer.decisions.failed) == (3, 8, 0)


async def test_an_admin_is_not_asked_about() -> None:
    """An admin may do everything, also while Aegis is away."""
    async with asking("http://127.0.0.1:1") as authorizer:
        await authorizer.authorize(Principal("root", admin=True), PUT, OBJECT)
    assert authorizer.decisions.failed == 0


@asynccontextmanager
async def scripted_aegis(answers: list[Any]) -> AsyncIterator[tuple[str, list[AuthorizeRequest]]]:
    """Aegis that answers in turn; an exception is raised, a number slept, the last answer repeated."""
    asked: list[AuthorizeRequest] = []

    async def answer(call: RpcCall) -> None:
        asked.append(await call.one_message(AuthorizeRequest))
        what = answers[min(len(asked), len(answers)) - 1]
        if isinstance(what, Exception):
            raise what
        if isinstance(what, float):
            await trio.sleep(what)
        await call.send(AuthorizeResponse(allowed=what is True))

    async with our_server(answer) as port:
        yield f"http://127.0.0.1:{port}", asked


async def test_decisions_are_kept_for_a_while() -> None:
    """The same question is asked once within the time, yes or no; another question, or an older answer, is asked."""
    clock = 100.0
    async with (
        scripted_aegis([True, False, False]) as (url, asked),
        asking(url, AegisLimits(cache_s=5), now=lambda: clock) as authorizer,
    ):
        for _ in range(3):
            await authorizer.authorize(ALICE, GET, OBJECT)
        for _ in range(3):
            with pytest.raises(AccessDenied):
                await authorizer.authorize(ALICE, PUT, OBJECT)
        assert (len(asked), authorizer.decisions.cached) == (2, 4)
        clock += 5.0
        with pytest.raises(AccessDenied):
            await authorizer.authorize(ALICE, GET, OBJECT)
        assert len(asked) == 3


async def test_kept_decisions_are_bounded() -> None:
    """Beyond the number the oldest goes; with no time nothing is kept."""
    others = [Resource("acme", None, "photos", str(number)) for number in range(20)]
    async with scripted_aegis([True]) as (url, asked), asking(url, AegisLimits(cache_entries=10)) as authorizer:
        for other in others:
            await authorizer.authorize(ALICE, GET, other)
        for other in others[10:]:
            await authorizer.authorize(ALICE, GET, other)
        assert len(asked) == 20
        for other in others[:10]:
            await authorizer.authorize(ALICE, GET, other)
        assert len(asked) == 30
    async with scripted_aegis([True]) as (url, asked), asking(url, AegisLimits(cache_s=0)) as authorizer:
        for _ in range(2):
            await authorizer.authorize(ALICE, GET, OBJECT)
    assert len(asked) == 2


async def refused(authorizer: AegisAuthorizer, told: str) -> None:
    with trio.fail_after(5), pytest.raises(AuthorizerUnavailable, match=told):
        await authorizer.authorize(ALICE, GET, OBJECT)


async def test_a_slow_aegis_allows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """After the deadline the question has failed: refused, counted, logged, and not kept."""
    async with scripted_aegis([30.0, True]) as (url, _), asking(url, AegisLimits(deadline_s=0.1)) as authorizer:
        with caplog.at_level(logging.ERROR, "lightningstor.iam"):
            await refused(authorizer, "deadline")
        await authorizer.authorize(ALICE, GET, OBJECT)
    assert authorizer.decisions.failed == 1
    assert "Aegis gave no answer whether alice may lightningstor:objects:get" in caplog.text


async def test_an_aegis_that_is_down_allows_nothing() -> None:
    """Nobody listens: refused within the deadline; as soon as it is there again, it decides."""
    async with scripted_aegis([True]) as (url, _):
        pass
    async with asking(url, AegisLimits(deadline_s=0.3)) as authorizer:
        await refused(authorizer, "cannot connect|deadline")
        async with our_server(allow, port=int(url.rpartition(":")[2])):
            await authorizer.authorize(ALICE, GET, OBJECT)


async def allow(call: RpcCall) -> None:
    await call.one_message(AuthorizeRequest)
    await call.send(AuthorizeResponse(allowed=True))


async def test_a_broken_aegis_allows_nothing() -> None:
    """Its own errors, and answers that are none, are no decision."""
    failures = [ValueError("a bug"), KeyError("another")]
    async with scripted_aegis(failures) as (url, _), asking(url) as authorizer:
        await refused(authorizer, "INTERNAL")

    async def garbage(call: RpcCall) -> None:
        await call.receive()

    async with our_server(garbage) as port, asking(f"http://127.0.0.1:{port}") as authorizer:
        await refused(authorizer, "INTERNAL")


async def test_a_wrong_token_allows_nothing(start_aegis: StartAegis, tmp_path: Path) -> None:
    """Aegis does not know who asks: refused. A token that has been replaced in its file is read again, once."""
    url = f"http://{start_aegis()}"
    async with asking(url, token="stolen") as authorizer:
        await refused(authorizer, "UNAUTHENTICATED")
    file = tmp_path / "token"
    file.write_text("old-token\n")
    service = ServiceToken(file, World().blocking, lambda secret: None)
    await service.read()
    async with open_channel(url, metadata=metadata_of("lightningstor", service)) as channel:
        authorizer = AegisAuthorizer(channel, service, AegisLimits())
        await refused(authorizer, "UNAUTHENTICATED")
        file.write_text("service-token\n")
        await authorizer.authorize(ALICE, GET, OBJECT)
        file.write_text("")
        assert service.value == "service-token"


async def test_mutual_tls(start_aegis: StartAegis, certificate_authority: CertificateAuthority, tmp_path: Path) -> None:
    """With the right certificates it answers; without one, with a foreign one, or to a foreign Aegis: refused."""
    ours = certificate_authority
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other", "another authority")
    server, client, foreign = ours.issue_server(), ours.issue_client("asking"), other.issue_client("foreign")
    address = start_aegis("--cert", str(server.cert_file), "--key", str(server.key_file), "--ca", str(ours.ca_file))
    url = f"https://{address}"
    async with asking(url, context=client_ssl_context(ours.ca_file, client.cert_file, client.key_file)) as authorizer:
        await authorizer.authorize(ALICE, GET, OBJECT)
    for context in (
        client_ssl_context(ours.ca_file),
        client_ssl_context(ours.ca_file, foreign.cert_file, foreign.key_file),
        client_ssl_context(other.ca_file, client.cert_file, client.key_file),
    ):
        async with asking(url, AegisLimits(deadline_s=1), context=context) as authorizer:
            await refused(authorizer, "UNAVAILABLE|deadline")
        assert authorizer.decisions.failed == 1


def metric(daemon: RunningDaemon, result: str) -> float:
    with urllib.request.urlopen(f"http://{daemon.addresses['admin']}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf'^lightningstor_aegis_decisions_total{{result="{result}"}} (\S+)$', text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_a_daemon_asks_aegis(
    launch_daemon: StartDaemon, start_aegis: StartAegis, certificate_authority: CertificateAuthority, tmp_path: Path
) -> None:
    """[iam] endpoint with mutual TLS and a token: S3 is as Aegis decides, and 503 while it is away.

    Root, who is an admin, is not asked about.
    """
    authority, token = certificate_authority, tmp_path / "token"
    token.write_text("service-token")
    server, client = authority.issue_server(), authority.issue_client("lightningstor")
    tls = ("--cert", str(server.cert_file), "--key", str(server.key_file), "--ca", str(authority.ca_file))
    port = free_port()
    config = f"""
        [iam]
        endpoint = "https://127.0.0.1:{port}"
        token_path = "{token}"
        ca_file = "{authority.ca_file}"
        cert_file = "{client.cert_file}"
        key_file = "{client.key_file}"
        decision_cache_seconds = 0
        decision_deadline_seconds = 1
        [[iam.principals]]
        id = "alice"
        org = "acme"
        access_key = "ALICEALICE"
        secret_key = "alice-secret-key"
        [[buckets]]
        name = "photos"
        org = "acme"
    """
    daemon = launch_daemon(config=config)
    root = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    alice = SignedHttp(daemon.addresses["s3"], "ALICEALICE", "alice-secret-key")
    assert root.request("PUT", "/photos/2026/cat.jpg", b"cat").status == 200
    away = alice.request("GET", "/photos/2026/cat.jpg")
    assert (away.status, away.element("Code")) == (503, "ServiceUnavailable")
    start_aegis(*tls, "--listen", f"127.0.0.1:{port}")
    assert alice.request("GET", "/photos/2026/cat.jpg").body == b"cat"
    denied = alice.request("PUT", "/photos/2026/cat.jpg", b"dog")
    assert (denied.status, denied.element("Code")) == (403, "AccessDenied")
    assert root.request("GET", "/photos/2026/cat.jpg").body == b"cat"
    assert metric(daemon, "failed") >= 1
    assert metric(daemon, "allowed") >= 1
    assert metric(daemon, "denied") >= 1
    assert "Aegis gave no answer whether alice may" in daemon.output()
    root.close()
    alice.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


WRONG: dict[str, tuple[str, str]] = {
    "a token file that is not there": ('endpoint = "http://aegis:9090"\ntoken_path = "/no/such/file"', "/no/such/file"),
    "nobody who asks": ('endpoint = "https://aegis:9090"', "Aegis must know who asks"),
    "no URL": ('endpoint = "aegis:9090"', "a URL such as"),
    "certificates without TLS": (
        'endpoint = "http://aegis"\ncert_file = "a"\nkey_file = "b"',
        "certificates need https",
    ),
    "a certificate that is not there": (
        'endpoint = "https://aegis"\ncert_file = "/no/cert"\nkey_file = "/no/key"',
        "/no/cert",
    ),
    "half a certificate": ('endpoint = "https://aegis"\ncert_file = "a"', "go together"),
    "a token for nobody": ('token_path = "a"', "set iam.endpoint"),
}


@pytest.mark.parametrize("which", WRONG)
def test_settings_that_cannot_be(launch_daemon: StartDaemon, which: str) -> None:
    """The daemon does not start, and says why."""
    options, told = WRONG[which]
    daemon = launch_daemon(config=f"[iam]\n{options}", ready=False)
    assert daemon.wait() != 0
    assert told in daemon.output()
    assert "Traceback" not in daemon.output()
