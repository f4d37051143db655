"""From a request to its DTO, by a binder compiled once for each operation.

Nothing is accepted and ignored: a header or parameter of S3's model whose
meaning is not implemented is refused, and so is a header `x-amz-…` that no operation of the model has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from lightningstor.s3.wire.canonical import HEADER_NAME
from lightningstor.s3.wire.dto.members import Kind, Location, Member, Refusal
from lightningstor.s3.wire.faults import InvalidArgument, NotImplementedHere
from lightningstor.s3.wire.operation import Operation
from lightningstor.s3.wire.operations import OPERATIONS
from lightningstor.s3.wire.refusals import AccessControlListNotSupported
from lightningstor.s3.wire.routing import SUB_RESOURCES
from lightningstor.s3.wire.xml_reader import parse

__all__ = ["bind"]

# Headers that are not a matter of the operation: authentication, payload and the SDKs' own remarks. Each is either
# dealt with before binding or has no meaning to act on.
_TRANSPORT: Final = (
    "accept-encoding",
    "authorization",
    "host",
    "user-agent",
    "x-amz-date",  # signature
    "x-amz-content-sha256",  # signature and payload
    "x-amz-security-token",  # session credentials: authentication refuses a token it does not know
    "x-amz-decoded-content-length",  # payload
    "x-amz-trailer",  # payload: which checksum follows the body
    "x-amz-sdk-checksum-algorithm",  # which of the checksum headers the SDK made; the header itself is what counts
    "x-amz-user-agent",  # what browsers may send for User-Agent
    "x-amz-te",  # which transfer coding the client could take
    "x-amz-checksum-mode",  # asks for checksums in the answer, where the answer has one
    "x-amz-expected-bucket-owner",  # where an operation has no bucket yet, there is no owner to compare
)
# The checksums of a body. Those operations that keep one model them; on others they only guard the way here, and the
# body is checked against them as it is read.
_CHECKSUMS: Final = tuple(
    f"x-amz-checksum-{name}"
    for name in (
        "crc32", "crc32c", "crc64nvme", "sha1", "sha256", "sha512", "md5", "xxhash64", "xxhash3", "xxhash128",
    )
)  # fmt: skip
# Of the body: the payload's plan reads them and the body is held against them, so there is nothing to bind. Almost
# every PUT has one, and most have no other header left that must be looked at one by one.
_OF_BODY: Final = frozenset({b"content-length", b"content-md5"})
# Conditions and ranges that would change what a writing request does. Where an operation does not model one, it is
# refused: a conditional write that is not conditional loses data.
_CONDITIONS: Final = ("if-match", "if-none-match", "if-unmodified-since", "content-range")
# Parameters that pick a version, a part or an upload. Where an operation does not take one, S3 refuses it.
_PARTICULAR: Final = frozenset({"versionId", "uploadId", "partNumber"})

# The parameters of a presigned URL; other parameters `x-amz-…` are headers that an SDK has put into the URL, and count
# as such. But not checksums: the JS SDK signs that of an empty body into every URL for a PUT, and S3 ignores it.
_NO_HEADERS: Final = frozenset(
    f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signature", "signedheaders")
).union(_CHECKSUMS)

_UNDERSTOOD: Final = object()  # a header with nothing to bind

Convert = Callable[[str, str], Any]


# Requests: text to value


_INT32_MAX: Final = (1 << 31) - 1


def _integer(wire: str, text: str) -> int | None:
    """A header's number: a size, up to 64 bits."""
    if text.isdigit() and text.isascii() and len(text) < 20:
        return int(text)
    if not text:
        return None
    raise InvalidArgument(f"Provided {wire} not an integer or within integer range", wire, text)


def _count(wire: str, text: str) -> int | None:
    """A parameter's number: a count, up to 31 bits."""
    number = _integer(wire, text)
    if number is not None and number > _INT32_MAX:
        raise InvalidArgument(f"Provided {wire} not an integer or within integer range", wire, text)
    return number


def _boolean(wire: str, text: str) -> bool | None:
    lowered = text.lower()
    if lowered == "true":
        return True
    if lowered == "false":
        return False
    if not text:
        return None
    raise InvalidArgument(f"Invalid value for {wire}: neither true nor false", wire, text)


# S3's own words where it has some.
_BAD_CHOICE: Final = {
    "encoding-type": "Invalid Encoding Method specified in Request",
    "x-amz-metadata-directive": "Unknown metadata directive.",
    "x-amz-tagging-directive": "Unknown tagging directive.",
    "x-amz-object-attributes": "Invalid attribute name specified.",
}


def _choice_of(values: tuple[str, ...]) -> Convert:
    known = {value.lower(): value for value in values}

    def convert(wire: str, text: str) -> str:
        found = known.get(text.lower())
        if found is None:
            raise InvalidArgument(_BAD_CHOICE.get(wire, f"Invalid value for {wire}"), wire, text)
        return found

    return convert


def _choices_of(values: tuple[str, ...]) -> Convert:
    one = _choice_of(values)

    def convert(wire: str, text: str) -> tuple[str, ...]:
        return tuple([one(wire, item.strip()) for item in text.split(",")])

    return convert


def _converter(member: Member) -> Convert | None:
    kind: Kind = member.kind
    if kind.name == "integer":
        return _count if member.location == Location.QUERY else _integer
    if kind.name == "boolean":
        return _boolean
    if kind.name == "list":
        return _choices_of(kind.values)
    if kind.values:
        return _choice_of(kind.values)
    # A query parameter may hold what a header cannot; these come back in the answer's head.
    return _header_safe if member.wire.startswith("response-") else None


def _header_safe(wire: str, text: str) -> str:
    if text.isprintable():
        return text
    raise InvalidArgument(f"{wire} holds a control character", wire, text)


def _text(value: bytes) -> str:
    """A header's value: UTF-8 if it is, Latin-1 if it is not (RFC 9110 §5.5)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _Binder:
    """One operation, compiled: what to do with each header and parameter that may be there."""

    __slots__ = (
        "headers",
        "make",
        "metadata",
        "payload",
        "query",
        "required",
        "safe",
        "scope",
        "understood",
    )

    def __init__(self, operation: Operation) -> None:
        shape = operation.input
        assert shape is not None, f"{operation.name} is not implemented"
        self.make = shape
        self.safe = operation.method in ("GET", "HEAD")
        self.scope = operation.scope
        self.metadata: str | None = None
        self.payload: tuple[str, Member] | None = None
        self.required: list[tuple[str, Member]] = []
        # Checksums also where there is no body: the Java SDK sends the CRC32 of nothing with a GET.
        self.headers: dict[bytes, Any] = {name.encode(): _UNDERSTOOD for name in (*_TRANSPORT, *_CHECKSUMS)}
        if not self.safe:
            self.headers |= {name.encode(): Refusal(name) for name in _CONDITIONS}
        self.query: dict[str, Any] = {}
        for refusal in shape.refused:
            self.headers[refusal.wire.lower().encode()] = refusal
        for attribute, member in shape.members.items():
            self._add(attribute, member)
        self.understood = frozenset(name for name, rule in self.headers.items() if rule is _UNDERSTOOD)

    def _add(self, attribute: str, member: Member) -> None:
        if member.location == Location.HEADER:
            name = member.wire.lower().encode()
            self.headers[name] = _UNDERSTOOD if name in _OF_BODY else (attribute, member.wire, _converter(member))
        elif member.location == Location.QUERY:
            self.query[member.wire] = (attribute, member.wire, _converter(member))
        elif member.location == Location.HEADERS:
            self.metadata = attribute
        elif member.location == Location.PAYLOAD:
            self.payload = (attribute, member)
            return
        if member.required:
            self.required.append((attribute, member))

    def bind(self, values: dict[str, Any], query: Mapping[str, str], headers: Mapping[bytes, bytes]) -> None:
        """Put what is there into `values`, by attribute."""
        if not headers.keys() <= self.understood:  # in C, for the plainest of requests
            self._bind_headers(values, headers)
        if query:
            self._bind_query(values, query, headers)
        for attribute, member in self.required:
            if values.get(attribute) is None:
                raise InvalidArgument(f"{member.wire} is required", member.wire, "")

    def _bind_headers(self, values: dict[str, Any], headers: Mapping[bytes, bytes]) -> None:
        rules = self.headers
        for name, raw in headers.items():
            rule = rules.get(name)
            if rule is _UNDERSTOOD:
                continue
            if rule is None:
                if name.startswith(b"x-amz-"):
                    self._unmodelled(name, raw, values)
            elif type(rule) is tuple:
                attribute, wire, convert = rule
                try:
                    text = raw.decode()
                except UnicodeDecodeError:
                    text = raw.decode("latin-1")
                values[attribute] = text if convert is None else convert(wire, text)
            else:
                _refuse(rule, raw)

    def _bind_query(self, values: dict[str, Any], query: Mapping[str, str], headers: Mapping[bytes, bytes]) -> None:
        rules = self.query
        for name, text in query.items():
            rule = rules.get(name)
            if rule is not None:
                attribute, wire, convert = rule
                values[attribute] = text if convert is None else convert(wire, text)
            elif name[:6].lower() == "x-amz-":
                moved = name.lower()
                if moved not in _NO_HEADERS and moved.encode() not in headers:
                    if moved.encode().translate(None, HEADER_NAME):
                        # It would come back as a header of the answer, where a line feed in it ends the header.
                        raise InvalidArgument("The name of a header holds characters that no header's can", moved)
                    self._bind_headers(values, {moved.encode(): text.encode()})
            elif name in _PARTICULAR:
                raise InvalidArgument(f"This operation does not accept a {name}", name, text)
            elif not text and name not in _known_parameters() and name[:2].lower() != "x-":
                # A name without a value is how S3 names sub-resources. This one is none of those that it has now;
                # a PUT to it must not become a PUT of the object. (Other parameters that an operation does not have
                # S3 ignores, and documents that for those which begin with `x-`.)
                raise NotImplementedHere(name)

    def _unmodelled(self, name: bytes, raw: bytes, values: dict[str, Any]) -> None:
        """A header `x-amz-…` that the operation does not model: user metadata, or something we do not know."""
        if self.metadata is None or not name.startswith(b"x-amz-meta-"):
            raise NotImplementedHere(name.decode("latin-1"))
        metadata = values.setdefault(self.metadata, {})
        metadata[name[11:].decode("latin-1")] = _text(raw)


def _refuse(refusal: Refusal, raw: bytes) -> None:
    """Refuse the header, unless its value asks for nothing but what happens anyway."""
    if _text(raw).lower() in refusal.harmless:
        return
    if refusal.grant:
        raise AccessControlListNotSupported(refusal.wire)
    raise NotImplementedHere(refusal.wire)


@cache
def _known_parameters() -> frozenset[str]:
    """Every parameter of S3's that is no sub-resource of the future: some clients send those of another operation."""
    return SUB_RESOURCES.union(
        *(
            (member.wire for member in row.input.members.values() if member.location == Location.QUERY)
            for row in OPERATIONS
            if row.input is not None
        )
    )


@cache
def _binder(operation: Operation) -> _Binder:
    return _Binder(operation)


def bind(
    operation: Operation,
    bucket: str | None,
    key: str | None,
    query: Mapping[str, str],
    headers: Mapping[bytes, bytes],
    body: bytes | None = None,
) -> Any:
    """The request's DTO, an instance of `operation.input`.

    Args:
        operation: an implemented row of the table.
        bucket: None for the service.
        key: None for a bucket.
        query: the decoded query.
        headers: by lower-case name; of a repeated one the values joined by a comma.
        body: for operations with an XML body, the whole of it, verified; otherwise None.

    Raises:
        AccessControlListNotSupported: it grants access by ACL.
        InvalidArgument: a value is not of its kind, or a required parameter is missing.
        MalformedXML: the body is not the XML that the operation takes.
        MaxMessageLengthExceeded: the body is too long.
        MissingRequestBody: the operation needs a body, and there is none.
        NotImplementedHere: a header, parameter or element asks for what is not implemented.
    """
    binder = _binder(operation)
    values: dict[str, Any] = {} if bucket is None else {"bucket": bucket}
    if key is not None:
        values["key"] = key
    binder.bind(values, query, headers)
    if binder.payload is not None:
        attribute, member = binder.payload
        if body or member.required:
            assert member.shape is not None
            values[attribute] = parse(body or b"", member.wire, member.shape, operation.body_limit)
    return binder.make(**values)
