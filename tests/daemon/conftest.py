"""Daemons of these tests start as installed ones do: from compiled bytecode."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def compiled_bytecode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have every Python started meanwhile keep its bytecode, in a directory of this session."""
    names = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))
    yield
    del os.environ["PYTHONPYCACHEPREFIX"]
    os.environ.update(before)
