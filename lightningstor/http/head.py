"""A request's header block: bytes in, a `RequestHead` out, or `Refused`. No I/O.

llhttp (by httptools) does the splitting at C speed and refuses most of what is malformed: bare LF, folded lines,
white space before a colon, control characters, unreadable or repeated Content-Length, Content-Length beside
Transfer-Encoding. What it lets through, and RFC 9112 or we do not, is refused here: a request line other than
`method SP target SP HTTP/1.x CRLF`, a target in absolute or authority form, a repeated or missing or impossible
Host, transfer codings other than one `chunked`, the way to HTTP/2 by preface or upgrade, unknown expectations.
"""

from __future__ import annotations

from typing import Final

import msgspec
from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser

from lightningstor.http.faults import Refused
from lightningstor.structs import mutable

__all__ = ["HeadParser", "RequestHead"]

_HOST_BYTES: Final = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._~%!$&'()*+,;=:[]"
_ONCE: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect"))
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade"))
_LENGTH_ALONE: Final = frozenset((b"content-length",))
_MAX_LENGTH_DIGITS: Final = 18
_VERSIONS: Final = {b" HTTP/1.1\r\n": "1.1", b" HTTP/1.0\r\n": "1.0"}
# A byte is sought as a number: sought as bytes of length one it costs 0.35 µs instead of 0.02 (CPython raises and
# drops a TypeError first).
_HASH: Final = ord("#")
_PREFACE: Final = b"PRI * HTTP/2.0\r\n"


@mutable
class RequestHead(msgspec.Struct, eq=False):
    """What the header block of one request says.

    Attributes:
        method: as sent, in capitals.
        raw_path: the target up to the first `?`, as on the wire.
        query: what follows that `?`, as on the wire.
        headers: (name in lower case, value without surrounding white space), in the order they came.
        fields: the same by name; of a name that came more than once the values joined by a comma (RFC 9110 §5.3).
        version: "1.1" or "1.0".
        length: of the body in bytes; 0 without one; -1 when it comes chunked.
        expects_continue: the client waits for 100 (Continue) before it sends the body.
        keep_alive: the client lets the connection be used again.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    fields: dict[bytes, bytes]
    version: str
    length: int = 0
    expects_continue: bool = False
    keep_alive: bool = True


class HeadParser:
    """Parses whole header blocks, one after another; one parser serves any number of connections."""

    __slots__ = ("_headers", "_host", "_parser", "_url")

    def __init__(self) -> None:
        self._host = b""  # the one that was looked at last: most requests name the same
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._parser: HttpRequestParser | None = None

    def on_url(self, url: bytes) -> None:
        """Called by the parser with (a piece of) the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser with one header field."""
        self._headers.append((name.lower(), value.strip()))

    def parse(self, block: bytes) -> RequestHead:
        """Read one header block.

        Args:
            block: from the first byte of the request line to the empty line's CRLF.

        Raises:
            Refused: 400, 417, 501 or 505. Whatever else the client sends on that connection must not be read as a
                request.
        """
        parser = self._parser or HttpRequestParser(self)
        self._parser = None
        self._url = b""
        headers = self._headers = []
        try:
            parser.feed_data(block)
        except HttpParserUpgrade:
            pass  # an Upgrade that we do not take up; HTTP/2's is refused below
        except HttpParserError as error:
            raise _diagnose(block, error) from None
        method = parser.get_method()
        url = self._url
        # The parser found the method and the target: where the version has to stand if single spaces part them.
        at = len(method) + 1 + len(url)
        version = _VERSIONS.get(block[at : at + 11])
        if version is None:
            raise _diagnose(block, None)
        if (not url.startswith(b"/") and not (url == b"*" and method == b"OPTIONS")) or method == b"CONNECT":
            raise Refused(400, "The request target must be a path.")
        if _HASH in url:
            raise Refused(400, "The request target must not hold a fragment.")
        raw_path, _, query = url.partition(b"?")
        fields = dict(headers)
        if len(fields) != len(headers):
            fields = _joined(headers)
        host = fields.get(b"host")
        if host is None:
            if version == "1.1":
                raise Refused(400, "The Host header field is missing.")
        elif host != self._host:
            if host.translate(None, _HOST_BYTES):
                raise Refused(400, "The Host header field is not a host and port.")
            self._host = host
        head = RequestHead(method.decode(), raw_path, query, headers, fields, version)
        if version == "1.1" and _FRAMING.isdisjoint(fields):
            self._parser = parser  # it stands at the start of a message again
        elif version == "1.1" and _FRAMING.intersection(fields) == _LENGTH_ALONE:
            head.length = _length(fields[b"content-length"])
        else:
            _apply_framing(head)
        return head


def _apply_framing(head: RequestHead) -> None:
    """Read the fields that say how the message is framed and what becomes of the connection."""
    get = head.fields.get
    length = get(b"content-length")
    coding = get(b"transfer-encoding")
    if coding is not None:
        if length is not None:
            raise Refused(400, "Content-Length and Transfer-Encoding exclude each other.")
        if head.version != "1.1":
            raise Refused(400, "HTTP/1.0 knows no Transfer-Encoding.")
        if coding.lower() != b"chunked":
            raise Refused(501, "The only transfer coding understood is chunked.")
        head.length = -1
    elif length is not None:
        head.length = _length(length)
    connection = get(b"connection")
    if connection is not None or head.version != "1.1":
        options = [option.strip() for option in (connection or b"").lower().split(b",")]
        head.keep_alive = b"close" not in options and (head.version == "1.1" or b"keep-alive" in options)
    expectation = get(b"expect")
    if expectation is not None and head.version == "1.1":
        if expectation.lower() != b"100-continue":
            raise Refused(417, "The only expectation understood is 100-continue.")
        head.expects_continue = head.length != 0
    upgrade = get(b"upgrade")
    if upgrade is not None and b"h2c" in upgrade.lower():
        raise Refused(400, "This server speaks HTTP/1.1 only.")


def _length(text: bytes) -> int:
    if not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS:
        raise Refused(400, "Content-Length is not a number of bytes.")
    return int(text)


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Fields that came more than once as one, where that is allowed (RFC 9110 §5.3)."""
    fields: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in fields:
            fields[name] = value
        elif name in _ONCE:
            raise Refused(400, f"The header field {name.decode('ascii')} came more than once.")
        else:
            fields[name] += b"," + value
    return fields


def _diagnose(block: bytes, error: HttpParserError | None) -> Refused:
    """The answer to a block that the parser, or the look at its request line, did not like."""
    if block.startswith(_PREFACE):
        return Refused(400, "This server speaks HTTP/1.1 only.")
    line, _, rest = block.partition(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not words[1]:
        return Refused(400, "The request line is not a method, a target and a version, one space apart.")
    version = words[2]
    if len(version) == 8 and version.startswith(b"HTTP/") and version[5:6].isdigit() and version[6:7] == b".":
        if version[5] >= 50 and version[7:].isdigit():
            return Refused(505, "This server speaks HTTP/1.1 only.")
    else:
        return Refused(400, "The request line does not end with a version of HTTP.")
    if isinstance(error, HttpParserInvalidMethodError):
        return Refused(501, "The request method is not known.")
    if b"\r\ntransfer-encoding:" in b"\r\n" + rest.lower() and "Transfer-Encoding" in str(error):
        if b"\r\ncontent-length:" in b"\r\n" + rest.lower():
            return Refused(400, "Content-Length and Transfer-Encoding exclude each other.")
        return Refused(501, "The only transfer coding understood is chunked.")
    return Refused(400, f"The header block is malformed: {error}." if error else "The request line is malformed.")
