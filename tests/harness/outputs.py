"""What every daemon of the test session printed, and the search for secrets in it (PROOF.md, line 35)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field, frozen

__all__ = ["DaemonOutputs", "Leak", "find_leaks"]

# Where a signature or token stands, it follows one of these words: as a query parameter, as an element of an
# Authorization header, as a field of a JSON line or in a sentence. What follows must be long enough to be one; the
# words alone are welcome in a log.
_SHAPES = {
    "signature": re.compile(r"(?i)signature\w*['\"]?\s*[:=]\s*['\"]?(?:[0-9a-f]{64}|[A-Za-z0-9+/%]{27,})"),
    "SigV2 header": re.compile(r"AWS [A-Za-z0-9]{3,128}:[A-Za-z0-9+/]{27}="),
    "session token": re.compile(r"(?i)security-token['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9+/=%]{16,}"),
    "bearer token": re.compile(r"(?i)bearer\s+[A-Za-z0-9._~+/=-]{16,}"),
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
}


@frozen
class Leak:
    """One line that tells what it must not."""

    what: str
    line: str


def find_leaks(text: str, secrets: Iterable[str]) -> list[Leak]:
    """Every line of `text` that holds one of `secrets` or something of a signature's or token's shape."""
    known = [secret for secret in secrets if secret]
    return [
        Leak(what, line)
        for line in text.splitlines()
        for what in [
            *("known secret" for secret in known if secret in line),
            *(name for name, shape in _SHAPES.items() if shape.search(line)),
        ]
    ]


@define
class DaemonOutputs:
    """The outputs of all daemons that were started, in one folder, and the secrets that they were given."""

    folder: Path
    files: list[Path] = field(factory=list)
    secrets: set[str] = field(factory=set)

    def new_file(self, *secrets: str) -> Path:
        """A file for the stdout and stderr of one more daemon, which must not tell `secrets`."""
        self.secrets.update(secrets)
        output = self.folder / f"daemon-{len(self.files)}.out"
        self.files.append(output)
        return output

    def leaks(self) -> list[Leak]:
        """All leaks in all that was collected until now."""
        return [
            leak
            for output in self._written()
            for leak in find_leaks(output.read_text(encoding="utf-8", errors="replace"), self.secrets)
        ]

    def size(self) -> int:
        """How many bytes the daemons printed."""
        return sum(output.stat().st_size for output in self._written())

    def _written(self) -> list[Path]:
        return [output for output in self.files if output.exists()]
