"""Random operations against a model, crashes among them (PROOF 13).

Each run has a bucket of its own, on one daemon after the other over the same data directory. The daemon is killed
between requests and amid them. What was answered has happened; of the rest the model keeps every state that may be,
and what is found after the start decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from time import monotonic
from typing import Any

import trio
from attrs import define, field
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

from tests.conftest import Figure, StartDaemon
from tests.faults.test_kill_platform import recount
from tests.harness.daemon import RunningDaemon
from tests.harness.interrupted import killed_amid
from tests.harness.s3_bucket import S3Bucket
from tests.harness.s3_changes import Change, Changes
from tests.harness.s3_model import ENABLED, SUSPENDED, S3Model
from tests.harness.s3_reads import Reads
from tests.harness.signed_http import Answer, SignedHttp

_SHORT_SEED, _SHORT_RUNS = 52, 5
_INLINE_BYTES = 4096
_CONFIG = f"""
[storage]
chunk_size_bytes = 1048576
[limits]
max_inline_bytes = {_INLINE_BYTES}
min_part_size_bytes = 1
gc_grace_seconds = 0
"""
_CREDENTIALS = "AKIAMODELLEDMODELLED", "killed-and-killed-and-killed-and-killed0"

# Beginnings of each other, what has to be escaped on some way, and what UTF-8 sorts other than UTF-16. Two come more
# often than the rest, so that they get a history.
_IN_XML = (*["a"] * 6, *["a/b"] * 3, "a/", "a//b", "a b", "a+b%2F", "b&<", "é", "\uff21", "\U0001f600", "..")
_KEYS = (*_IN_XML, "a\0")
_SIZES = (0, 9, 9, _INLINE_BYTES, _INLINE_BYTES + 1, 70_000, (2 << 20) + 5)

_key = st.sampled_from(_KEYS)
_size = st.sampled_from(_SIZES)
_prefix = st.sampled_from(["", "", "a", "a/", "a/b", "é", "none"])
_delimiter = st.sampled_from(["", "/", "/", "b"])
_page = st.sampled_from([1, 2, 3, 1000])
_condition = st.sampled_from(["", "", "", "new", "same", "other"])
_extras = st.integers(0, 3)
_index = st.integers(0, 3)
_index_or_none = st.none() | _index
_number = st.integers(1, 4)


def several(weights: dict[str, tuple[int, tuple[st.SearchStrategy[Any], ...]]]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Operations by name, each as often as its weight says."""
    return st.one_of(
        [st.tuples(st.just(name), *drawn) for name, (weight, drawn) in weights.items() for _ in range(weight)]
    )


_items = st.lists(
    st.tuples(st.sampled_from(_IN_XML), _index_or_none), min_size=1, max_size=4, unique_by=lambda item: item[0]
)
CHANGES = several(
    {
        "put": (8, (_key, _size, _extras, _condition)),
        "delete": (3, (_key,)),
        "delete_version": (5, (_key, st.sampled_from([0, 0, 1, 2, 3]))),
        "delete_many": (2, (_items,)),
        "copy": (4, (_key, _index_or_none, _key, st.booleans(), _extras, _condition)),
        "renew": (3, (_key, _extras, _condition)),
        "tag": (2, (_key, _index_or_none, _extras)),
        "version": (3, (st.sampled_from([ENABLED, SUSPENDED]),)),
        "begin": (3, (_key, _extras)),
        "part": (5, (_index, _number, _size)),
        "complete": (3, (_index, st.integers(0, 31), st.sampled_from([False] * 5 + [True]), _condition)),
        "abort": (1, (_index,)),
    }
)
READS = several(
    {
        "get": (3, (_key, _index_or_none)),
        "head": (1, (_key, _index_or_none)),
        "range": (2, (_key, st.integers(0, 1 << 21), st.integers(0, 1 << 20))),
        "tags": (1, (_key, _index_or_none)),
        "list_objects": (3, (_prefix, _delimiter, _page)),
        "list_after": (1, (_key, _page)),
        "list_versions": (3, (_prefix, _delimiter, _page)),
        "list_uploads": (2, (_prefix, _delimiter, _page)),
        "list_parts": (1, (_index, _page)),
    }
)
# How many eighths of the request are sent, and after how many eighths of its usual time the daemon is killed.
_KILLED = CHANGES, st.sampled_from([0, 4, 7, 8, 8, 8, 8, 8]), st.integers(0, 12)


@define
class Site:
    """The daemon that runs now, and what has been done to all of them."""

    launch: StartDaemon
    folder: Path
    daemon: RunningDaemon = field(init=False)
    client: SignedHttp = field(init=False)
    counts: Counter[str] = field(factory=Counter)
    outcomes: Counter[str] = field(factory=Counter)
    usual_s: dict[str, float] = field(factory=dict)
    finished: dict[str, S3Model] = field(factory=dict)
    runs: int = 0

    def start(self) -> None:
        """A daemon on what the one before has left."""
        self.daemon = self.launch(folder=self.folder, config=_CONFIG, credentials=_CREDENTIALS)
        self.client = SignedHttp(self.daemon.addresses["s3"], *_CREDENTIALS)

    def restart(self) -> None:
        """After a kill."""
        self.client.close()
        self.start()

    def run(self, operations: Sequence[tuple[Any, ...]]) -> None:
        """All operations on a new bucket."""
        if self.daemon.process.poll() is not None:  # a run that failed may have left it dead
            self.restart()
        self.runs += 1
        run = Run(self, f"run-{self.runs}")
        assert self.client.request("PUT", f"/{run.name}").status == 200
        for number, operation in enumerate(operations, 1):
            try:
                run.step(*operation)
            except BaseException:
                note(f"it failed at operation {number}, {operation}")
                raise
        run.settle([run.model])
        self.finished[run.name] = run.model

    def check_all(self) -> None:
        """Every bucket of every run is as its run has left it."""
        for name, model in self.finished.items():
            assert model.picture() == S3Bucket(self.client, name).picture(), name


@define
class Run:
    """A bucket and its model, given the same operations."""

    site: Site
    name: str
    model: S3Model = field(factory=S3Model)
    steps: int = 0

    @property
    def bucket(self) -> S3Bucket:
        return S3Bucket(self.site.client, self.name)

    def step(self, name: str, *arguments: Any) -> None:
        """One operation."""
        self.steps += 1
        if name == "killed":
            (inner, *inner_arguments), sent, delay = arguments
            change = self._change(inner, inner_arguments)
            if sent == 0:
                self.killed_between()
            elif change is not None:
                self.killed_amid(inner, change, sent / 8, delay / 8)
        elif (read := getattr(Reads(self.bucket, self.model), name, None)) is not None:
            self.site.counts[name] += 1
            read(*arguments)
        elif (change := self._change(name, arguments)) is not None:
            self.site.counts[name] += 1
            self.change(name, change)

    def _change(self, name: str, arguments: Sequence[Any]) -> Change | None:
        change: Change | None = getattr(Changes(self.name, self.model, self.steps), name)(*arguments)
        return change

    def change(self, name: str, change: Change) -> None:
        """A request that is answered."""
        begun = monotonic()
        answer = self.site.client.request(change.method, self._path(change), change.body, change.query, change.headers)
        self.site.usual_s[name] = monotonic() - begun
        self._answered(change, answer)

    def killed_between(self) -> None:
        """The daemon is killed while nobody asks it anything."""
        self.site.daemon.kill()
        self.site.outcomes["between requests"] += 1
        self.site.restart()
        self.settle([self.model])

    def killed_amid(self, name: str, change: Change, sent: float, delay: float) -> None:
        """A request during which the daemon is killed: it has happened if it was answered; not, if it was not sent."""
        site = self.site
        answer = killed_amid(
            site.daemon,
            site.client,
            change.method,
            self._path(change),
            change.body,
            change.query,
            change.headers,
            sent=sent,
            delay_s=delay * site.usual_s.get(name, 0.004),
        )
        site.counts[name] += 1
        if answer is not None:
            assert sent == 1 or answer.status >= 400, f"{change} was not sent whole, and was answered {answer}"
            self._answered(change, answer)
        site.restart()
        if answer is not None:
            site.outcomes["answered"] += 1
            self.settle([self.model])
        elif sent < 1:
            site.outcomes["not sent whole"] += 1
            self.settle([self.model])
        else:
            chosen = self.settle(list(self._possible(change)))
            site.outcomes[("took effect" if chosen else "did not") if change.effects else "refused or not"] += 1

    def _possible(self, change: Change) -> Iterator[S3Model]:
        """What may have become of the bucket: each of the effects has happened or not. First the one of none."""
        for happened in product([False, True], repeat=len(change.effects)):
            model = self.model.copy()
            for effect, it_did in zip(change.effects, happened, strict=True):
                if it_did:
                    effect(model, None)
            yield model

    def settle(self, possible: list[S3Model]) -> int:
        """See everything that the bucket holds: it is one of these states, and the model from now on; its index."""
        seen = self.bucket.picture()
        expected = [model.picture() for model in possible]
        for index, model in enumerate(possible):
            if model.learn(seen):
                self.model = model
                return index
        note(f"the bucket holds {seen}")
        raise AssertionError(f"{self.name} holds {seen}, and may hold {expected}")

    def _answered(self, change: Change, answer: Answer) -> None:
        change.check(answer)
        for effect in change.effects:
            effect(self.model, answer)

    def _path(self, change: Change) -> str:
        return f"/{self.name}/{change.key}" if change.key else f"/{self.name}"


def test_random_operations_and_crashes(
    launch_daemon: StartDaemon, tmp_path: Path, proof_full: bool, figure: Figure
) -> None:
    """Whatever is done in whatever order, and wherever it is killed: answers, listings and contents are the model's."""
    folder = tmp_path / "daemon"
    folder.mkdir()
    site = Site(launch_daemon, folder)
    site.start()

    operations = CHANGES | READS | several({"killed": (2 if proof_full else 1, _KILLED)})

    @settings(
        max_examples=300 if proof_full else _SHORT_RUNS,
        deadline=None,
        database=None,
        # A run takes seconds: to make a failing one shorter would take longer than a test may.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(operations, min_size=30, max_size=60))
    def check(operations: list[tuple[Any, ...]]) -> None:
        site.run(operations)

    (check if proof_full else seed(_SHORT_SEED)(check))()
    site.daemon.kill()
    site.restart()
    site.check_all()
    site.client.close()
    site.daemon.stop()
    orphans = trio.run(recount, site.daemon.data_dir, False)
    steps = site.counts.total() + site.outcomes["between requests"]
    figure(
        f"{site.runs} runs, {steps} steps: {_told(site.counts)}; {site.outcomes.total()} kills: {_told(site.outcomes)};"
        f" 0 lost, {orphans} orphans"
    )
    assert steps >= (10_000 if proof_full else 150)
    assert site.outcomes.total() >= (200 if proof_full else 5)


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
