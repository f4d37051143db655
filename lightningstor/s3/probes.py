"""/health and /ready on the S3 port, and MinIO's names for them: for load balancers that know no other port.

They are paths of buckets and objects too. So only a request without credentials gets such an answer, and only where no
bucket has that name: whoever calls a bucket "health" has it.
"""

from __future__ import annotations

import json
from typing import Final

from lightningstor.errors import NoSuchBucket
from lightningstor.observe.record import HEALTH_PROBE
from lightningstor.s3.call import Call
from lightningstor.s3.respond import Reply

__all__ = ["answer_probe"]

_ALIVE: Final = frozenset((b"/health", b"/minio/health/live"))
_READY: Final = frozenset((b"/ready", b"/minio/health/ready"))
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]


async def answer_probe(call: Call) -> Reply | None:
    """The answer to a probe; None where the request is none. The caller has found no credentials in it."""
    path = call.raw_path
    if (path not in _ALIVE and path not in _READY) or call.method not in ("GET", "HEAD") or call.virtual_host:
        return None
    bucket = path[1:].partition(b"/")[0].decode()
    try:
        await call.endpoint.store.buckets.get(bucket)
    except NoSuchBucket:
        pass
    else:
        return None
    call.operation_name = HEALTH_PROBE
    reasons = call.endpoint.readiness() if path in _READY else {}
    if reasons:
        return Reply(503, _HEADERS, _document({"status": "not ready", "reasons": reasons}))
    return Reply(200, _HEADERS, _document({"status": "ready" if path in _READY else "ok"}))


def _document(content: dict[str, object]) -> bytes:
    return json.dumps(content).encode() + b"\n"
