"""An S3 request that has ended, as the audit log and the metrics hear of it."""

from __future__ import annotations

from lightningstor.iam.principal import Principal
from lightningstor.observe.record import ABORTED, OperationRecord, outcome_of
from lightningstor.s3.call import Call
from lightningstor.s3.wire.operation import Operation

__all__ = ["record_of"]


def record_of(call: Call, seconds: float) -> OperationRecord:
    """The record of a request. On the way of every request, so it is written for speed.

    Args:
        seconds: from the request's head to the end of the answer.
    """
    bucket, key, found = call.bucket, call.key, call.found
    principal: Principal | None = call.principal
    operation: Operation | None = call.operation
    status = call.status
    if not call.ended or call.aborted:
        outcome = ABORTED
    else:
        outcome = outcome_of(status, call.s3_code) if status >= 300 else "success"
    agent = call.headers.get(b"user-agent")
    peer = call.exchange.client
    trusts = call.endpoint.clients.trusts
    return OperationRecord(
        "s3",
        call.operation_name,
        call.request_id,
        status,
        outcome,
        seconds,
        call.s3_code,
        None if principal is None else principal.id,
        None if principal is None else principal.org_id,
        None if principal is None else principal.project_id,
        call.access_key,
        None if principal is None else _authentication(call),
        None if operation is None else operation.action,
        bucket,
        key,
        call.version_id or (call.query.get("versionId") if call.query else None),
        _resource(call) if found is None else _path(found.org_id, found.project_id, bucket, key),
        call.bytes_in,
        call.bytes_out,
        call.object_size,
        None if peer is None else _client(call, peer[0]) if trusts else peer[0],
        None if agent is None else agent.decode("latin-1"),
    )


def _client(call: Call, peer: str) -> str:
    return call.endpoint.clients.address(peer, call.headers.get(b"x-forwarded-for"))


def _authentication(call: Call) -> str:
    if call.signed is not None:
        return "header" if call.signed[1].expires_s is None else "presigned"
    return "presigned" if "Signature" in call.query else "header"


def _resource(call: Call) -> str | None:
    """The path of what was asked for where the bucket's record was not found, or not shown, or there is none."""
    if call.bucket is None:
        principal: Principal | None = call.principal
        return None if principal is None else f"org/{principal.org_id}"
    return f"bucket/{call.bucket}" if call.key is None else f"bucket/{call.bucket}/object/{call.key}"


def _path(org_id: str, project_id: str | None, bucket: str | None, key: str | None) -> str:
    """`Resource.path`, quicker."""
    scope = f"org/{org_id}" if project_id is None else f"org/{org_id}/project/{project_id}"
    return f"{scope}/bucket/{bucket}" if key is None else f"{scope}/bucket/{bucket}/object/{key}"
