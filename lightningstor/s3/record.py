"""An S3 request that has ended, as the audit log and the metrics hear of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

from attrs import frozen

from lightningstor.iam.authorize import Resource
from lightningstor.observe.record import ABORTED, SUCCESS, OperationRecord, outcome_of
from lightningstor.s3.call import Call
from lightningstor.s3.wire.operation import Operation

__all__ = ["record_of"]


class _Caller(Protocol):
    """What a record holds of a principal."""

    @property
    def id(self) -> str | None: ...
    @property
    def org_id(self) -> str | None: ...
    @property
    def project_id(self) -> str | None: ...


@frozen
class _Nobody:
    """Who asks, before that is known."""

    id: None = None
    org_id: None = None
    project_id: None = None


_NOBODY: Final = _Nobody()


def record_of(call: Call, seconds: float) -> OperationRecord:
    """The record of a request. On the way of every request, so it is written for speed.

    Args:
        seconds: from the request's head to the end of the answer.
    """
    bucket, key, found = call.bucket, call.key, call.found
    principal: _Caller | None = call.principal
    caller = _NOBODY if principal is None else principal
    operation: Operation | None = call.operation
    status = call.status
    if not call.ended or call.aborted:
        outcome = ABORTED
    else:
        outcome = outcome_of(status, call.s3_code) if status >= 300 else SUCCESS
    agent = call.headers.get(b"user-agent")
    peer = call.exchange.client
    if found is None or bucket is None:
        resource = _hidden(bucket, key, caller.org_id)
    else:
        resource = _bucket_path(found.org_id, found.project_id, bucket)
        if key is not None:
            resource = f"{resource}/object/{key}"
    return OperationRecord(
        "s3",
        call.operation_name,
        call.request_id,
        status,
        outcome,
        seconds,
        call.s3_code,
        caller.id,
        caller.org_id,
        caller.project_id,
        call.access_key,
        call.authentication,
        None if operation is None else operation.action,
        bucket,
        key,
        call.version_id or call.query.get("versionId"),
        resource,
        call.bytes_in,
        call.bytes_out,
        call.object_size,
        None if peer is None else _client(call, peer[0]) if call.endpoint.clients.trusts else peer[0],
        None if agent is None else agent.decode("latin-1"),
    )


def _client(call: Call, peer: str) -> str:
    return call.endpoint.clients.address(peer, call.headers.get(b"x-forwarded-for"))


@lru_cache(1024)
def _bucket_path(org_id: str, project_id: str | None, bucket: str) -> str:
    """Objects without number share a few buckets."""
    return Resource(org_id, project_id, bucket).path


def _hidden(bucket: str | None, key: str | None, org_id: str | None) -> str | None:
    """The path of what was asked for where the bucket was not found, or not shown, or none is named.

    Args:
        org_id: of the caller.
    """
    if bucket is None:
        return None if org_id is None else f"org/{org_id}"
    return f"bucket/{bucket}" if key is None else f"bucket/{bucket}/object/{key}"
