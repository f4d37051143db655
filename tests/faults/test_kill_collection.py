"""kill -9 amid CompleteMultipartUpload, collection and the recovery from such a crash (PROOF 9).

A store on a real directory, in a process of its own, dies at the n-th step of its event loop or as it is about to
change a file for the n-th time; a PUT and an UploadPart are half-way. Then the store is opened again.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pytest
import trio
from attrs import define, frozen

from tests.conftest import Figure
from tests.faults.collection_check import Aftermath
from tests.faults.collection_store import Ledger, collect_all, complete_all, fill, recover
from tests.harness.fuse import Point, PointKind
from tests.harness.killed import Journal, Outcome, run_script

pytestmark = pytest.mark.proof

_PRELOAD = ["pytest", "tests.faults.collection_store"]
_NEVER = Point("step", 0)
_SCRIPTS = {"complete": complete_all, "collect": collect_all}
_AT_ONCE = 4
"""Tries at a time: they mostly wait for flushes."""


@frozen
class Crash:
    """Where the script is killed, and where, if at all, the recovery from that.

    Args:
        variant: its two lowest bits are `late` and `every_part` of `Aftermath`.
    """

    phase: str
    point: Point
    recovery: Point | None
    variant: int


@define
class Crashes:
    """Copies of one store, on each of which a script is killed."""

    folder: Path
    ledger: Ledger

    async def try_all(self, crashes: Iterable[Crash]) -> Counter[str]:
        """Kill and check all of them; what was counted."""
        tally: Counter[str] = Counter()
        left = iter(crashes)

        async def work() -> None:
            for crash in left:
                tally.update(await self._try(crash))

        async with trio.open_nursery() as nursery:
            for _ in range(_AT_ONCE):
                nursery.start_soon(work)
        return tally

    async def count(self, phase: str, killed_at: Point = _NEVER, *, recovery: bool = False) -> dict[str, int]:
        """How many points there are in a phase, or in the recovery from its death at that point."""
        root = self._fresh()
        outcome, _ = await self._run(phase, root, killed_at)
        if recovery:
            outcome = await run_script(recover, root, Journal(root / "recovery"), _NEVER, _PRELOAD)
        shutil.rmtree(root)
        return outcome.counts

    def _fresh(self) -> Path:
        """A copy of the store. Chunk files are never written again, so links do for them."""
        place = self.folder / os.urandom(8).hex()
        shutil.copytree(self.folder / "template" / "chunks", place / "chunks", copy_function=os.link)
        shutil.copy(self.folder / "template" / "metadata.db", place)
        return place

    async def _run(self, phase: str, root: Path, point: Point) -> tuple[Outcome, Journal]:
        journal = Journal(root / "journal")
        return await run_script(partial(_SCRIPTS[phase], self.ledger), root, journal, point, _PRELOAD), journal

    async def _try(self, crash: Crash) -> Counter[str]:
        root = self._fresh()
        outcome, journal = await self._run(crash.phase, root, crash.point)
        tally = Counter({crash.phase: int(outcome.died)})
        if crash.recovery is not None:
            outcome = await run_script(recover, root, Journal(root / "recovery"), crash.recovery, _PRELOAD)
            tally["recovery"] += outcome.died
        variant = crash.variant
        aftermath = Aftermath(self.ledger, journal.lines(), late=bool(variant & 1), every_part=bool(variant & 2))
        try:
            await aftermath.check(root)
        except Exception as error:
            error.add_note(f"after {crash}; what it had said: {journal.lines()}; the store: {root}")
            raise
        shutil.rmtree(root)
        return tally + Counter(checked=aftermath.checked, orphans=aftermath.orphans, freed=aftermath.freed)


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory, proof_full: bool) -> Crashes:
    folder = tmp_path_factory.mktemp("crashes")
    (folder / "template").mkdir()
    return Crashes(folder, trio.run(partial(fill, folder / "template", wide=proof_full)))


def spread(counts: dict[str, int], steps: int, files: int) -> list[Point]:
    """So many points of each kind, evenly, or all there are."""
    wanted: dict[PointKind, int] = {"step": steps, "file": files}
    return [
        Point(kind, number)
        for kind, most in wanted.items()
        for number in sorted({1 + (2 * index + 1) * counts[kind] // (2 * most) for index in range(most)})
    ]


def checked(tally: Counter[str]) -> str:
    return (
        f"{tally['checked']} objects, versions and parts checked, 0 lost; {tally['orphans']} orphans and "
        f"{tally['freed']} queued entries gone within a cycle, 0 left"
    )


@pytest.mark.parametrize("phase", _SCRIPTS)
async def test_killed(phase: str, crashes: Crashes, proof_full: bool, figure: Figure) -> None:
    """Whenever it dies: nothing acknowledged is lost, a completion has happened or can be done again, none is torn.

    After one cycle of the jobs the chunk files are those referred to, usage is right, and nothing is left to collect.
    """
    counts = await crashes.count(phase)
    points = spread(counts, *((110, 90) if proof_full else (2, 2)))
    tally = await crashes.try_all(Crash(phase, point, None, index) for index, point in enumerate(points))
    figure(f"{tally[phase]} kills in {phase} at {counts['step']} steps and {counts['file']} calls: {checked(tally)}")
    assert tally[phase] >= (180 if proof_full else 3)
    assert tally["orphans"] > 0


@pytest.mark.parametrize("phase", _SCRIPTS)
async def test_recovery_killed(phase: str, crashes: Crashes, proof_full: bool, figure: Figure) -> None:
    """The same where the cycle after the crash, from the opening of the store on, is killed as well."""
    first = spread(await crashes.count(phase), *((40, 40) if proof_full else (1, 1)))
    counts = await crashes.count(phase, first[0], recovery=True)
    second = spread(counts, *((40, 40) if proof_full else (1, 1)))
    # Early deaths go with late ones, and steps with files: of no two tries is either the same.
    paired = zip(first, second[len(second) // 4 :] + second[: len(second) // 4], strict=True)
    tally = await crashes.try_all(Crash(phase, *points, index) for index, points in enumerate(paired))
    figure(
        f"{tally[phase]} kills in {phase}, {tally['recovery']} in the recovery from them at {counts['step']} steps "
        f"and {counts['file']} calls: {checked(tally)}"
    )
    assert tally[phase] >= (70 if proof_full else 1)
    assert tally["recovery"] >= (45 if proof_full else 1)
