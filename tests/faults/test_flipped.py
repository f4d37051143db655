"""Nothing but the stored bytes answers a GET: one of them flipped between two GETs, and the second fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

SMALL, LARGE = 4096, 3 << 20


def flip_within(folder: Path, content: bytes) -> None:
    """Turn one bit in the middle of `content`, wherever below the folder it lies; it must lie in one file."""
    part = content[: min(len(content), 1024)]
    holders = [(path, at) for path in folder.rglob("*") if path.is_file() and (at := path.read_bytes().find(part)) >= 0]
    assert len(holders) == 1, holders
    path, at = holders[0]
    with path.open("r+b") as file:
        file.seek(at + 512)
        byte = file.read(1)[0]
        file.seek(at + 512)
        file.write(bytes([byte ^ 1]))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["in the metadata", "in a chunk file"])
def test_a_byte_flipped_between_two_gets_is_found(launch_daemon: Callable[..., RunningDaemon], size: int) -> None:
    """The first GET answers 200 with the bytes, the second never the whole under a 200."""
    content = os.urandom(size)
    credentials = ("flipping", "flipping-secret-key-0001")
    first = launch_daemon(credentials=credentials, folder=None)
    s3 = SignedHttp(first.addresses["s3"], *credentials)
    assert s3.request("PUT", "/bucket").status == 200
    assert s3.request("PUT", "/bucket/key", content).status == 200
    s3.close()
    assert first.stop() == 0  # what is in the log goes into the file
    second = launch_daemon(credentials=credentials, data_dir=first.data_dir)
    s3 = SignedHttp(second.addresses["s3"], *credentials)
    assert s3.request("GET", "/bucket/key").body == content
    flip_within(second.data_dir, content)
    try:
        answer = s3.request("GET", "/bucket/key")
    except (HTTPException, OSError):
        return  # cut short
    finally:
        s3.close()
    assert answer.status == 500
