"""Writing XML bodies from the classes of `dto`: by one function for each class, made when it is first written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any, Final

from lightningstor.s3.wire.dto.members import Dto, Kind, Location, Member, Rendered
from lightningstor.s3.wire.times import xml_time

__all__ = ["DECLARATION", "NAMESPACE", "Rendered", "document", "escape", "url_encode", "writer"]

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 must escape, the quote as S3 does, and control characters, which XML 1.0 has no way to write: S3 writes
# them as character references all the same, and so do we (who asks for encoding-type=url gets them percent-encoded).
_UNSAFE = re.compile('[&<>"\x00-\x1f\x7f\ufffe\uffff]')
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_ESCAPES = {chr(c): _NAMED.get(chr(c), f"&#x{c:X};") for c in (*b'&<>"', *range(0x20), 0x7F, 0xFFFE, 0xFFFF)}
_PLAIN_IN_URL = re.compile(r"[A-Za-z0-9._~/-]*").fullmatch
_URL_BYTES = tuple(
    chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "-._~/") else f"%{byte:02X}"
    for byte in range(256)
)


def escape(text: str) -> str:
    """Text as it stands in an element or attribute."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_escape_match, text)


def _escape_match(match: re.Match[str]) -> str:
    return _ESCAPES[match[0]]


def url_encode(text: str) -> str:
    """Text as encoding-type=url gives it: `/` stays, a space is `%20`, a plus `%2B`. Safe in XML as it is."""
    if _PLAIN_IN_URL(text):
        return text
    table = _URL_BYTES
    return "".join([table[byte] for byte in text.encode()])


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _converter(kind: Kind, encode: bool) -> Callable[[Any], str]:
    if kind.name == "integer":
        return str
    if kind.name == "boolean":
        return _boolean
    if kind.name == "timestamp":
        return xml_time
    return url_encode if encode and kind.encoded else escape


Step = Callable[[Any], str]


def _text_step(name: str, convert: Callable[[Any], str]) -> Step:
    head, tail = f"<{name}>", f"</{name}>"

    def step(value: Any) -> str:
        return head + convert(value) + tail

    return step


def _struct_step(name: str, shape: type[Dto], encode: bool) -> Step:
    inner = writer(shape, encode)
    attributes = [(key, member.wire) for key, member in shape.members.items() if member.attribute]
    if not attributes:
        return _text_step(name, inner)
    ((key, attribute),) = attributes  # only Grantee has one: xsi:type
    head = f'<{name} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" {attribute}="'

    def step(value: Any) -> str:
        return f'{head}{escape(getattr(value, key))}">{inner(value)}</{name}>'

    return step


def _many_step(item: Step) -> Step:
    def step(values: Iterable[Any]) -> str:
        if type(values) is Rendered:
            return values
        return "".join([item(value) for value in values])

    return step


def _step(member: Member, encode: bool) -> Step:
    name = (member.item or member.wire) if member.many else member.wire
    if member.shape is None:
        step = _text_step(name, _converter(member.kind, encode))
    else:
        step = _struct_step(name, member.shape, encode)
    if not member.many:
        return step
    step = _many_step(step)
    return _text_step(member.wire, step) if member.item else step


@cache
def writer(shape: type[Dto], encode: bool = False) -> Step:
    """The function that writes what stands inside the element of a `shape`.

    Args:
        shape: a class of `dto`.
        encode: percent-encode what may hold keys (encoding-type=url).
    """
    members = [
        (attribute, member)
        for attribute, member in shape.members.items()
        if member.location == Location.XML and not member.attribute
    ]
    if not members:
        return lambda value: ""
    steps = tuple(_step(member, encode) for _, member in members)
    # attrgetter gives a bare value for one name, and a tuple for several.
    names = [attribute for attribute, _ in members]
    if len(names) == 1:
        (name,), (only,) = names, steps
        return lambda value: "" if (got := getattr(value, name)) is None else only(got)
    values_of = attrgetter(*names)

    def write(value: Any) -> str:
        return "".join([step(got) for got, step in zip(values_of(value), steps, strict=True) if got is not None])

    return write


def document(root: str, content: str) -> bytes:
    """A whole document in S3's namespace."""
    if content:
        return DECLARATION + f'<{root} xmlns="{NAMESPACE}">{content}</{root}>'.encode()
    return DECLARATION + f'<{root} xmlns="{NAMESPACE}"/>'.encode()
