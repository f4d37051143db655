"""The services that every request of one S3 endpoint uses."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field

from lightningstor.iam.authorize import Authorizer
from lightningstor.iam.credentials import CredentialStore
from lightningstor.observe.clients import ClientAddresses
from lightningstor.observe.record import Observer
from lightningstor.ports import World
from lightningstor.s3.access_log import AccessLog
from lightningstor.s3.addressing import Addressing
from lightningstor.s3.settings import S3Settings
from lightningstor.store.store import Store

if TYPE_CHECKING:
    from lightningstor.observe.tracing import Tracing

__all__ = ["Endpoint"]

SERVER_NAME = b"LightningStor"


@define
class Endpoint:
    """What the stages and handlers work with.

    Args:
        settings: of this endpoint.
        store: the objects.
        credentials: the access keys.
        authorizer: says who may do what.
        world: clock and entropy.
        observer: hears of every request.
        clients: tells clients' addresses.
        tracing: makes spans, and is the observer as well; None: there are no traces.
        readiness: by part of the daemon, why it should get no requests; empty while it should.
    """

    settings: S3Settings
    store: Store
    credentials: CredentialStore
    authorizer: Authorizer
    world: World
    observer: Observer
    clients: ClientAddresses = field(factory=ClientAddresses)
    tracing: Tracing | None = None
    readiness: Callable[[], dict[str, str]] = dict
    addressing: Addressing = field(init=False)
    access_log: AccessLog = field(init=False)
    host_aliases: tuple[bytes, ...] = field(init=False)
    server_headers: tuple[tuple[bytes, bytes], tuple[bytes, bytes]] = field(init=False)
    server_lines: bytes = field(init=False)
    host_id: str = field(init=False)
    short_key: int = field(init=False)
    _request_number: int = field(init=False, default=0)
    _request_salt: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.access_log = AccessLog(self.store, self.world, self.settings.access_log)
        self.addressing = Addressing(self.settings.domains)
        self.short_key = self.store.limits.max_key_bytes // 4  # characters; none takes more than 4 bytes
        self.host_id = b64encode(self.world.entropy.token_bytes(33)).decode()
        self.host_aliases = tuple(alias.encode() for alias in self.settings.host_aliases)
        self.server_headers = ((b"server", SERVER_NAME), (b"x-amz-id-2", self.host_id.encode()))
        self.server_lines = b"server: %b\r\nx-amz-id-2: %b\r\n" % (SERVER_NAME, self.host_id.encode())
        self._request_salt = int.from_bytes(self.world.entropy.token_bytes(8), "big") | 1

    def next_request_id(self) -> str:
        """An id that no other request of this process has: 16 capital hex digits, as S3's.

        A counter times a random odd number modulo 2^64: never the same twice, different from process to process,
        and without a system call for each request. It is a name, not a secret.
        """
        self._request_number += 1
        number = self._request_number * self._request_salt & 0xFFFF_FFFF_FFFF_FFFF
        return number.to_bytes(8, "big").hex().upper()  # half the time of a format
