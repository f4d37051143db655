"""The audit log of the real daemon (SPEC.md §9.4): one line a request, whatever became of the request."""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from attrs import define, field, frozen

from lightningstor.rpc.gen import object_service_pb2
from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp
from tests.harness.tokens import make_api_key, make_principal, make_token
from tests.s3.client import Client

BIG = 16 << 20
AUDIT = "[audit]\nenabled = true\n"
objects: Any = object_service_pb2
SMALL = objects.HeadObjectRequest(bucket="bucket", key="small")
MISSING = objects.HeadObjectRequest(bucket="bucket", key="not-there")

Metadata = tuple[tuple[str, str], ...]
Told = tuple[str, str]
"""The request id that a client received, and the outcome that its line must have."""


def lines_of(daemon: RunningDaemon) -> list[dict[str, Any]]:
    """All audit lines, the oldest file first; those of the admin port, which the tokens came from, left out."""
    folder = daemon.data_dir / "audit"
    files = sorted(folder.iterdir(), key=lambda path: -int(path.suffix[1:] if path.suffix[1:].isdigit() else 0))
    lines = [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line["protocol"] != "admin"]


@frozen
class Tokens:
    """What gRPC's callers show: metadata of one who may, by a bearer token and by an API key."""

    bearer: Metadata
    api_key: Metadata


@define
class Caller:
    """One client with one connection, doing all kinds of requests."""

    daemon: RunningDaemon
    rng: random.Random
    tokens: Tokens
    signed: SignedHttp = field(init=False)
    stranger: SignedHttp = field(init=False)
    presigner: Client = field(init=False)
    channel: grpc.Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        host = self.daemon.addresses["s3"]
        self.signed = SignedHttp(host, self.daemon.access_key, self.daemon.secret_key)
        self.channel = grpc.insecure_channel(self.daemon.addresses["grpc"])
        self.stranger = SignedHttp(host, self.daemon.access_key, "not-the-secret-at-all")
        self.presigner = Client(None, self.daemon.access_key, self.daemon.secret_key, self.now_ms, host=host)  # type: ignore[arg-type]

    def close(self) -> None:
        self.signed.close()
        self.stranger.close()
        self.channel.close()

    @staticmethod
    def now_ms() -> int:
        return time.time_ns() // 1_000_000

    def request(self, who: SignedHttp, outcome: str, method: str, path: str, **more: Any) -> Told:
        return who.request(method, path, **more).headers["x-amz-request-id"], outcome

    def presigned(self, outcome: str, query: str) -> Told:
        connection = HTTPConnection(self.daemon.addresses["s3"], timeout=20)
        connection.request("GET", f"/bucket/small?{query}")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.getheader("x-amz-request-id") or "", outcome

    def raw(self, outcome: str, data: bytes) -> Told:
        """Bytes of our own making, and the id in the answer's head."""
        host, _, port = self.daemon.addresses["s3"].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while b"\r\n\r\n" not in answer and (piece := sock.recv(65536)):
                answer += piece
        return _request_id(answer), outcome

    def leave_download(self) -> Told:
        """Read the head of a large object and go."""
        host, _, port = self.daemon.addresses["s3"].rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as sock:
            query = self.presigner.presign("GET", "/bucket/big")
            sock.sendall(f"GET /bucket/big?{query} HTTP/1.1\r\nHost: {self.presigner.host}\r\n\r\n".encode())
            return _request_id(sock.recv(4096)), "aborted"

    def leave_upload(self) -> Told:
        """Announce more than is sent; the writing side is shut, so that the answer still comes."""
        query = self.presigner.presign("PUT", "/bucket/half")
        head = f"PUT /bucket/half?{query} HTTP/1.1\r\nHost: {self.presigner.host}\r\nContent-Length: 900\r\n\r\n"
        return self.raw("aborted", head.encode() + b"x" * 100)

    def over_grpc(self, outcome: str, method: str, request: Any, metadata: Metadata = ()) -> Told:
        """One call; the id stands in the headers of its answer."""
        call = self.channel.unary_unary(f"/lightningstor.v1.ObjectService/{method}", None, None)
        try:
            _, done = call.with_call(request.SerializeToString(), metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            done = error
        assert (done.code() is grpc.StatusCode.OK) == (outcome == "success"), done
        headers: Any = (*done.initial_metadata(), *done.trailing_metadata())
        return dict(headers)["x-request-id"], outcome

    def any(self) -> Told:
        """One request of some kind."""
        key = f"/bucket/{self.rng.randrange(50)}"
        put = objects.PutObjectRequest(bucket="bucket", key=key, content=b"g" * self.rng.randrange(5000))
        kinds: list[Callable[[], Told]] = [
            partial(self.request, self.signed, "success", "PUT", key, body=b"x" * self.rng.randrange(5000)),
            partial(self.request, self.signed, "success", "GET", "/bucket/small"),
            partial(self.request, self.signed, "success", "HEAD", "/bucket/small"),
            partial(self.request, self.signed, "success", "GET", "/bucket", query="list-type=2&max-keys=5"),
            partial(self.request, self.signed, "success", "DELETE", key),
            partial(self.over_grpc, "success", "HeadObject", SMALL, self.tokens.bearer),
            partial(self.over_grpc, "success", "PutObject", put, self.tokens.api_key),
            partial(self.over_grpc, "failed", "HeadObject", MISSING, self.tokens.api_key),
            partial(self.request, self.signed, "failed", "GET", "/bucket/not-there"),
            partial(self.request, self.signed, "failed", "GET", "/no-such-bucket/key"),
            partial(self.request, self.signed, "failed", "PATCH", "/bucket/key"),
            partial(
                self.request, self.signed, "failed", "PUT", "/bucket/small", body=b"y", headers={"if-none-match": "*"}
            ),
            partial(self.request, self.stranger, "denied", "GET", "/bucket/small"),
            lambda: self.presigned("success", self.presigner.presign("GET", "/bucket/small")),
            lambda: self.presigned("denied", self.presigner.presign("GET", "/bucket/other")),
            lambda: self.presigned(
                "denied", self.presigner.presign("GET", "/bucket/small", amz_date="20200101T000000Z")
            ),
            lambda: self.presigned("denied", ""),
            partial(self.raw, "malformed", b"GET /bucket HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            partial(self.raw, "malformed", b"GET /bucket HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n"),
            partial(self.raw, "malformed", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
            partial(self.raw, "malformed", b"GET /bucket HTT"),
            partial(self.over_grpc, "denied", "HeadObject", SMALL),
            partial(self.over_grpc, "denied", "HeadObject", SMALL, (("x-api-key", "no-key-of-anybody"),)),
            self.leave_upload,
            self.leave_download,
        ]
        # What is refused over a connection of its own is dear; so it comes less often.
        index = self.rng.randrange(13) if self.rng.random() < 0.8 else self.rng.randrange(13, len(kinds))
        return kinds[index]()


def _request_id(answer: bytes) -> str:
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1").lower()
    return head.partition("x-amz-request-id: ")[2].partition("\r\n")[0].upper()


NO_TOKENS = Tokens((), ())


def prepare(daemon: RunningDaemon) -> list[Told]:
    """A bucket with a small object and a large one."""
    caller = Caller(daemon, random.Random(0), NO_TOKENS)
    made = [
        caller.request(caller.signed, "success", "PUT", "/bucket"),
        caller.request(caller.signed, "success", "PUT", "/bucket/small", body=b"s" * 4096),
        caller.request(caller.signed, "success", "PUT", "/bucket/big", body=bytes(BIG)),
    ]
    caller.close()
    return made


def tokens_of(daemon: RunningDaemon) -> Tokens:
    """Those of a principal who is made for it."""
    name = f"caller-{time.monotonic_ns()}"
    make_principal(daemon, name)
    return Tokens(
        (("authorization", f"Bearer {make_token(daemon, name)}"),), (("x-api-key", make_api_key(daemon, name)[1]),)
    )


def run_callers(daemon: RunningDaemon, requests: int, callers: int = 4) -> list[Told]:
    """That many requests of all kinds, from several clients at once."""
    tokens = tokens_of(daemon)

    def call(seed: int) -> list[Told]:
        caller = Caller(daemon, random.Random(seed), tokens)
        told = [caller.any() for _ in range(requests // callers)]
        caller.close()
        return told

    with ThreadPoolExecutor(callers) as threads:
        return [one for told in threads.map(call, range(callers)) for one in told]


@pytest.mark.proof
def test_every_request_has_exactly_one_line(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """Matched by the request id that the client received; with the outcome that the client saw; no secret in it."""
    daemon = launch_daemon(config=AUDIT + "rotate_bytes = 1000000\nkeep = 100\n")
    told = prepare(daemon) + run_callers(daemon, 10_000 if proof_full else 800)
    assert daemon.stop() == 0
    lines = lines_of(daemon)
    count = Counter(line["request_id"] for line in lines)
    assert all(request_id for request_id, _ in told)
    assert count == Counter(request_id for request_id, _ in told)
    outcomes = {line["request_id"]: line["outcome"] for line in lines}
    wrong = [
        (request_id, outcome, outcomes[request_id]) for request_id, outcome in told if outcomes[request_id] != outcome
    ]
    assert not wrong
    text = json.dumps(lines)
    assert daemon.secret_key not in text
    assert "Signature=" not in text
    figure(f"{len(told)} requests, {len(lines)} lines: {dict(Counter(outcome for _, outcome in told))}")


def test_under_hypercorn_every_request_has_its_line_too(launch_daemon: StartDaemon) -> None:
    """All that have an id have one line; what hypercorn refuses by itself is answered without one, and has no line."""
    daemon = launch_daemon(config=AUDIT + '[s3]\nengine = "hypercorn"\n')
    told = prepare(daemon) + run_callers(daemon, 300)
    assert daemon.stop() == 0
    count = Counter(line["request_id"] for line in lines_of(daemon))
    known = {request_id: outcome for request_id, outcome in told if request_id}
    assert {outcome for request_id, outcome in told if not request_id} <= {"malformed", "aborted"}
    assert {request_id: count[request_id] for request_id in known} == dict.fromkeys(known, 1)
    lines = {line["request_id"]: line for line in lines_of(daemon)}
    answered = {request_id for request_id, outcome in known.items() if outcome in ("success", "failed", "denied")}
    assert {name: lines[name]["outcome"] for name in answered} == {name: known[name] for name in answered}
    assert {line["outcome"] for name, line in lines.items() if name not in known} <= {"aborted"}


def test_what_a_line_says(launch_daemon: StartDaemon) -> None:
    """Who, what, on which resource, with which end, how much, how long, from where and with what."""
    daemon = launch_daemon(config=AUDIT + '[server]\ntrusted_proxies = ["127.0.0.0/8"]\n')
    caller = Caller(daemon, random.Random(0), NO_TOKENS)
    prepare(daemon)
    forwarded = {"x-forwarded-for": "203.0.113.9, 192.0.2.7", "user-agent": "tester/1"}
    request_id, _ = caller.request(caller.signed, "", "PUT", "/bucket/a key", body=b"12345", headers=forwarded)
    caller.request(caller.signed, "", "GET", "/bucket/a key")
    md5 = {"content-md5": b64encode(hashlib.md5(_VERSIONING, usedforsecurity=False).digest()).decode()}
    caller.request(caller.signed, "", "PUT", "/bucket", query="versioning=", body=_VERSIONING, headers=md5)
    caller.request(caller.signed, "", "PUT", "/bucket/v", body=b"1")
    caller.presigned("", caller.presigner.presign("GET", "/bucket/small"))
    caller.stranger.request("DELETE", "/bucket/small")
    caller.close()
    assert daemon.stop() == 0
    put, get, versioning, versioned, presigned, stranger = lines_of(daemon)[3:]
    seconds, began = put.pop("seconds"), put.pop("time")
    assert 0 < seconds < 60
    assert began.endswith("Z")
    assert put == {
        "protocol": "s3", "operation": "PutObject", "request_id": request_id, "status": 200, "outcome": "success",
        "code": None, "principal": "root", "org": "default", "project": None, "access_key": daemon.access_key,
        "authentication": "header", "action": "lightningstor:objects:put", "bucket": "bucket", "key": "a key",
        "version_id": None, "resource": "org/default/bucket/bucket/object/a key", "bytes_in": 5, "bytes_out": 0,
        "object_size": 5, "client": "192.0.2.7", "user_agent": "tester/1", "trace_id": None,
    }  # fmt: skip
    assert (get["bytes_in"], get["bytes_out"], get["client"]) == (0, 5, "127.0.0.1")
    assert versioning["outcome"] == "success"
    assert versioned["version_id"]
    assert presigned["authentication"] == "presigned"
    assert (stranger["principal"], stranger["code"]) == (None, "SignatureDoesNotMatch")
    assert (stranger["access_key"], stranger["resource"]) == (daemon.access_key, "bucket/bucket/object/small")


_VERSIONING = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status>'
    b"</VersioningConfiguration>"
)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_refuses_requests_until_there_is_room(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """Requests get 503 and no effect, /ready says why, /health and /metrics answer; with room all goes on by itself."""
    link = tmp_path / "audit.log"
    link.symlink_to("/dev/full")
    daemon = launch_daemon(config=f'{AUDIT}path = "{link}"\n')
    client = SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)
    answered = [client.request("PUT", "/bucket").headers["x-amz-request-id"]]
    refused = client.request("PUT", "/bucket/0")
    while refused.status == 200:
        answered.append(refused.headers["x-amz-request-id"])
        refused = client.request("PUT", f"/bucket/{len(answered)}")
    assert (refused.status, refused.element("Code")) == (503, "ServiceUnavailable")
    assert "audit log" in refused.element("Message")
    status, body = _get(daemon, "/ready")
    assert status == 503
    assert "No space left on device" in json.loads(body)["reasons"]["audit"]
    assert _get(daemon, "/health")[0] == 200
    assert b"lightningstor_audit_refusing 1.0" in _get(daemon, "/metrics")[1]
    link.unlink()
    link.touch()
    deadline = time.monotonic() + 20
    while _get(daemon, "/ready")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert client.request("GET", f"/bucket/{len(answered)}").status == 404
    assert client.request("PUT", "/bucket/later").status == 200
    client.close()
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in link.read_text().splitlines()]
    assert {*answered, refused.headers["x-amz-request-id"]} <= {line["request_id"] for line in lines}


def _get(daemon: RunningDaemon, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection(daemon.addresses["admin"], timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_kill_loses_no_more_than_the_last_batch(launch_daemon: StartDaemon) -> None:
    """Lines older than the batch time are in the file when the process is killed, and the file holds whole lines."""
    daemon = launch_daemon(config=AUDIT)
    told = prepare(daemon) + run_callers(daemon, 100)
    time.sleep(1.0)
    late = run_callers(daemon, 20)
    daemon.kill()
    found = {line["request_id"] for line in lines_of(daemon)}
    assert {request_id for request_id, _ in told} <= found <= {request_id for request_id, _ in told + late}


def test_an_audit_log_that_cannot_be_opened_is_an_error_at_start(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """The daemon says which file, and why."""
    (tmp_path / "file").touch()
    daemon = launch_daemon(config=f'{AUDIT}path = "{tmp_path / "file" / "audit.log"}"\n', ready=False)
    assert daemon.wait() == 1
    assert "the audit log" in daemon.output()
    assert str(tmp_path / "file" / "audit.log") in daemon.output()


def test_lines_on_standard_output(launch_daemon: StartDaemon) -> None:
    """As JSON lines beside the log, for whoever collects a container's output."""
    daemon = launch_daemon(config=AUDIT + 'output = "stdout"\n')
    with pytest.raises(OSError, match="403"):
        urlopen(f"{daemon.s3_url}/bucket")
    assert daemon.stop() == 0
    lines = [json.loads(line) for line in daemon.output().splitlines() if line.startswith('{"protocol"')]
    assert [(line["operation"], line["outcome"]) for line in lines] == [("ListObjects", "denied")]
