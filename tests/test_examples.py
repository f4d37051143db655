"""The examples do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.client.conftest import site_of
from tests.conftest import StartDaemon

_EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *arguments: str, **environment: str) -> list[str]:
    """What the example prints, line by line."""
    done = subprocess.run(
        [sys.executable, str(_EXAMPLES / name), *arguments],
        env={**os.environ, "PYTHONPATH": str(_EXAMPLES.parent), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_embed(tmp_path: Path) -> None:
    """The embedded store keeps its objects in a directory, or in memory."""
    expected = [
        "etag 8b1a9953c4611296a827abf8c47804d7",
        "content Hello",
        "refused If-None-Match",
        "cancelled: nothing there",
    ]
    assert run("embed.py", str(tmp_path / "store")) == expected
    assert run("embed.py") == expected


def test_serve(tmp_path: Path) -> None:
    """A daemon in a nursery answers, and ends with it."""
    assert run("serve.py", str(tmp_path / "store")) == ["HTTP/1.1 200 OK", "stopped"]


def test_every_example_is_listed_and_tested() -> None:
    """examples/README.md has a line for each, and a test names each."""
    listed = (_EXAMPLES / "README.md").read_text(encoding="utf-8")
    tests = _EXAMPLES.parent / "tests"
    named = "".join(path.read_text(encoding="utf-8") for path in tests.rglob("test_*.py"))
    for example in _EXAMPLES.iterdir():
        if example.name in ("README.md", "__pycache__"):
            continue
        assert f"`{example.name}{'/' if example.is_dir() else ''}`" in listed
        assert f'"{example.name}"' in named


def test_first_steps_boto3(launch_daemon: StartDaemon) -> None:
    """boto3's first steps work, the presigned link included, and leave nothing."""
    daemon = launch_daemon()
    lines = run(
        "first_steps_boto3.py",
        AWS_ENDPOINT_URL=daemon.s3_url,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID=daemon.access_key,
        AWS_SECRET_ACCESS_KEY=daemon.secret_key,
    )
    assert lines[:3] == ["Hello", "first has the lock", "second was too late: PreconditionFailed"]
    assert lines[3].startswith(daemon.s3_url)
    assert lines[4:] == ["greeting 5", "lock 5"]


def test_first_steps_grpc(launch_daemon: StartDaemon) -> None:
    """SPEC §4.4: a bucket, an object, a stream, an upload in parts, by hand and at once."""
    site = site_of(launch_daemon())
    assert run("first_steps_grpc.py", LIGHTNINGSTOR_GRPC_URL=site.url, LIGHTNINGSTOR_TOKEN=site.token) == [
        "etag 65a8e27d8879283831b664bd8b7f0ad4",
        "text/plain 13",
        "Hello, World!",
        "refused PreconditionFailed",
        "in parts 5242892",
        "uploaded 12582912",
    ]


def test_platform_grpc(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """SPEC, Appendix D: VM images, of which a part is read, and backups with versions."""
    image = tmp_path / "image.raw"
    image.write_bytes(os.urandom(20 << 20))
    site = site_of(launch_daemon())
    environment = {"LIGHTNINGSTOR_GRPC_URL": site.url, "LIGHTNINGSTOR_TOKEN": site.token}
    assert run("platform_grpc.py", str(image), **environment) == [
        "org-1/debian-13/2 512",
        "db.dump tuesday latest",
        "db.dump monday ",
    ]
