"""A call that has ended, as the audit log and the metrics hear of it."""

from __future__ import annotations

import trio

from lightningstor.iam.authorize import Resource
from lightningstor.observe.record import ABORTED, OperationRecord, outcome_of
from lightningstor.rpc.call import RpcCall
from lightningstor.rpc.status import Ending

__all__ = ["record_of"]


def record_of(call: RpcCall, ending: Ending | None) -> OperationRecord:
    """The record of a call.

    Args:
        ending: how it ended; None: the client left before.
    """
    principal, found = call.principal, call.found
    status = 0 if ending is None else ending.status
    reason = None if ending is None else ending.reason
    resource: str | None = None
    if found is not None:
        resource = Resource(found.org_id, found.project_id, call.bucket, call.key).path
    elif principal is not None and call.bucket is None:
        resource = f"org/{principal.org_id}"
    return OperationRecord(
        protocol="grpc",
        operation=call.operation,
        request_id=call.request_id,
        status=status,
        outcome=ABORTED if ending is None else outcome_of(status, reason),
        seconds=trio.current_time() - call.started,
        code=reason,
        principal=None if principal is None else principal.id,
        org=None if principal is None else principal.org_id,
        project=None if principal is None else principal.project_id,
        access_key=call.access_key,
        authentication=call.authentication,
        action=call.action,
        bucket=call.bucket,
        key=call.key,
        version_id=call.version_id,
        resource=resource,
        bytes_in=call.bytes_in,
        bytes_out=call.bytes_out,
        object_size=call.object_size,
        client=call.peer.rpartition(":")[0],
        user_agent=call.metadata.get("user-agent"),
    )
