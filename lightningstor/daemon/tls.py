"""The TLS contexts of a daemon's ports, whose certificates are replaced while it runs.

A port keeps the context that it was given. With every handshake that one looks up the newest (by the hook that is meant
for choosing a certificate by the client's server name): so new connections get the new certificates, and those that are
open keep what they agreed on.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from lightningstor.config import TlsSettings
from lightningstor.http.tls import TlsConfigError, server_context
from lightningstor.observe.metrics import Metrics
from lightningstor.ports import Blocking

__all__ = ["Reload", "ServerTls"]

logger: Final = logging.getLogger("lightningstor.daemon")

_HTTP: Final = "http/1.1"
_GRPC: Final = "h2"


@define(eq=False)
class Reload:
    """How a daemon is told to read its certificates again."""

    _asked: trio.Event = field(factory=trio.Event, init=False)

    def ask(self) -> None:
        """Read them now."""
        self._asked.set()

    async def wait(self) -> None:
        """Until somebody asks; each asking ends one waiting."""
        await self._asked.wait()
        self._asked = trio.Event()


class ServerTls:
    """The contexts of the S3 port and of the gRPC port.

    Args:
        settings: with a certificate and a key.
        metrics: count reloads, and show when the certificate expires.

    Raises:
        TlsConfigError: a file cannot be used. The text names it.
    """

    def __init__(self, settings: TlsSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._seen = self._signature()
        self._newest = self._make()
        self._reloads = {"done": 0, "failed": 0}
        self._expiry_s = _expiry_s(settings.cert_file)
        self.s3 = self._outer(_HTTP)
        self.grpc = self._outer(_GRPC)
        for result in self._reloads:
            metrics.counter(
                "tls_reloads",
                "Certificates read again, by how it went.",
                lambda result=result: self._reloads[result],  # type: ignore[misc]
                result=result,
            )
        metrics.gauge(
            "tls_certificate_expiry_timestamp_seconds",
            "When the server's certificate expires, in seconds since 1970.",
            lambda: self._expiry_s,
        )

    def reload(self) -> None:
        """Read the files again; new connections get what they hold. Blocks.

        Raises:
            TlsConfigError: one cannot be used; everything stays as it was.
        """
        self._seen = self._signature()
        try:
            self._newest = self._make()
        except TlsConfigError:
            self._reloads["failed"] += 1
            raise
        self._expiry_s = _expiry_s(self._settings.cert_file)
        self._reloads["done"] += 1

    def changed(self) -> bool:
        """Whether a file is another than when they were read last. Blocks."""
        return self._signature() != self._seen

    async def keep_fresh(self, reload: Reload, blocking: Blocking) -> None:
        """Read the files again whenever somebody asks for it, and when they have changed; until cancelled."""
        period_s = self._settings.reload_seconds or float("inf")
        while True:
            asked = True
            with trio.move_on_after(period_s) as waiting:
                await reload.wait()
            if waiting.cancelled_caught:
                asked = await blocking.run(self.changed)
            if not asked:
                continue
            try:
                await blocking.run(self.reload)
            except TlsConfigError as error:
                logger.error("the certificates stay as they were: %s", error)
            else:
                logger.info("certificates read again from %s", self._settings.cert_file)

    def _make(self) -> dict[str, ssl.SSLContext]:
        settings = self._settings
        assert settings.cert_file is not None
        assert settings.key_file is not None
        client_auth = settings.client_auth or ("none" if settings.ca_file is None else "optional")
        return {
            protocol: server_context(
                settings.cert_file,
                settings.key_file,
                ca_file=settings.ca_file if client_auth != "none" else None,
                client_auth=client_auth,
                min_version=settings.min_version,
                protocol=protocol,
            )
            for protocol in (_HTTP, _GRPC)
        }

    def _outer(self, protocol: str) -> ssl.SSLContext:
        outer = self._make()[protocol]
        if outer.verify_mode != ssl.CERT_NONE:
            # A resumed session is not verified again: a client whose authority was taken away would still get in.
            outer.num_tickets = 0
            outer.options |= ssl.OP_NO_TICKET

        def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
            connection.context = self._newest[protocol]

        outer.sni_callback = choose
        return outer

    def _signature(self) -> tuple[tuple[int, int, int] | None, ...]:
        files = (self._settings.cert_file, self._settings.key_file, self._settings.ca_file)
        return tuple(_identity(path) for path in files if path is not None)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; links, as Kubernetes makes them, are followed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _expiry_s(cert_file: Path | None) -> float:
    from cryptography import x509

    assert cert_file is not None
    return x509.load_pem_x509_certificate(cert_file.read_bytes()).not_valid_after_utc.timestamp()
