"""How the fields of a request or an answer say where they live on the wire.

    class DeleteObjectRequest(ObjectRequest):
        version_id: str | None = query("versionId")
        if_match: str | None = header("If-Match")
        refused = (refuse("x-amz-mfa"),)

A field's default names its member of S3's model: in a header, in the query, in the XML. The metaclass takes these
out of the class and keeps them in `cls.members`; what is left is a frozen msgspec struct, whose optional fields
default to None. A struct, not an attrs class, as 60 such classes take 3 ms to make instead of 70, and one instance
0.3 µs instead of 2 (both count: the start-up budget, and every request binds one).
`lightningstor.s3.wire.bind` compiles the members of a class into a binder and a renderer.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple, dataclass_transform

import msgspec

__all__ = [
    "BLOB",
    "BOOLEAN",
    "INTEGER",
    "KEY",
    "TEXT",
    "TIMESTAMP",
    "Dto",
    "Kind",
    "Location",
    "Member",
    "Refusal",
    "Rendered",
    "choice",
    "choices",
    "flat",
    "header",
    "payload",
    "prefixed_headers",
    "query",
    "refuse",
    "refuse_grant",
    "root_text",
    "stream",
    "struct",
    "wrapped",
    "xml",
]


class Rendered(str):
    """XML that is written already: a flattened list may be given so, where making a DTO for each item is too slow."""

    __slots__ = ()


class Location:
    """Where a member lives."""

    HEADER: Final = "header"
    HEADERS: Final = "headers"  # all headers of a prefix, as a dictionary
    QUERY: Final = "querystring"
    URI: Final = "uri"  # the bucket and the key
    XML: Final = "xml"
    PAYLOAD: Final = "payload"  # the XML body is this member, not the whole shape
    ROOT_TEXT: Final = "root text"  # the XML body is one element, this member its text
    STREAM: Final = "stream"  # the body's bytes


class Kind(NamedTuple):
    """What a member's value is.

    Args:
        name: of the model's types: string, integer, boolean, timestamp, list, blob.
        values: the values that an enumeration allows; empty for free text.
        encoded: it may hold a key, so a listing with encoding-type=url answers it percent-encoded.
    """

    name: str
    values: tuple[str, ...] = ()
    encoded: bool = False


TEXT: Final = Kind("string")
KEY: Final = Kind("string", encoded=True)
INTEGER: Final = Kind("integer")
BOOLEAN: Final = Kind("boolean")
# In a request the text as it was sent: what an unreadable date means differs from header to header (RFC 9110
# §13.1.3 ignores it). In an answer milliseconds since the Unix epoch.
TIMESTAMP: Final = Kind("timestamp")
BLOB: Final = Kind("blob")


def choice(*values: str) -> Kind:
    """One of these."""
    return Kind("string", values)


def choices(*values: str) -> Kind:
    """A list of these: a comma-separated header, or an element for each."""
    return Kind("list", values)


class Member(NamedTuple):
    """One member of a shape.

    Args:
        location: see `Location`.
        wire: the header, query parameter or element; for `HEADERS` the prefix.
        kind: of its value, or of each value of a list.
        shape: the class of a structure, or of a list's items.
        many: a list. `item` is then the name of each item's element; empty if the list is flattened (no element
            around the items, which bear `wire` themselves).
        attribute: an XML attribute of its element instead of an element.
        most: of a list in a request, the most items.
    """

    location: str
    wire: str
    kind: Kind = TEXT
    required: bool = False
    shape: type[Dto] | None = None
    many: bool = False
    item: str = ""
    attribute: bool = False
    most: int = 0


class Refusal(NamedTuple):
    """A header or element of S3's model that is not implemented: whoever sends it gets an error, not a silent 200.

    Args:
        wire: the header or element.
        harmless: values that ask for nothing but what happens anyway, in lower case.
        grant: it hands out access by ACL, which a bucket with ACLs disabled answers in its own way.
    """

    wire: str
    harmless: tuple[str, ...] = ()
    grant: bool = False


def header(name: str, kind: Kind = TEXT, *, required: bool = False) -> Any:
    """A header."""
    return Member(Location.HEADER, name, kind, required)


def prefixed_headers(prefix: str) -> Any:
    """Every header that begins with `prefix`, as a dictionary by the rest of its name, in lower case."""
    return Member(Location.HEADERS, prefix, Kind("map"))


def query(name: str, kind: Kind = TEXT, *, required: bool = False) -> Any:
    """A query parameter."""
    return Member(Location.QUERY, name, kind, required)


def xml(name: str, kind: Kind = TEXT, *, required: bool = False, attribute: bool = False) -> Any:
    """An element with text, or an attribute of the element around."""
    return Member(Location.XML, name, kind, required, attribute=attribute)


def struct(name: str, shape: type[Dto], *, required: bool = False) -> Any:
    """An element with elements."""
    return Member(Location.XML, name, required=required, shape=shape)


def flat(name: str, shape: type[Dto] | Kind, *, required: bool = False, most: int = 0) -> Any:
    """A list whose items stand side by side under the name `name`."""
    if isinstance(shape, Kind):
        return Member(Location.XML, name, shape, required, many=True, most=most)
    return Member(Location.XML, name, required=required, shape=shape, many=True, most=most)


def wrapped(name: str, item: str, shape: type[Dto], *, required: bool = False) -> Any:
    """A list in an element of its own, each item in an element `item`."""
    return Member(Location.XML, name, required=required, shape=shape, many=True, item=item)


def payload(root: str, shape: type[Dto], *, required: bool = False) -> Any:
    """The structure that is the whole XML body, under the root element `root`."""
    return Member(Location.PAYLOAD, root, required=required, shape=shape)


def root_text() -> Any:
    """The text of the root element, of an answer that is nothing but one element."""
    return Member(Location.ROOT_TEXT, "")


def stream() -> Any:
    """The body's bytes. They never pass through the DTO: the field stays None."""
    return Member(Location.STREAM, "", BLOB)


def refuse(wire: str, *harmless: str) -> Refusal:
    """A header or element that is not implemented, but for values that change nothing."""
    return Refusal(wire, harmless)


def refuse_grant(wire: str, *harmless: str) -> Refusal:
    """A header that grants access by ACL, but for values that grant nothing beyond the owner's own."""
    return Refusal(wire, harmless, grant=True)


class _DtoMeta(msgspec.StructMeta):
    """Takes the members out of the class body and leaves plain defaults."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        own: dict[str, Member] = {}
        for attribute, value in list(namespace.items()):
            if isinstance(value, Member):
                own[attribute] = value
                if value.required:
                    del namespace[attribute]
                else:
                    namespace[attribute] = None
        options.setdefault("frozen", True)
        options.setdefault("kw_only", True)
        options.setdefault("gc", False)
        made: Any = super().__new__(mcls, name, bases, namespace, **options)
        # Its own first: S3 writes the checksums, which most shapes inherit, after the rest.
        for base in made.__mro__[1:]:
            own |= base.__dict__.get("members", {})
        made.members = own
        return made


@dataclass_transform(kw_only_default=True)
class Dto(msgspec.Struct, metaclass=_DtoMeta):
    """Base of every request, answer and structure of S3's model.

    Class attributes:
        members: where each field lives, by attribute; made from the defaults in the class body.
        refused: headers (of a request) or elements (of a structure) that the model has and this store refuses.
        root: of an answer with an XML body, the root element.
    """

    members: ClassVar[dict[str, Member]] = {}
    refused: ClassVar[tuple[Refusal, ...]] = ()
    root: ClassVar[str] = ""
