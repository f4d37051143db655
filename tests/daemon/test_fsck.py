"""`lightningstor fsck` on the directory of a stopped store."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

import lightningstor
from lightningstor.cli.commands import run
from lightningstor.kv.api import Add, Txn
from lightningstor.model import keys
from lightningstor.store.store import Store
from tests.store.content import make_bucket, put, random_bytes


async def filled(store: Store) -> None:
    await make_bucket(store)
    await put(store, "small", b"data")
    await put(store, "large", random_bytes(200_000))


async def look(folder: Path, *options: str) -> int:
    """Run the command as a process of its own would: outside this event loop."""
    return await trio.to_thread.run_sync(run, ["fsck", "--data-dir", str(folder), *options])


async def test_a_good_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and it says so."""
    async with lightningstor.open(tmp_path) as store:
        await filled(store)
    assert await look(tmp_path) == 0
    assert capsys.readouterr().out == f"{tmp_path} is good.\n"


async def test_damage_is_told_and_repaired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """1 and a line for each finding; with --repair 0; a loss stays 1 for ever."""
    async with lightningstor.open(tmp_path) as store:
        await filled(store)
        await store.ctx.kv.commit(Txn(adds=[Add(keys.total_bytes("org", None), 5)]))
    counter = "lightningstor/totals/org/bytes"
    words = f"{counter}: a usage counter that differs from a recount (it says 200009, there are 200004)"
    assert await look(tmp_path) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{words}\n"
    assert captured.err == f"Error: {tmp_path}: 1 found, 0 repaired\n"
    assert await look(tmp_path, "--repair") == 0
    assert capsys.readouterr().out == f"{words}, repaired\n{tmp_path}: 1 found, all repaired.\n"
    assert await look(tmp_path) == 0
    chunk = next(path for path in (tmp_path / "chunks").rglob("*-000000") if path.is_file())
    chunk.unlink()
    capsys.readouterr()
    assert await look(tmp_path, "--repair") == 1
    assert f"a chunk of its body is missing (chunk {chunk.name})" in capsys.readouterr().out


async def test_a_running_store_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who runs has the lock; a folder that is no data directory is not made one."""
    async with lightningstor.open(tmp_path / "store"):
        assert await look(tmp_path / "store", "--repair") == 1
    assert "Another process has the data directory open" in capsys.readouterr().err
    assert await look(tmp_path) == 1
    assert "there is no data directory" in capsys.readouterr().err
    assert not (tmp_path / "LOCK").exists()
