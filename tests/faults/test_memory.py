"""What large bodies cost in memory: many at once, and one of five gibibytes."""

from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.raw_s3 import begin, connect, metric, peak_memory_mib, presigned
from tests.harness.signed_http import SignedHttp
from tests.harness.timing import least_of

MIB = 1 << 20
PIECE = bytes(range(256)) * 4096
"""One MiB."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key, timeout_s=120)


def pour(clients: list[socket.socket], each: int) -> None:
    """Send so many bytes on every connection, as the server takes them."""
    poll = select.poll()
    left = {client.fileno(): (client, each) for client in clients}
    for client in clients:
        client.setblocking(False)
        poll.register(client, select.POLLOUT)
    view = memoryview(PIECE)
    while left:
        for descriptor, _ in poll.poll(60_000):
            client, rest = left[descriptor]
            at = (each - rest) % MIB
            rest -= client.send(view[at : at + min(rest, MIB - at)])
            if rest:
                left[descriptor] = client, rest
            else:
                poll.unregister(client)
                del left[descriptor]


def test_many_large_uploads_at_once(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """PROOF 25: all under way at once, each of 1 GiB of which a part comes and then nothing: memory stays bounded, and
    when the clients leave no byte stays."""
    uploads, each = (200, 24 * MIB) if proof_full else (60, 3 * MIB)
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket", log_level="info")
    idle_mib = peak_memory_mib(daemon)
    started = time.monotonic()
    with ExitStack() as stack:
        clients = [stack.enter_context(connect(daemon)) for _ in range(uploads)]
        for number, client in enumerate(clients):
            begin(daemon, client, "PUT", f"/bucket/{number}", f"Content-Length: {1 << 30}")
        pour(clients, each)
        assert metric(daemon, "lightningstor_http_requests_in_flight") == uploads
        took_s = time.monotonic() - started
    while metric(daemon, "lightningstor_http_requests_in_flight"):
        assert time.monotonic() - started < 300
        time.sleep(0.05)
    peak_mib = peak_memory_mib(daemon)
    figure(
        f"{uploads} PUTs of 1 GiB at once, {each // MIB} MiB of each sent: {peak_mib:.0f} MiB at most"
        f" ({idle_mib:.0f} idle), {uploads * each / MIB / took_s:.0f} MiB/s"
    )
    assert peak_mib <= 512
    assert [path for path in (daemon.data_dir / "chunks").rglob("*-*") if path.is_file()] == []
    with closing(client_of(daemon)) as s3:
        assert b"<Key>" not in s3.request("GET", "/bucket", query="list-type=2").body


def test_one_very_large_object(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """A multipart upload of 5 GiB, two parts at a time, and a GET of it, every byte compared: under 200 MiB."""
    parts, part_mib = (80, 64) if proof_full else (6, 16)
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket", log_level="info")
    with closing(client_of(daemon)) as s3:
        upload_id = s3.request("POST", "/bucket/key", query="uploads=").element("UploadId")
        started = time.monotonic()
        etags = upload_parts(daemon, upload_id, parts, part_mib)
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etags[number]}</ETag></Part>" for number in sorted(etags)
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        assert s3.request("POST", "/bucket/key", body, query=f"uploadId={upload_id}").status == 200
        wrote_s = time.monotonic() - started
    uploaded_mib = peak_memory_mib(daemon)
    started = time.monotonic()
    read_and_compare(daemon, parts * part_mib * MIB)
    read_s = time.monotonic() - started
    peak_mib, size_mib = peak_memory_mib(daemon), parts * part_mib
    figure(
        f"{size_mib / 1024:.2f} GiB: {uploaded_mib:.0f} MiB at most after the upload ({size_mib / wrote_s:.0f} MiB/s),"
        f" {peak_mib:.0f} MiB after the GET ({size_mib / read_s:.0f} MiB/s)"
    )
    assert peak_mib < 200


def upload_parts(daemon: RunningDaemon, upload_id: str, parts: int, part_mib: int) -> dict[int, str]:
    """The entity tags by number."""
    etags: dict[int, str] = {}

    def upload(numbers: range) -> None:
        for number in numbers:
            query = f"partNumber={number}&uploadId={upload_id}"
            with connect(daemon) as client:
                begin(daemon, client, "PUT", "/bucket/key", f"Content-Length: {part_mib * MIB}", query=query)
                for _ in range(part_mib):
                    client.sendall(PIECE)
                answer = client.recv(65536).decode("latin-1")
            assert answer.startswith("HTTP/1.1 200"), answer
            etags[number] = answer.lower().partition("\netag: ")[2].partition("\r")[0]

    in_threads([lambda first=first: upload(range(first, parts + 1, 2)) for first in (1, 2)])
    assert len(etags) == parts
    return etags


def in_threads(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def read_and_compare(daemon: RunningDaemon, size: int) -> None:
    """GET the object; it is PIECE over and over."""
    buffer, expected = memoryview(bytearray(MIB)), PIECE + PIECE
    with connect(daemon) as client:
        begin(daemon, client, "GET", "/bucket/key", "Connection: close")
        first = client.recv(65536)
        head, _, rest = first.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert f"content-length: {size}".encode() in head.lower()
        assert expected.startswith(rest)
        at = len(rest)
        while count := client.recv_into(buffer):
            start = at % MIB
            assert buffer[:count] == expected[start : start + count]
            at += count
    assert at == size


def test_idle_connections_of_a_daemon(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """PROOF 23: idle connections, each of which has made a signed request, take 30 KiB each at most, and the p99 of a
    GET stays below twice what it was."""
    count = 9_900 if proof_full else 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    daemon: RunningDaemon = launch_daemon("--bucket", "bucket", log_level="info")
    with ExitStack() as stack:
        client = stack.enter_context(connect(daemon))
        begin(daemon, client, "PUT", "/bucket/key", "Content-Length: 4096")
        client.sendall(bytes(4096))
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        before_ms = min(p99_ms(daemon, client) for _ in range(3))
        before_mib = resident_mib(daemon)
        target = presigned(daemon, "HEAD", "/bucket/key")
        head = f"HEAD {target} HTTP/1.1\r\nHost: {daemon.addresses['s3']}\r\n\r\n".encode()
        for _ in range(count):
            idle = stack.enter_context(connect(daemon))
            idle.sendall(head)
            assert idle.recv(12) == b"HTTP/1.1 200"
        limit_ms = 2 * before_ms + 1
        after_ms = least_of(lambda: p99_ms(daemon, client), limit_ms)
        each_kib = (resident_mib(daemon) - before_mib) * 1024 / count
    figure(
        f"{count} idle connections: {each_kib:.1f} KiB each, p99 of a signed GET {before_ms:.2f} → {after_ms:.2f} ms"
    )
    assert each_kib * 10_000 <= 300 * 1024
    assert after_ms <= limit_ms


def p99_ms(daemon: RunningDaemon, client: socket.socket, requests: int = 500) -> float:
    """The 99th percentile of a signed GET's time over one connection."""
    target = presigned(daemon, "GET", "/bucket/key")
    head = f"GET {target} HTTP/1.1\r\nHost: {daemon.addresses['s3']}\r\n\r\n".encode()
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        client.sendall(head)
        first, _, body = client.recv(65536).partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 200")
        left = 4096 - len(body)
        while left:
            left -= len(client.recv(left))
        times.append(time.perf_counter() - started)
    return sorted(times)[requests * 99 // 100] * 1000


def resident_mib(daemon: RunningDaemon) -> float:
    status = Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
