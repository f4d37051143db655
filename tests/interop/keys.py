"""The odd keys: what people's programs really use as names, and what breaks stores."""

from __future__ import annotations

from itertools import cycle, islice
from urllib.parse import quote

__all__ = ["CONTROL_KEYS", "FOLDER_KEYS", "LISTED", "OWN", "SLASH_KEYS", "encoded"]

_ODD = (
    "a b", " space at both ends ", "plus+plus", "per%cent", "%2F", "%20", "100%", "caf\u00e9", "cafe\u0301",
    "\u65e5\u672c\u8a9e", "\U0001f600", "\u05e9\u05dc\u05d5\u05dd", "\u202eright-to-left", "no\u00a0break", "\ufffd",
    "a&b", "<a>", "'single'", '"double"', "back\\slash", "#hash", "question?", "a=b", "semi;colon", "co:lon", "@at",
    "ex!", "$dollar", "st*r", "(round)", "[square]", "{curly}", "tilde~", "`tick`", "pi|pe", "^",
    "com,ma", "under_score-dash.dot", "&amp;", "&#9;", "?versionId=null", "?uploads", "name.tar.gz", "-leading-dash",
    ".hidden", "x" * 200,
)  # fmt: skip
# Tab, line feed and carriage return are characters of XML; the others, and U+FFFE, aren't.
_CONTROL = ("\x01", "\x08", "\t", "\n", "\r", "\r\n", "\x1f", "\x7f", "\x85", "\ufffe")
_SLASHES = ("a//b", "//", "/start", "end/", "a/b/", "a/./b", "a/../b", "..", ".", "a///b//")

OWN = {
    "odd": tuple(f"own/odd/{piece}" for piece in _ODD),
    "slash": tuple(f"own/slash/{piece}" for piece in _SLASHES),
    "control": tuple(f"own/control/{number}-{piece}-x" for number, piece in enumerate(_CONTROL)),
}
"""By kind: the keys that a client puts itself."""

_ODD_KEYS = tuple(f"odd/{number % 7}/{piece}/{number}" for number, piece in enumerate(islice(cycle(_ODD), 2400)))
SLASH_KEYS = tuple(f"slash/{number}/{piece}" for number, piece in enumerate(islice(cycle(_SLASHES), 60)))
CONTROL_KEYS = tuple(f"control/{number}{piece}x" for number, piece in enumerate(islice(cycle(_CONTROL), 40)))
FOLDER_KEYS = (
    "folders/a/1", "folders/a/2", "folders/a b/1", "folders/b+c/d/e", "folders/\u00fc/1", "folders/file", "folders/z%",
)  # fmt: skip

LISTED = {"odd": _ODD_KEYS, "slash": SLASH_KEYS, "control": CONTROL_KEYS, "folders": FOLDER_KEYS}
"""By kind, which is also the prefix (`odd/`): the keys that stand in a bucket already, for the client to list."""


def encoded(keys: tuple[str, ...]) -> str:
    """One key a line, in S3's order (UTF-8), percent-encoded but for letters and digits: easy to read anywhere."""
    return "".join(quote(key, safe="") + "\n" for key in sorted(keys, key=str.encode))
