"""From an answer's DTO to status, headers and body, by a renderer compiled once for each class."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, Final

from lightningstor.s3.wire import xml
from lightningstor.s3.wire.dto.members import Dto, Location
from lightningstor.s3.wire.operation import Operation
from lightningstor.s3.wire.times import http_time

__all__ = ["header_value", "metadata_value", "render"]


def header_value(text: str) -> bytes:
    """Text as a header's value. What would end the header, or hide in it, becomes a space."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join([char if char.isprintable() else " " for char in text]).encode()


def metadata_value(text: str) -> bytes:
    """A value of user metadata. What is not printable ASCII is encoded as in mail (RFC 2047), as S3 answers it."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return b"=?UTF-8?B?" + b64encode(text.encode()) + b"?="


def _integer_value(value: int) -> bytes:
    return b"%d" % value


def _boolean_value(value: bool) -> bytes:
    return b"true" if value else b"false"


_HEADER_VALUES: Final[dict[str, Callable[[Any], bytes]]] = {
    "integer": _integer_value,
    "boolean": _boolean_value,
    "timestamp": http_time,
    "string": header_value,
}


class _Renderer:
    """One answer's class, compiled."""

    __slots__ = ("converters", "get", "headers", "listing", "metadata", "payload", "root", "root_text", "shape")

    def __init__(self, shape: type[Dto]) -> None:
        self.shape = shape
        self.root = shape.root
        self.listing = "encoding_type" in shape.members
        self.metadata: str | None = None
        self.payload: tuple[str, str, type[Dto]] | None = None
        self.root_text: str | None = None
        names: list[str] = []
        headers: list[bytes] = []
        converters: list[Callable[[Any], bytes]] = []
        for attribute, member in shape.members.items():
            if member.location == Location.HEADER:
                names.append(attribute)
                headers.append(member.wire.lower().encode())
                converters.append(_HEADER_VALUES[member.kind.name])
            elif member.location == Location.HEADERS:
                self.metadata = attribute
            elif member.location == Location.PAYLOAD:
                assert member.shape is not None
                self.payload = (attribute, member.wire, member.shape)
            elif member.location == Location.ROOT_TEXT:
                self.root_text = attribute
        self.headers = tuple(headers)
        self.converters = tuple(converters)
        self.get = _values_getter(names)

    def head(self, output: Dto) -> list[tuple[bytes, bytes]]:
        """The headers that the answer's members make."""
        found = [
            (name, convert(value))
            for value, name, convert in zip(self.get(output), self.headers, self.converters, strict=True)
            if value is not None
        ]
        if self.metadata is not None and (metadata := getattr(output, self.metadata)):
            found += [
                (b"x-amz-meta-" + name.lower().encode(), metadata_value(value)) for name, value in metadata.items()
            ]
        return found

    def body(self, output: Dto) -> bytes:
        """The XML body; empty if the answer has none."""
        if self.payload is not None:
            attribute, root, shape = self.payload
            value = getattr(output, attribute)
            return b"" if value is None else xml.document(root, xml.writer(shape)(value))
        if not self.root:
            return b""
        if self.root_text is not None:
            return xml.document(self.root, xml.escape(getattr(output, self.root_text) or ""))
        encode = self.listing and getattr(output, "encoding_type", None) == "url"
        return xml.document(self.root, xml.writer(self.shape, encode)(output))


def _values_getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda output: ()
    if len(names) == 1:
        single = attrgetter(names[0])
        return lambda output: (single(output),)
    return attrgetter(*names)


@cache
def _renderer(shape: type[Dto]) -> _Renderer:
    return _Renderer(shape)


_XML_TYPE: Final = (b"content-type", b"application/xml")


def render(operation: Operation, output: Dto | None) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a success.

    Args:
        operation: whose answer it is.
        output: an instance of `operation.output`, or None if that is None.

    The headers lack Content-Length, unless it is a member that was set (HeadObject).
    """
    if output is None:
        return operation.success, [], b""
    renderer = _renderer(type(output))
    headers = renderer.head(output)
    body = renderer.body(output)
    if body:
        headers.append(_XML_TYPE)
    return operation.success, headers, body
