"""The edges of the app: errors that are bugs, answers that take long, broken bytes, other servers' ASGI."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from attrs import define, evolve

from lightningstor.errors import BytesCorrupt
from lightningstor.kv.api import Put, Txn
from lightningstor.observe.logs import REQUEST_ID
from lightningstor.s3.asgi import AsgiExchange, AsgiHead
from lightningstor.s3.handlers import HANDLERS, PATIENT
from lightningstor.s3.settings import S3Settings
from lightningstor.s3.wire.operations import BY_NAME, OPERATIONS
from tests.s3.client import Answer, Body, Client, Recorder
from tests.s3.conftest import Service, memory_service, service_over
from tests.s3.test_multipart import complete, completion, rows_of, upload_all
from tests.store.conftest import disk_store

BIG = bytes(3 << 20)


def test_every_implemented_row_has_its_handler() -> None:
    """The table and the handlers name the same operations; each handler takes its row's request and says so."""
    assert {row.name for row in OPERATIONS if row.implemented} == set(HANDLERS)
    assert set(HANDLERS) >= PATIENT
    for name, handler in HANDLERS.items():
        wanted = BY_NAME[name].input
        assert wanted is not None
        assert handler.__annotations__["request"] == f"dto.{wanted.__name__}"


@define
class Broken:
    """A store's part of which every method fails as a bug would."""

    secret: str = "top-secret-0123456789"

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"a bug that knows {self.secret}")


async def test_a_bug_is_a_500_without_its_text(service: Service, s3: Client, caplog: pytest.LogCaptureFixture) -> None:
    """The answer has the request id and not a word of the exception, the log its traceback; the next request works."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    endpoint = service.app._endpoint
    whole = endpoint.store
    endpoint.store = evolve(whole, reads=Broken())
    with caplog.at_level(logging.ERROR):
        answer = await s3.get("/bucket/key")
    endpoint.store = whole
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"bug" not in answer.body
    record = next(record for record in caplog.records if record.exc_info)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)
    assert answer.headers["x-amz-request-id"] == REQUEST_ID.get()
    assert (await s3.get("/bucket/key")).body == b"x"


async def test_a_flipped_byte_is_found_between_two_reads(tmp_path: Path) -> None:
    """Nothing of a GET is remembered: the stored byte is read and checked each time, and a wrong one is a 500."""
    async with disk_store(tmp_path) as store:
        s3 = service_over(store).client()
        await s3.put("/bucket")
        await s3.put("/bucket/small", b"0123456789")
        await s3.put("/bucket/large", BIG)
        assert [(await s3.get(f"/bucket/{key}")).status for key in ("small", "large")] == [200, 200]
        kv = store.ctx.kv
        small = (await store.objects.find("bucket", "small")).version.body
        assert small is not None
        row_key = f"lightningstor/data/{small.data_id}".encode()
        await kv.commit(Txn(puts=[Put(row_key, b"0123456780")]))
        chunk = min((path for path in (tmp_path / "chunks").rglob("*") if path.is_file()), key=lambda path: path.name)
        with chunk.open("r+b") as file:
            file.seek(5)
            file.write(b"\1")
        for key in ("small", "large"):
            answer = await s3.get(f"/bucket/{key}")
            assert (answer.status, answer.code) == (500, "InternalError")


async def test_a_byte_that_is_wrong_further_on_cuts_the_answer(tmp_path: Path) -> None:
    """Behind the first piece it is too late for a 500: the body ends short of its Content-Length, with an error."""
    async with disk_store(tmp_path) as store:
        service = service_over(store)
        s3 = service.client()
        await s3.put("/bucket")
        await s3.put("/bucket/large", BIG)
        last = max((path for path in (tmp_path / "chunks").rglob("*") if path.is_file()), key=lambda path: path.name)
        with last.open("r+b") as file:
            file.seek((1 << 20) - 5)
            file.write(b"\1")
        recorder = Recorder("GET")
        headers = {"host": s3.host}
        headers |= s3.sign("GET", "/bucket/large", "", headers, "UNSIGNED-PAYLOAD")
        with pytest.raises(BytesCorrupt):
            await s3.run("GET", "/bucket/large", "", headers, Body([b""]), recorder)
        assert (recorder.status, recorder.complete) == (200, False)
        assert 0 < sum(map(len, recorder.pieces)) < len(BIG)
        assert len(store.ctx.pins) == 0


async def test_a_reader_that_leaves_is_let_go(tmp_path: Path) -> None:
    """A client that goes while it is sent an object leaves no pin on its bytes; nobody is told."""
    async with disk_store(tmp_path) as store:
        service = service_over(store)
        s3 = service.client()
        await s3.put("/bucket")
        await s3.put("/bucket/large", BIG)
        recorder = Recorder("GET")

        def leave() -> None:
            if len(recorder.pieces) == 2:
                raise ConnectionResetError

        recorder.on_send = leave
        headers = {"host": s3.host}
        headers |= s3.sign("GET", "/bucket/large", "", headers, "UNSIGNED-PAYLOAD")
        with pytest.raises(ConnectionResetError):
            await s3.run("GET", "/bucket/large", "", headers, Body([b""]), recorder)
        assert len(store.ctx.pins) == 0
        assert service.seen[-1] == ("GetObject", 200, None, len(BIG))


@pytest.mark.parametrize(
    ("method", "path", "query", "status", "code"),
    [
        ("PATCH", "/bucket/key", "", 405, "MethodNotAllowed"),
        ("BREW", "/", "", 405, "MethodNotAllowed"),
        ("POST", "/bucket/key", "", 405, "MethodNotAllowed"),
        ("DELETE", "/", "", 405, "MethodNotAllowed"),
        ("DELETE", "/bucket", "uploads", 405, "MethodNotAllowed"),
        ("GET", "/bucket", "acl&policy", 400, "InvalidArgument"),
        ("PUT", "/bucket/key", "partNumber=1", 400, "InvalidArgument"),
        ("POST", "/bucket", "", 501, "NotImplemented"),
        ("GET", "/bucket/key", "torrent", 501, "NotImplemented"),
        ("POST", "/bucket/key", "restore", 501, "NotImplemented"),
        ("OPTIONS", "/bucket/key", "", 400, "BadRequest"),
        ("PUT", "/bucket/key", "newthing", 501, "NotImplemented"),
        ("GET", "/bucket/%zz", "", 400, "InvalidURI"),
        ("GET", "/bucket/%FF", "", 400, "InvalidURI"),
        ("GET", "/bucket", "prefix=%FF", 400, "InvalidURI"),
    ],
)
async def test_requests_that_are_none(s3: Client, method: str, path: str, query: str, status: int, code: str) -> None:
    """Each has S3's status and code, and the object stays."""
    await s3.put("/bucket")
    await s3.put("/bucket/key", b"x")
    answer = await s3.call(method, path, query)
    assert (answer.status, answer.code) == (status, code)
    assert (await s3.get("/bucket/key")).body == b"x"


async def test_a_preflight_is_refused_and_says_why(s3: Client) -> None:
    """Nobody signs an OPTIONS; whether the bucket exists it does not tell."""
    await s3.put("/bucket")
    asked = {"origin": "https://example.com", "access-control-request-method": "PUT"}
    for bucket in ("bucket", "nowhere"):
        answer = await s3.anonymous().call("OPTIONS", f"/{bucket}/key", "", b"", asked)
        assert (answer.status, answer.code) == (403, "AccessForbidden")


# Answers that take long


@define
class Held:
    """A part of the store of which one method waits."""

    part: Any
    method: str
    gate: trio.Event
    failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if name != self.method:
            return found

        async def waiting(*args: Any, **kwargs: Any) -> Any:
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return await found(*args, **kwargs)

        return waiting


async def finish_slowly(after_s: float, failure: Exception | None = None) -> tuple[Answer, Recorder]:
    """CompleteMultipartUpload that takes so many virtual seconds."""
    async with memory_service(S3Settings(keepalive_after_s=10.0)) as service:
        s3 = service.client()
        await s3.put("/bucket")
        upload, answers = await upload_all(s3)
        gate = trio.Event()
        endpoint = service.app._endpoint
        endpoint.store = evolve(endpoint.store, completions=Held(endpoint.store.completions, "complete", gate, failure))
        recorder = Recorder("POST")
        body = completion(rows_of(answers))
        headers = {"host": s3.host, "content-length": str(len(body))}
        query = f"uploadId={upload}"
        headers |= s3.sign("POST", "/bucket/key", query, headers, "UNSIGNED-PAYLOAD")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(s3.run, "POST", "/bucket/key", query, headers, Body([body]), recorder)
            await trio.sleep(after_s)
            gate.set()
        return recorder.answer(), recorder


async def test_a_quick_completion_is_a_plain_answer(autojump_clock: trio.testing.MockClock) -> None:
    """Below the interval nothing is sent before the result is known, so an error has its own status."""
    answer, recorder = await finish_slowly(9)
    assert (answer.status, answer.xml.tag, len(recorder.pieces)) == (200, "CompleteMultipartUploadResult", 1)
    answer, recorder = await finish_slowly(9, BytesCorrupt("there", "broken"))
    assert (answer.status, answer.code) == (500, "InternalError")


async def test_a_slow_completion_keeps_the_connection_alive(autojump_clock: trio.testing.MockClock) -> None:
    """From the interval on a 200 and a blank at each further one; the whole is one well-formed document."""
    answer, recorder = await finish_slowly(35)
    assert (answer.status, answer.xml.tag) == (200, "CompleteMultipartUploadResult")
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n  <CompleteMultipartUploadResult')
    assert len(recorder.pieces) == 4
    assert answer.headers["content-type"] == "application/xml"
    assert "content-length" not in answer.headers


async def test_a_late_failure_is_an_error_under_a_200(autojump_clock: trio.testing.MockClock) -> None:
    """`<Error>` as the root, which SDKs take for a 500 and try again."""
    answer, _ = await finish_slowly(15, BytesCorrupt("there", "broken"))
    assert (answer.status, answer.xml.tag, answer.code) == (200, "Error", "InternalError")


async def test_a_client_that_leaves_a_slow_completion(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The blank that cannot be sent ends the work, which is no error of ours; the upload can be completed again."""
    async with memory_service(S3Settings(keepalive_after_s=10.0)) as service:
        s3 = service.client()
        await s3.put("/bucket")
        upload, answers = await upload_all(s3)
        endpoint = service.app._endpoint
        whole = endpoint.store
        endpoint.store = evolve(whole, completions=Held(whole.completions, "complete", trio.Event()))
        recorder = Recorder("POST")

        def leave() -> None:
            raise ConnectionResetError

        recorder.on_send = leave
        query = f"uploadId={upload}"
        body = completion(rows_of(answers))
        headers = {"host": s3.host, "content-length": str(len(body))}
        headers |= s3.sign("POST", "/bucket/key", query, headers, "UNSIGNED-PAYLOAD")
        with pytest.raises(BaseExceptionGroup) as caught:
            await s3.run("POST", "/bucket/key", query, headers, Body([body]), recorder)
        assert caught.group_contains(ConnectionResetError)
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
        endpoint.store = whole
        assert (await complete(s3, upload, rows_of(answers))).status == 200


# Servers


def head_of(method: str, path: str, query: str, headers: dict[str, str]) -> AsgiHead:
    """A request's head."""
    fields = {name.encode(): value.encode() for name, value in headers.items()}
    return AsgiHead(method, path.encode(), query.encode(), fields)


async def test_the_engines_short_way_gives_the_same_answers(tmp_path: Path) -> None:
    """By the engine's exchange and over plain ASGI every answer has the same status, headers and bytes."""

    class Engine:
        scheme = "http"
        client = ("127.0.0.1", 1)

        def __init__(self, head: AsgiHead, body: bytes) -> None:
            self.head = head
            self.body = body
            self.asked = 0
            self.status = 0
            self.headers: list[tuple[bytes, bytes]] = []
            self.out = bytearray()

        async def receive_some(self, most: int = 1 << 20) -> bytes:
            piece, self.body = self.body[:most], self.body[most:]
            return piece

        def receive_whole(self) -> bytes | None:
            whole, self.body = (self.body, b"") if len(self.body) < 10 else (None, self.body)
            return whole

        def receive_now(self, buffer: memoryview) -> int:
            self.asked += 1
            piece = self.body[: min(len(buffer), 100_000)] if self.asked % 2 else b""
            buffer[: len(piece)] = piece
            self.body = self.body[len(piece) :]
            return len(piece)

        async def wait_more(self) -> bool:
            return bool(self.body)

        async def respond(
            self,
            status: int,
            headers: Any,
            body: Any = b"",
            more_body: bool = False,
            lines: bytes = b"",
            length: int | None = None,
        ) -> None:
            ready = (line.partition(b": ") for line in lines.splitlines())
            self.status, self.headers = status, [*((name, value) for name, _, value in ready), *headers]
            if length is not None:
                self.headers.append((b"content-length", b"%d" % length))
            self.out += body

        async def send_more(self, body: Any, more_body: bool) -> None:
            self.out += body

    async with disk_store(tmp_path) as store:
        service = service_over(store)
        s3 = service.client()
        await s3.put("/bucket")
        for method, path, query, body in (
            ("PUT", "/bucket/large", "", BIG),
            ("PUT", "/bucket/small", "", b"x"),
            ("GET", "/bucket/large", "", b""),
            ("GET", "/bucket/small", "", b""),
            ("HEAD", "/bucket/small", "", b""),
            ("GET", "/bucket/none", "", b""),
            ("GET", "/bucket", "list-type=2", b""),
            ("GET", "/bucket", "location", b""),
            ("DELETE", "/bucket/none", "", b""),
        ):
            plain = await s3.call(method, path, query, body)
            headers = {"host": s3.host} | ({"content-length": str(len(body))} if method == "PUT" else {})
            headers |= s3.sign(method, path, query, headers, "UNSIGNED-PAYLOAD")
            engine = Engine(head_of(method, path, query, headers), body)
            await service.app.answer(engine)
            same = {name.decode(): value.decode() for name, value in engine.headers}
            assert engine.status == plain.status
            for answer_headers in (same, plain.headers):
                answer_headers.pop("x-amz-request-id")
                answer_headers.pop("content-length", None)
            if plain.status < 400:
                assert (same, bytes(engine.out)) == (plain.headers, plain.body)


async def test_lifespan(service: Service) -> None:
    """Servers that speak ASGI's lifespan protocol get their answers; what is neither that nor HTTP is refused."""
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await service.app({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(ValueError, match="websocket"):
        await service.app({"type": "websocket"}, receive, send)


class TimedOut(ConnectionError):
    """As the engine tells of a body that comes too slowly."""

    status = 408


@pytest.mark.parametrize(("method", "query"), [("PUT", ""), ("POST", "delete"), ("POST", "uploadId=" + "0" * 30)])
async def test_a_body_that_comes_too_slowly(
    service: Service, s3: Client, caplog: pytest.LogCaptureFixture, method: str, query: str
) -> None:
    """It ends in S3's RequestTimeout, and is not taken for a bug of ours."""
    await s3.put("/bucket")

    class Slow(AsgiExchange):
        async def receive_some(self, max_bytes: int = 1 << 20) -> bytes:
            raise TimedOut

    path = "/bucket" if query == "delete" else "/bucket/key"
    headers = {"host": s3.host, "content-length": "10", "content-md5": "XUFAKrxLKna5cZ2REBfFkg=="}
    headers |= s3.sign(method, path, query, headers, "UNSIGNED-PAYLOAD")
    recorder = Recorder(method)
    scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await service.app.answer(Slow(scope, None, recorder.send))  # type: ignore[arg-type]
    assert recorder.status == 408
    assert service.records[-1].outcome == "aborted"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
