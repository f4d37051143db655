"""32 clients, 8 keys, conditional and other writes, reads: linearizable per key (PROOF 14).

Each client notes when it asked and when it had the whole answer. Afterwards every key's answers must fit one order in
which each takes place between these two moments, and in which every 412 and 404 has its reason. What a killed daemon
had not answered may have taken place or not.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from contextlib import closing
from email.message import Message
from http.client import HTTPConnection, HTTPException
from math import inf
from pathlib import Path

import pytest
from attrs import define, evolve, field

from tests.conftest import Figure, StartDaemon
from tests.harness.contender import Contender, Wish
from tests.harness.daemon import RunningDaemon
from tests.harness.linearizable import NotLinearizable, check_history
from tests.harness.operations import Operation, Outcome, outcome_of
from tests.harness.raw_s3 import presigned
from tests.harness.threads import run_threads

pytestmark = pytest.mark.proof

_CLIENTS, _KEYS = 32, [f"key{number}" for number in range(8)]
_CONFIG = """
[[buckets]]
name = "plain"
[[buckets]]
name = "versioned"
versioning = "Enabled"
"""


@define
class Round:
    """What the clients of a store did: one daemon, or one after the other on the same data."""

    bucket: str
    daemon: RunningDaemon
    written: dict[str, int] = field(factory=dict)
    history: list[Operation] = field(factory=list)
    statuses: Counter[str] = field(factory=Counter)
    began: int = field(factory=time.monotonic_ns)
    _targets: dict[tuple[str, str], str] = field(factory=dict)

    def now(self) -> int:
        """Nanoseconds since its beginning."""
        return time.monotonic_ns() - self.began

    def serve(self, daemon: RunningDaemon) -> None:
        """Go on with another daemon. The one before is dead: what it has not answered happened before now, or never."""
        died = self.now()
        self.history = [evolve(one, answered=min(one.answered, died)) for one in self.history if one.invoked < died]
        self.daemon = daemon
        self._targets.clear()

    def connect(self) -> HTTPConnection:
        """A connection that tries nothing again."""
        host, _, port = self.daemon.addresses["s3"].rpartition(":")
        return HTTPConnection(host, int(port), timeout=120)

    def target(self, wish: Wish) -> str:
        """A signed path. Neither body nor condition is signed, so that one does for the whole test."""
        asked = (wish.method, wish.key)
        if asked not in self._targets:
            self._targets[asked] = presigned(self.daemon, wish.method, f"/{self.bucket}/{wish.key}")
        return self._targets[asked]

    def ask(self, connection: HTTPConnection, client: int, wish: Wish) -> Operation:
        """Send one request, and hold the answer against what was ever written."""
        if wish.etag:
            self.written[wish.etag] = len(wish.body)
        etag, target = None, self.target(wish)
        answered: float = inf
        invoked = self.now()
        try:
            connection.request(wish.method, target, wish.body or None, wish.headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException):
            connection.close()
            status, outcome = "none", Outcome.UNKNOWN
        else:
            answered = self.now()
            status, outcome = f"{answer.status}", outcome_of(answer.status)
            if answer.status == 200:
                etag = self._whole(wish, body, answer.headers)
        if outcome is Outcome.UNKNOWN:
            answered = inf
        done = wish.answered(client, (invoked, answered), outcome, etag)
        self.history.append(done)
        self.statuses[status] += 1
        return done

    def _whole(self, wish: Wish, body: bytes, headers: Message) -> str:
        """The ETag of an answer, which is that of a body that was written, and that of this one."""
        etag: str = headers["etag"].strip('"')
        if wish.method == "PUT":
            assert etag == wish.etag
        else:
            assert int(headers["content-length"]) == self.written[etag], (wish, etag)
        if wish.method == "GET":
            assert hashlib.md5(body).hexdigest() == etag, (wish, etag, body[:40])
        return etag

    def contend(self, contender: Contender, count: int) -> None:
        """One client's part: so many requests, or until the daemon is gone."""
        with closing(self.connect()) as connection:
            for _ in range(count):
                done = self.ask(connection, contender.number, contender.next())
                if done.outcome is Outcome.UNKNOWN:
                    return
                contender.learns(done)

    def check(self, seed: int) -> str:
        """Every key's answers fit an order. Gives what was done, in words."""
        began = time.monotonic()
        try:
            check_history(self.history)
        except NotLinearizable as error:
            error.add_note(f"seed {seed}, {dict(self.statuses)}")
            raise
        checked_s = time.monotonic() - began
        assert {one.key for one in self.history} == set(_KEYS)
        outcomes = Counter(one.outcome for one in self.history if one.conditional)
        won, lost = outcomes[Outcome.DONE], outcomes[Outcome.REFUSED] + outcomes[Outcome.ABSENT]
        assert won
        assert lost
        return (
            f"{len(self.history)} operations by {_CLIENTS} clients on {len(_KEYS)} keys: "
            f"{dict(sorted(self.statuses.items()))}, {won} conditional writes won and {lost} lost; "
            f"checked in {checked_s:.1f} s"
        )


@pytest.mark.parametrize(
    ("bucket", "short", "full"), [("plain", 2_400, 100_000), ("versioned", 2_016, 20_000)], ids=["plain", "versioned"]
)
def test_answers_fit_one_order(
    launch_daemon: StartDaemon, proof_full: bool, figure: Figure, bucket: str, short: int, full: int
) -> None:
    """Whatever 32 clients ask of 8 keys at once: every key's answers are those of one object, every body is whole."""
    seed = 14
    clients = Round(bucket, launch_daemon(config=_CONFIG))
    each = (full if proof_full else short) // _CLIENTS
    run_threads(_CLIENTS, lambda number: clients.contend(Contender(number, seed, _KEYS), each))
    figure(clients.check(seed))
    assert set(clients.statuses) <= {"200", "204", "404", "412", "409", "503"}


def test_answers_fit_one_order_across_kills(
    launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """The same where the daemon is killed amid its work: what it has answered holds, the rest took place or not."""
    folder = tmp_path / "daemon"
    folder.mkdir()
    kills, each = (30, 100) if proof_full else (2, 20)
    first = 14
    clients = Round("plain", launch_daemon(folder=folder, config=_CONFIG))
    for seed in range(first, first + kills):

        def work(number: int, seed: int = seed) -> None:
            clients.contend(Contender(number, seed, _KEYS), each if number == 0 else 100 * each)
            if number == 0:
                clients.daemon.kill()

        run_threads(_CLIENTS, work)
        clients.serve(launch_daemon(folder=folder, config=_CONFIG))
    with closing(clients.connect()) as connection:
        for key in _KEYS:
            clients.ask(connection, _CLIENTS, Wish("GET", key))
    figure(f"{kills} kills, {clients.check(first)}")
    assert set(clients.statuses) <= {"200", "204", "404", "412", "409", "503", "none"}
    assert clients.statuses["none"] >= kills
