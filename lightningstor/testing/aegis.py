"""Aegis for tests and trials: a process that decides by the store's own statements, over gRPC.

    python -m lightningstor.testing.aegis --rules rules.json --listen 127.0.0.1:9090 \\
        --cert server.pem --key server.key --ca ca.pem

With `--ca` only clients that show a certificate of that authority get an answer. It prints its address and serves until
it is stopped. The rules:

    {"services": {"lightningstor": "the service account's token"},
     "principals": [{"id": "alice", "org": "acme", "project": "web", "role": "none", "groups": ["staff"]}],
     "grants": [{"org": "acme", "principal": "alice",
                 "statement": {"effect": "Allow", "actions": ["lightningstor:objects:get"], "resources": ["*"]}}]}

A grant is attached to a principal, to a group ("group"), or with neither to everybody of the organisation. Without
"services" the certificate alone says who may ask.
"""

from __future__ import annotations

import argparse
import hmac
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trio
from attrs import define, field
from msgspec import Struct

from lightningstor.errors import AccessDenied
from lightningstor.iam.authorize import EmbeddedAuthorizer, OrganisationGrants, Resource
from lightningstor.iam.conditions import UnknownKey
from lightningstor.iam.principal import Principal, Role
from lightningstor.iam.statements import Statement, check_statement
from lightningstor.ports import Clock, World
from lightningstor.rpc.connection import RpcConnection
from lightningstor.rpc.dispatch import Dispatcher
from lightningstor.rpc.gen.aegis_iam_grpc import IamServiceServicer
from lightningstor.rpc.gen.aegis_iam_pb2 import AuthorizeRequest, AuthorizeResponse, RequestContext
from lightningstor.rpc.limits import RpcLimits
from lightningstor.rpc.room import MessageRoom
from lightningstor.rpc.server import open_rpc_listeners
from lightningstor.rpc.status import RpcFailed, StatusCode, Told

__all__ = ["Rules", "main", "serve"]


class PrincipalRule(Struct, forbid_unknown_fields=True):
    """A principal, as Aegis knows it."""

    id: str
    org: str
    project: str | None = None
    role: Role = Role.NONE
    groups: tuple[str, ...] = ()


class GrantRule(Struct, forbid_unknown_fields=True):
    """A statement about an organisation's resources, and whom it is attached to."""

    org: str
    statement: Statement
    principal: str | None = None
    group: str | None = None


class Rules(Struct, forbid_unknown_fields=True):
    """See the module."""

    services: dict[str, str] = msgspec.field(default_factory=dict)
    principals: list[PrincipalRule] = msgspec.field(default_factory=list)
    grants: list[GrantRule] = msgspec.field(default_factory=list)


@define
class _Grants:
    organisations: dict[str, OrganisationGrants] = field(factory=dict)

    def of_organisation(self, org_id: str) -> OrganisationGrants | None:
        return self.organisations.get(org_id)

    def add(self, rule: GrantRule) -> None:
        check_statement(rule.statement)
        grants = self.organisations.setdefault(rule.org, OrganisationGrants())
        if rule.principal is not None:
            grants.principals[rule.principal] = (*grants.principals.get(rule.principal, ()), rule.statement)
        elif rule.group is not None:
            grants.groups[rule.group] = (*grants.groups.get(rule.group, ()), rule.statement)
        else:
            grants.everyone = (*grants.everyone, rule.statement)


class _Context:
    """What the asking service told of the request, and the time."""

    def __init__(self, told: RequestContext, clock: Clock) -> None:
        self.s3_action = told.s3_action or None
        self._told = told
        self._clock = clock

    def value(self, key: str) -> str | None:
        if key == "aws:currenttime":
            return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).isoformat()
        if key == "aws:epochtime":
            return str(self._clock.now_ms() // 1000)
        if key in self._told.values:
            return self._told.values[key]
        if key in self._told.absent:
            return None
        raise UnknownKey(key)


class IamService(IamServiceServicer):
    """Answers by the rules."""

    def __init__(self, rules: Rules, clock: Clock) -> None:
        grants = _Grants()
        for grant in rules.grants:
            grants.add(grant)
        self._authorizer = EmbeddedAuthorizer(grants)
        self._services = rules.services
        self._clock = clock
        self._principals = {
            (rule.org, rule.id): Principal(rule.id, rule.org, rule.project, role=rule.role, groups=rule.groups)
            for rule in rules.principals
        }

    async def Authorize(self, input_message: AuthorizeRequest, request: Any = None) -> AuthorizeResponse:
        """Yes, or no with the reason."""
        self._check_service(request.metadata)
        asked = input_message
        principal = self._principals.get((asked.principal.org_id, asked.principal.id))
        if principal is None:
            return AuthorizeResponse(allowed=False, reason="the principal is unknown")
        told = asked.resource
        resource = Resource(
            told.org_id,
            told.project_id or None,
            told.bucket or None,
            told.id if told.kind == "object" else None,
        )
        try:
            await self._authorizer.authorize(principal, asked.action, resource, _Context(asked.context, self._clock))
        except AccessDenied as denied:
            return AuthorizeResponse(allowed=False, reason=denied.reason)
        return AuthorizeResponse(allowed=True)

    def _check_service(self, metadata: Mapping[str, str]) -> None:
        if not self._services:
            return
        token = self._services.get(metadata.get("x-service-account", ""), "")
        given = metadata.get("authorization", "")
        if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise RpcFailed(StatusCode.UNAUTHENTICATED, "the service account or its token is unknown")


def _explain(_: BaseException) -> Told:
    return Told("InternalError", 500, "INTERNAL", "Aegis met an error of its own.", {}, "error")


async def serve(
    rules: Rules,
    listeners: list[trio.SocketListener],
    ssl_context: ssl.SSLContext | None,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled.

    Raises:
        MalformedPolicy: a statement of the rules is none.
    """
    dispatch = Dispatcher((IamService(rules, World().clock),))
    limits = RpcLimits()
    room = MessageRoom(limits.room_bytes)

    async def attend(socket: trio.SocketStream) -> None:
        stream: Any = socket
        try:
            if ssl_context is not None:
                stream = trio.SSLStream(socket, ssl_context, server_side=True, https_compatible=True)
                await stream.do_handshake()
            connection = RpcConnection(
                stream,
                dispatch,
                limits,
                peer="client",
                certificate_names=(),
                room=room,
                explain=_explain,
                next_request_id=lambda: "",
                done=lambda call, ending: None,
            )
            await connection.run()
        except trio.BrokenResourceError:
            return  # a client that is gone, or that TLS does not let in
        finally:
            await trio.aclose_forcefully(socket)

    task_status.started()
    await trio.serve_listeners(attend, listeners)


def server_context(cert_file: str, key_file: str, ca_file: str | None) -> ssl.SSLContext:
    """What secures the port; with `ca_file`, clients must show a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    context.set_alpn_protocols(["h2"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def _run(rules: Rules, host: str, port: int, context: ssl.SSLContext | None) -> None:
    listeners = await open_rpc_listeners(host, port)
    print("{}:{}".format(*listeners[0].socket.getsockname()[:2]), flush=True)
    await serve(rules, listeners, context)


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", type=Path, required=True, help="a JSON file")
    parser.add_argument("--listen", default="127.0.0.1:0", help="host:port; port 0: one that is free")
    parser.add_argument("--cert", help="the server's certificate, PEM")
    parser.add_argument("--key", help="its private key, PEM")
    parser.add_argument("--ca", help="the authority of clients' certificates, PEM")
    options = parser.parse_args()
    if (options.cert is None) != (options.key is None) or (options.ca is not None and options.cert is None):
        parser.error("--cert and --key go together, and --ca with both")
    host, _, port = options.listen.rpartition(":")
    rules = msgspec.json.decode(options.rules.read_bytes(), type=Rules)
    context = None if options.cert is None else server_context(options.cert, options.key, options.ca)
    trio.run(_run, rules, host.strip("[]"), int(port), context)


if __name__ == "__main__":
    main()
