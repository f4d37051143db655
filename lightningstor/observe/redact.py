"""Keeps secrets, signatures and tokens out of what is written down."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Final
from urllib.parse import quote

__all__ = ["Redactor"]

_HIDDEN: Final = "[hidden]"
_SHORTEST: Final = 8
"""Secrets below this length are not looked for: they would hide ordinary words. The configuration refuses them."""

_PATTERNS: Final = r"""
    (?P<keep>
        # SigV4 and SigV2 in a query or in a header's parameters; session tokens, also of S3 Express
        \b X-Amz-(?:Signature|Security-Token|S3session-Token) (?: = | %3D | ["']? \s* [:,=] \s* (?: b?["'] )? )
      | \b Signature (?: = | %3D )
        # the field of the error that tells a client which signature it sent
      | \b signature_provided= ["']?
        # gRPC metadata and HTTP: whole value of the header, its scheme kept
      | \b (?:Proxy-)?Authorization ["']? \s* [:,=] \s* (?: b?["'] )? (?: (?:Basic|Bearer|Digest|Negotiate) \s+ )?
      | \b Bearer \s+
      | \b AWS [ ] [^\s:"']{3,128} :
      | \b chunk-signature=
      | \b x-amz-trailer-signature ["']? \s* [:,=] \s* (?: b?["'] )?
    )
    (?P<value>
        AWS4-HMAC-SHA256 [^\r\n"']*
      | AWS [ ] [^\s"']+
      | [^\s&"',;)\]}>]+
    )
    """

_WORDS: Final = ("signature", "token", "authorization", "bearer", "aws ")
"""One of these is in every text that `_patterns` finds something in; most lines have none."""


@cache
def _patterns() -> re.Pattern[str]:
    return re.compile(_PATTERNS, re.IGNORECASE | re.VERBOSE)


class Redactor:
    """Hides what must not be read in text that is about to be written down.

    Two nets: secrets that were registered, in any spelling in which they occur (plain, in JSON, percent-encoded),
    and values that stand where protocols put signatures and tokens.
    """

    def __init__(self) -> None:
        self._secrets: re.Pattern[str] | None = None  # made when first needed after a registration
        self._spellings: set[str] = set()

    def register(self, secret: str | bytes) -> None:
        """Hide this secret from now on. One of fewer than 8 characters is not taken."""
        text = secret.decode("utf-8", "backslashreplace") if isinstance(secret, bytes) else secret
        if len(text) < _SHORTEST:
            return
        self._spellings |= {text, json.dumps(text)[1:-1], repr(text)[1:-1], quote(text, safe=""), quote(text)}
        self._secrets = None

    def clean(self, text: str) -> str:
        """The text with everything hidden that must be."""
        if self._spellings:
            if self._secrets is None:
                longest_first = sorted(self._spellings, key=len, reverse=True)
                self._secrets = re.compile("|".join(map(re.escape, longest_first)))
            text = self._secrets.sub(_HIDDEN, text)
        lowered = text.lower()
        if any(word in lowered for word in _WORDS):
            text = _patterns().sub(_hide_value, text)
        return text


def _hide_value(match: re.Match[str]) -> str:
    return match["keep"] + _HIDDEN
