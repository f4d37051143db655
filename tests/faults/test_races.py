"""Writers at once, and readers beside them: one winner, and listings that agree (PROOF 15, 16)."""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import closing
from urllib.parse import quote

import pytest

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp
from tests.harness.threads import run_threads

pytestmark = pytest.mark.proof


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


@pytest.mark.parametrize("size", [10, 300_000])
def test_one_of_a_hundred_creates_the_object(
    launch_daemon: StartDaemon, proof_full: bool, figure: Figure, size: int
) -> None:
    """Of 100 PUTs with If-None-Match: * at once exactly one is a 200, and its bytes are what is there."""
    daemon: RunningDaemon = launch_daemon()
    with closing(client_of(daemon)) as client:
        assert client.request("PUT", "/bucket").status == 200
        rounds = 20 if proof_full else 2
        statuses: Counter[int] = Counter()
        for turn in range(rounds):
            answers: dict[int, int] = {}

            def put(number: int, turn: int = turn, answers: dict[int, int] = answers) -> None:
                with closing(client_of(daemon)) as mine:
                    body = b"%04d" % number + bytes(size)
                    answer = mine.request("PUT", f"/bucket/key{turn}", body, headers={"if-none-match": "*"})
                    answers[number] = answer.status

            run_threads(100, put)
            winners = [number for number, status in answers.items() if status == 200]
            assert len(winners) == 1
            assert set(answers.values()) <= {200, 412, 409}
            assert client.request("GET", f"/bucket/key{turn}").body[:4] == b"%04d" % winners[0]
            statuses.update(answers.values())
    figure(f"{rounds} rounds of 100 PUTs of {size} bytes with If-None-Match: *: {dict(statuses)}")


def test_a_listing_sees_every_finished_write(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """After each PUT or DELETE of its own a client's listing is exactly what it has written, while others write too."""
    daemon: RunningDaemon = launch_daemon()
    with closing(client_of(daemon)) as client:
        assert client.request("PUT", "/bucket").status == 200
    steps = 300 if proof_full else 40

    def write(number: int) -> None:
        chosen = random.Random(number)
        mine: set[str] = set()
        with closing(client_of(daemon)) as own:
            for _ in range(steps):
                key = f"w{number}/{chosen.randrange(12)}"
                if key in mine and chosen.random() < 0.5:
                    assert own.request("DELETE", f"/bucket/{key}").status == 204
                    mine.discard(key)
                else:
                    assert own.request("PUT", f"/bucket/{key}", b"x").status == 200
                    mine.add(key)
                listed = own.request("GET", "/bucket", query=f"list-type=2&prefix=w{number}%2F").body.decode()
                found = {piece.partition("</Key>")[0] for piece in listed.split("<Key>")[1:]}
                assert found == mine

    run_threads(8, write)
    figure(f"8 writers, {steps} writes each: every one of {8 * steps} listings agreed")


def test_pages_under_writers_skip_nothing(launch_daemon: StartDaemon, proof_full: bool, figure: Figure) -> None:
    """Keys that are there throughout occur exactly once in the pages of every listing, while writers come between."""
    daemon: RunningDaemon = launch_daemon()
    steady = [f"k{number:03d}" for number in range(90)]
    rounds = 100 if proof_full else 10
    done = threading.Event()
    written = Counter[str]()
    with closing(client_of(daemon)) as client:
        assert client.request("PUT", "/bucket").status == 200
        for key in steady:
            assert client.request("PUT", f"/bucket/{key}", b"x").status == 200

    def write(number: int) -> None:
        chosen = random.Random(number)
        with closing(client_of(daemon)) as own:
            while not done.is_set():
                path = f"/bucket/k{chosen.randrange(90):03d}-{number}"
                method = chosen.choice(["PUT", "DELETE"])
                assert own.request(method, path, b"x" if method == "PUT" else b"").status in (200, 204)
                written[method] += 1

    def list_all(number: int) -> None:
        try:
            with closing(client_of(daemon)) as own:
                for _ in range(rounds):
                    assert [key for key in pages_of(own, 7) if "-" not in key] == steady
        finally:
            done.set()

    run_threads(4, lambda number: write(number) if number else list_all(number))
    figure(f"{rounds} listings of 90 steady keys in pages of 7 beside {sum(written.values())} writes: none skipped")
    assert written["PUT"] > 0


def pages_of(client: SignedHttp, size: int) -> list[str]:
    """All keys of the bucket, page by page."""
    found: list[str] = []
    after = ""
    while True:
        listed = client.request("GET", "/bucket", query=f"list-type=2&max-keys={size}{after}")
        found += [piece.partition("</Key>")[0] for piece in listed.body.decode().split("<Key>")[1:]]
        token = listed.element("NextContinuationToken")
        if not token:
            return found
        after = f"&continuation-token={quote(token, safe='')}"
