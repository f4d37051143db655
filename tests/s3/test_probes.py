"""/health and /ready on the S3 port."""

from __future__ import annotations

import json

import attrs
import pytest

from lightningstor.s3.app import S3App
from tests.s3.client import Client
from tests.s3.conftest import ALICE, Service

LIVE = ["/health", "/minio/health/live"]
READY = ["/ready", "/minio/health/ready"]


@pytest.mark.parametrize("path", [*LIVE, *READY])
async def test_whoever_has_no_credentials_hears_how_the_daemon_is(s3: Client, path: str) -> None:
    """Under our names and MinIO's, with GET and HEAD."""
    answer = await s3.anonymous().get(path)
    assert (answer.status, json.loads(answer.body)["status"]) == (200, "ok" if path in LIVE else "ready")
    assert (await s3.anonymous().head(path)).status == 200
    assert (await s3.anonymous().put(path)).status == 403


async def test_a_daemon_that_is_not_ready_says_why(service: Service, s3: Client) -> None:
    """By part; it is alive all the same."""
    endpoint = attrs.evolve(service.app._endpoint, readiness=lambda: {"audit": "its disk is full"})
    client = attrs.evolve(s3, app=S3App(endpoint)).anonymous()
    answer = await client.get("/ready")
    assert (answer.status, json.loads(answer.body)["reasons"]) == (503, {"audit": "its disk is full"})
    assert (await client.get("/health")).status == 200


@pytest.mark.parametrize("path", [*LIVE, *READY])
async def test_a_bucket_of_that_name_is_a_bucket(s3: Client, service: Service, path: str) -> None:
    """Credentials always mean the bucket; and once there is one, requests without them are refused as anywhere."""
    assert (await s3.get(path)).code == "NoSuchBucket"
    bucket = path.split("/")[1]
    assert (await service.client(ALICE).put(f"/{bucket}")).status == 200
    answer = await s3.anonymous().get(path)
    assert (answer.status, answer.code) == (403, "AccessDenied")


async def test_probes_answer_while_the_audit_log_refuses_all_else(s3: Client, service: Service) -> None:
    """Else a full disk would look like a dead daemon."""
    await s3.put("/bucket")
    service.witness.closed = True
    assert (await s3.anonymous().get("/health")).status == 200
    refused = await s3.get("/bucket")
    assert (refused.status, refused.code) == (503, "ServiceUnavailable")
    assert (await s3.anonymous().get("/bucket")).status == 503
