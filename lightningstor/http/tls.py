"""TLS for the HTTP engine: server contexts that say what is wrong with a file, and the wire that a connection uses.

Certificates and keys are PEM files. ALPN offers one protocol and nothing else.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import trio

from lightningstor.http.faults import ClientGone
from lightningstor.http.wire import Bytes, SocketWire

__all__ = ["TlsConfigError", "TlsWire", "server_context"]

ClientAuth = Literal["none", "optional", "required"]

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_PROTOCOL_NUMBERS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
_READ: Final = 64 * 1024
# RFC 4514 §3; ssl gives the long names of OpenSSL.
_SHORT_NAMES: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


class TlsConfigError(ValueError):
    """The TLS settings, or a file that they name, cannot be used. The text names the file and what is wrong."""


def server_context(
    cert_file: str | Path,
    key_file: str | Path,
    *,
    ca_file: str | Path | None = None,
    client_auth: ClientAuth = "none",
    min_version: str = "1.3",
    protocol: str = "http/1.1",
) -> ssl.SSLContext:
    """A context for `open_listeners`.

    Args:
        cert_file: the server's certificate, followed by the intermediate ones.
        key_file: its private key, without a passphrase.
        ca_file: the authorities that clients' certificates must come from.
        client_auth: whether clients are asked for a certificate, and whether they must have one.
        min_version: "1.2" or "1.3".
        protocol: the one that ALPN offers.

    Raises:
        TlsConfigError: see there.
    """
    if min_version not in _VERSIONS:
        raise TlsConfigError(f"TLS version {min_version!r} is not one of {', '.join(_VERSIONS)}")
    if client_auth not in _VERIFY:
        raise TlsConfigError(f"client_auth {client_auth!r} is not one of {', '.join(_VERIFY)}")
    if client_auth != "none" and ca_file is None:
        raise TlsConfigError(f"client_auth {client_auth!r} needs a ca_file to check clients' certificates against")
    for what, path in (("certificate", cert_file), ("key", key_file), ("CA", ca_file)):
        if path is not None:
            _check_readable(what, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[min_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([protocol])
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
    except _PassphraseNeeded:
        raise TlsConfigError(f"the key file {key_file} is protected by a passphrase; give one without") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsConfigError(f"the key in {key_file} does not belong to the certificate in {cert_file}") from None
        raise TlsConfigError(
            f"the certificate file {cert_file} or the key file {key_file} does not hold what it should, in PEM"
            f" ({error.reason or error})"
        ) from None
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except ssl.SSLError as error:
            raise TlsConfigError(
                f"the CA file {ca_file} holds no certificate in PEM ({error.reason or error})"
            ) from None
        context.verify_mode = _VERIFY[client_auth]
    return context


class _PassphraseNeeded(Exception):
    pass


def _no_passphrase() -> str:
    raise _PassphraseNeeded


def _check_readable(what: str, path: str | Path) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise TlsConfigError(f"the {what} file {path} cannot be read: {error.strerror}") from None


class _NothingBuffered(Exception):
    """Raised instead of reading from the socket, while only what was read before is wanted."""


class _CipherStream(trio.abc.Stream):
    """The socket below, as the stream that `trio.SSLStream` wants; closing it only ends the writing side."""

    def __init__(self, wire: SocketWire) -> None:
        self._wire = wire
        self.buffered_only = False

    async def send_all(self, data: Bytes) -> None:
        await self._wire.write(data)

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.buffered_only:
            raise _NothingBuffered
        return await self._wire.read(max_bytes or _READ)

    async def aclose(self) -> None:
        await self._wire.finish()


class TlsWire:
    """A connection's socket under TLS. Time limits and progress are those of the socket.

    Args:
        base: the socket.
        context: of `server_context`.
    """

    def __init__(self, base: SocketWire, context: ssl.SSLContext) -> None:
        self._base = base
        self._cipher = _CipherStream(base)
        self._stream = trio.SSLStream(self._cipher, context, server_side=True)

    async def handshake(self) -> dict[str, Any]:
        """Agree with the client on keys; gives ASGI's `tls` extension.

        Raises:
            ClientGone: it failed: no TLS, no common version, no acceptable certificate, or too slow.
        """
        try:
            await self._stream.do_handshake()
        except trio.BrokenResourceError as error:
            self._base.broken = True
            raise ClientGone("handshake", f"The TLS handshake failed: {error.__cause__}.") from None
        return self._facts()

    def _facts(self) -> dict[str, Any]:
        certificate = self._stream.getpeercert(binary_form=True)
        name = None
        if certificate:
            subject = self._stream.getpeercert().get("subject", ())
            name = ",".join(_name_part(*part) for parts in reversed(subject) for part in parts)
        return {
            "server_cert": None,
            "client_cert_chain": [ssl.DER_cert_to_PEM_cert(certificate)] if certificate else [],
            "client_cert_name": name,
            "client_cert_error": None,
            "tls_version": _PROTOCOL_NUMBERS.get(self._stream.version()),
            "cipher_suite": None,
        }

    async def wait_read(self, limit: int) -> bytes:
        """See `Wire.wait_read`."""
        return await self.read(limit)

    async def read(self, limit: int) -> bytes:
        """See `Wire.read`."""
        try:
            return bytes(await self._stream.receive_some(limit))
        except trio.BrokenResourceError as error:
            if isinstance(error.__cause__, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                return b""  # without a close_notify; a body's length tells whether something is missing
            raise self._lost(error) from None

    async def write(self, data: Bytes) -> None:
        """See `Wire.write`."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            raise self._lost(error) from None

    async def write_last(self, data: bytes) -> None:
        """See `Wire.write_last`; under TLS it leaves at once."""
        await self.write(data)

    async def write_all(self, pieces: Sequence[Bytes]) -> None:
        """See `Wire.write_all`."""
        await self.write(b"".join(pieces))

    async def finish(self) -> None:
        """See `Wire.finish`.

        OpenSSL sends no close_notify while it holds bytes that nobody has read (of a body that was not wanted,
        say), so those are dropped first.
        """
        self._cipher.buffered_only = True
        try:
            with suppress(_NothingBuffered):
                while await self._stream.receive_some(_READ):
                    pass
            await self._stream.aclose()
        except trio.BrokenResourceError as error:
            raise self._lost(error) from None

    def _lost(self, error: trio.BrokenResourceError) -> ClientGone:
        self._base.broken = True
        return ClientGone("reset", f"The TLS connection broke ({error.__cause__}).")


def _name_part(key: str, value: str) -> str:
    """A part of a distinguished name as RFC 4514 writes it."""
    escaped = "".join(f"\\{char}" if char in ',+"\\<>;=' else char for char in value)
    return f"{_SHORT_NAMES.get(key, key)}={escaped}"
