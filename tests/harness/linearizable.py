"""Whether the answers of concurrent requests can have come from one object, one request at a time.

A history is linearizable when every operation has a point between its invocation and its answer, such that the answers
are right in the order of these points. The search is Wing and Gong's ("Testing and verifying concurrent objects",
1993) with Lowe's memory of configurations ("Testing for linearizability", 2017): the events are taken in their order,
and an operation is given its point when its answer comes or when another one needs it before. A configuration is the
state and which of the open operations have had their points.

Three facts keep the search narrow:

- What changes nothing takes its point as soon as the state permits it; later is never better.
- A state that an ETag names comes once. Who overwrites it before all have had their points that saw it is wrong.
- It lasts at least until the last of those is invoked. Who is answered before that has its point before, or in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import inf
from operator import attrgetter

from attrs import define, evolve, field, frozen

from tests.harness.operations import Kind, Operation, Outcome

__all__ = ["NotLinearizable", "check_history", "is_linearizable"]


class NotLinearizable(AssertionError):
    """The answers for a key fit no order. The message shows the first answer that fits none, and what was beside it."""


def check_history(history: Iterable[Operation]) -> None:
    """Look at each key by itself; every key begins without an object.

    Raises:
        NotLinearizable: of the first key that is not.
    """
    for key, operations in groupby(sorted(history, key=attrgetter("key")), key=attrgetter("key")):
        of_key = list(operations)
        if not is_linearizable(of_key):
            raise NotLinearizable(_explanation(key, of_key))


def is_linearizable(operations: Iterable[Operation]) -> bool:
    """Whether there is an order of the operations of one key that explains all answers.

    Raises:
        ValueError: two PUTs sent the same body.
    """
    return _Search(_events(operations)).succeeds()


@define(eq=False)
class _Step:
    """An operation amid the events.

    Args:
        optional: nobody was told that it took place, so that it need not.
        bit: stands for it in a configuration while it is open.
        called, returned: places of its two events.
    """

    operation: Operation
    writes: bool
    optional: bool
    bit: int = 0
    called: int = 0
    returned: float = inf


@frozen
class _Event:
    step: _Step
    is_return: bool


def _events(operations: Iterable[Operation]) -> list[_Event]:
    """Calls and returns in their order. Of those at the same moment the calls come first: they are concurrent."""
    moments: list[tuple[float, bool, _Event]] = []
    for operation in operations:
        unknown = operation.outcome is Outcome.UNKNOWN
        if operation.outcome is Outcome.NOTHING or (unknown and not operation.writes):
            continue
        step = _Step(operation, operation.writes, unknown)
        moments.append((operation.invoked, False, _Event(step, is_return=False)))
        if operation.answered < inf:
            moments.append((operation.answered, True, _Event(step, is_return=True)))
    return [event for _, _, event in sorted(moments, key=lambda moment: moment[:2])]


@frozen
class _Open:
    """The operations under way when one returns: that one first, the others as they return."""

    all: Sequence[_Step]
    writes: Sequence[_Step]
    others: Sequence[_Step]


_Node = tuple[int, str | None, int]
"""A configuration: the place of a return of which the operation has had no point yet, the state, the bits."""


@define
class _Search:
    events: Sequence[_Event]
    seers: dict[str, list[_Step]] = field(factory=dict, init=False)
    lasts_until: dict[str | None, int] = field(factory=dict, init=False)
    open_at: dict[int, _Open] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._place_steps()
        under_way: set[_Step] = set()
        for place, event in enumerate(self.events):
            if not event.is_return:
                under_way.add(event.step)
                continue
            steps = sorted(under_way, key=attrgetter("returned", "called"))
            writes = [step for step in steps if step.writes]
            self.open_at[place] = _Open(steps, writes, [step for step in steps if not step.writes])
            under_way.remove(event.step)

    def _place_steps(self) -> None:
        free: list[int] = []
        bits = 0
        written: set[str | None] = set()
        for place, event in enumerate(self.events):
            step = event.step
            if event.is_return:
                step.returned = place
                free.append(step.bit)
                continue
            if not free:
                free.append(1 << bits)
                bits += 1
            step.called, step.bit = place, free.pop()
            if step.operation.kind is Kind.PUT:
                if step.operation.etag in written:
                    raise ValueError(f"{step.operation.etag} was written twice")
                written.add(step.operation.etag)
            if (seen := step.operation.sees) is not None:
                self.seers.setdefault(seen, []).append(step)
                self.lasts_until[seen] = place

    def succeeds(self) -> bool:
        """Whether some way leads to the end."""
        first = self._advance(0, None, 0)
        if first[0] == len(self.events):
            return True
        known = {first}
        ways = [self._ways_on(first)]
        while ways:
            node = next(ways[-1], None)
            if node is None:
                ways.pop()
            elif node[0] == len(self.events):
                return True
            elif node not in known:
                known.add(node)
                ways.append(self._ways_on(node))
        return False

    def _ways_on(self, node: _Node) -> Iterator[_Node]:
        """What follows when the operation that returns never takes place, or when an open write has its point next."""
        place, state, bits = node
        if self.events[place].step.optional:
            yield self._advance(place + 1, state, bits)
        around = self.open_at[place]
        for step in around.writes:
            if bits & step.bit or not step.operation.permitted(state) or self._is_needed(state, step, place, bits):
                continue
            after = step.operation.leaves
            done = bits | step.bit
            for other in around.others:
                if not done & other.bit and other.operation.permitted(after):
                    done |= other.bit
            if not self._comes_too_early(after, around, done):
                yield self._advance(place, after, done)

    def _is_needed(self, state: str | None, by: _Step, place: int, bits: int) -> bool:
        """Whether somebody besides `by` has still to see this state."""
        if state is None or state not in self.seers:
            return False
        if self.lasts_until[state] > place:
            return True
        return any(step.returned >= place and not bits & step.bit and step is not by for step in self.seers[state])

    def _comes_too_early(self, state: str | None, around: _Open, bits: int) -> bool:
        """Whether somebody who has had no point yet returns while this state must last."""
        until = self.lasts_until.get(state, 0)
        for step in around.all:
            if step.returned >= until:
                return False
            if not bits & step.bit and not step.optional:
                return True
        return False

    def _advance(self, place: int, state: str | None, bits: int) -> _Node:
        """Go on to the next return that asks for a decision."""
        while place < len(self.events):
            event = self.events[place]
            step = event.step
            if event.is_return:
                if not bits & step.bit:
                    break
                bits &= ~step.bit
            elif not step.writes and step.operation.permitted(state):
                bits |= step.bit
            place += 1
        return place, state, bits


def _explanation(key: str, operations: Sequence[Operation]) -> str:
    """The shortest beginning that has no order, told by its last answer."""
    returns = [event.step for event in _events(operations) if event.is_return]
    answers = [step.operation.answered for step in returns if not step.optional]
    fits, fails = 0, len(answers) - 1
    while fits < fails:
        middle = (fits + fails) // 2
        if is_linearizable(_until(operations, answers[middle])):
            fits = middle + 1
        else:
            fails = middle
    until = answers[fails]
    culprits = [one for one in operations if one.answered == until and one.outcome is not Outcome.UNKNOWN]
    lines = [f"{key}: no order explains the answers until {until}; up to the marked one there is an order"]
    shown = _shown(operations, culprits[0])
    lines += [f"{'>' if one in culprits else ' '} {one}" for one in sorted(shown, key=attrgetter("invoked"))]
    return "\n".join(lines)


def _until(operations: Iterable[Operation], moment: float) -> list[Operation]:
    """What had been seen at a moment: of those under way nobody knows yet how they end."""
    return [
        one if one.answered <= moment else evolve(one, outcome=Outcome.UNKNOWN, answered=inf)
        for one in operations
        if one.invoked <= moment
    ]


def _shown(operations: Sequence[Operation], culprit: Operation) -> list[Operation]:
    """What helps to understand: all since the last write that had ended before, and who names the same ETag."""
    before = [one for one in operations if one.writes and one.answered < culprit.invoked]
    since = max(before, key=attrgetter("answered")).invoked if before else 0
    named = {culprit.etag, culprit.if_match} - {None}
    return [
        one
        for one in operations
        if one.invoked <= culprit.answered and (one.answered >= since or named & {one.etag, one.if_match})
    ]
