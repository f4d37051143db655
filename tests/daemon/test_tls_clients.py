"""Foreign clients of the real daemon over TLS: boto3, and grpcio with a certificate of its own."""

from __future__ import annotations

from typing import Any

import boto3
import botocore.exceptions
import grpc
import pytest
from botocore.config import Config

from lightningstor.rpc.gen import object_service_pb2
from tests.conftest import StartDaemon
from tests.harness.certificates import CertificateAuthority, Issued
from tests.harness.daemon import RunningDaemon

objects: Any = object_service_pb2
ALICE = '[[iam.principals]]\nid = "alice"\naccess_key = "ALICE-KEY"\nsecret_key = "secret-of-alice"\n'


def s3_of(daemon: RunningDaemon, trusted: str | None) -> Any:
    port = daemon.addresses["s3"].rpartition(":")[2]
    return boto3.client(
        "s3",
        endpoint_url=f"https://localhost:{port}",
        region_name="us-east-1",
        aws_access_key_id=daemon.access_key,
        aws_secret_access_key=daemon.secret_key,
        verify=trusted,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def test_boto3_over_tls(launch_daemon: StartDaemon, certificate_authority: CertificateAuthority) -> None:
    """An object goes and comes; a client that does not trust the authority sends nothing."""
    daemon = launch_daemon(tls=True)
    client = s3_of(daemon, str(certificate_authority.ca_file))
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="key", Body=b"x" * 100_000)
    assert client.get_object(Bucket="bucket", Key="key")["Body"].read() == b"x" * 100_000
    client.close()
    stranger = s3_of(daemon, None)
    with pytest.raises(botocore.exceptions.SSLError):
        stranger.list_buckets()
    stranger.close()


def test_a_certificate_is_its_principal(
    launch_daemon: StartDaemon,
    certificate_authority: CertificateAuthority,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """grpcio as alice, by the name in her certificate; nobody's name, no certificate and a stranger's are refused."""
    authority, server = certificate_authority, certificate_authority.issue_server()
    config = (
        f'[server.tls]\ncert_file = "{server.cert_file}"\nkey_file = "{server.key_file}"\n'
        f'ca_file = "{authority.ca_file}"\n[audit]\nenabled = true\n{ALICE}'
    )
    daemon = launch_daemon("--bucket", "bucket", config=config)
    target = "localhost:" + daemon.addresses["grpc"].rpartition(":")[2]
    root = authority.ca_file.read_bytes()

    def put(client: Issued | None) -> grpc.StatusCode:
        pair = (None, None) if client is None else (client.key_file.read_bytes(), client.cert_file.read_bytes())
        with grpc.secure_channel(target, grpc.ssl_channel_credentials(root, *pair)) as channel:
            method = channel.unary_unary("/lightningstor.v1.ObjectService/PutObject", None, None)
            request = objects.PutObjectRequest(bucket="bucket", key="key", content=b"x").SerializeToString()
            try:
                method(request, timeout=20)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()  # type: ignore[attr-defined]
                return code
            return grpc.StatusCode.OK

    assert put(authority.issue_client("alice")) is grpc.StatusCode.OK
    assert put(authority.issue_client("nobody")) is grpc.StatusCode.UNAUTHENTICATED
    assert put(None) is grpc.StatusCode.UNAUTHENTICATED
    stranger = CertificateAuthority(tmp_path_factory.mktemp("stranger"), "somebody else").issue_client("alice")
    assert put(stranger) is grpc.StatusCode.UNAVAILABLE
    assert daemon.stop() == 0
    lines = (daemon.data_dir / "audit" / "audit.log").read_text("utf-8")
    assert '"principal":"alice"' in lines
    assert '"authentication":"certificate"' in lines
