"""S3 requests cancelled at every step, as when the daemon stops or the client is gone (PROOF 18)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio
from attrs import define

from lightningstor.testing.steps import CancelAtStep
from tests.conftest import Figure
from tests.s3.client import Body, Client
from tests.s3.conftest import service_over
from tests.s3.test_bodies import SIGNED, chunked_put, pieces_of
from tests.store.conftest import disk_store
from tests.store.content import random_bytes
from tests.store.test_cancellation import check_nothing_left, open_descriptors

_STEPS_MAX = 1000
_SHORT_STRIDE = 3
OLD, SMALL, LARGE = b"the old object", b"small", random_bytes(1_200_000)


@define
class Trial:
    """A client, and what an operation needs."""

    s3: Client
    upload_id: str = ""
    etag: str = ""


async def prepare_nothing(trial: Trial) -> None:
    pass


async def prepare_source(trial: Trial) -> None:
    await trial.s3.put("/bucket/source", LARGE)


async def prepare_upload(trial: Trial) -> None:
    trial.upload_id = (await trial.s3.post("/bucket/key", query="uploads=")).text("UploadId") or ""
    part = await trial.s3.put("/bucket/key", LARGE, f"partNumber=1&uploadId={trial.upload_id}")
    trial.etag = part.headers["etag"]


async def do_put_small(trial: Trial) -> None:
    await trial.s3.put("/bucket/key", SMALL)


async def do_put_chunked(trial: Trial) -> None:
    headers, body = chunked_put(trial.s3, SIGNED, data=LARGE, chunk=65_536)
    await trial.s3.raw("PUT", "/bucket/key", "", headers, Body(pieces_of(body, 100_000)))


async def do_put_large(trial: Trial) -> None:
    source = Body(pieces_of(LARGE, 100_000))
    await trial.s3.call("PUT", "/bucket/key", "", LARGE, source=source)


async def do_put_part(trial: Trial) -> None:
    await trial.s3.put("/bucket/key", LARGE[::-1], f"partNumber=1&uploadId={trial.upload_id}")


async def do_copy_part(trial: Trial) -> None:
    await trial.s3.put(
        "/bucket/key", b"", f"partNumber=2&uploadId={trial.upload_id}", x_amz_copy_source="/bucket/source"
    )


async def prepare_upload_and_source(trial: Trial) -> None:
    await prepare_source(trial)
    await prepare_upload(trial)


async def do_complete(trial: Trial) -> None:
    listed = f"<Part><PartNumber>1</PartNumber><ETag>{trial.etag}</ETag></Part>"
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    await trial.s3.post("/bucket/key", body, f"uploadId={trial.upload_id}")


async def do_abort(trial: Trial) -> None:
    await trial.s3.delete("/bucket/key", f"uploadId={trial.upload_id}")


async def do_copy(trial: Trial) -> None:
    await trial.s3.put("/bucket/key", x_amz_copy_source="/bucket/source")


async def do_get(trial: Trial) -> None:
    await trial.s3.get("/bucket/source")


async def do_delete(trial: Trial) -> None:
    await trial.s3.delete("/bucket/key")


Work = Callable[[Trial], Awaitable[None]]
OPERATIONS: dict[str, tuple[Work, Work, set[bytes | None]]] = {
    "PutObject, inline": (prepare_nothing, do_put_small, {OLD, SMALL}),
    "PutObject": (prepare_nothing, do_put_large, {OLD, LARGE}),
    "PutObject, in signed chunks": (prepare_nothing, do_put_chunked, {OLD, LARGE}),
    "UploadPart": (prepare_upload, do_put_part, {OLD}),
    "UploadPartCopy": (prepare_upload_and_source, do_copy_part, {OLD}),
    "CompleteMultipartUpload": (prepare_upload, do_complete, {OLD, LARGE}),
    "AbortMultipartUpload": (prepare_upload, do_abort, {OLD}),
    "CopyObject": (prepare_source, do_copy, {OLD, LARGE}),
    "GetObject": (prepare_source, do_get, {OLD}),
    "DeleteObject": (prepare_nothing, do_delete, {OLD, None}),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_cancelled_at_every_step(name: str, tmp_path: Path, proof_full: bool, figure: Figure) -> None:
    """Whatever step of the whole request the cancellation meets: one of the two states, and nothing besides."""
    prepare, operate, allowed = OPERATIONS[name]
    counts = {"cancelled": 0, "finished": 0}
    async with disk_store(tmp_path) as store:
        s3 = service_over(store).client()
        await s3.put("/bucket")
        for step in range(0, _STEPS_MAX, 1 if proof_full else _SHORT_STRIDE):
            await s3.put("/bucket/key", OLD)
            trial, cancel = Trial(s3), CancelAtStep(step, every_task=True)
            await prepare(trial)
            before = trio.lowlevel.current_statistics().tasks_living, open_descriptors()
            with cancel.watch() as scope:
                await operate(trial)
            assert trio.lowlevel.current_statistics().tasks_living <= before[0]
            assert open_descriptors() <= before[1]
            counts["cancelled" if scope.cancelled_caught else "finished"] += 1
            await check_nothing_left(store, allowed)
            if not cancel.reached:
                break
        else:
            raise AssertionError("it takes more steps than expected")
    figure(f"{name} cancelled at {step} steps: {counts}")
    assert min(counts.values()) > 0
