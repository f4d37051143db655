"""The metrics of the real daemon: scraped under load they match the load; after kill -9 the gauges match a recount."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

Samples = dict[tuple[str, ...], float]

DASHBOARD = Path(__file__).parents[2] / "examples" / "grafana" / "lightningstor.json"


def scrape(daemon: RunningDaemon) -> Samples:
    """Name and label values, sorted by label name, to value; read by Prometheus's own parser."""
    connection = HTTPConnection(daemon.addresses["admin"], timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def signed(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


def load(daemon: RunningDaemon, seed: int, count: int) -> Counter[tuple[str, str]]:
    """Requests of several kinds; how many answers of each class every operation gave."""
    rng, client = random.Random(seed), signed(daemon)
    kinds = [
        ("PutObject", "PUT", "/bucket/{}", b"x" * 1000),
        ("GetObject", "GET", "/bucket/{}", b""),
        ("HeadObject", "HEAD", "/bucket/{}", b""),
        ("DeleteObject", "DELETE", "/bucket/{}", b""),
        ("ListObjects", "GET", "/bucket", b""),
    ]
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(count):
        operation, method, path, body = rng.choice(kinds)
        answer = client.request(method, path.format(rng.randrange(20)), body)
        seen[operation, f"{answer.status // 100}xx"] += 1
    client.close()
    return seen


def test_metrics_match_the_load(launch_daemon: StartDaemon, figure: Figure) -> None:
    """SPEC.md §10.2: counts, durations, sizes and errors are those of the requests; they only grow meanwhile."""
    daemon = launch_daemon()
    client = signed(daemon)
    client.request("PUT", "/bucket")
    client.close()
    over = Event()
    scrapes: list[float] = []

    def keep_scraping() -> None:
        while not over.is_set():
            found = scrape(daemon)
            scrapes.append(sum(value for key, value in found.items() if key[0] == "lightningstor_requests_total"))

    scraper = Thread(target=keep_scraping)
    scraper.start()
    with ThreadPoolExecutor(3) as threads:
        counted = list(threads.map(lambda seed: load(daemon, seed, 200), range(3)))
    over.set()
    scraper.join()
    seen = sum(counted, Counter[tuple[str, str]]())
    found = scrape(daemon)
    for (operation, status), count in seen.items():
        assert found["lightningstor_requests_total", operation, "s3", status] == count
    for operation in {operation for operation, _ in seen}:
        total = sum(count for (name, _), count in seen.items() if name == operation)
        assert found["lightningstor_request_duration_seconds_count", operation, "s3"] == total
        assert found["lightningstor_request_duration_seconds_bucket", "+Inf", operation, "s3"] == total
    missing = seen["GetObject", "4xx"] + seen["HeadObject", "4xx"]
    assert found["lightningstor_s3_errors_total", "NoSuchKey", "s3"] == missing
    sized = seen["PutObject", "2xx"] + seen["GetObject", "2xx"]
    assert found["lightningstor_object_size_bytes_count",] == sized
    assert found["lightningstor_object_size_bytes_sum",] == 1000 * sized
    assert found["lightningstor_received_bytes_total", "PutObject", "s3"] == 1000 * seen["PutObject", "2xx"]
    assert found["lightningstor_sent_bytes_total", "GetObject", "s3"] >= 1000 * seen["GetObject", "2xx"]
    assert found["lightningstor_commit_seconds_count",] == found["lightningstor_commit_batch_transactions_count",]
    assert found["lightningstor_commit_batch_transactions_sum",] >= seen["PutObject", "2xx"]
    assert scrapes == sorted(scrapes)
    figure(f"{sum(seen.values())} requests, {len(scrapes)} scrapes meanwhile")


def test_gauges_match_a_recount_after_kill(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """objects_total, storage_bytes and multipart_uploads_active are what listings tell of the store that came back."""
    folder = tmp_path / "store"
    folder.mkdir()
    daemon = launch_daemon(folder=folder)
    client = signed(daemon)
    client.request("PUT", "/bucket")
    for number in range(30):
        client.request("PUT", f"/bucket/{number}", b"x" * (100 * number))
    upload = client.request("POST", "/bucket/big", query="uploads=").element("UploadId")
    client.request("PUT", "/bucket/big", b"p" * 70_000, query=f"partNumber=1&uploadId={upload}")
    client.request("POST", "/bucket/other", query="uploads=")
    for number in range(10):
        client.request("DELETE", f"/bucket/{number}")
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(load, daemon, 5, 100_000)
        time.sleep(0.3)
        daemon.kill()
        assert running.exception() is not None
    client.close()
    again = launch_daemon(folder=folder, credentials=(daemon.access_key, daemon.secret_key))
    client = signed(again)
    listing = client.request("GET", "/bucket", query="list-type=2").body.decode()
    sizes = [int(size) for size in re.findall(r"<Size>(\d+)</Size>", listing)]
    client.close()
    deadline = time.monotonic() + 20
    while (found := scrape(again))["lightningstor_objects_total",] != len(sizes):
        assert time.monotonic() < deadline, (found["lightningstor_objects_total",], len(sizes))
        time.sleep(0.05)
    assert found["lightningstor_storage_bytes",] == sum(sizes) + 70_000
    assert found["lightningstor_multipart_uploads_active",] == 2


def test_the_dashboard_asks_for_metrics_that_there_are(launch_daemon: StartDaemon, tmp_path: Path) -> None:
    """Every name in an expression of the Grafana dashboard is one that a daemon with everything on shows."""
    daemon = launch_daemon(tls=True, config="[audit]\nenabled = true\n")
    shown = {key[0] for key in scrape(daemon)}
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(expressions) > 20
    asked = {name for text in expressions for name in re.findall(r"\b(?:lightningstor|process)_\w+", text)}
    # A histogram or counter with labels shows nothing before the first request.
    families = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in shown}
    labelled = (
        *("requests_total", "s3_errors_total", "request_duration_seconds_bucket"),
        *("received_bytes_total", "sent_bytes_total", "http_events_total"),
    )
    later = {f"lightningstor_{name}" for name in labelled}
    assert later <= asked
    missing = {name for name in asked - later if re.sub(r"_(bucket|sum|count|total)$", "", name) not in families}
    assert not missing
