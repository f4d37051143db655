"""grpcurl, which knows nothing of our protos but what reflection tells it, against the real daemon."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.conftest import site_of
from tests.harness.daemon import RunningDaemon
from tests.interop.environments import BuiltProgram

pytestmark = [pytest.mark.interop, pytest.mark.interop_more]

VERSION = "v1.9.3"
GRPCURL = BuiltProgram(
    "grpcurl",
    None,
    build=(("go", "install", f"github.com/fullstorydev/grpcurl/cmd/grpcurl@{VERSION}"),),
    run=("{folder}/bin/grpcurl",),
    environment=(("GOBIN", "{folder}/bin"),),
)
OBJECTS, BUCKETS = "lightningstor.v1.ObjectService", "lightningstor.v1.BucketService"


def test_grpcurl_uses_the_store(launch_daemon: Callable[..., RunningDaemon]) -> None:
    """It lists and describes the services, makes a bucket, writes and reads an object, and shows S3's error code."""
    site = site_of(launch_daemon())
    address = site.daemon.addresses["grpc"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [*GRPCURL.command(), "-plaintext", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def call(method: str, message: dict[str, Any], *more: str) -> subprocess.CompletedProcess[str]:
        return run("-H", f"authorization: Bearer {site.token}", *more, "-d", json.dumps(message), address, method)

    listed = run(address, "list").stdout.split()
    assert {OBJECTS, BUCKETS, "grpc.health.v1.Health"} <= set(listed)
    assert "rpc UploadPart ( stream .lightningstor.v1.UploadPartRequest )" in run(address, "describe", OBJECTS).stdout
    assert json.loads(run(address, "grpc.health.v1.Health/Check").stdout) == {"status": "SERVING"}
    made = json.loads(call(f"{BUCKETS}/CreateBucket", {"name": "bucket", "tags": {"a": "1"}}).stdout)
    assert (made["name"], made["org_id"], made["tags"]) == ("bucket", "org-1", {"a": "1"})
    content = b64encode(b"hello").decode()
    put = call(f"{OBJECTS}/PutObject", {"bucket": "bucket", "key": "key", "content": content, "metadata": {"b": "2"}})
    assert json.loads(put.stdout)["size"] == "5"
    got = json.loads(call(f"{OBJECTS}/GetObject", {"bucket": "bucket", "key": "key"}).stdout)
    assert (b64decode(got["content"]), got["metadata"]["metadata"]) == (b"hello", {"b": "2"})
    missing = call(f"{OBJECTS}/GetObject", {"bucket": "bucket", "key": "none"})
    assert missing.returncode != 0
    assert ("Code: NotFound" in missing.stderr, "google.rpc.ErrorInfo" in missing.stderr) == (True, True)
    assert "Code: Unauthenticated" in run("-d", "{}", address, f"{BUCKETS}/ListBuckets").stderr
