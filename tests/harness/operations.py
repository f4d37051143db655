"""What a client asked of one key and was told, and when: the records that a check of consistency reads.

The state of a key is the ETag of its object, or None where there is none. Every body is written once, so an ETag names
one write.
"""

from __future__ import annotations

from enum import Enum

from attrs import frozen

__all__ = ["Kind", "Operation", "Outcome", "outcome_of"]


class Kind(Enum):
    """READ is GET and HEAD alike."""

    PUT = "PUT"
    READ = "READ"
    DELETE = "DELETE"


class Outcome(Enum):
    """What the answer says.

    NOTHING promises that nothing was changed. UNKNOWN promises nothing: what was asked may happen, later too, or not.
    """

    DONE = "done"
    ABSENT = "404"
    REFUSED = "412"
    NOTHING = "nothing done"
    UNKNOWN = "unknown"


_OUTCOMES = {
    200: Outcome.DONE,
    204: Outcome.DONE,
    404: Outcome.ABSENT,
    412: Outcome.REFUSED,
    # ConditionalRequestConflict asks for another try; SlowDown and ServiceUnavailable are said before a write begins or
    # after its last try has failed; InsufficientStorage says that nothing was stored.
    409: Outcome.NOTHING,
    503: Outcome.NOTHING,
    507: Outcome.NOTHING,
}


def outcome_of(status: int) -> Outcome:
    """What a status of S3 says. A 500 leaves open whether the commit took place.

    Raises:
        ValueError: no answer that a request for an object can get here.
    """
    outcome = _OUTCOMES.get(status, Outcome.UNKNOWN)
    if outcome is Outcome.UNKNOWN and status < 500:
        raise ValueError(f"status {status} has no place in the model")
    return outcome


@frozen
class Operation:
    """One request, with at most one condition.

    Args:
        invoked: before its first byte was sent, by the clock of all.
        answered: after the last byte was received; of an unknown one the last moment at which it can have happened,
            infinite where nothing bounds it.
        etag: of the body that a PUT sends; what a READ was given.
        if_none_match: `If-None-Match: *`.
    """

    client: int
    key: str
    kind: Kind
    invoked: int
    answered: float
    outcome: Outcome
    etag: str | None = None
    if_match: str | None = None
    if_none_match: bool = False

    @property
    def conditional(self) -> bool:
        """Whether it is one that can be refused."""
        return self.if_none_match or self.if_match is not None

    @property
    def writes(self) -> bool:
        """Whether it may change the state."""
        return self.kind is not Kind.READ and self.outcome in (Outcome.DONE, Outcome.UNKNOWN)

    @property
    def sees(self) -> str | None:
        """The ETag that must be there at its point for its answer to be right."""
        if self.outcome is not Outcome.DONE:
            return None
        return self.etag if self.kind is Kind.READ else self.if_match

    @property
    def leaves(self) -> str | None:
        """The state after it, where it writes."""
        return self.etag if self.kind is Kind.PUT else None

    def permitted(self, state: str | None) -> bool:
        """Whether its answer is right where this is the state at its point; of an unknown one: whether it has effect.

        If-Match on a key without object is 404, as S3's PutObject has it.
        """
        if self.outcome is Outcome.REFUSED:
            refused = self.if_none_match or (self.if_match is not None and state != self.if_match)
            return state is not None and refused
        if self.outcome is Outcome.ABSENT:
            return state is None and (self.kind is Kind.READ or self.if_match is not None)
        if self.kind is Kind.READ:
            return state is not None and state == self.etag
        if self.if_match is not None:
            return state == self.if_match
        return state is None or not self.if_none_match

    def __str__(self) -> str:
        condition = f" If-Match {self.if_match}" if self.if_match else " If-None-Match *" * self.if_none_match
        asked = f" {self.etag}" if self.kind is Kind.PUT else ""
        given = f" {self.etag}" if self.kind is Kind.READ and self.etag else ""
        ended = f"{self.invoked}..{self.answered}"
        return f"client {self.client}, {ended}: {self.kind.value}{asked}{condition}: {self.outcome.value}{given}"
