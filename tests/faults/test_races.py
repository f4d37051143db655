"""Writers at once, and readers beside them: one winner, and listings that agree (PROOF 15, 16)."""

from __future__ import annotations

import random
import threading
from collections import Counter
from contextlib import closing

import pytest

from tests.conftest import Figure, StartDaemon
from tests.harness.daemon import RunningDaemon
from tests.harness.signed_http import SignedHttp

pytestmark = pytest.mark.proof


def client_of(daemon: RunningDaemon) -> SignedHttp:
    return SignedHttp(daemon.addresses["s3"], daemon.access_key, daemon.secret_key)


def run_threads(count: int, work: object) -> None:
    """Run `work(number)` in as many threads, all let go at once; what one raises is raised here."""
    barrier = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)  # type: ignore[operator]
        except BaseException as error:  # carried to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


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
