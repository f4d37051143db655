"""The OpenAPI document says what the API does: it is valid, and schemathesis finds nothing that goes against it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from lightningstor.admin.api.endpoint import PREFIX
from lightningstor.admin.api.table import ENDPOINTS
from tests.admin.conftest import caller_of
from tests.conftest import Figure, StartDaemon
from tests.harness.signed_http import SignedHttp
from tests.interop.environments import PythonEnvironment

_HERE = Path(__file__).parent / "schemathesis"
_SEED = 20_261
_CHECKS = ",".join(
    (
        *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
        *("response_schema_conformance", "negative_data_rejection", "unsupported_method"),
    )
)


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter that has schemathesis and the validator."""
    return PythonEnvironment("schemathesis", _HERE / "requirements.txt").python()


def test_the_document_is_valid(launch_daemon: StartDaemon, python: Path, tmp_path: Path) -> None:
    """OpenAPI 3.1, by openapi-spec-validator."""
    daemon = launch_daemon()
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    (tmp_path / "openapi.json").write_bytes(admin.raw("GET", "/openapi.json").body)
    command = [str(python), "-m", "openapi_spec_validator", "--schema", "3.1", str(tmp_path / "openapi.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_schemathesis_finds_nothing(
    launch_daemon: StartDaemon, python: Path, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """No 5xx, no answer that the document does not describe; of the endpoints 9 in 10 answered 2xx at least once.

    What was answered is read in the audit log, so calls are counted that schemathesis does not report.
    """
    daemon = launch_daemon(config="[audit]\nenabled = true\n")
    admin = caller_of(daemon, daemon.access_key, daemon.secret_key)
    token = admin.ok("POST", f"/principals/{admin.ok('GET', '/whoami')['id']}/tokens", {"ttl_s": 7200})["token"]
    url = f"http://{daemon.addresses['admin']}{PREFIX}"
    living = {
        "LIVING_API": url,
        "LIVING_TOKEN": token,
        "LIVING_BUCKET": "held",
        "LIVING_UPLOADS": json.dumps(_open_uploads(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)),
        "LIVING_SEED": str(_SEED),
        "SCHEMATHESIS_HOOKS": "living",
        "PYTHONPATH": str(_HERE),
    }
    options = ["--phases", "examples,coverage,fuzzing", "--checks", _CHECKS, "--seed", str(_SEED), "--no-color"]
    options += ["--max-examples", "200" if proof_full else "6", "-H", f"Authorization: Bearer {token}"]
    done = subprocess.run(
        [str(python), "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *options],
        cwd=tmp_path,
        env={**os.environ, **living},
        capture_output=True,
        text=True,
        timeout=1500 if proof_full else 240,
        check=False,
    )
    assert daemon.stop() == 0
    text = (daemon.data_dir / "audit" / "audit.log").read_text("utf-8")
    lines = [line for line in map(json.loads, text.splitlines()) if line["protocol"] == "admin"]
    assert not [line for line in lines if line["status"] >= 500]
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    succeeded = Counter(line["operation"] for line in lines if line["status"] < 300)
    never = {row.name for row in ENDPOINTS} - succeeded.keys()
    assert len(never) <= len(ENDPOINTS) // 10, sorted(never)
    share = f"{len(ENDPOINTS) - len(never)} of {len(ENDPOINTS)} endpoints answered 2xx"
    figure(f"{len(lines)} requests, none 5xx; {share}")


def _open_uploads(s3_host: str, access_key: str, secret_key: str) -> list[str]:
    """The ids of uploads of key `held` in a bucket of that name."""
    s3 = SignedHttp(s3_host, access_key, secret_key)
    assert s3.request("PUT", "/held").status == 200
    found = [s3.request("POST", "/held/held", query="uploads=").element("UploadId") for _ in range(20)]
    s3.close()
    return found
