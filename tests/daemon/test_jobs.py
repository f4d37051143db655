"""Background jobs: when they run, what they survive, what they count."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing

import lightningstor
from lightningstor.daemon.jobs import Job, Usage, run_job, store_jobs
from lightningstor.errors import StorageFull
from lightningstor.iam import Principal
from lightningstor.observe.metrics import Metrics
from lightningstor.store.api import ObjectDraft, UploadDraft, WriteConditions
from tests.daemon.content import Content

OWNER = Principal("tester").owner


async def run_for(job: Job, seconds: float) -> None:
    """Run the job for so long."""
    with trio.move_on_after(seconds):
        await run_job(job)


async def test_job_runs_every_period(autojump_clock: trio.testing.MockClock) -> None:
    """The first turn comes after its delay, each further one a period after the end of the one before."""
    times: list[float] = []
    start = trio.current_time()

    async def work() -> int:
        times.append(trio.current_time() - start)
        await trio.sleep(1)
        return 0

    await run_for(Job("work", work, period_s=10, first_s=5), 30)
    assert times == [5, 16, 27]


@pytest.mark.parametrize("error", [StorageFull("here"), OSError(5, "Input/output error"), RuntimeError("a bug")])
async def test_job_outlives_its_failures(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """A turn that fails is logged and tried again at the next, whatever it was."""
    turns = 0

    async def work() -> int:
        nonlocal turns
        turns += 1
        if turns == 1:
            raise error
        return turns

    job = Job("work", work, period_s=1)
    with caplog.at_level(logging.INFO, "lightningstor.jobs"):
        await run_for(job, 1.5)
    assert turns == 2
    assert job.state == "did 2"
    assert "work failed, will be tried again" in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, RuntimeError)


async def test_job_that_is_done_ends(autojump_clock: trio.testing.MockClock) -> None:
    """A job of one turn ends when that succeeds, and not before."""
    turns = 0

    async def work() -> int:
        nonlocal turns
        turns += 1
        if turns < 3:
            raise StorageFull("here")
        return 1

    with trio.fail_after(10):
        await run_job(Job("work", work, period_s=1, once=True))
    assert turns == 3


async def test_usage_counts_objects_bytes_and_uploads() -> None:
    """The gauges show objects, bytes and open uploads of the whole store."""
    metrics, usage = Metrics(), Usage()
    usage.show_in(metrics)
    async with lightningstor.open(None) as store:
        for name in ("one", "two"):
            await store.buckets.create(name, OWNER, org_id="default", project_id=None, region="us-east-1")
            await store.puts.put(name, "key", ObjectDraft(OWNER), Content(b"x" * 1000), WriteConditions())
        await store.uploads.create("one", "big", UploadDraft(ObjectDraft(OWNER)))
        await usage.count(store)
    shown = metrics.render().decode()
    assert "\nlightningstor_objects_total 2.0\n" in shown
    assert "\nlightningstor_storage_bytes 2000.0\n" in shown
    assert "\nlightningstor_multipart_uploads_active 1.0\n" in shown


async def test_every_store_job_runs_on_an_empty_store() -> None:
    """Collection, expiry, removal of leftovers and the count find nothing to do in an empty store."""
    async with lightningstor.open(None) as store:
        jobs = store_jobs(store, Usage(), gc_grace_s=60, upload_timeout_s=3600)
        assert [await job.work() for job in jobs] == [0, 0, 0, 0]
        assert all(1 <= job.period_s <= 3600 for job in jobs)
