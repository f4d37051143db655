"""kill -9 under load: the usage counters equal a recount, nobody is over the quota, nothing stored is lost."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest
import trio

from lightningstor.config import Config, ServerSettings
from lightningstor.daemon.storage import open_storage
from lightningstor.ports import production_world
from lightningstor.store.fsck import fsck
from lightningstor.store.quotas import QuotaScope
from lightningstor.store.references import Kind
from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import Answer, SignedHttp

pytestmark = pytest.mark.proof

_CEILING = 4_000_000
_CONFIG = f"""
[[quotas]]
org = "default"
max_total_size_bytes = {_CEILING}
[[buckets]]
name = "plain"
[[buckets]]
name = "versioned"
versioning = "Enabled"
max_objects = 60
[limits]
gc_grace_seconds = 0
"""


def write_until_it_dies(daemon: RunningDaemon, number: int, statuses: Counter[str]) -> None:
    """One writer: objects of both layouts, versions, parts, completions, aborts, deletes."""
    chance = random.Random(number)
    client = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    with closing(client), suppress(OSError, HTTPException):
        while True:
            bucket = chance.choice(["plain", "versioned"])
            path = f"/{bucket}/key{chance.randrange(12)}"
            turn = chance.randrange(6)
            if turn < 3:
                answer = client.request("PUT", path, bytes(chance.choice([10, 30_000, 150_000])))
            elif turn == 3:
                answer = client.request("DELETE", path)
            else:
                answer = upload(client, path, complete=turn == 4)
            statuses[f"{answer.status}"] += 1


def upload(client: SignedHttp, path: str, *, complete: bool) -> Answer:
    """Two parts, of which one is used, or an abort."""
    upload_id = client.request("POST", path, query="uploads").element("UploadId")
    etag = ""
    for number in (1, 2):
        taken = client.request("PUT", path, bytes(100_000), query=f"partNumber={number}&uploadId={upload_id}")
        if taken.status != 200:
            break
        etag = etag or taken.headers["etag"]
    if not etag or not complete:
        return client.request("DELETE", path, query=f"uploadId={upload_id}")
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    return client.request("POST", path, body, query=f"uploadId={upload_id}")


async def check(data_dir: Path) -> tuple[int, int]:
    """Of the dead daemon's store: (bytes used, orphans removed)."""
    config = Config(server=ServerSettings(data_dir=data_dir))
    async with open_storage(config, production_world(8)) as storage:
        used = await storage.store.quotas.usage(QuotaScope("default"))
        versioned = await storage.store.quotas.usage(QuotaScope("default", None, "versioned"))
        findings = await fsck(storage.store.ctx, repair=True)
        # Chunks that were sealed and not published are all that a crash may leave.
        assert {finding.kind for finding in findings} <= {Kind.ORPHAN_CHUNK}, findings
        assert await fsck(storage.store.ctx, repair=False) == []
    assert used.total_size_bytes <= _CEILING
    assert versioned.object_count <= 60
    return used.total_size_bytes, len(findings)


def test_killed_under_load(launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure) -> None:
    """Whenever it is killed: counters equal a recount at every level, and all that is left over is orphaned chunks."""
    rounds, writers = (40, 64) if proof_full else (3, 16)
    statuses: Counter[str] = Counter()
    orphans, most = 0, 0
    folder = tmp_path / "daemon"
    folder.mkdir()
    for turn in range(rounds):
        daemon: RunningDaemon = launch_daemon(folder=folder, config=_CONFIG)
        threads = [
            threading.Thread(target=write_until_it_dies, args=(daemon, turn * 1000 + number, statuses))
            for number in range(writers)
        ]
        for thread in threads:
            thread.start()
        time.sleep(1.0 + random.Random(turn).random())
        daemon.kill()
        for thread in threads:
            thread.join()
        used, removed = trio.run(partial(check, daemon.data_dir))
        orphans, most = orphans + removed, max(most, used)
    figure(f"{rounds} kills under {writers} writers: {dict(statuses)}, {most} of {_CEILING} bytes, {orphans} orphans")
    assert statuses["200"] > 0
    assert statuses["403"] > 0
    assert set(statuses) <= {"200", "204", "403", "404"}
