"""A small S3 client of our own: it signs, and calls the app in process over plain ASGI.

It shares no code with what it tests: a signature that both sides get wrong alike would prove nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import trio
from attrs import define, evolve, field, frozen

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
XML_ROOT = re.compile(rb'\A<\?xml version="1\.0" encoding="UTF-8"\?>\s*')

App = Callable[[Any, Any, Any], Any]


@frozen
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def xml(self) -> ElementTree.Element:
        """The body's root element, all names without namespace."""
        assert XML_ROOT.match(self.body), self.body[:80]
        root = ElementTree.fromstring(self.body)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def text(self, path: str) -> str | None:
        """The text of the first element at that path below the root."""
        return self.xml.findtext(path)

    def texts(self, path: str) -> list[str]:
        """The texts of all elements at that path."""
        return [element.text or "" for element in self.xml.findall(path)]

    @property
    def code(self) -> str:
        """S3's error code; "" for an answer that is no error."""
        if self.status < 300 and not self.body.partition(b"\n")[2].lstrip().startswith(b"<Error>"):
            return ""
        return self.text("Code") or ""


@define
class Body:
    """A request's body as the server gives it to the app.

    Args:
        pieces: what `receive` gives, one by one.
        lost: after the pieces the client is gone.
        asked: how often the app has asked.
    """

    pieces: Sequence[bytes]
    lost: bool = False
    asked: int = 0

    async def receive(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        index = self.asked
        self.asked += 1
        if index < len(self.pieces):
            more = self.lost or index < len(self.pieces) - 1
            return {"type": "http.request", "body": self.pieces[index], "more_body": more}
        return {"type": "http.disconnect"}


@define
class Recorder:
    """Takes what the app sends, and holds it to ASGI's rules and HTTP's."""

    method: str
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(factory=list)
    pieces: list[bytes] = field(factory=list)
    complete: bool = False
    on_send: Callable[[], None] | None = None

    async def send(self, message: Mapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if self.on_send is not None:
            self.on_send()
        if message["type"] == "http.response.start":
            assert self.status == 0, "two starts"
            self.status, self.headers = message["status"], list(message["headers"])
            return
        assert message["type"] == "http.response.body"
        assert self.status, "a body before the start"
        assert not self.complete, "a body behind the end"
        self.pieces.append(bytes(message.get("body", b"")))
        self.complete = not message.get("more_body", False)

    def answer(self) -> Answer:
        """The whole answer, checked."""
        assert self.complete, "the answer has no end"
        names = [name for name, _ in self.headers]
        assert len(set(names)) == len(names), f"a header twice: {names}"
        assert all(name == name.lower() and name.isascii() for name in names)
        headers = {name.decode(): value.decode() for name, value in self.headers}
        body = b"".join(self.pieces)
        assert headers["x-amz-request-id"]
        assert headers["x-amz-id-2"]
        if self.method == "HEAD" or self.status in (204, 304):
            assert body == b"", "an answer that has no body has one"
        elif "content-length" in headers:
            assert int(headers["content-length"]) == len(body)
        return Answer(self.status, headers, body)


@frozen
class Client:
    """Calls the app as one holder of credentials.

    Args:
        access_key: None: requests are not signed.
        now_ms: the time to sign with.
        domain: buckets are addressed as `{bucket}.{domain}`; None: path style.
    """

    app: App
    access_key: str | None
    secret: str
    now_ms: Callable[[], int]
    host: str = "s3.example:9000"
    region: str = "us-east-1"
    domain: str | None = None

    def anonymous(self) -> Client:
        return evolve(self, access_key=None)

    async def call(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        sha256: str | None = None,
        source: Body | None = None,
    ) -> Answer:
        """One request, signed in its header.

        Args:
            path, query: encoded, as they go on the wire.
            sha256: what to send as x-amz-content-sha256 in place of the body's hash.
            source: where the app gets the body from; by default `body` in one piece.
        """
        sent = {"host": self.host, **{name.lower(): value for name, value in (headers or {}).items()}}
        if "content-length" not in sent and "transfer-encoding" not in sent and (body or method in ("PUT", "POST")):
            sent["content-length"] = str(len(body))
        if self.access_key is not None:
            sent |= self.sign(method, path, query, sent, sha256 or hashlib.sha256(body).hexdigest())
        return await self.raw(method, path, query, sent, source or Body([body]))

    async def raw(self, method: str, path: str, query: str, headers: Mapping[str, str], body: Body) -> Answer:
        """One request exactly as given."""
        recorder = Recorder(method)
        await self.run(method, path, query, headers, body, recorder)
        return recorder.answer()

    async def run(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: Body, recorder: Recorder
    ) -> None:
        """One request whose answer the caller looks at."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 9000),
        }
        await self.app(scope, body.receive, recorder.send)

    def sign(self, method: str, path: str, query: str, headers: Mapping[str, str], sha256: str) -> dict[str, str]:
        """The headers that a signature of version 4 adds; every header there is gets signed."""
        amz_date = self.amz_date()
        added = {"x-amz-date": amz_date, "x-amz-content-sha256": sha256}
        signed = {**headers, **added}
        names = ";".join(sorted(signed))
        signature = self.signature(method, path, query, signed, names, sha256, amz_date)
        scope = f"{amz_date[:8]}/{self.region}/s3/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
        return {**added, "authorization": f"{authorization}Signature={signature}"}

    def signature(
        self, method: str, path: str, query: str, headers: Mapping[str, str], names: str, sha256: str, amz_date: str
    ) -> str:
        """The signature over a request; `query` encoded as AWS wants it."""
        lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in names.split(";"))
        canonical = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{sha256}"
        digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
        scope = f"{amz_date[:8]}/{self.region}/s3/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{digest}"
        return hmac.new(self.signing_key(amz_date[:8]), to_sign.encode(), "sha256").hexdigest()

    def signing_key(self, date: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (date, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return key

    def amz_date(self) -> str:
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")

    def presign(self, method: str, path: str, query: str = "", expires_s: int = 600, amz_date: str = "") -> str:
        """The query of a presigned URL."""
        amz_date = amz_date or self.amz_date()
        credential = quote(f"{self.access_key}/{amz_date[:8]}/{self.region}/s3/aws4_request", safe="")
        whole = "&".join(
            filter(
                None,
                (
                    query,
                    "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                    f"X-Amz-Credential={credential}",
                    f"X-Amz-Date={amz_date}",
                    f"X-Amz-Expires={expires_s}",
                    "X-Amz-SignedHeaders=host",
                ),
            )
        )
        signature = self.signature(method, path, whole, {"host": self.host}, "host", UNSIGNED, amz_date)
        return f"{whole}&X-Amz-Signature={signature}"

    # Short ways

    async def get(self, path: str, query: str = "", **headers: str) -> Answer:
        return await self.call("GET", path, query, headers=dashed(headers))

    async def head(self, path: str, query: str = "", **headers: str) -> Answer:
        return await self.call("HEAD", path, query, headers=dashed(headers))

    async def put(self, path: str, body: bytes = b"", query: str = "", **headers: str) -> Answer:
        return await self.call("PUT", path, query, body, dashed(headers))

    async def post(self, path: str, body: bytes = b"", query: str = "", **headers: str) -> Answer:
        return await self.call("POST", path, query, body, dashed(headers))

    async def delete(self, path: str, query: str = "", **headers: str) -> Answer:
        return await self.call("DELETE", path, query, headers=dashed(headers))


def dashed(headers: Mapping[str, str]) -> dict[str, str]:
    """`x_amz_meta_a` → `x-amz-meta-a`."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def canonical_query(query: str) -> str:
    """Sorted, every parameter with its equals sign."""
    pairs = sorted((*field.partition("=")[::2],) for field in query.split("&") if field)
    return "&".join(f"{name}={value}" for name, value in pairs)


def key_path(bucket: str, key: str) -> str:
    """The path of an object, encoded as SDKs do."""
    return f"/{bucket}/{quote(key, safe='/~')}"


def md5_header(body: bytes) -> dict[str, str]:
    """Content-MD5 for operations that want a checksum; as keyword arguments."""
    from base64 import b64encode

    return {"content_md5": b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}


def pages(answer: Answer, name: str) -> Iterator[str]:
    """The texts of every element of that name, in order."""
    return (element.text or "" for element in answer.xml.iter(name))
