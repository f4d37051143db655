"""Calls whose client gives them up at any step of theirs: the old state or the new one, and nothing else (PROOF 18)."""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, field

from lightningstor.client import LightningStorClient
from lightningstor.rpc.limits import RpcLimits
from lightningstor.store.store import Store
from tests.conftest import Figure
from tests.rpc.serving import Records, backing_of, objects, serving
from tests.store.conftest import disk_store
from tests.store.content import make_bucket, put, random_bytes
from tests.store.test_cancellation import LARGE, OLD, SMALL, check_nothing_left

_STEPS_MAX = 1000
MEDIUM = random_bytes(200_000, 1)
"""Past the inline size, so a chunk file is staged for it."""


class GivenUpAtStep(trio.abc.Instrument):
    """Ends a server's call, as a reset of its client's does, at the n-th step that any task takes since it began."""

    def __init__(self, step: int, driver: trio.lowlevel.Task) -> None:
        self.step = step
        self.seen = 0
        self.given_up = False
        self._driver = driver
        self._call: Any = None

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith("RpcConnection._serve") and self._call is None:
            self._call = task.coro.cr_frame.f_locals["call"]  # type: ignore[union-attr]

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._call is None or task is self._driver:
            return
        self.seen += 1
        if self.seen == self.step:
            self._call.scope.cancel()
            self.given_up = True


@define
class Trial:
    """A client of a store that holds an old object, and what an operation needs."""

    client: LightningStorClient
    store: Store
    upload_id: str = ""
    parts: list[Any] = field(factory=list)


async def prepare_nothing(trial: Trial) -> None:
    pass


async def prepare_upload(trial: Trial) -> None:
    begun = objects.CreateMultipartUploadRequest(bucket="bucket", key="key")
    trial.upload_id = (await trial.client.create_multipart_upload(begun)).upload_id
    part = await trial.client.upload_part(trial.upload_id, 1, LARGE)
    trial.parts = [objects.CompletedPart(part_number=1, etag=part.etag)]


async def prepare_source(trial: Trial) -> None:
    await put(trial.store, "source", LARGE)


async def do_put_small(trial: Trial) -> None:
    await trial.client.put_object(objects.PutObjectRequest(bucket="bucket", key="key", content=SMALL))


async def do_put_medium(trial: Trial) -> None:
    await trial.client.put_object(objects.PutObjectRequest(bucket="bucket", key="key", content=MEDIUM))


async def do_put_part(trial: Trial) -> None:
    await trial.client.upload_part(trial.upload_id, 2, LARGE[::-1])


async def do_complete(trial: Trial) -> None:
    await trial.client.complete_multipart_upload(
        objects.CompleteMultipartUploadRequest(bucket="bucket", key="key", upload_id=trial.upload_id, parts=trial.parts)
    )


async def do_abort(trial: Trial) -> None:
    await trial.client.abort_multipart_upload(
        objects.AbortMultipartUploadRequest(bucket="bucket", key="key", upload_id=trial.upload_id)
    )


async def do_copy(trial: Trial) -> None:
    await trial.client.copy_object(
        objects.CopyObjectRequest(bucket="bucket", key="key", source_bucket="bucket", source_key="source")
    )


async def do_get(trial: Trial) -> None:
    async with trial.client.get_object(objects.GetObjectRequest(bucket="bucket", key="source")) as answer:
        assert await answer.read() == LARGE


async def do_delete(trial: Trial) -> None:
    await trial.client.delete_object(objects.DeleteObjectRequest(bucket="bucket", key="key"))


Work = Callable[[Trial], Awaitable[None]]
OPERATIONS: dict[str, tuple[Work, Work, set[bytes | None]]] = {
    "PutObject, inline": (prepare_nothing, do_put_small, {OLD, SMALL}),
    "PutObject, in a chunk": (prepare_nothing, do_put_medium, {OLD, MEDIUM}),
    "UploadPart": (prepare_upload, do_put_part, {OLD}),
    "CompleteMultipartUpload": (prepare_upload, do_complete, {OLD, LARGE}),
    "AbortMultipartUpload": (prepare_upload, do_abort, {OLD}),
    "CopyObject": (prepare_source, do_copy, {OLD, LARGE}),
    "GetObject": (prepare_source, do_get, {OLD}),
    "DeleteObject": (prepare_nothing, do_delete, {OLD, None}),
}


async def attempt(trial: Trial, operate: Work, instrument: GivenUpAtStep, records: Records) -> None:
    """Make the call; when the server has given it up, its answer is not waited for."""
    ended = len(records.seen)

    async def leave_when_given_up(scope: trio.CancelScope) -> None:
        while not (instrument.given_up and len(records.seen) > ended):
            await trio.testing.wait_all_tasks_blocked(0.001)
        await trio.sleep(0.001)  # an answer that was on its way all the same
        scope.cancel()

    trio.lowlevel.add_instrument(instrument)
    try:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leave_when_given_up, nursery.cancel_scope)
                await operate(trial)
                nursery.cancel_scope.cancel()
    finally:
        trio.lowlevel.remove_instrument(instrument)


async def settled(server: Any, before: tuple[int, int]) -> None:
    """Until there are no more tasks and descriptors than before, and no message has room."""
    with trio.fail_after(5):
        while any(now > then for now, then in zip(counts(), before, strict=True)) or server.room.taken:
            await trio.testing.wait_all_tasks_blocked(0.002)


def counts() -> tuple[int, int]:
    """Tasks and descriptors."""
    return trio.lowlevel.current_statistics().tasks_living, len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted in /proc")
@pytest.mark.parametrize("name", OPERATIONS)
async def test_given_up_at_every_step(name: str, tmp_path: Path, proof_full: bool, figure: Figure) -> None:
    """Whatever step the reset meets: one of the two states is left, and no task, descriptor, room or staged byte."""
    prepare, operate, allowed = OPERATIONS[name]
    outcomes = {"aborted": 0, "finished": 0}
    records = Records()
    async with (
        disk_store(tmp_path) as store,
        serving(RpcLimits(grace_s=1), backing=backing_of(store, records)) as (server, port),
        LightningStorClient.connect(f"http://127.0.0.1:{port}", token="token-root") as client,
    ):
        await make_bucket(store)
        for step in range(1, _STEPS_MAX, 1 if proof_full else 10):
            await put(store, "key", OLD)
            trial = Trial(client, store)
            await prepare(trial)
            await trio.testing.wait_all_tasks_blocked(0.005)
            gc.collect()
            before = counts()
            instrument = GivenUpAtStep(step, trio.lowlevel.current_task())
            await attempt(trial, operate, instrument, records)
            await settled(server, before)
            outcomes["aborted" if records.seen[-1].outcome == "aborted" else "finished"] += 1
            await check_nothing_left(store, allowed)
            if instrument.seen < step:
                break
        else:
            raise AssertionError("it takes more steps than expected")
    figure(f"{name} over gRPC given up at {step} steps: {outcomes['aborted']} aborted, nothing left")
    assert min(outcomes.values()) > 0
