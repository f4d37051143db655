"""The app behind real HTTP: our own engine and hypercorn answer alike."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from attrs import frozen

from lightningstor.daemon.refusal import s3_refusal
from lightningstor.http.engine import HttpLimits, HttpServer, open_listeners
from lightningstor.http.hypercorn import HypercornServer
from tests.s3.client import UNSIGNED, Client
from tests.s3.conftest import Service, service_over
from tests.s3.test_bodies import NEW, SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, chunked_put
from tests.store.conftest import disk_store

BIG = bytes(index * 19 & 0xFF for index in range(2_500_000))
GIVE_UP_S = 20


@frozen
class Wire:
    """A running server, its app's service, and a client of it."""

    service: Service
    port: int

    @property
    def s3(self) -> Client:
        return self.service.client(host=f"127.0.0.1:{self.port}")

    async def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        wait: bool = False,
        step: int = 1 << 20,
    ) -> tuple[int, dict[str, str], bytes, bool]:
        """One request on a connection of its own: status, headers, body, and whether 100-continue came.

        Args:
            wait: send the body only after a 100-continue.
            step: send so many bytes of the body at once.
        """
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with trio.fail_after(GIVE_UP_S):
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            async with stream:
                await stream.send_all(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode())
                received = b""
                continued = False
                if wait:
                    while b"\r\n\r\n" not in received:
                        received += await stream.receive_some()
                    continued = received.startswith(b"HTTP/1.1 100")
                    if continued:
                        received = received.partition(b"\r\n\r\n")[2]
                if continued or not wait:
                    for at in range(0, len(body), step):
                        await stream.send_all(body[at : at + step])
                while b"\r\n\r\n" not in received:
                    received += await stream.receive_some()
                raw_head, _, content = received.partition(b"\r\n\r\n")
                lines = raw_head.decode().split("\r\n")
                fields = (line.partition(": ") for line in lines[1:])
                answered = {name.lower(): value for name, _, value in fields}
                length = 0 if method == "HEAD" else int(answered.get("content-length", "0"))
                while len(content) < length:
                    content += await stream.receive_some()
        return int(lines[0].split()[1]), answered, content, continued

    async def call(
        self, method: str, path: str, query: str = "", body: bytes = b"", *, wait: bool = False, **headers: str
    ) -> tuple[int, dict[str, str], bytes, bool]:
        """A signed request."""
        s3 = self.s3
        sent = {"host": s3.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if method in ("PUT", "POST"):
            sent["content-length"] = str(len(body))
        if wait:
            sent["expect"] = "100-continue"
        sent |= s3.sign(method, path, query, sent, hashlib.sha256(body).hexdigest())
        return await self.exchange(method, f"{path}?{query}" if query else path, sent, body, wait=wait)


@asynccontextmanager
async def behind(kind: str, root: Path) -> AsyncIterator[Wire]:
    """The app on a disk store behind one of the servers."""
    async with disk_store(root) as store:
        service = service_over(store)
        refusal = s3_refusal(service.app._endpoint)
        made = HttpServer if kind == "native" else HypercornServer
        server = made(service.app, HttpLimits(grace_s=1), refusal=refusal)
        listeners = await open_listeners("127.0.0.1", 0)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve, listeners)
            yield Wire(service, listeners[0].address[1])
            server.stop(0)


@pytest.fixture(params=["native", "hypercorn"])
async def wire(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    async with behind(request.param, tmp_path) as ready:
        yield ready


async def test_objects_over_the_wire(wire: Wire) -> None:
    """Small and large objects, ranges, HEAD, lists and deletes work over real sockets."""
    assert (await wire.call("PUT", "/bucket"))[0] == 200
    for key, data in (("small", b"x" * 4096), ("empty", b""), ("large", BIG)):
        assert (await wire.call("PUT", f"/bucket/{key}", "", data))[0] == 200
        status, headers, body, _ = await wire.call("GET", f"/bucket/{key}")
        assert (status, body == data, headers["content-length"]) == (200, True, str(len(data)))
        status, headers, body, _ = await wire.call("HEAD", f"/bucket/{key}")
        assert (status, body, headers["content-length"]) == (200, b"", str(len(data)))
    status, headers, body, _ = await wire.call("GET", "/bucket/large", range="bytes=1000000-1000009")
    assert (status, body) == (206, BIG[1_000_000:1_000_010])
    status, _, body, _ = await wire.call("GET", "/bucket", "list-type=2")
    assert (status, body.count(b"<Contents>")) == (200, 3)
    status, headers, body, _ = await wire.call("DELETE", "/bucket/small")
    assert (status, body) == (204, b"")
    status, headers, body, _ = await wire.call("HEAD", "/bucket/small")
    assert (status, body) == (404, b"")


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
async def test_chunked_bodies_over_the_wire(wire: Wire, mode: str) -> None:
    """aws-chunked framing is taken out of what the socket gives; a flipped bit is found and the old object stays."""
    await wire.call("PUT", "/bucket")
    for chunk in (16_384, 8_192, 100_000):
        for step in (100, 30_011, 1 << 20):
            headers, body = chunked_put(wire.s3, mode, chunk=chunk)
            status, _, answer, _ = await wire.exchange("PUT", "/bucket/key", headers, body, step=step)
            assert (status, answer) == (200, b"")
            assert (await wire.call("GET", "/bucket/key"))[2] == NEW
            await wire.call("PUT", "/bucket/key", "", b"old")
    headers, body = chunked_put(wire.s3, mode, change=NEW[50_000:50_020])
    assert (await wire.exchange("PUT", "/bucket/key", headers, body))[0] in (400, 403)
    assert (await wire.call("GET", "/bucket/key"))[2] == b"old"


@pytest.mark.parametrize("step", [30_011, 1 << 20])
async def test_tiny_chunks_over_the_wire(wire: Wire, step: int) -> None:
    """So are very many chunks, which are decoded bit by bit."""
    await wire.call("PUT", "/bucket")
    headers, body = chunked_put(wire.s3, UNSIGNED_TRAILER, chunk=3)
    status, _, answer, _ = await wire.exchange("PUT", "/bucket/key", headers, body, step=step)
    assert (status, answer) == (200, b"")
    assert (await wire.call("GET", "/bucket/key"))[2] == NEW


async def test_raw_paths_over_the_wire(wire: Wire) -> None:
    """Slashes, dots, escapes and plus arrive as they were sent."""
    await wire.call("PUT", "/bucket")
    for path in ("/bucket//a", "/bucket/a//b", "/bucket/../a", "/bucket/%2E%2E/a", "/bucket/a%2Fb", "/bucket/a%2Bb"):
        status, headers, _, _ = await wire.call("PUT", path, "", path.encode())
        assert status == 200, (path, headers)
        status, _, body, _ = await wire.call("GET", path)
        assert (status, len(body) > 0) == (200, True)
    listed = (await wire.call("GET", "/bucket"))[2]
    for key in (b"/a", b"a//b", b"../a", b"a/b", b"a+b"):
        assert b"<Key>" + key + b"</Key>" in listed


async def test_a_refused_put_is_not_asked_for_its_body(tmp_path: Path) -> None:
    """With Expect: 100-continue the refusal comes instead of the 100, and a good PUT gets both.

    Only our own engine can do that: hypercorn sends the 100 before the app is asked.
    """
    async with behind("native", tmp_path) as wire:
        await wire.call("PUT", "/bucket")
        status, _, body, continued = await wire.call("PUT", "/nowhere/key", "", BIG, wait=True)
        assert (status, b"NoSuchBucket" in body, continued) == (404, True, False)
        status, _, body, continued = await wire.call("PUT", "/bucket/key", "", BIG, wait=True, x_amz_acl="public-read")
        assert (status, b"AccessControlListNotSupported" in body, continued) == (400, True, False)
        status, _, _, continued = await wire.call("PUT", "/bucket/key", "", BIG, wait=True)
        assert (status, continued) == (200, True)
        assert (await wire.call("GET", "/bucket/key"))[2] == BIG


async def test_a_body_that_ends_early(wire: Wire) -> None:
    """A client that closes its side before the announced length stores nothing."""
    await wire.call("PUT", "/bucket")
    s3 = wire.s3
    headers = {"host": s3.host, "content-length": str(len(BIG))}
    headers |= s3.sign("PUT", "/bucket/key", "", headers, UNSIGNED)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with trio.fail_after(GIVE_UP_S):
        stream = await trio.open_tcp_stream("127.0.0.1", wire.port)
        async with stream:
            await stream.send_all(f"PUT /bucket/key HTTP/1.1\r\n{head}\r\n".encode() + BIG[:-1])
            await stream.send_eof()
            while await stream.receive_some():
                pass
    assert (await wire.call("GET", "/bucket/key"))[0] == 404


async def test_both_servers_answer_alike(tmp_path: Path) -> None:
    """Status, body and S3's headers are the same behind either."""
    answers: list[list[tuple[int, dict[str, str], bytes]]] = []
    for kind in ("native", "hypercorn"):
        root = tmp_path / kind
        root.mkdir()
        async with behind(kind, root) as wire:
            seen = []
            for method, path, query, body in (
                ("PUT", "/bucket", "", b""),
                ("PUT", "/bucket/key", "", b"data"),
                ("GET", "/bucket/key", "", b""),
                ("HEAD", "/bucket/key", "", b""),
                ("GET", "/bucket", "versioning", b""),
                ("DELETE", "/bucket/none", "", b""),
            ):
                status, headers, content, _ = await wire.call(method, path, query, body)
                for name in ("x-amz-request-id", "x-amz-id-2", "date", "last-modified", "connection", "server"):
                    headers.pop(name, None)
                seen.append((status, headers, content))
            answers.append(seen)
    assert answers[0] == answers[1]
