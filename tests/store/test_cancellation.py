"""Every operation, cancelled at every step: the old state or the new one, and nothing else (PROOF 18)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import define, field

from lightningstor.errors import NoSuchKey, NoSuchUpload
from lightningstor.model.codec import MANIFEST, PART_LIST
from lightningstor.store.api import CompletePart, ObjectDraft, UploadDraft, WriteConditions
from lightningstor.store.copy import Source
from lightningstor.store.fsck import fsck
from lightningstor.store.store import Store
from lightningstor.testing.steps import CancelAtStep
from tests.conftest import Figure
from tests.store.conftest import disk_store, memory_store
from tests.store.content import OWNER, BytesBody, make_bucket, put, random_bytes, read

_STEPS_MAX = 600
_SHORT_STRIDE = 3
SMALL, LARGE = b"small", random_bytes(2_500_000)
OLD = b"the old object"


@define
class Trial:
    """A store that holds an old object, and what an operation needs."""

    store: Store
    upload_id: str = ""
    parts: list[CompletePart] = field(factory=list)


async def prepare_nothing(trial: Trial) -> None:
    pass


async def prepare_upload(trial: Trial) -> None:
    draft = UploadDraft(ObjectDraft(OWNER))
    trial.upload_id = (await trial.store.uploads.create("bucket", "key", draft)).upload_id
    part = await trial.store.uploads.put_part("bucket", "key", trial.upload_id, 1, BytesBody(LARGE))
    trial.parts = [CompletePart(1, part.etag)]


async def prepare_source(trial: Trial) -> None:
    await put(trial.store, "source", LARGE)


async def do_put_small(trial: Trial) -> None:
    await put(trial.store, "key", SMALL)


async def do_put_large(trial: Trial) -> None:
    await put(trial.store, "key", LARGE)


async def do_put_part(trial: Trial) -> None:
    await trial.store.uploads.put_part("bucket", "key", trial.upload_id, 1, BytesBody(LARGE[::-1]))


async def do_complete(trial: Trial) -> None:
    await trial.store.completions.complete("bucket", "key", trial.upload_id, trial.parts, conditions=WriteConditions())


async def do_abort(trial: Trial) -> None:
    await trial.store.uploads.abort("bucket", "key", trial.upload_id)


async def do_copy(trial: Trial) -> None:
    await trial.store.copies.copy(
        Source("bucket", "source"),
        lambda found: None,
        "bucket",
        "key",
        lambda found: ObjectDraft(OWNER),
        WriteConditions(),
        replace_metadata=False,
    )


async def do_get(trial: Trial) -> None:
    assert await read(trial.store, "source") == LARGE


async def do_delete(trial: Trial) -> None:
    await trial.store.deletes.delete("bucket", "key", OWNER)


async def do_delete_bucket(trial: Trial) -> None:
    await trial.store.buckets.delete("empty")


Prepare = Callable[[Trial], Awaitable[None]]
OPERATIONS: dict[str, tuple[Prepare, Prepare, set[bytes | None]]] = {
    "put small": (prepare_nothing, do_put_small, {OLD, SMALL}),
    "put large": (prepare_nothing, do_put_large, {OLD, LARGE}),
    "put part": (prepare_upload, do_put_part, {OLD}),
    "complete": (prepare_upload, do_complete, {OLD, LARGE}),
    "abort": (prepare_upload, do_abort, {OLD}),
    "copy": (prepare_source, do_copy, {OLD, LARGE}),
    "get": (prepare_source, do_get, {OLD}),
    "delete": (prepare_nothing, do_delete, {OLD, None}),
    "delete bucket": (prepare_nothing, do_delete_bucket, {OLD}),
}


def open_descriptors() -> int:
    """How many this process has; 0 where the system does not tell."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except FileNotFoundError:
        return 0


async def current(store: Store) -> bytes | None:
    try:
        return await read(store, "key")
    except NoSuchKey:
        return None


async def referenced_chunks(store: Store) -> set[str]:
    """The chunks that manifests name."""
    rows = await store.ctx.kv.scan(b"lightningstor/manifests/", b"lightningstor/manifests0", 1000)
    found: set[str] = set()
    for row in rows:
        if b'"chunks":[' in row.value:
            found.update(ref.chunk_id for ref in MANIFEST.decode(row.value).chunks)
        else:
            PART_LIST.decode(row.value)
    return found


async def check_nothing_left(store: Store, allowed: set[bytes | None]) -> None:
    """The key holds an allowed state whole, all bytes are referred to and counted, and no lock, pin or mark is held."""
    assert await current(store) in allowed
    assert len(store.ctx.latches) == 0
    assert len(store.ctx.pins) == 0
    assert len(store.ctx.marked) == 0
    await put(store, "another", b"the store goes on")
    await store.buckets.set_tags("bucket", {"still": "writable"})
    await store.collector.run()
    chunks = set(await store.ctx.chunks.store.list_chunks("", 1000))
    assert chunks == await referenced_chunks(store)
    assert await fsck(store.ctx, repair=False) == []


@asynccontextmanager
async def opened(kind: str, root: Path) -> AsyncIterator[Store]:
    async with memory_store() if kind == "memory" else disk_store(root) as store:
        yield store


def at_every_step(
    kind: str, folder: Path, proof_full: bool, trial: Callable[[CancelAtStep, Path], Awaitable[str]]
) -> Counter[str]:
    """Run the trial with each step in turn, each in a directory of its own; how often it ended in which way."""
    ends: Counter[str] = Counter()
    for step in range(0, _STEPS_MAX, 1 if proof_full or kind == "memory" else _SHORT_STRIDE):
        cancel = CancelAtStep(step, every_task=True)
        root = folder / str(step)
        root.mkdir()
        ends[trio.run(trial, cancel, root)] += 1
        if not cancel.reached:
            break
    return ends


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_cancelled_at_every_step(name: str, kind: str, tmp_path: Path, proof_full: bool, figure: Figure) -> None:
    """Whatever step the cancellation meets, what is left is one of the two states, and nothing besides."""
    prepare, operate, allowed = OPERATIONS[name]

    async def trial(cancel: CancelAtStep, root: Path) -> str:
        async with opened(kind, root) as store:
            await make_bucket(store)
            await make_bucket(store, "empty")
            await put(store, "key", OLD)
            state = Trial(store)
            await prepare(state)
            descriptors = open_descriptors()
            with cancel.watch() as scope:
                await operate(state)
            await check_nothing_left(store, allowed)
            assert open_descriptors() <= descriptors + 1
            return "cancelled" if scope.cancelled_caught else "finished"

    ends = at_every_step(kind, tmp_path, proof_full, trial)
    figure(f"{name} on {kind}: {dict(ends)}")
    assert ends["cancelled"]
    assert ends["finished"]


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["memory", "disk"])
@pytest.mark.parametrize("name", ["abort", "put part"])
def test_a_completion_given_up_at_every_step(
    name: str, kind: str, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """What comes upon its upload while it is still being cancelled waits for its end, and is not refused."""
    prepare, follow, _ = OPERATIONS[name]

    async def trial(cancel: CancelAtStep, root: Path) -> str:
        async with opened(kind, root) as store:
            await make_bucket(store)
            await put(store, "key", OLD)
            state = Trial(store)
            await prepare(state)

            async def give_up() -> None:
                with cancel.watch():
                    await do_complete(state)
                cancel.cancelled.set()  # it was done before that step

            async with trio.open_nursery() as nursery:
                nursery.start_soon(give_up)
                await cancel.cancelled.wait()
                try:
                    await follow(state)
                    undone = True
                except NoSuchUpload:
                    undone = False
            still_open = (await store.listings.uploads("bucket", limit=10)).uploads
            assert bool(still_open) == (undone and name != "abort")
            await check_nothing_left(store, {OLD} if undone else {LARGE})
            return "undone" if undone else "completed"

    ends = at_every_step(kind, tmp_path, proof_full, trial)
    figure(f"completion given up, then {name}, on {kind}: {dict(ends)}")
    assert ends["undone"]
    assert ends["completed"]
