"""Keys that look dangerous: they are data, or they are refused (PROOF 32)."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Figure
from tests.s3.client import Client, key_path
from tests.s3.conftest import memory_service, service_over
from tests.store.conftest import disk_store

DANGEROUS = [
    "..",
    "../x",
    "../../../../etc/passwd",
    "a/../../b",
    ".",
    "./.",
    "/",
    "//",
    "/etc/passwd",
    "a//b",
    "\\",
    "..\\..\\x",
    "C:\\x",
    "\0",
    "a\0b",
    "\n\r\t",
    "\x7f",
    "%2e%2e",
    "%",
    "?",
    "#",
    "a?versionId=null",
    "+",
    " ",
    "a b+c%20d",
    "é",
    "e\u0301",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "\u202etxt",
    "null",
    "~",
    "'\";--",
    "<&>",
    "x" * 1024,
    "\u20ac" * 341,
    "data/0000000000000001",
    "LOCK",
]
REFUSED = {
    "x" * 1025: "KeyTooLongError",
    "\u20ac" * 342: "KeyTooLongError",
    "%ED%A0%80": "InvalidURI",
    "%FF": "InvalidURI",
    "%C0%AF": "InvalidURI",
    "%": "InvalidURI",
    "%2": "InvalidURI",
}


async def test_every_key_is_data(tmp_path: Path, figure: Figure) -> None:
    """Each round trips through PUT, GET, HEAD, LIST, copy and DELETE, and nothing lands outside the data directory."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "beside").write_bytes(b"untouched")
    async with disk_store(root) as store:
        s3 = service_over(store).client()
        await s3.put("/bucket")
        for key in DANGEROUS:
            body = key.encode() * 40  # past the inline size for the long ones: a chunk file is made
            assert (await s3.put(key_path("bucket", key), body)).status == 200, key
        for key in DANGEROUS:
            got = await s3.get(key_path("bucket", key))
            assert (got.status, got.body) == (200, key.encode() * 40), key
            assert (await s3.head(key_path("bucket", key))).status == 200
        listed = (await s3.get("/bucket", "list-type=2&encoding-type=url")).texts("Contents/Key")
        assert listed == [quote(key, safe="/~") for key in sorted(DANGEROUS, key=lambda key: key.encode())]
        for key in DANGEROUS:
            copied = await s3.put("/bucket/copy", x_amz_copy_source="/bucket/" + quote(key, safe=""))
            assert copied.status == 200, key
            assert (await s3.get("/bucket/copy")).body == key.encode() * 40
            assert (await s3.delete(key_path("bucket", key))).status == 204
    assert sorted(os.listdir(tmp_path)) == ["beside", "root"]
    assert set(os.listdir(root)) <= {"metadata.db", "metadata.db-wal", "metadata.db-shm", "chunks"}
    figure(f"{len(DANGEROUS)} keys round trip, {len(REFUSED)} are refused, nothing outside the data directory")


@pytest.mark.parametrize(("path", "code"), REFUSED.items())
async def test_what_is_no_key(s3: Client, path: str, code: str) -> None:
    """Too long, not UTF-8, or not percent-encoding: 400, and nothing is stored."""
    await s3.put("/bucket")
    raw = path if path.startswith("%") else quote(path)
    answer = await s3.put(f"/bucket/{raw}", b"x")
    assert (answer.status, answer.code) == (400, code)
    assert (await s3.get("/bucket")).texts("Contents/Key") == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5, unique=True))
async def test_any_text_is_a_key(keys: list[str]) -> None:
    """Whatever Unicode it is, it comes back as itself, and two different keys are two objects."""
    try:
        encoded = {key: key.encode() for key in keys}
    except UnicodeEncodeError:
        return
    async with memory_service() as service:
        s3 = service.client()
        await s3.put("/bucket")
        for key, body in encoded.items():
            assert (await s3.put(key_path("bucket", key), body)).status == 200
        for key, body in encoded.items():
            assert (await s3.get(key_path("bucket", key))).body == body
