"""The audit log: every record once, in order, whatever happens to the disk; and no secret in it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from lightningstor.errors import AuditUnavailable
from lightningstor.observe.audit import AuditLimits, AuditLog
from lightningstor.observe.clients import ClientAddresses
from lightningstor.observe.logs import redactor
from lightningstor.observe.metrics import Metrics
from lightningstor.observe.record import HEALTH_PROBE, OperationRecord, outcome_of
from lightningstor.observe.sinks import RotatingFile, StandardOutput
from lightningstor.ports import World

QUICK = AuditLimits(queue_records=100, batch_s=0.005, wait_s=0.05, retry_s=0.01, end_s=0.05)
SIGNATURE = "0123456789abcdef" * 4


class Tape:
    """A sink that keeps what is written, and has no room while `full`."""

    def __init__(self) -> None:
        self.written = b""
        self.full = False

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, lines: bytes | bytearray) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.written += lines

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.splitlines()]


def record(number: int = 0, **more: Any) -> OperationRecord:
    """A record whose request id is the number."""
    return OperationRecord("s3", "GetObject", f"{number:016X}", 200, "success", 0.25, **more)


def refusal(number: int) -> OperationRecord:
    """The record of a request that the audit log itself turned away."""
    return OperationRecord("s3", "GetObject", f"{number:016X}", 503, "failed", 0.0, code="ServiceUnavailable")


def log_on(tape: Tape | RotatingFile, limits: AuditLimits = QUICK) -> AuditLog:
    world = World()
    return AuditLog(Metrics(), tape, world.clock, world.blocking, limits)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread brings about."""
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110  # nobody tells the test
            await trio.sleep(0.005)


async def test_every_record_is_written_once_and_in_order() -> None:
    """Also those that come while a batch is being written, and those that come just before the end."""
    tape = Tape()
    log = log_on(tape)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for number in range(3000):
            if log.closed:
                await log.admit()
            log.operation_done(record(number))
            if number % 50 == 0:
                await trio.sleep(0.001)
        log.stop()
    assert [line["request_id"] for line in tape.lines()] == [f"{number:016X}" for number in range(3000)]
    assert log.waiting == 0
    assert log.lines == 3000


async def test_a_log_that_is_never_used_ends() -> None:
    """Its end waits for nothing."""
    log = log_on(Tape())
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.run)
            await trio.testing.wait_all_tasks_blocked()
            log.stop()


async def test_a_full_disk_closes_the_log_and_room_opens_it() -> None:
    """While nothing can be written requests are refused at once with the reason; afterwards every line is there."""
    tape = Tape()
    tape.full = True
    log = log_on(tape)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for number in range(3):
            log.operation_done(record(number))
        await until(lambda: log.closed)
        assert "No space left on device" in (log.reason() or "")
        with pytest.raises(AuditUnavailable, match="No space left"):
            await log.admit()
        log.operation_done(record(3))  # was under way
        tape.full = False
        await until(lambda: not log.closed)
        assert log.reason() is None
        await log.admit()
        log.stop()
    assert [int(line["request_id"], 16) for line in tape.lines()] == [0, 1, 2, 3]


async def test_a_slow_disk_makes_requests_wait_and_then_refuses_them() -> None:
    """With the queue full a request waits its moment for room: it gets in when there is some, or is refused."""
    tape = Tape()
    log = log_on(tape)
    for number in range(101):
        log.operation_done(record(number))
    assert log.closed
    with pytest.raises(AuditUnavailable, match="too slowly"):
        await log.admit()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        await log.admit()
        log.stop()
    assert len(tape.lines()) == 101


async def test_refusals_without_end_take_no_memory_without_end() -> None:
    """Beyond twice the queue refused requests are counted, and one line tells how many; none of the others is lost."""
    tape = Tape()
    tape.full = True
    log = log_on(tape)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        log.operation_done(record(0))
        await until(lambda: log.closed)
        for number in range(1, 1001):
            log.operation_done(refusal(number))
        log.operation_done(record(1001))
        assert log.waiting <= 203
        tape.full = False
        await until(lambda: not log.closed)
        log.stop()
    *lines, gap = tape.lines()
    assert gap["operation"] == "RequestsNotRecorded"
    assert len(lines) - 2 + gap["requests"] == 1000
    assert {"0" * 16, f"{1001:016X}"} <= {line["request_id"] for line in lines}
    assert log.unrecorded == gap["requests"]


async def test_the_end_does_not_wait_for_a_disk_that_stays_full(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written is lost then, and the log says how much."""
    tape = Tape()
    tape.full = True
    log = log_on(tape)
    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.run)
            log.operation_done(record())
            log.stop()
    assert "1 audit lines are lost" in caplog.text


async def test_no_secret_is_written() -> None:
    """Not in a user agent, not in a key that took a presigned query in, not where an access key id should stand."""
    tape = Tape()
    log = log_on(tape)
    redactor.register("a-secret-in-the-wrong-place")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        key = f"a?X-Amz-Signature={SIGNATURE}"
        log.operation_done(record(1, key=key, resource=f"bucket/b/object/{key}"))
        log.operation_done(record(2, key=f"a?AWSAccessKeyId=AK&Signature={SIGNATURE}"))
        log.operation_done(record(3, user_agent=f"curl Authorization: Bearer {SIGNATURE}"))
        log.operation_done(record(4, code="InvalidAccessKeyId", access_key="a-secret-in-the-wrong-place"))
        log.operation_done(record(5, key="plain", user_agent="Boto3/1", access_key="AK"))
        log.stop()
    assert SIGNATURE.encode() not in tape.written
    assert b"wrong-place" not in tape.written
    last = tape.lines()[-1]
    assert (last["key"], last["user_agent"], last["access_key"]) == ("plain", "Boto3/1", "AK")


async def test_probes_are_no_matter_of_the_audit_log() -> None:
    """They are counted, and leave no line."""
    tape = Tape()
    metrics = Metrics()
    log = AuditLog(metrics, tape, World().clock, World().blocking, QUICK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        log.operation_done(OperationRecord("s3", HEALTH_PROBE, "0" * 16, 200, "success", 0.0))
        log.stop()
    assert tape.lines() == []
    assert b'operation="HealthProbe"' in metrics.render()


async def test_a_line_says_when_the_request_began() -> None:
    """In UTC with milliseconds, the duration before the end."""
    tape = Tape()

    class Clock:
        def now_ms(self) -> int:
            return 1_767_323_045_000

        def monotonic(self) -> float:
            return 0.0

    log = AuditLog(Metrics(), tape, Clock(), World().blocking, QUICK)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        log.operation_done(record())
        log.stop()
    assert tape.lines()[0]["time"] == "2026-01-02T03:04:04.750Z"


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (200, None, "success"),
        (304, "NotModified", "failed"),
        (403, "AccessDenied", "denied"),
        (403, "QuotaExceeded", "failed"),
        (404, "NoSuchKey", "failed"),
        (200, "InternalError", "failed"),
    ],
)
def test_outcomes(status: int, code: str | None, outcome: str) -> None:
    """A quota is no denial; an error under a 200 that had begun is a failure."""
    assert outcome_of(status, code) == outcome


def test_a_file_is_rotated_by_size(tmp_path: Path) -> None:
    """It is renamed before it would grow too large; the oldest beyond `keep` goes; each file is for its owner alone."""
    file = RotatingFile(tmp_path / "logs" / "audit.log", rotate_bytes=100, keep=2)
    file.open()
    for number in range(5):
        file.write(b"%d" % number * 59 + b"\n")
    file.close()
    found = {path.name: path.read_bytes()[:1] for path in (tmp_path / "logs").iterdir()}
    assert found == {"audit.log": b"4", "audit.log.1": b"3", "audit.log.2": b"2"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "logs").iterdir())


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """As logrotate does it; the lines go on in the new file."""
    path = tmp_path / "audit.log"
    file = RotatingFile(path, 1000, 3)
    file.open()
    file.write(b"one\n")
    path.rename(tmp_path / "moved")
    file.write(b"two\n")
    path.unlink()
    file.write(b"three\n")
    file.close()
    assert (tmp_path / "moved").read_bytes() == b"one\n"
    assert path.read_bytes() == b"three\n"


def test_half_a_line_that_a_crash_left_is_cut_off(tmp_path: Path) -> None:
    """So that every line of the file can be read."""
    path = tmp_path / "audit.log"
    path.write_bytes(b"whole\nhal")
    file = RotatingFile(path, 1000, 3)
    file.open()
    file.write(b"next\n")
    file.close()
    assert path.read_bytes() == b"whole\nnext\n"


def test_a_write_that_failed_half_way_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line stands twice in the file, and none is torn."""
    room = [5]

    def short_write(descriptor: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        taken = min(room[0], len(data))
        room[0] -= taken
        return real(descriptor, data[:taken])

    real = os.write
    file = RotatingFile(tmp_path / "audit.log", 1000, 3)
    file.open()
    monkeypatch.setattr(os, "write", short_write)
    for more in (0, 3, 100):
        room[0] += more
        if more < 100:
            with pytest.raises(OSError, match="No space"):
                file.write(b"first line\nsecond\n")
        else:
            file.write(b"first line\nsecond\n")
    file.write(b"third\n")
    file.close()
    assert (tmp_path / "audit.log").read_bytes() == b"first line\nsecond\nthird\n"


def test_standard_output_takes_lines() -> None:
    """Whole, also when the pipe takes them piece by piece."""
    read, write = os.pipe()
    sink = StandardOutput(write)
    sink.open()
    sink.write(b"one\ntwo\n")
    sink.close()
    assert os.read(read, 100) == b"one\ntwo\n"
    os.close(read)
    os.close(write)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "203.0.113.9, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.1", "[2001:db8::5]:443", "2001:db8::5"),
        ("10.0.0.1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "unknown, 10.1.1.1", "10.1.1.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: str | None, client: str) -> None:
    """The chain is read from the right, up to the first address that is no trusted proxy's."""
    raw = None if forwarded is None else forwarded.encode()
    assert ClientAddresses(("10.0.0.0/8",)).address(peer, raw) == client
    assert ClientAddresses().address(peer, raw) == peer
