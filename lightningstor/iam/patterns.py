"""`*` and `?` in the names of actions, principals and resources.

No pattern, whoever wrote it, takes more than time linear in its length times the text's: a regular expression with
many `.*` would not keep that promise.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["Glob", "ResourcePattern", "action_matches"]

ARN_S3: Final = "arn:aws:s3:::"


class Glob:
    """A pattern: `*` stands for any number of characters, "/" included, `?` for one; it must cover the whole text."""

    __slots__ = ("_exact", "_first", "_last", "_middle", "_shortest")

    def __init__(self, pattern: str) -> None:
        first, *rest = [_segment(piece) for piece in re.split(r"\*+", pattern)]
        self._first = first
        self._exact = not rest
        self._last = rest.pop() if rest else ("", None)
        self._middle = rest
        self._shortest = len(pattern) - pattern.count("*")

    def matches(self, text: str) -> bool:
        """Whether the pattern covers the whole text."""
        size = len(text)
        if size < self._shortest or (self._exact and size != self._shortest):
            return False
        if not _at(self._first, text, 0):
            return False
        if self._exact:
            return True
        # Each piece is taken where it occurs first: what is left for the others is then as long as can be.
        position, end = len(self._first[0]), size - len(self._last[0])
        for literal, regex in self._middle:
            if regex is None:
                found = text.find(literal, position, end)
            else:
                hit = regex.search(text, position, end)
                found = -1 if hit is None else hit.start()
            if found < 0:
                return False
            position = found + len(literal)
        return position <= end and _at(self._last, text, end)


_Segment = tuple[str, re.Pattern[str] | None]


def _segment(piece: str) -> _Segment:
    """A piece between two stars: itself, and a regular expression where it has a `?`. As long as what it matches."""
    if "?" not in piece:
        return piece, None
    return piece, re.compile("".join("." if char == "?" else re.escape(char) for char in piece), re.DOTALL)


def _at(segment: _Segment, text: str, position: int) -> bool:
    literal, regex = segment
    return text.startswith(literal, position) if regex is None else regex.match(text, position) is not None


@lru_cache(maxsize=1024)
def _action_glob(pattern: str) -> Glob:
    return Glob(pattern.lower())


def action_matches(pattern: str, action: str) -> bool:
    """Whether the pattern covers the action's name. Upper and lower case are the same, as AWS has it."""
    return pattern in (action, "*") or _action_glob(pattern).matches(action.lower())


_PATH: Final = re.compile(
    r"org/(?P<org>[^/]+)(?:/project/(?P<project>[^/]+))?"
    r"(?:/bucket/(?P<bucket>[^/]+)(?:/object/(?P<key>.+))?)?(?P<below>/\*)?",
    re.DOTALL,
)


class ResourcePattern:
    """A pattern of resources, in one of three forms.

    - `*`: everything.
    - A path of SPEC.md §7.3, `org/{org}[/project/{project}][/bucket/{bucket}[/object/{key}]]`, in which each part may
      be a glob. A glob stays within its part, so that no object's name can make its path look like another's; only in
      the key it runs across "/". `/*` at the end takes in all that is below: behind a bucket its objects, behind an
      organisation or a project that itself (listing and creating buckets) and all its buckets and objects.
    - S3's ARN, `arn:aws:s3:::{bucket}` or `arn:aws:s3:::{bucket}/{key}`: one glob over all of it, as in AWS.

    Raises:
        ValueError: it has none of these forms.
    """

    __slots__ = ("_arn", "_bucket", "_everything", "_key", "_objects_only", "_open", "_org", "_project", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._everything = text == "*"
        self._arn = Glob(text.removeprefix(ARN_S3)) if text.startswith(ARN_S3) else None
        if "${" in text:
            raise ValueError(f"variables are not supported in resources: {text!r}")
        if self._everything or self._arn is not None:
            return
        found = _PATH.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no resource: neither *, nor org/…, nor {ARN_S3}…")
        self._org = Glob(found["org"])
        self._project = _optional_glob(found["project"])
        self._bucket = _optional_glob(found["bucket"])
        self._key = _optional_glob(found["key"])
        self._open = text.endswith("/*")
        self._objects_only = found["bucket"] is not None and found["below"] is not None

    def matches(self, org: str, project: str | None, bucket: str | None, key: str | None) -> bool:
        """Whether it covers the resource of that organisation, project, bucket and key; None: it has none."""
        if self._everything:
            return True
        if self._arn is not None:
            return bucket is not None and self._arn.matches(bucket if key is None else f"{bucket}/{key}")
        beyond = self._open
        return (
            self._org.matches(org)
            and _part(self._project, project, beyond and self._bucket is None)
            and _part(self._bucket, bucket, beyond)
            and _part(self._key, key, beyond)
            and not (self._objects_only and key is None)
        )


def _optional_glob(pattern: str | None) -> Glob | None:
    return None if pattern is None else Glob(pattern)


def _part(glob: Glob | None, value: str | None, beyond: bool) -> bool:
    """Whether a part fits: `beyond`: one that the pattern does not name may be there."""
    if glob is None:
        return value is None or beyond
    return value is not None and glob.matches(value)
