"""The audit log: section [audit]."""

# ruff: noqa: RUF009
# `option` makes an attrs field; what it is called with is the default (see `sections`).

from pathlib import Path
from typing import Literal

from attrs import frozen

from lightningstor.config.option import Bounds, Section, option

__all__ = ["AuditSettings"]

MIB = 1 << 20


@frozen(eq=False, repr=False)
class AuditSettings(Section):
    """The audit log: one JSON line for every request. While it cannot be written, requests are refused with 503; so
    give its file a file system of its own, or one that is watched."""

    enabled: bool = option(False, "Whether there is an audit log.")
    output: Literal["file", "stdout"] = option("file", "Where its lines go.")
    path: Path | None = option(
        None, "Its file.", applies="audit/audit.log in the data directory; a store in memory needs one named"
    )
    rotate_bytes: int = option(
        100 * MIB, "Size at which the file is renamed to .1, the one before to .2, and so on.", rule=Bounds(65536)
    )
    keep: int = option(10, "How many of the renamed files are kept.", rule=Bounds(1, 10_000))
    sync: bool = option(
        False, "Have lines on the disk before the next are taken: then a power cut loses no more than kill -9 does."
    )
    batch_milliseconds: int = option(
        200,
        "How long lines are gathered before they are written together; kill -9 loses those of this time.",
        rule=Bounds(1, 10_000),
    )
    queue_records: int = option(10_000, "Lines waiting to be written beyond which requests wait.", rule=Bounds(100))
    wait_seconds: float = option(1.0, "How long a request waits for room before it is refused.", rule=Bounds(0))
