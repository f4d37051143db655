"""The check of linearizability: it takes what one object can have answered, and finds what none can."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import permutations
from math import inf

import pytest
from attrs import evolve

from tests.conftest import Figure
from tests.harness.linearizable import NotLinearizable, check_history, is_linearizable
from tests.harness.operations import Kind, Operation, Outcome, outcome_of

DONE, ABSENT, REFUSED, NOTHING, UNKNOWN = Outcome
PUT, READ, DELETE = Kind


def op(
    kind: Kind,
    invoked: int,
    answered: float,
    outcome: Outcome = DONE,
    etag: str | None = None,
    if_match: str | None = None,
    *,
    if_none_match: bool = False,
) -> Operation:
    return Operation(0, "key", kind, invoked, answered, outcome, etag, if_match, if_none_match)


def put(etag: str, invoked: int, answered: float, outcome: Outcome = DONE, if_match: str | None = None) -> Operation:
    return op(PUT, invoked, answered, outcome, etag, if_match)


def create(etag: str, invoked: int, answered: float, outcome: Outcome = DONE) -> Operation:
    return op(PUT, invoked, answered, outcome, etag, if_none_match=True)


def read(etag: str | None, invoked: int, answered: float) -> Operation:
    return op(READ, invoked, answered, DONE if etag else ABSENT, etag)


def delete(invoked: int, answered: float, outcome: Outcome = DONE, if_match: str | None = None) -> Operation:
    return op(DELETE, invoked, answered, outcome, None, if_match)


SOUND = {
    "nothing at all": [],
    "one after the other": [read(None, 0, 1), put("a", 2, 3), read("a", 4, 5), delete(6, 7), read(None, 8, 9)],
    "a read beside a write sees the old": [put("a", 0, 1), put("b", 2, 9), read("a", 3, 4)],
    "a read beside a write sees the new": [put("a", 0, 1), put("b", 2, 9), read("b", 3, 4)],
    "writes take place in the other order": [put("a", 0, 3), put("b", 1, 2), read("a", 4, 5)],
    "three writes, seen in an order of their own": [
        *(put(etag, 0, 20) for etag in "abc"),
        *(read(etag, at, at + 1) for etag, at in (("c", 1), ("a", 3), ("b", 5))),
    ],
    "at the same moment is beside": [put("a", 0, 5), read(None, 5, 6)],
    "one of two creates": [create("a", 0, 5), create("b", 1, 4, REFUSED), read("a", 6, 7)],
    "both create, with a delete between": [create("a", 0, 5), create("b", 1, 6), delete(2, 7)],
    "one of two replaces": [put("a", 0, 1), put("b", 2, 5, if_match="a"), put("c", 2, 5, REFUSED, if_match="a")],
    "a replace of what is gone": [put("a", 0, 1), delete(2, 3), put("b", 4, 5, ABSENT, if_match="a")],
    "a delete that lost": [put("a", 0, 1), put("b", 2, 5), delete(3, 4, REFUSED, if_match="a"), read("b", 6, 7)],
    "a broken connection had effect": [put("a", 0, inf, UNKNOWN), read(None, 2, 3), read("a", 4, 5)],
    "a broken connection had none": [put("a", 0, inf, UNKNOWN), read(None, 8, 9)],
    "an unknown delete had effect": [put("a", 0, 1), delete(2, inf, UNKNOWN, if_match="a"), read(None, 4, 5)],
    "a write of a daemon that died later": [put("a", 0, 6, UNKNOWN), read(None, 2, 3), read("a", 4, 5)],
    "nothing of a daemon that died": [put("a", 0, 1), put("b", 2, 6, UNKNOWN), read("a", 7, 8)],
    "a conflict had none": [put("a", 0, 1, NOTHING), read(None, 2, 3)],
}

UNSOUND = {
    "a stale read": [put("a", 0, 1), put("b", 2, 3), read("a", 4, 5)],
    "a read that misses what was created": [put("a", 0, 1), read(None, 2, 3)],
    "a read of what was deleted": [put("a", 0, 1), delete(2, 3), read("a", 4, 5)],
    "a read of what nobody wrote": [put("a", 0, 1), read("x", 2, 3)],
    "a read before the write": [read("a", 0, 1), put("a", 2, 3)],
    "a read that goes back": [put("a", 0, 1), put("b", 2, 9), read("b", 3, 4), read("a", 5, 6)],
    "readers who see two orders": [
        *(put(etag, 0, 20) for etag in "ab"),
        *(read(etag, at, at + 1) for etag, at in (("a", 1), ("b", 3), ("a", 5))),
    ],
    "a lost update": [put("a", 0, 1), put("b", 2, 5, if_match="a"), put("c", 3, 6, if_match="a")],
    "an update of what was replaced": [put("a", 0, 1), put("b", 2, 3), put("c", 4, 5, if_match="a")],
    "two winners of If-None-Match": [create("a", 0, 5), create("b", 1, 6)],
    "a create over an object": [put("a", 0, 1), create("b", 2, 3)],
    "a 412 of If-Match without reason": [put("a", 0, 1), put("b", 2, 3, REFUSED, if_match="a")],
    "a 412 of If-None-Match without reason": [create("a", 0, 1, REFUSED)],
    "nobody creates": [create("a", 0, 5, REFUSED), create("b", 1, 6, REFUSED)],
    "a 412 where there is no object": [put("a", 0, 1), delete(2, 3), put("b", 4, 5, REFUSED, if_match="a")],
    "a 404 where there is one": [put("a", 0, 1), put("b", 2, 3, ABSENT, if_match="a")],
    "a 404 without condition": [put("a", 0, 1, ABSENT)],
    "a delete of what was replaced": [put("a", 0, 1), put("b", 2, 3), delete(4, 5, if_match="a")],
    "two deletes of one object": [put("a", 0, 1), delete(2, 5, if_match="a"), delete(3, 6, if_match="a")],
    "a conflict that had effect": [put("a", 0, 1, NOTHING), read("a", 2, 3)],
    "a write of a daemon that had died": [put("a", 0, 1, UNKNOWN), read(None, 2, 3), read("a", 4, 5)],
    "an unknown write that comes twice": [
        put("a", 0, inf, UNKNOWN),
        *(read("a", 2, 3), delete(4, 5), read(None, 6, 7), read("a", 8, 9)),
    ],
}


@pytest.mark.parametrize("history", SOUND.values(), ids=SOUND)
def test_a_sound_history_passes(history: list[Operation]) -> None:
    """What one object can have answered is taken, in whatever order it is told."""
    assert is_linearizable(history)
    assert is_linearizable(reversed(history))
    check_history(history)


@pytest.mark.parametrize("history", UNSOUND.values(), ids=UNSOUND)
def test_a_violation_is_found(history: list[Operation]) -> None:
    """What no object can have answered is found, also among keys that are sound."""
    assert not is_linearizable(history)
    others = [evolve(one, key=key) for key in ("a", "z") for one in SOUND["one of two replaces"]]
    with pytest.raises(NotLinearizable, match=r"^key:"):
        check_history([*others, *history])


def test_the_message_ends_with_the_first_wrong_answer() -> None:
    """It names the key and the answer that fits no order, and shows who wrote what it names; not what came later."""
    early = [put(f"e{turn}", 10 * turn, 10 * turn + 5) for turn in range(50)]
    wrong = read("e7", 502, 508)
    late = [put(f"l{turn}", 600 + 10 * turn, 605 + 10 * turn) for turn in range(50)]
    with pytest.raises(NotLinearizable) as raised:
        check_history([*early, wrong, *late])
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("key: no order explains the answers until 508")
    assert [line for line in lines if line.startswith(">")] == [f"> {wrong}"]
    assert [line for line in lines[1:] if line.startswith(" ")] == [f"  {early[7]}", f"  {early[49]}"]


def test_every_write_needs_an_etag_of_its_own() -> None:
    """The check trusts that an ETag names one write, so it refuses a history in which it does not."""
    with pytest.raises(ValueError, match="twice"):
        is_linearizable([put("a", 0, 1), put("a", 2, 3)])


def test_what_a_status_says() -> None:
    """Conflicts and refusals for want of room or time say that nothing was done; other server errors say nothing."""
    said = {200: DONE, 204: DONE, 404: ABSENT, 412: REFUSED, 409: NOTHING, 503: NOTHING, 507: NOTHING, 500: UNKNOWN}
    assert {status: outcome_of(status) for status in said} == said
    with pytest.raises(ValueError, match="403"):
        outcome_of(403)


def simulated(chance: random.Random, count: int, clients: int, unknown: float = 0.02) -> Iterator[Operation]:
    """What an atomic object answers to clients whose operations take place at some moment within them."""
    state: str | None = None
    written = ["never"]
    free_at = [0] * clients
    for turn in range(count):
        # Points come one after the other; each operation reaches back to the end of its client's last, at most.
        client = min(range(clients), key=lambda one: (free_at[one], chance.random()))
        point = 1000 * (turn + 1)
        asked = _asked(chance, f"e{turn}", [*written[-3:], *([state] if state else [])])
        invoked = max(free_at[client] + 1, point - chance.randrange(1, 1000 * clients))
        answered = point + chance.randrange(1, 1000 * clients)
        free_at[client] = answered
        happens = state
        asked = evolve(asked, client=client, invoked=invoked, answered=answered)
        asked = _answer(asked, state)
        if asked.writes:
            happens = asked.leaves
            if asked.kind is PUT:
                written.append(f"e{turn}")
            if chance.random() < unknown:
                happens = chance.choice([state, happens])
                asked = evolve(asked, outcome=UNKNOWN, answered=chance.choice([answered, inf]))
        state = happens
        yield asked


def _asked(chance: random.Random, etag: str, known: Sequence[str]) -> Operation:
    kind = chance.choice([PUT, PUT, READ, READ, DELETE])
    condition = chance.choice(["none", "if_match", "if_match", "create"])
    return op(
        kind,
        0,
        0,
        DONE,
        etag if kind is PUT else None,
        chance.choice(known) if condition == "if_match" and kind is not READ else None,
        if_none_match=condition == "create" and kind is PUT,
    )


def _answer(asked: Operation, state: str | None) -> Operation:
    if asked.kind is READ:
        return evolve(asked, outcome=DONE if state else ABSENT, etag=state)
    return next(
        one for one in (evolve(asked, outcome=outcome) for outcome in (DONE, ABSENT, REFUSED)) if one.permitted(state)
    )


def corrupted(chance: random.Random, history: Sequence[Operation]) -> list[Operation]:
    """One answer changed to another that could be given."""
    changed = list(history)
    at = chance.choice([at for at, one in enumerate(history) if one.outcome is not UNKNOWN] or [-1])
    one = history[at]
    if one.outcome is UNKNOWN:
        return changed
    if one.kind is READ:
        seen = {other.etag for other in history if other.kind is PUT} | {None, "never"}
        etag = chance.choice(sorted(seen - {one.etag}, key=str))
        changed[at] = evolve(one, outcome=DONE if etag else ABSENT, etag=etag)
    else:
        changed[at] = evolve(
            one, outcome=chance.choice([each for each in (DONE, REFUSED, ABSENT) if each != one.outcome])
        )
    return changed


def explained_by_trial(history: Sequence[Operation]) -> bool:
    """Whether some order explains it, by trying all of them."""
    unknown = [one for one in history if one.outcome is UNKNOWN]
    certain = [one for one in history if one.outcome is not UNKNOWN]
    for taken in range(1 << len(unknown)):
        chosen = [*certain, *(one for number, one in enumerate(unknown) if taken >> number & 1)]
        if any(_explains(order) for order in permutations(chosen)):
            return True
    return False


def _explains(order: Sequence[Operation]) -> bool:
    state: str | None = None
    latest = 0
    for one in order:
        latest = max(latest, one.invoked)
        if not one.permitted(state) or one.answered < latest:
            return False
        state = one.leaves if one.writes else state
    return True


def test_it_agrees_with_trying_every_order(proof_full: bool, figure: Figure) -> None:
    """Of short histories, sound ones and corrupted ones, it says what the trial of all orders says."""
    chance = random.Random(14)
    found = {True: 0, False: 0}
    for turn in range(40_000 if proof_full else 1_500):
        history = list(simulated(chance, chance.randrange(2, 7), 4, unknown=0.2))
        for _ in range(turn % 4):
            history = corrupted(chance, history)
        expected = explained_by_trial(history)
        assert is_linearizable(history) == expected, history
        found[expected] += 1
    figure(f"agrees with trial on {found[True]} sound histories and {found[False]} unsound ones")
    assert min(found.values()) > 100


@pytest.mark.parametrize(("clients", "plants"), [(4, 3), (12, 3), (32, 0)])
def test_what_an_atomic_object_answers_passes(clients: int, plants: int, proof_full: bool, figure: Figure) -> None:
    """Random histories of one object pass; a planted wrong answer is mostly found.

    None is planted among 32 clients of one key: to rule out every order of 13 open writes can take a minute.
    """
    found = tried = operations = 0
    for seed in range(200 if proof_full else 10):
        chance = random.Random(seed)
        history = list(simulated(chance, 400, clients, unknown=0.005))
        assert is_linearizable(history), seed
        operations += len(history)
        for _ in range(plants):
            tried += 1
            found += not is_linearizable(corrupted(chance, history))
    figure(f"{clients} clients: {operations} operations of an atomic object pass, {found} of {tried} planted are found")
    assert found >= tried // 2
