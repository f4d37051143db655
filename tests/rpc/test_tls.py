"""TLS and client certificates on the gRPC port: of a server, and of the daemon as it is configured."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest

from lightningstor.http.tls import server_context
from tests.harness.certificates import CertificateAuthority, Issued
from tests.harness.daemon import RunningDaemon
from tests.rpc.serving import CHECKED, GrpcioRemote, backing_of, in_thread, serving, unary
from tests.store.conftest import memory_store


def credentials(authority: CertificateAuthority, client: Issued | None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        authority.ca_file.read_bytes(),
        client.key_file.read_bytes() if client else None,
        client.cert_file.read_bytes() if client else None,
    )


async def test_a_certificate_stands_for_its_principal(certificate_authority: CertificateAuthority) -> None:
    """A client certificate's name is whose call it is, unless a token says otherwise; without either, nobody's."""
    issued = certificate_authority.issue_server()
    context = server_context(
        issued.cert_file, issued.key_file, ca_file=certificate_authority.ca_file, client_auth="optional", protocol="h2"
    )

    def ask() -> list[object]:
        told: list[object] = []
        for client in (certificate_authority.issue_client("alice"), certificate_authority.issue_client("eve"), None):
            with grpc.secure_channel(f"localhost:{port}", credentials(certificate_authority, client)) as channel:
                rpc = GrpcioRemote(channel, ())
                try:
                    told.append(rpc.call_now("CreateBucket", name="bucket").org_id)
                except Exception as error:
                    told.append(getattr(error, "status", error))
                told.append(rpc.called("bob").call_now("CreateBucket", name=f"bobs-{len(told)}").org_id)
        return told

    async with (
        memory_store() as store,
        serving(backing=backing_of(store), tls=context) as (_, port),
    ):
        told = await in_thread(ask)
    assert told == ["acme", "other", "UNAUTHENTICATED", "other", "UNAUTHENTICATED", "other"]


def test_the_daemon_speaks_tls_on_both_ports(
    launch_daemon: Callable[..., RunningDaemon], certificate_authority: CertificateAuthority
) -> None:
    """[server.tls] secures the gRPC port too: with the authority's certificate it answers, in the clear it doesn't."""
    daemon = launch_daemon(tls=True)
    port = daemon.addresses["grpc"].rpartition(":")[2]
    with grpc.secure_channel(f"localhost:{port}", credentials(certificate_authority, None)) as channel:
        assert unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=20) == CHECKED
        with pytest.raises(grpc.RpcError) as refused:
            unary(channel, "/lightningstor.v1.BucketService/ListBuckets")(b"", timeout=20)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with grpc.insecure_channel(f"localhost:{port}") as channel, pytest.raises(grpc.RpcError):
        unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=5)
