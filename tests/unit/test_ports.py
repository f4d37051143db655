"""The production `Blocking`: calls in threads."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from contextlib import suppress

import pytest
import trio
import trio.testing

from lightningstor import ports
from lightningstor.ports import ThreadBlocking


async def test_a_call_gives_back_what_it_returns_or_raises() -> None:
    """It runs in another thread, and its exception arrives as it was raised."""
    blocking = ThreadBlocking(2)
    assert await blocking.run(divmod, 7, 3) == (2, 1)
    assert await blocking.run(threading.get_ident) != threading.get_ident()
    for raised in (KeyError("key"), SystemExit(3)):

        def fail(raised: BaseException = raised) -> None:
            raise raised

        with pytest.raises(type(raised)) as caught:
            await blocking.run(fail)
        assert caught.value is raised


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the system has no such policy")
async def test_a_call_does_not_interrupt_the_event_loop() -> None:
    """The scheduler knows a call's thread as batch work, and the event loop's as any other."""
    ours = os.sched_getscheduler(0)
    theirs = await ThreadBlocking(1).run(os.sched_getscheduler, 0)
    assert theirs == (os.SCHED_BATCH if ours == os.SCHED_OTHER else ours)
    assert os.sched_getscheduler(0) == ours


async def test_no_more_calls_at_once_than_threads() -> None:
    """The rest wait for their turn, and a waiting one is not lost."""
    blocking = ThreadBlocking(3)
    lock = threading.Lock()
    running, most, done = 0, 0, 0

    def work() -> None:
        nonlocal running, most, done
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
            done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(blocking.run, work)
    assert (most, done) == (3, 20)


async def test_a_cancelled_caller_waits_and_gets_the_result() -> None:
    """Both of a call that runs and of one that waits for a thread, so that what it made can be cleaned up."""
    blocking = ThreadBlocking(1)
    go = threading.Event()
    results: list[int] = []

    async def call(number: int) -> None:
        def work() -> int:
            assert go.wait(10)
            return number

        results.append(await blocking.run(work))
        with pytest.raises(trio.Cancelled):
            await trio.lowlevel.checkpoint()
        raise trio.Cancelled._create()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call, 1)
        nursery.start_soon(call, 2)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
            assert results == []
            go.set()
    assert sorted(results) == [1, 2]


async def test_calls_share_threads_that_end_when_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """One call after the other takes one thread; after a while without a call it ends."""
    monkeypatch.setattr(ports, "_IDLE_S", 0.05)
    monkeypatch.setattr(ports, "_idle", [])
    blocking = ThreadBlocking(8)
    first = await blocking.run(threading.current_thread)
    for _ in range(50):
        assert await blocking.run(threading.current_thread) is first
    first.join(10)
    assert not first.is_alive()
    assert await blocking.run(threading.current_thread) is not first


async def test_a_call_is_forgotten_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the idle thread nor a cycle keeps what was passed, returned or raised."""

    class Held:
        pass

    def echo(value: Held) -> Held:
        return value

    def fail(value: Held) -> None:
        raise KeyError

    monkeypatch.setattr(ports, "_idle", [])
    blocking = ThreadBlocking(1)
    gc.collect()
    gc.disable()
    try:
        returned, raised = Held(), Held()
        gone = [weakref.ref(returned), weakref.ref(raised)]
        await blocking.run(echo, returned)
        with suppress(KeyError):
            await blocking.run(fail, raised)
        del returned, raised
        await blocking.run(int)  # the thread has let go of the others when it makes another call
        assert [ref() for ref in gone] == [None, None]
    finally:
        gc.enable()
