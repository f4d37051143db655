"""purerpc's own client against the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.rpc.conftest import Both
from tests.rpc.serving import buckets, in_thread, objects


async def test_every_rpc(both: Both) -> None:
    """All 23 of them, streams and errors included (`purerpc_walk`)."""
    done = await in_thread(
        lambda: subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.rpc.purerpc_walk", str(both.port)],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )
    )
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {
        *(method.name for method in buckets.DESCRIPTOR.services_by_name["BucketService"].methods),
        *(method.name for method in objects.DESCRIPTOR.services_by_name["ObjectService"].methods),
    }
