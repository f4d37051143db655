"""What is known of an operation once it has ended, whatever protocol it came by; and who hears of it.

Every protocol makes one `OperationRecord` for each request that it answered, refused or lost, and gives it to the
`Observer`, which counts it and writes its audit line. A record is what that line holds: it must never have a secret,
a signature, a token or a presigned URL's query in it.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

__all__ = [
    "ABORTED",
    "DENIED",
    "FAILED",
    "HEALTH_PROBE",
    "MALFORMED",
    "SUCCESS",
    "Observer",
    "OperationRecord",
    "outcome_of",
]

SUCCESS: Final = "success"
DENIED: Final = "denied"
"""The caller is unknown, or may not."""
FAILED: Final = "failed"
"""Understood and allowed, but answered with an error, a failed condition included."""
ABORTED: Final = "aborted"
"""The client left, or the daemon stopped, before the answer's end."""
MALFORMED: Final = "malformed"
"""Refused before it was known what is asked: not the protocol, too large, too slow, too many at once."""

HEALTH_PROBE: Final = "HealthProbe"
"""The operation of a probe for a daemon's health, which is counted but no matter of the audit log."""

_DENIED_STATUSES: Final = (401, 403)
_NOT_A_DENIAL: Final = "QuotaExceeded"


def outcome_of(status: int, code: str | None) -> str:
    """The outcome of an operation that was answered to the end.

    Args:
        status: of the answer, as HTTP has it; gRPC gives the status that its error has over S3.
        code: the S3 code of the error; None where it is none.
    """
    if status < 400 and code is None:
        return SUCCESS
    return DENIED if status in _DENIED_STATUSES and code != _NOT_A_DENIAL else FAILED


class OperationRecord(msgspec.Struct, gc=False):
    """One operation, ended.

    Only of plain values, so that the collector of cycles need not look at it (`gc=False`), and cheap to make with
    positional arguments: one is made for every request. The order of the fields is that of the audit line.

    Attributes:
        protocol: "s3", "grpc" or "admin".
        operation: its name in the operation table (`GetObject`); a fixed word where none was found.
        request_id: as the client received it.
        status: as HTTP has it, of the answer; gRPC gives the status that its error has over S3, 200 for OK; 0 where
            nothing could be answered.
        outcome: one of the words above.
        seconds: from the request's head to the end of the answer.
        code: the S3 code of the error that was answered; None: no error.
        principal, org, project: who asked; None before that is known.
        access_key: the id of the access key or API key that it was asked with. No secret.
        authentication: how the caller was recognised: "header", "presigned", "bearer", "api-key",
            "certificate", "session" (of the console); None: not at all.
        action: as the authorizer was asked, `lightningstor:objects:get`.
        bucket, key, version_id: what was asked for.
        resource: its path as SPEC.md §7.3 has it (`Resource.path`).
        bytes_in, bytes_out: of the request's body and of the answer's, as sent.
        object_size: of the object that was written or read, in bytes; for the histogram of sizes.
        client: the address of the client, a trusted proxy's word for it included.
        user_agent: what it calls itself.
        trace_id: of the trace that the request belongs to.
        time: when it began; the observer sets it.
    """

    protocol: str
    operation: str
    request_id: str
    status: int
    outcome: str
    seconds: float
    code: str | None = None
    principal: str | None = None
    org: str | None = None
    project: str | None = None
    access_key: str | None = None
    authentication: str | None = None
    action: str | None = None
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    resource: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    object_size: int | None = None
    client: str | None = None
    user_agent: str | None = None
    trace_id: str | None = None
    time: str = ""


class Observer(Protocol):
    """Hears of every operation. Used from the event loop's thread only."""

    @property
    def closed(self) -> bool:
        """The audit log cannot take more at the moment: `admit` has to be awaited before a request does anything.

        Without traces it is a plain attribute, so that a request which finds it False pays no more than looking.
        """
        ...

    async def admit(self) -> None:
        """Wait until the audit log takes records again.

        Raises:
            AuditUnavailable: it will not soon: its disk is full, or too slow. The request must be refused with this
                error, and be told of by `operation_done` like any other.
        """
        ...

    def operation_done(self, record: OperationRecord) -> None:
        """An operation has ended. Quick (about a microsecond), never raises, never waits."""
        ...
