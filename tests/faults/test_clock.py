"""Somebody sets the machine's clock a day forwards or back: order is kept, and no timer notices (PROOF 27)."""

from __future__ import annotations

import random
import time
from pathlib import Path

import trio
from attrs import define, evolve, field

from lightningstor.chunks.local import open_local_chunks
from lightningstor.chunks.manager import open_chunk_manager
from lightningstor.http.limits import HttpLimits
from lightningstor.kv.sqlite import open_sqlite_kv
from lightningstor.ports import World
from lightningstor.store.api import ObjectDraft, StoreLimits, UploadDraft
from lightningstor.store.fsck import fsck
from lightningstor.store.store import Store, open_store
from tests.conftest import Figure
from tests.http.apps import plain_mirror
from tests.http.serving import serving
from tests.s3.conftest import memory_service
from tests.store.conftest import SMALL_LIMITS
from tests.store.content import OWNER, BytesBody, make_bucket, put, read, stored_versions

DAY_MS = 24 * 3_600_000


@define
class SetClock:
    """The machine's clocks, of which a test sets the wall's."""

    offset_ms: int = 0
    steps: int = field(default=0, init=False)

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms

    def monotonic(self) -> float:
        return time.monotonic()

    def set_somehow(self, chance: random.Random) -> None:
        """A day forwards, a day back, or right again."""
        self.offset_ms = chance.choice([-DAY_MS, 0, DAY_MS])
        self.steps += 1


async def write_under_a_moving_clock(store: Store, clock: SetClock, chance: random.Random, writes: int) -> list[str]:
    """Versions of three keys, the clock set before each; (key, content) in the order of writing, as "key:number"."""
    written = []
    for _ in range(writes):
        clock.set_somehow(chance)
        key = f"key{chance.randrange(3)}"
        content = f"{key}:{chance.randrange(1 << 40)}"
        await put(store, key, content.encode())
        assert await read(store, key) == content.encode()
        written.append(content)
    return written


async def test_versions_keep_their_order(tmp_path: Path, figure: Figure) -> None:
    """Under a clock that jumps, across starts too, the newest version is the last one written, and all lie in order."""
    clock, chance, written = SetClock(), random.Random(27), list[str]()
    for boot in range(4):
        clock.set_somehow(chance)
        world = World(clock=clock)
        async with (
            open_sqlite_kv(tmp_path / "metadata.db", world) as kv,
            open_local_chunks(tmp_path / "chunks", world) as local,
            open_chunk_manager(local, world=world, chunk_size=1 << 20) as chunks,
            open_store(kv, chunks, world, SMALL_LIMITS) as store,
        ):
            if not boot:
                await make_bucket(store, versioned=True)
            written += await write_under_a_moving_clock(store, clock, chance, 50)
            listed = [
                (await read(store, key, version_id=version)).decode()
                for key, version, _ in await stored_versions(store)
            ]
            expected = [one for key in ("key0", "key1", "key2") for one in reversed(written) if one.startswith(key)]
            assert listed == expected
            await store.collector.run()
            assert await fsck(store.ctx, repair=False) == []
    figure(f"clock set {clock.steps} times by a day: {len(written)} versions in order, over 4 starts")


async def test_a_day_forwards_takes_nothing_from_a_reader_or_an_upload(tmp_path: Path) -> None:
    """What is being read stays although its grace is over at once, and an upload of today does not expire; a day back
    holds nothing up for good."""
    clock = SetClock()
    world = World(clock=clock)
    limits = StoreLimits(max_inline_bytes=4 << 10)
    content = bytes(range(256)) * 12_000
    async with (
        open_sqlite_kv(tmp_path / "metadata.db", world) as kv,
        open_local_chunks(tmp_path / "chunks", world) as local,
        open_chunk_manager(local, world=world, chunk_size=1 << 20) as chunks,
        open_store(kv, chunks, world, limits) as store,
    ):
        await make_bucket(store)
        await put(store, "key", content)
        upload = await store.uploads.create("bucket", "upload", UploadDraft(ObjectDraft(OWNER)))
        opened = await store.reads.open("bucket", "key", None, lambda found: None)
        await put(store, "key", b"new")
        clock.offset_ms = DAY_MS
        await store.collector.run()
        await store.uploads.expire()
        await store.uploads.put_part("bucket", "upload", upload.upload_id, 1, BytesBody(b"part"))
        pieces = [bytes(opened.first)]
        while (piece := await opened.next()) is not None:
            pieces.append(bytes(piece))
        await opened.aclose()
        assert b"".join(pieces) == content
        clock.offset_ms = -DAY_MS
        await store.uploads.abort("bucket", "upload", upload.upload_id)
        clock.offset_ms = DAY_MS
        await store.collector.run()
        assert await local.list_chunks("", 10) == []
        assert await fsck(store.ctx, repair=False) == []


async def test_time_outs_do_not_follow_the_wall(figure: Figure) -> None:
    """While the wall clock jumps a day every few milliseconds, a steady client is served and a slow one given up when
    its time is over, not before."""
    clock, chance = SetClock(), random.Random(1)
    limits = HttpLimits(header_s=0.5, idle_s=2.0, body_window_s=0.5, body_rate=1000)
    async with serving(plain_mirror, limits, clock=clock) as running, trio.open_nursery() as nursery:

        async def jump() -> None:
            while True:
                clock.set_somehow(chance)
                await trio.sleep(0.005)

        nursery.start_soon(jump)
        async with await running.connect() as slow, await running.connect() as steady:
            started = trio.current_time()
            await slow.send(b"GET /k HTTP/1.1\r\nX: ")
            for _ in range(10):
                await steady.send(b"GET /k HTTP/1.1\r\nHost: a\r\n\r\n")
                assert (await steady.answer()).status == 200
                await trio.sleep(0.02)
            assert (await slow.answer()).status == 408
            took_s = trio.current_time() - started
        nursery.cancel_scope.cancel()
    figure(f"under {clock.steps} jumps of a day a header limit of 0.5 s was kept: {took_s:.2f} s")
    assert 0.4 < took_s < 3


async def test_signatures_follow_the_wall_at_once() -> None:
    """A day off every signature is refused as too skewed, and taken again when the clock is right: nothing sticks."""
    async with memory_service() as service:
        s3 = service.client()
        await s3.put("/bucket")
        for offset_ms, code in ((DAY_MS, "RequestTimeTooSkewed"), (0, ""), (-DAY_MS, "RequestTimeTooSkewed"), (0, "")):
            client = evolve(s3, now_ms=lambda offset_ms=offset_ms: s3.now_ms() - offset_ms)
            assert (await client.put("/bucket/key", b"x")).code == code
