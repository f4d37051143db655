"""Reading XML bodies into the classes of `dto`.

One pass of expat that knows the shape: an element which the shape does not have ends it. So the depth is that of the
shape, and nothing is built that was not asked for. Document types, and with them entities, are refused (PROOF 33).
Elements may stand in any order, in S3's namespace or in none.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NoReturn
from xml.parsers import expat

from lightningstor.s3.wire.dto.members import Dto, Location, Member, Refusal
from lightningstor.s3.wire.faults import NotImplementedHere
from lightningstor.s3.wire.refusals import MalformedXML, MaxMessageLengthExceeded, MissingRequestBody

__all__ = ["parse"]


class _Element:
    """How an element of a shape is read."""

    __slots__ = ("attribute", "item", "kind", "many", "most", "refusal", "shape")

    def __init__(self, attribute: str, member: Member) -> None:
        self.attribute = attribute
        self.kind = member.kind
        self.many = member.many
        self.most = member.most
        self.item = member.item
        self.refusal: Refusal | None = None
        self.shape = _Shape.of(member.shape) if member.shape else None


class _Shape:
    """A class of `dto`, compiled for reading."""

    __slots__ = ("elements", "make", "required")

    def __init__(self, made: type[Dto]) -> None:
        self.make = made
        self.elements = {member.wire: _Element(attribute, member) for attribute, member in made.members.items()}
        self.required = {attribute: member.wire for attribute, member in made.members.items() if member.required}
        for refusal in made.refused:
            element = _Element("", Member(Location.XML, refusal.wire))
            element.refusal = refusal
            self.elements[refusal.wire] = element

    @staticmethod
    @cache
    def of(made: type[Dto]) -> _Shape:
        """The compiled form of a class, made once."""
        return _Shape(made)


# Spellings of the namespace that clients are known to send.
_NAMESPACES = ("http://s3.amazonaws.com/doc/", "http://doc.s3.amazonaws.com/")
# No element or text of a request's is as long as this, in bytes.
_PIECE: Final = 1 << 16
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class _Frame:
    """An open element that holds elements."""

    __slots__ = ("element", "name", "shape", "values")

    def __init__(self, name: str, element: _Element | None, shape: _Shape | None) -> None:
        self.name = name
        self.element = element
        self.shape = shape  # None: the element around a list's items
        self.values: dict[str, Any] = {}


class _Reader:
    """One pass over one document."""

    def __init__(self, root: str, shape: type[Dto]) -> None:
        self._root = root
        self._shape = _Shape.of(shape)
        self._frames: list[_Frame] = []
        self._leaf: _Element | None = None  # the open element that holds text
        self._text: list[str] = []
        self._names: dict[str, str] = {}
        self._moved = False  # an element or text was met since this was last unset
        self.result: Dto | None = None
        parser = expat.ParserCreate("utf-8", " ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        self._parser = parser

    def read(self, data: bytes) -> Dto:
        parser = self._parser
        try:
            if len(data) <= _PIECE:
                parser.Parse(data, True)
            else:
                self._feed(memoryview(data))
                parser.Parse(b"", True)
        except expat.ExpatError as broken:
            what = expat.errors.messages[broken.code].removeprefix("not well-formed ").strip("()")
            self._malformed(f"not well-formed: {what}")
        assert self.result is not None  # expat has seen the root element end
        return self.result

    def _feed(self, data: memoryview) -> None:
        """Parse piece by piece: a tag with megabytes of attributes is given up before it costs as much."""
        idle = 0
        for start in range(0, len(data), _PIECE):
            self._moved = False
            self._parser.Parse(data[start : start + _PIECE], False)
            idle = 0 if self._moved else idle + 1
            if idle == 2:
                self._malformed(f"more than {_PIECE} bytes without an element or text")

    def _malformed(self, reason: str) -> NoReturn:
        parser = self._parser
        raise MalformedXML(reason, parser.CurrentLineNumber, parser.CurrentColumnNumber + 1) from None

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii", "ascii"):
            self._malformed(f"the encoding {encoding} is not supported: send UTF-8")

    def _doctype(self, name: str, system_id: str | None, public_id: str | None, internal: bool) -> None:
        self._malformed("a document type is not allowed")

    def _local(self, name: str) -> str:
        """The name without its namespace."""
        space, _, local = name.rpartition(" ")
        if space and not space.startswith(_NAMESPACES):
            self._malformed(f"the element {local} is in the namespace {space}, which is not S3's")
        self._names[name] = local
        return local

    def _start(self, raw: str, attributes: dict[str, str]) -> None:
        self._moved = True
        name = self._names.get(raw) or self._local(raw)
        if self._leaf is not None:
            self._malformed(f"the element {name} stands where text is expected")
        frames = self._frames
        if not frames:
            if name != self._root:
                self._malformed(f"the root element is {name}, not {self._root}")
            frames.append(_Frame(name, None, self._shape))
            return
        frame = frames[-1]
        if frame.shape is None:  # around a list's items
            element = frame.element
            assert element is not None
            if name != element.item:
                self._malformed(f"{frame.name} has no element {name}")
            self._open(name, element)
            return
        found = frame.shape.elements.get(name)
        if found is None:
            self._malformed(f"{frame.name} has no element {name}")
        if found.refusal is not None and not found.refusal.harmless:
            raise NotImplementedHere(name)
        if found.item:
            if found.attribute in frame.values:
                self._malformed(f"{frame.name} has more than one element {name}")
            frame.values[found.attribute] = []
            frames.append(_Frame(name, found, None))
            return
        if not found.many and found.attribute in frame.values:
            self._malformed(f"{frame.name} has more than one element {name}")
        self._open(name, found)

    def _open(self, name: str, element: _Element) -> None:
        if element.shape is not None:
            self._frames.append(_Frame(name, element, element.shape))
        else:
            self._leaf = element

    def _characters(self, text: str) -> None:
        self._moved = True
        if self._leaf is not None:
            self._text.append(text)
        elif not text.isspace():
            self._malformed("text stands where an element is expected")

    def _end(self, raw: str) -> None:
        leaf = self._leaf
        if leaf is not None:
            self._leaf = None
            text = "".join(self._text)
            self._text.clear()
            name = self._names[raw]
            self._keep(name, leaf, self._value(name, leaf, text))
            return
        frame = self._frames.pop()
        if frame.shape is None:
            return
        made = self._make(frame)
        if frame.element is None:
            self.result = made
        else:
            self._keep(frame.name, frame.element, made)

    def _keep(self, name: str, element: _Element, value: Any) -> None:
        frame = self._frames[-1]
        if element.refusal is not None:
            return
        if frame.shape is None:  # a list's items belong to the frame around the list
            frame = self._frames[-2]
        if not element.many:
            frame.values[element.attribute] = value
            return
        items = frame.values.setdefault(element.attribute, [])
        if element.most and len(items) == element.most:
            self._malformed(f"more than {element.most} elements {name}")
        items.append(value)

    def _value(self, name: str, element: _Element, text: str) -> Any:
        kind = element.kind
        if element.refusal is not None:
            if text.strip().lower() not in element.refusal.harmless:
                raise NotImplementedHere(name)
            return None
        if kind.name == "integer":
            digits = text.strip()
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
                self._malformed(f"{name} is not a number")
            return int(digits)
        if kind.name == "boolean":
            truth = _TRUTHS.get(text.strip().lower())
            if truth is None:
                self._malformed(f"{name} is neither true nor false")
            return truth
        if kind.values:
            text = text.strip()
            if text not in kind.values:
                self._malformed(f"{name} is none of {', '.join(kind.values)}")
        return text

    def _make(self, frame: _Frame) -> Dto:
        shape = frame.shape
        assert shape is not None
        values = frame.values
        for attribute, wire in shape.required.items():
            if attribute not in values:
                self._malformed(f"{frame.name} has no element {wire}")
        for attribute, value in values.items():
            if type(value) is list:
                values[attribute] = tuple(value)
        return shape.make(**values)


def parse(data: bytes, root: str, shape: type[Dto], limit: int) -> Dto:
    """The structure that an XML body holds.

    Args:
        data: the whole body.
        root: the name of the root element.
        shape: the class to make.
        limit: the most bytes.

    Raises:
        MalformedXML: not well-formed, or not of that shape; says what and where.
        MaxMessageLengthExceeded: longer than `limit`.
        MissingRequestBody: empty.
        NotImplementedHere: it has an element whose meaning is not implemented.
    """
    if len(data) > limit:
        raise MaxMessageLengthExceeded(limit)
    if not data or data.isspace():
        raise MissingRequestBody()
    return _Reader(root, shape).read(data)
