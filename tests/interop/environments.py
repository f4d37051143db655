"""A client's own environment, made once from its lock and kept under `.venvs/` until the lock changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

__all__ = ["BuildFailed", "BuiltProgram", "PythonEnvironment"]

REPOSITORY = Path(__file__).resolve().parents[2]
VENVS = REPOSITORY / ".venvs"
_DONE = "complete"
_INSTALL = ("-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "--disable-pip-version-check", "-r")


class BuildFailed(AssertionError):
    """An environment could not be made. The message holds what the tool said."""


@frozen
class PythonEnvironment:
    """A virtual environment with just what a lock names, hashes checked.

    Args:
        name: the environment's folder begins with it.
        lock: made by pip-compile with hashes.
    """

    name: str
    lock: Path

    def python(self) -> Path:
        """The environment's interpreter; makes the environment if it isn't there yet.

        Raises:
            BuildFailed: pip could not install the lock.
        """
        folder = _folder(self.name, [self.lock])
        python = folder / "bin" / "python"
        with _one_at_a_time(folder):
            if not (folder / _DONE).exists():
                shutil.rmtree(folder, ignore_errors=True)
                _build([sys.executable, "-m", "venv", str(folder)], REPOSITORY)
                _build([str(python), *_INSTALL, str(self.lock)], REPOSITORY)
                (folder / _DONE).touch()
        return python


@frozen
class BuiltProgram:
    """A driver in another language, built by that language's own tools from pinned sources.

    Args:
        name: the build's folder begins with it.
        sources: the folder with sources and lock, copied so that a build leaves nothing in the tree; None: the build
            needs none.
        build: commands, run one after the other in the copy.
        run: what starts the driver, relative to the copy (`{folder}` stands for it).
        environment: further variables for the build; `{folder}` too.
    """

    name: str
    sources: Path | None
    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    def command(self) -> list[str]:
        """What starts the driver; builds it if it isn't there yet.

        Raises:
            BuildFailed: a build command failed.
        """
        sources = sorted(path for path in self.sources.rglob("*") if path.is_file()) if self.sources else []
        folder = _folder(self.name, sources, repr(self.build))
        with _one_at_a_time(folder):
            if not (folder / _DONE).exists():
                shutil.rmtree(folder, ignore_errors=True)
                self._make(folder)
                (folder / _DONE).touch()
        return [word.replace("{folder}", str(folder)) for word in self.run]

    def _make(self, folder: Path) -> None:
        if self.sources:
            shutil.copytree(self.sources, folder)
        else:
            folder.mkdir()
        more = {name: value.replace("{folder}", str(folder)) for name, value in self.environment}
        for command in self.build:
            _build([word.replace("{folder}", str(folder)) for word in command], folder, more)


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder: the runs over http and over https, and other test sessions, want the same one."""
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _folder(name: str, sources: list[Path], recipe: str = "") -> Path:
    """Where the environment made from these files goes: another content is another folder."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}{recipe}".encode())
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return VENVS / f"{name}-{digest.hexdigest()[:12]}"


def _build(command: list[str], folder: Path, more: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(more or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=1500,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")[-4000:]
        raise BuildFailed(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
