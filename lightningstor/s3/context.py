"""What conditions of statements may ask of an S3 request: AWS's global keys and S3's own.

A key that is not in the table is unknown, and the evaluator refuses where one decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from lightningstor.iam.conditions import UnknownKey
from lightningstor.s3.call import Call
from lightningstor.s3.wire.operation import Operation

__all__ = ["CallContext"]


class CallContext:
    """The context of a call, for itself or for one of the objects that it names.

    Args:
        operation: whose action it is, if another's than the call's: a copy also reads its source.
        version_id: the version that is meant; by default the one that the query names.
    """

    __slots__ = ("_call", "_operation", "_version_id")

    def __init__(self, call: Call, operation: Operation | None = None, version_id: str | None = None) -> None:
        self._call = call
        self._operation = operation or call.operation
        self._version_id = version_id or (call.query.get("versionId") if operation is None else None)

    @property
    def s3_action(self) -> str | None:
        operation = self._operation
        named = operation.version_iam_action if self._version_id else None
        return named or operation.iam_action

    def value(self, key: str) -> str | None:
        """The value of a condition key. Raises UnknownKey."""
        if key == "s3:versionid":
            return self._version_id
        header = _HEADERS.get(key)
        if header is not None:
            found = self._call.headers.get(header)
            return None if found is None else found.decode("latin-1")
        parameter = _PARAMETERS.get(key)
        if parameter is not None:
            return self._call.query.get(parameter)
        ask = _FACTS.get(key)
        if ask is None:
            raise UnknownKey(key)
        return ask(self._call)


def _source_ip(call: Call) -> str | None:
    if call.exchange.client is None:
        return None
    return call.endpoint.clients.address(call.exchange.client[0], call.headers.get(b"x-forwarded-for"))


def _now(call: Call) -> str:
    return datetime.fromtimestamp(call.endpoint.world.clock.now_ms() / 1000, UTC).isoformat()


def _epoch_time(call: Call) -> str:
    return str(call.endpoint.world.clock.now_ms() // 1000)


def _auth_type(call: Call) -> str:
    return "REST-HEADER" if b"authorization" in call.headers else "REST-QUERY-STRING"


def _signature_version(call: Call) -> str:
    return "AWS" if call.signed is None else "AWS4-HMAC-SHA256"


_HEADERS: Final = {
    "aws:useragent": b"user-agent",
    "aws:referer": b"referer",
    **{
        f"s3:{name}": name.encode()
        for name in (
            "x-amz-acl",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
            "x-amz-metadata-directive",
            "x-amz-server-side-encryption",
            "x-amz-storage-class",
        )
    },
}
_PARAMETERS: Final = {"s3:prefix": "prefix", "s3:delimiter": "delimiter", "s3:max-keys": "max-keys"}
_FACTS: Final[dict[str, Callable[[Call], str | None]]] = {
    "aws:currenttime": _now,
    "aws:epochtime": _epoch_time,
    "aws:principalorgid": lambda call: call.principal.org_id,
    "aws:securetransport": lambda call: "true" if call.exchange.scheme == "https" else "false",
    "aws:sourceip": _source_ip,
    "aws:userid": lambda call: call.principal.id,
    "aws:username": lambda call: call.principal.id,
    "s3:authtype": _auth_type,
    "s3:signatureversion": _signature_version,
}
