"""One of many clients of a few keys: what it asks for next, by chance and by what it has seen."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

from attrs import define, field, frozen

from tests.harness.operations import Kind, Operation, Outcome

__all__ = ["Contender", "Wish"]

_SMALL, _LARGE = 16, 100 << 10
_STAYS = 0.75
"""How likely it goes on with the same key: who has just read a key is the one who may win a conditional write of it."""
_CHOICES = {
    ("GET", ""): 18,
    ("HEAD", ""): 16,
    ("PUT", ""): 12,
    ("PUT", "if-match"): 30,
    ("PUT", "if-none-match"): 14,
    ("DELETE", ""): 3,
    ("DELETE", "if-match"): 7,
}


@frozen
class Wish:
    """A request: `etag` is that of the body, "" without one."""

    method: str
    key: str
    body: bytes = b""
    etag: str = ""
    if_match: str | None = None
    if_none_match: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """Its condition, as HTTP has it."""
        if self.if_match is not None:
            return {"if-match": f'"{self.if_match}"'}
        return {"if-none-match": "*"} if self.if_none_match else {}

    def answered(self, client: int, moments: tuple[int, float], outcome: Outcome, etag: str | None = None) -> Operation:
        """The record of it.

        Args:
            moments: as `Operation.invoked` and `answered`.
            etag: that a READ was given.
        """
        kind = Kind.READ if self.method in ("GET", "HEAD") else Kind(self.method)
        etag = self.etag if kind is Kind.PUT else etag
        return Operation(client, self.key, kind, *moments, outcome, etag, self.if_match, self.if_none_match)


@define
class Contender:
    """Asks for one thing after the other. No two bodies of the contenders of a test are the same.

    Args:
        number: among the contenders of the test.
        seed: of the test.
        large: how many of its bodies are 100 KiB, past what lies in the metadata store; the others are a few bytes.
    """

    number: int
    seed: int
    keys: Sequence[str]
    large: float = 0.1
    _chance: random.Random = field(init=False)
    _key: str = field(init=False)
    _seen: dict[str, str] = field(factory=dict, init=False)
    _turn: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed}/{self.number}")
        self._key = self._chance.choice(self.keys)

    def next(self) -> Wish:
        """What it asks for now."""
        self._turn += 1
        if self._chance.random() >= _STAYS:
            self._key = self._chance.choice(self.keys)
        method, condition = self._chance.choices(list(_CHOICES), list(_CHOICES.values()))[0]
        seen = self._seen.get(self._key)
        if condition == "if-match" and seen is None:
            return Wish("HEAD", self._key)
        body = self._body() if method == "PUT" else b""
        return Wish(
            method,
            self._key,
            body,
            hashlib.md5(body).hexdigest() if body else "",
            seen if condition == "if-match" else None,
            condition == "if-none-match",
        )

    def learns(self, done: Operation) -> None:
        """What became of a request of its own. Who is refused looks again before the next try."""
        if done.outcome is Outcome.DONE and done.etag:
            self._seen[done.key] = done.etag
        elif done.outcome is Outcome.REFUSED:
            self._seen.pop(done.key, None)

    def _body(self) -> bytes:
        name = f"{self.seed}/{self.number}/{self._turn}\n".encode()
        size = _LARGE if self._chance.random() < self.large else _SMALL
        return (name * (size // len(name) + 1))[: max(size, len(name))]
