"""TLS of a running daemon: certificates replaced without a connection lost, the versions spoken, gRPC beside S3."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import grpc
import pytest
from attrs import define, field
from cryptography import x509

from tests.harness.certificates import CertificateAuthority, Issued
from tests.harness.daemon import RunningDaemon

Launch = Callable[..., RunningDaemon]


@define
class Files:
    """The files that a daemon's configuration names; what they hold is replaced."""

    folder: Path
    authority: CertificateAuthority

    def put(self, issued: Issued) -> int:
        """Let them hold this certificate; its serial number."""
        for source, name in ((issued.key_file, "server.key"), (issued.cert_file, "server.pem")):
            shutil.copy(source, self.folder / "new")
            (self.folder / "new").replace(self.folder / name)
        return x509.load_pem_x509_certificate(issued.cert_file.read_bytes()).serial_number

    def config(self, **more: object) -> str:
        lines = {"cert_file": str(self.folder / "server.pem"), "key_file": str(self.folder / "server.key"), **more}
        text = [
            f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in lines.items()
        ]
        return "[server.tls]\n" + "\n".join(text) + "\n"


@pytest.fixture
def files(tmp_path: Path, certificate_authority: CertificateAuthority) -> Files:
    """With a first certificate in them."""
    made = Files(tmp_path, certificate_authority)
    made.put(certificate_authority.issue_server("first"))
    return made


def context_of(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_file))


def shown_serial(daemon: RunningDaemon, authority: CertificateAuthority, name: str = "localhost") -> int:
    """The serial number of the certificate that a new connection is shown."""
    host, _, port = daemon.addresses["s3"].rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context_of(authority).wrap_socket(plain, server_hostname=name) as secured,
    ):
        certificate = secured.getpeercert(binary_form=True)
        assert certificate is not None
        return x509.load_der_x509_certificate(certificate).serial_number


def metric(daemon: RunningDaemon, line: str) -> bool:
    connection = HTTPConnection(daemon.addresses["admin"], timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return line in text.splitlines()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@define
class Load:
    """Clients that ask without a pause: one over a connection that it keeps, two over a new one each time."""

    daemon: RunningDaemon
    context: ssl.SSLContext
    answers: int = 0
    failures: list[BaseException] = field(factory=list)
    _over: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._ask, args=(keep,)) for keep in (True, False, False)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, keep: bool) -> None:
        connection: HTTPSConnection | None = None
        sock = None
        try:
            while not self._over.is_set():
                if connection is None:
                    host, _, port = self.daemon.addresses["s3"].rpartition(":")
                    connection = HTTPSConnection(host, int(port), timeout=10, context=self.context)
                connection.request("GET", "/health")
                sock = sock or connection.sock
                answer = connection.getresponse()
                assert (answer.status, answer.read()) == (200, b'{"status": "ok"}\n')
                self.answers += 1
                if keep:
                    assert connection.sock is sock, "the kept connection was closed"
                else:
                    connection.close()
                    connection = sock = None
        except Exception as error:
            self.failures.append(error)
        finally:
            if connection is not None:
                connection.close()


def test_a_reload_under_load_drops_nothing(launch_daemon: Launch, files: Files) -> None:
    """SIGHUP: new connections get the new certificate, with a server name and without; open ones go on."""
    authority = files.authority
    daemon = launch_daemon(config=files.config(reload_seconds=0))
    daemon.ca_file = authority.ca_file
    with Load(daemon, context_of(authority)) as load:
        for name in ("second", "third", "fourth"):
            serial = files.put(authority.issue_server(name))
            answers = load.answers
            daemon.signal(signal.SIGHUP)
            wait_for(lambda serial=serial: shown_serial(daemon, authority) == serial)  # type: ignore[misc]
            assert shown_serial(daemon, authority, "127.0.0.1") == serial
            wait_for(lambda answers=answers: load.answers > answers + 50 or bool(load.failures))  # type: ignore[misc]
    assert load.failures == []
    assert metric(daemon, 'lightningstor_tls_reloads_total{result="done"} 3.0')


def test_a_broken_certificate_changes_nothing(launch_daemon: Launch, files: Files) -> None:
    """The old one stays, the log and the metrics say so; when it is mended, the new one comes."""
    authority = files.authority
    daemon = launch_daemon(config=files.config(reload_seconds=0))
    before = shown_serial(daemon, authority)
    (files.folder / "server.pem").write_text("no certificate\n")
    daemon.signal(signal.SIGHUP)
    wait_for(lambda: metric(daemon, 'lightningstor_tls_reloads_total{result="failed"} 1.0'))
    assert "the certificates stay as they were: the certificate file" in daemon.output()
    assert shown_serial(daemon, authority) == before
    serial = files.put(authority.issue_server("mended"))
    daemon.signal(signal.SIGHUP)
    wait_for(lambda: shown_serial(daemon, authority) == serial)


def test_a_changed_file_is_noticed(launch_daemon: Launch, files: Files) -> None:
    """Without a signal, at the next look."""
    daemon = launch_daemon(config=files.config(reload_seconds=0.05))
    serial = files.put(files.authority.issue_server("changed"))
    wait_for(lambda: shown_serial(daemon, files.authority) == serial)


@pytest.mark.parametrize(("oldest", "spoken"), [("1.3", False), ("1.2", True)])
def test_tls_1_2_is_spoken_only_where_it_is_asked_for(
    launch_daemon: Launch, files: Files, oldest: str, spoken: bool
) -> None:
    """By default it is refused."""
    daemon = launch_daemon(config=files.config(min_version=oldest))
    context = context_of(files.authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, _, port = daemon.addresses["s3"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain:
        if spoken:
            with context.wrap_socket(plain, server_hostname="localhost") as secured:
                assert secured.version() == "TLSv1.2"
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(plain, server_hostname="localhost")


def test_grpc_is_secured_by_the_same_certificate(launch_daemon: Launch, files: Files) -> None:
    """grpcio's health check gets its answer over TLS, before and after a reload; none in the clear."""
    daemon = launch_daemon(config=files.config(reload_seconds=0))
    root = files.authority.ca_file.read_bytes()
    target = "localhost:" + daemon.addresses["grpc"].rpartition(":")[2]
    assert _is_serving(grpc.secure_channel(target, grpc.ssl_channel_credentials(root)))
    serial = files.put(files.authority.issue_server("later"))
    daemon.signal(signal.SIGHUP)
    wait_for(lambda: shown_serial(daemon, files.authority) == serial)
    assert _is_serving(grpc.secure_channel(target, grpc.ssl_channel_credentials(root)))
    with pytest.raises(grpc.RpcError):
        _is_serving(grpc.insecure_channel(target))


def _is_serving(channel: grpc.Channel) -> bool:
    with channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        return bool(check(b"", timeout=10) == b"\x08\x01")
