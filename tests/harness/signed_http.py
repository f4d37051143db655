"""A blocking S3 client over one connection. botocore signs, http.client sends; it never tries again by itself."""

from __future__ import annotations

import hashlib
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote

from attrs import define, field, frozen
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

__all__ = ["Answer", "SignedHttp"]


@frozen
class Answer:
    """Status and body."""

    status: int
    body: bytes
    headers: dict[str, str]

    def element(self, name: str) -> str:
        """The text of the first element of that name in an XML body."""
        _, _, after = self.body.decode().partition(f"<{name}>")
        return after.partition("<")[0]


@define
class SignedHttp:
    """Sends signed requests to `host`, "address:port"."""

    host: str
    access_key: str
    secret_key: str
    timeout_s: float = 20
    _connection: HTTPConnection | None = field(default=None, init=False)

    def signed_headers(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        """The headers of a request to `target`, path and query as they will be sent, signed."""
        signed = AWSRequest(method, f"http://{self.host}{target}", data=body, headers=headers or {})
        signed.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
        signed.context["client_config"] = None
        S3SigV4Auth(Credentials(self.access_key, self.secret_key), "s3", "us-east-1").add_auth(signed)
        return dict(signed.headers.items())

    def request(
        self, method: str, path: str, body: bytes = b"", query: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request and read its whole answer, also one that comes before the body was taken.

        Raises:
            OSError, HTTPException: the connection broke; what became of the request is unknown.
        """
        target = quote(path, safe="/~") + (f"?{query}" if query else "")
        signed = self.signed_headers(method, target, body, headers)
        if self._connection is None:
            self._connection = HTTPConnection(self.host, timeout=self.timeout_s)
        try:
            try:
                self._connection.request(method, target, body or None, signed)
            except (BrokenPipeError, ConnectionResetError):
                # Who refuses a large body answers and closes: the answer is there to be read, if there is a connection.
                if self._connection.sock is None:
                    raise
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()})
        except (OSError, HTTPException):
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection; the next request makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
