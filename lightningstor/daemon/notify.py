"""Telling others that the daemon is ready: the ready file, and systemd's notification socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ReadyFileFailed", "clear_ready_file", "remove_ready_file", "sd_notify", "write_ready_file"]


class ReadyFileFailed(Exception):
    """The ready file cannot be written. The message says why."""


def clear_ready_file(path: Path) -> None:
    """Remove the ready file of a daemon that crashed, so that nobody takes it for ours.

    Raises:
        ReadyFileFailed: it cannot be removed, or there is no such directory: better told now than when ready.
    """
    if not path.parent.is_dir():
        raise ReadyFileFailed(f"cannot write the ready file {path}: there is no directory {path.parent}")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ReadyFileFailed(f"cannot replace the ready file {path}: {error.strerror}") from error


def write_ready_file(path: Path, addresses: Mapping[str, str | None]) -> None:
    """Write the bound addresses and the process id as JSON; whoever sees the file sees all of it.

    Args:
        addresses: by listener ("s3", "grpc", "admin"), `host:port`; None for one that is off.

    Raises:
        ReadyFileFailed: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(json.dumps({**addresses, "pid": os.getpid()}) + "\n", "utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ReadyFileFailed(f"cannot write the ready file {path}: {error.strerror}") from error


def remove_ready_file(path: Path) -> None:
    """Remove the file, if it is ours: a daemon that came after us may have written its own."""
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text("utf-8")).get("pid") == os.getpid():
            path.unlink()


def sd_notify(state: str) -> None:
    """Tell systemd (`READY=1`, `STOPPING=1`), where it started us with Type=notify; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract name space
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)
