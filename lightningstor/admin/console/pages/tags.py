"""Tags in a text box: one `name = value` a line."""

from __future__ import annotations

from collections.abc import Mapping

from lightningstor.s3.wire.faults import InvalidRequest

__all__ = ["tags_of_text", "text_of_tags"]


def text_of_tags(tags: Mapping[str, str] | None) -> str:
    """The text that shows these tags."""
    return "\n".join(f"{name} = {value}" for name, value in (tags or {}).items())


def tags_of_text(text: str) -> dict[str, str]:
    """The tags that a text says; a line without "=" has an empty value.

    Raises:
        InvalidRequest: a name is missing, or comes twice.
    """
    tags: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, _, value = (part.strip() for part in line.partition("="))
        if not name:
            raise InvalidRequest(f"line {number} of the tags has no name")
        if name in tags:
            raise InvalidRequest(f"the tag {name} comes twice")
        tags[name] = value
    return tags
